//! Problem details (RFC 9457) that Envoy answers by itself, and the direct responses that carry
//! them.

use policy::refusal::MEDIA_TYPE;
use xds_api::pb::envoy::config::core::v3::{
    HeaderValue, HeaderValueOption, header_value_option::HeaderAppendAction,
};
use xds_api::pb::envoy::config::route::v3::{
    DirectResponseAction, Route, RouteMatch, route, route_match,
};

use super::protobuf::inline_text;

/// One problem. Its body is the same bytes each time.
#[derive(Clone, Copy)]
pub(super) struct Problem {
    /// The status code.
    pub(super) status: u32,
    /// The reason phrase of the status code.
    pub(super) title: &'static str,
    /// The explanation for the caller; without `%`, which Envoy would expand in a reply's format.
    pub(super) detail: &'static str,
}

impl Problem {
    /// The body, in the form that the filter's own refusals have.
    pub(super) fn body(&self) -> String {
        let Self { status, title, detail } = self;
        format!(
            r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}"}}"#
        )
    }

    /// A route that answers every request with this problem and these further headers.
    pub(super) fn route(&self, headers: &[(&str, &str)]) -> Route {
        let content_type = [("content-type", MEDIA_TYPE)];
        let headers = content_type.iter().chain(headers);
        Route {
            r#match: Some(any_path()),
            response_headers_to_add: headers.map(|(name, value)| overwrite(name, value)).collect(),
            action: Some(route::Action::DirectResponse(DirectResponseAction {
                status: self.status,
                body: Some(inline_text(&self.body())),
            })),
            ..Default::default()
        }
    }
}

/// A match that takes every request: the matcher tree has chosen already.
pub(super) fn any_path() -> RouteMatch {
    RouteMatch {
        path_specifier: Some(route_match::PathSpecifier::Prefix("/".to_owned())),
        ..Default::default()
    }
}

/// A header that replaces one of the same name. Envoy leaves it out if its value comes to nothing.
pub(super) fn overwrite(name: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_owned(),
            value: value.to_owned(),
            ..Default::default()
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..Default::default()
    }
}
