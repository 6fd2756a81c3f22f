//! RouteConfigurations: one per site, one VirtualHost, and in it a map from the route that the
//! filter chose to its action.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use policy::desired::{DesiredRoute, DesiredSite, DesiredUpstream};
use policy::header_name::{self, chosen_route};
use policy::id::UpstreamId;
use policy::path::MAX_PREFIX_SEGMENTS;
use policy::settings::KeySource;
use xds_api::pb::envoy::config::route::v3::{RetryPolicy, Route, RouteAction, route, route_action};
use xds_api::pb::envoy::r#type::matcher::v3::{
    HttpRequestHeaderMatchInput, RegexMatchAndSubstitute, RegexMatcher,
};

use super::cluster;
use super::error::TranslateError;
use super::ordered::{MatchMap, Matcher, MatcherTree, OnMatch, RouteConfiguration, VirtualHost};
use super::problem::{Problem, any_path, overwrite};
use super::protobuf::{duration, extension, pack, uint};
use crate::resource::route_name;

/// A routed stream on which nothing moves in either direction is ended; not before the timeout of
/// its request is over.
const STREAM_IDLE: Duration = Duration::from_secs(300);

/// Only a request that cannot have reached the upstream is tried again, so that none is ever done
/// twice.
const RETRY_ON: &str = "reset-before-request,connect-failure,refused-stream";

/// The filter knows a route that this Envoy has not got yet, or that it has lost already: for
/// milliseconds.
pub(super) const NOT_YET: Problem = Problem {
    status: 503,
    title: "Service Unavailable",
    detail: "The route is being updated; try again.",
};

const NO_SITE: Problem =
    Problem { status: 404, title: "Not Found", detail: "There is no API at this host." };

/// The routes of a site.
pub(super) fn configuration(desired: &DesiredSite) -> Result<RouteConfiguration, TranslateError> {
    let upstreams: BTreeMap<_, _> =
        desired.upstreams.iter().map(|upstream| (upstream.id, upstream)).collect();
    let mut map = BTreeMap::new();
    for route in &desired.routes {
        map.insert(
            chosen_route(desired.site, route.id),
            action(&envoy_route(desired, route, &upstreams)?),
        );
    }
    // Envoy refuses a tree with an empty map.
    let matcher_tree = (!map.is_empty()).then(|| MatcherTree {
        input: Some(extension(
            "route",
            pack(&HttpRequestHeaderMatchInput { header_name: header_name::ROUTE.to_owned() }),
        )),
        exact_match_map: Some(MatchMap { map }),
    });
    let on_no_match = Some(action(&NOT_YET.route(&[("retry-after", "1")])));
    let mut routes =
        one_virtual_host(route_name(desired.site), Matcher { matcher_tree, on_no_match });
    for host in &mut routes.virtual_hosts {
        host.request_headers_to_remove = headers_to_remove(desired)?;
        host.request_headers_to_add = vec![
            overwrite(header_name::TENANT, &desired.tenant.to_string()),
            overwrite(header_name::SITE, &desired.site.to_string()),
        ];
    }
    Ok(routes)
}

/// The headers that do not reach the upstream.
fn headers_to_remove(desired: &DesiredSite) -> Result<Vec<String>, TranslateError> {
    // Envoy refuses an upgrade when it has the route, but not in the request for which it has to
    // load the routes first: that one would become a tunnel.
    let mut headers = vec!["upgrade".to_owned()];
    // The caller's credential ends here. The filter has moved it to this header, or left it in one
    // that the site names, and could not remove it: a request that makes Envoy load a site starts
    // again from the first filter, with its headers as the filters left them.
    headers.push(header_name::CREDENTIAL.to_owned());
    if !desired.forward_credentials {
        let named = desired.settings.key_sources.iter().filter_map(|source| match source {
            KeySource::Header { name } => Some(name.to_ascii_lowercase()),
            KeySource::Bearer | KeySource::Basic | KeySource::Query { .. } => None,
        });
        let named = named.collect::<BTreeSet<_>>();
        if let Some(name) = named.iter().find(|name| !is_removable(name)) {
            return Err(TranslateError::HeaderName { site: desired.site, name: name.clone() });
        }
        headers.extend(named);
    }
    Ok(headers)
}

/// Returns true if Envoy takes this name, in lower case, as that of a header to remove: a token
/// (RFC 9110 section 5.1), and not `host`.
fn is_removable(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name != "host" && name.bytes().all(token)
}

/// The answer for a site that does not exist.
pub(super) fn no_such_site(name: &str) -> RouteConfiguration {
    let matcher = Matcher { matcher_tree: None, on_no_match: Some(action(&NO_SITE.route(&[]))) };
    one_virtual_host(name.to_owned(), matcher)
}

fn one_virtual_host(name: String, matcher: Matcher) -> RouteConfiguration {
    let host = VirtualHost {
        name: name.clone(),
        domains: vec!["*".to_owned()],
        request_headers_to_add: Vec::new(),
        request_headers_to_remove: Vec::new(),
        matcher: Some(matcher),
    };
    RouteConfiguration { name, virtual_hosts: vec![host] }
}

fn action(route: &Route) -> OnMatch {
    OnMatch { action: Some(extension("route", pack(route))) }
}

fn envoy_route(
    site: &DesiredSite,
    route: &DesiredRoute,
    upstreams: &BTreeMap<UpstreamId, &DesiredUpstream>,
) -> Result<Route, TranslateError> {
    let unknown = TranslateError::UnknownUpstream { route: route.id, upstream: route.upstream };
    let upstream = upstreams.get(&route.upstream).ok_or(unknown)?;
    let timeout = Duration::from_millis(upstream.request_timeout_ms.into());
    let retry_policy =
        RetryPolicy { retry_on: RETRY_ON.to_owned(), num_retries: uint(1), ..Default::default() };
    let action = RouteAction {
        cluster_specifier: Some(route_action::ClusterSpecifier::Cluster(cluster::name(
            site.site,
            upstream.id,
        ))),
        timeout: duration(timeout),
        idle_timeout: duration(STREAM_IDLE.max(timeout)),
        retry_policy: Some(retry_policy),
        regex_rewrite: if route.strip_prefix { strip(route)? } else { None },
        ..Default::default()
    };
    Ok(Route {
        name: route.id.to_string(),
        r#match: Some(any_path()),
        request_headers_to_add: vec![overwrite(header_name::ROUTE, &route.id.to_string())],
        action: Some(route::Action::Route(action)),
        ..Default::default()
    })
}

/// Takes the prefix off a path: `/base/v1`, `/base/v1/` and `/base/v1/x` become `/`, `/` and `/x`.
///
/// The filter has matched the prefix already, in canonical form, while Envoy may still see an
/// encoded one (`/%62ase/v1/x`). So the prefix is taken off by its number of segments, which the
/// encoding cannot change, and not by its text; the rest is not looked at, and reaches the upstream
/// byte for byte.
fn strip(route: &DesiredRoute) -> Result<Option<RegexMatchAndSubstitute>, TranslateError> {
    let segments = route.prefix.split('/').filter(|segment| !segment.is_empty()).count();
    if segments > MAX_PREFIX_SEGMENTS {
        return Err(TranslateError::PrefixSegments { route: route.id });
    }
    let regex = RegexMatcher {
        regex: format!("^(?:/[^/]+){{{segments}}}/?"),
        // RE2 is the only engine, and naming it is deprecated.
        engine_type: None,
    };
    Ok((segments > 0)
        .then(|| RegexMatchAndSubstitute { pattern: Some(regex), substitution: "/".to_owned() }))
}
