//! One HTTP exchange: reads the request's headers once, asks `policy`, carries out the answer.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use policy::{
    decision::{Decision, Forward, decide},
    refusal::{CONTENT_TYPE, Refusal},
    request::{API_KEY_HEADER, Request},
};
use proxy_wasm::{
    hostcalls,
    traits::{Context, HttpContext},
    types::{Action, MapType, Status},
};

use crate::shared::{self, Shared, Sites};

/// The context headers, which Envoy routes by and the upstream can trust.
const TENANT: &str = "x-tenantry-tenant";
const SITE: &str = "x-tenantry-site";
const ROUTE: &str = "x-tenantry-route";
const CONSUMER: &str = "x-tenantry-consumer";

/// The context of one exchange.
pub(crate) struct Exchange {
    sites: Rc<RefCell<Sites>>,
}

impl Exchange {
    pub(crate) fn new(sites: Rc<RefCell<Sites>>) -> Self {
        Self { sites }
    }

    fn decide(&self) -> Result<Outcome, Status> {
        let headers = hostcalls::get_map_bytes(MapType::HttpRequestHeaders)?;
        let request = Request::read(headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())));
        // First of all, so that not even the access log of a refused request shows what a client made up.
        for name in &request.reserved {
            hostcalls::set_map_value(MapType::HttpRequestHeaders, name, None)?;
        }
        let Some(serving) = shared::serving() else { return Err(Status::NotFound) };
        let mut state = Shared { serving, sites: &self.sites };
        match decide(&request, &mut state, now_ms()?) {
            Decision::Forward(forward) => let_go(&forward),
            Decision::Refuse(refusal) => refuse(refusal),
        }
    }
}

impl Context for Exchange {}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        match self.decide() {
            Ok(Outcome::Forwarded) => Action::Continue,
            Ok(Outcome::Refused) => Action::Pause,
            Err(_) => fail_closed(),
        }
    }
}

fn let_go(forward: &Forward<'_>) -> Result<Outcome, Status> {
    let set = |name, value: Option<&str>| hostcalls::set_map_value(MapType::HttpRequestHeaders, name, value);
    if let Some(key) = forward.move_key {
        hostcalls::set_map_value_bytes(MapType::HttpRequestHeaders, API_KEY_HEADER, Some(key.0))?;
        set("authorization", None)?;
    }
    set(TENANT, Some(&forward.tenant.to_string()))?;
    set(CONSUMER, Some(&forward.consumer.to_string()))?;
    set(ROUTE, Some(&forward.route.to_string()))?;
    set(SITE, Some(&forward.site.to_string()))?;
    Ok(Outcome::Forwarded)
}

fn refuse(refusal: Refusal) -> Result<Outcome, Status> {
    let extra = refusal.header();
    let mut headers = vec![("content-type", CONTENT_TYPE)];
    headers.extend(extra.as_ref().map(|(name, value)| (*name, value.as_str())));
    hostcalls::send_http_response(refusal.status(), headers, Some(refusal.body().as_bytes()))?;
    Ok(Outcome::Refused)
}

/// The end of every error: the request is not let go. Should not even the answer be possible, it waits until it times out.
pub(crate) fn fail_closed() -> Action {
    let _ = refuse(Refusal::NotReady);
    Action::Pause
}

fn now_ms() -> Result<u64, Status> {
    let now: SystemTime = hostcalls::get_current_time()?;
    let since = now.duration_since(UNIX_EPOCH).map_err(|_| Status::InternalFailure)?;
    u64::try_from(since.as_millis()).map_err(|_| Status::InternalFailure)
}

/// What became of a request.
enum Outcome {
    Forwarded,
    Refused,
}
