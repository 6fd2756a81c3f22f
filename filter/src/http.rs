//! One HTTP exchange: reads the request's headers once, asks `policy`, carries out the answer, and
//! counts it when it is over.

use std::rc::Rc;

use policy::decision::{Decision, Edit, Forward, Who, decide};
use policy::filter_state::{COUNTED, REFUSAL};
use policy::header_name;
use policy::headers;
use policy::id::Uuid;
use policy::refusal::{RateLimitFields, Refusal};
use policy::request::{Request, decimal};
use policy::site::Site;
use policy::state::State as _;
use policy::usage;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, MapType, Status};

use crate::abi;
use crate::body::Body;
use crate::vm::Vm;

const LIMIT: &[u8] = header_name::RATE_LIMIT.as_bytes();
const LIMIT_POLICY: &[u8] = header_name::RATE_LIMIT_POLICY.as_bytes();

/// Envoy's code for the end of the first attempt of a stream that it begins anew, when the routes
/// of its site have come.
const BEGUN_ANEW: &[u8] = b"internal_redirect";

/// One exchange.
#[derive(Default)]
pub(crate) struct Exchange {
    who: Who,
    started_us: u64,
    request_bytes: RequestBytes,
    /// True if its answer has no body, even if the answer's head says otherwise.
    is_head: bool,
    /// True while it counts as under way.
    entered: bool,
    body: Option<Body>,
    /// The `RateLimit` headers that the answer will carry.
    rate_limit: Option<RateLimitFields>,
    /// The site that it was let go for.
    site: Option<Rc<Site>>,
    /// The head of its answer.
    answer: Option<Answer>,
}

/// The facts in the head of an answer.
#[derive(Clone, Copy, Default)]
struct Answer {
    status: u16,
    content_length: Option<u64>,
    /// True if it tells of limits of its own.
    tells_limits: bool,
}

impl Answer {
    fn read(map: &[u8]) -> Self {
        let mut answer = Self::default();
        for (name, value) in headers::pairs(map).into_iter().flatten().flatten() {
            match name {
                b":status" => {
                    answer.status =
                        decimal(value).and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
                }
                b"content-length" => answer.content_length = decimal(value),
                LIMIT | LIMIT_POLICY => answer.tells_limits = true,
                _ => {}
            }
        }
        answer
    }
}

/// The size of a request's body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RequestBytes {
    Known(u64),
    /// It does not say: Envoy has counted them when it is over.
    Unknown,
}

impl Default for RequestBytes {
    fn default() -> Self {
        Self::Known(0)
    }
}

impl Exchange {
    pub(crate) fn request_headers(&mut self, vm: &mut Vm, end_of_stream: bool) -> Action {
        self.decide(vm, end_of_stream).unwrap_or_else(|_| fail_closed())
    }

    fn decide(&mut self, vm: &mut Vm, end_of_stream: bool) -> Result<Action, Status> {
        let map = abi::header_map(MapType::HttpRequestHeaders)?;
        let headers = headers::parse(&map).ok_or(Status::ParseFailure)?;
        let request = Request::read(&headers, !end_of_stream);
        // First of all, so that not even the access log of a refused request shows what a client
        // made up.
        for name in &request.reserved {
            abi::remove_header(MapType::HttpRequestHeaders, name)?;
        }
        self.started_us = now_us()?;
        self.is_head = request.method == b"HEAD";
        self.request_bytes = match (end_of_stream, request.content_length) {
            (true, _) => RequestBytes::Known(0),
            (false, Some(bytes)) => RequestBytes::Known(bytes),
            (false, None) => RequestBytes::Unknown,
        };
        if !vm.pushed.refresh() {
            return Ok(self.refuse(vm, &Refusal::NotReady));
        }
        vm.now_ms = self.started_us / 1000;
        let mut mode = vm.mode();
        // Only a request that was let go before has such headers, or a client that made them up.
        let before = if request.reserved.is_empty() { None } else { property(COUNTED) };
        mode.counted = before.is_some();
        let Decision { who, outcome } = decide(&request, mode, vm, self.started_us / 1000);
        self.who = who;
        match outcome {
            Ok(forward) => {
                self.entered = true;
                vm.metrics.let_go();
                self.rate_limit = before.and_then(|fields| RateLimitFields::from_text(&fields));
                self.let_go(vm, forward)
            }
            Err(refusal) => Ok(self.refuse(vm, &refusal)),
        }
    }

    fn let_go(&mut self, vm: &Vm, forward: Forward<'_>) -> Result<Action, Status> {
        for edit in &forward.edits {
            carry_out(edit)?;
        }
        if vm.mode().remove_credentials {
            self.set_context()?;
        } else {
            self.add_context(&forward)?;
        }
        if let Some(fields) = forward.rate_limit {
            self.rate_limit = Some(fields);
        }
        if forward.counted {
            self.note_counted()?;
        }
        self.site = Some(forward.site);
        self.body = forward.body.map(|(expected, max_bytes)| Body::new(expected, max_bytes));
        Ok(if self.body.is_some() { Action::Pause } else { Action::Continue })
    }

    /// The request may come by again; it is counted now.
    #[cold]
    fn note_counted(&self) -> Result<(), Status> {
        let fields = self.rate_limit.as_ref().map(RateLimitFields::to_text).unwrap_or_default();
        hostcalls::set_property(vec![COUNTED], Some(&fields))
    }

    /// Adds the part of the context that Envoy's route does not add. None of it is there any more:
    /// the client's was removed. To set a header costs a quarter of a microsecond more than to add
    /// one.
    fn add_context(&self, forward: &Forward<'_>) -> Result<(), Status> {
        let add = |name: &str, value: &[u8]| {
            abi::add_header(MapType::HttpRequestHeaders, name.as_bytes(), value)
        };
        if let Some(consumer) = self.who.consumer {
            with_text(&consumer.0, |id| add(header_name::CONSUMER, id))?;
        }
        if let Some(route) = forward.route.and_then(|route| forward.site.route(route)) {
            add(header_name::ROUTE, route.header.as_bytes())?;
        }
        Ok(())
    }

    /// The context as headers of the request, all of it that is known.
    #[inline(never)]
    fn set_context(&self) -> Result<(), Status> {
        if let Some((tenant, site)) = self.who.site {
            set_id(header_name::TENANT, &tenant.0)?;
            set_id(header_name::SITE, &site.0)?;
        }
        if let Some(route) = self.who.route {
            set_id(header_name::ROUTE, &route.0)?;
        }
        if let Some(consumer) = self.who.consumer {
            set_id(header_name::CONSUMER, &consumer.0)?;
        }
        Ok(())
    }

    /// Answers the request. Whether that works or not, it is not let go.
    #[cold]
    fn refuse(&mut self, vm: &mut Vm, refusal: &Refusal) -> Action {
        // For the access log; the request goes nowhere.
        let _ = self.set_context();
        let _ = hostcalls::set_property(vec![REFUSAL], Some(refusal.reason().as_bytes()));
        vm.metrics.refused(refusal);
        let _ = send(refusal);
        Action::Pause
    }

    /// Tells the state of the limits, no matter who answers, in the place of an upstream's own.
    fn tell_limits(&mut self, answer: Answer) {
        let Some(RateLimitFields { limit, policy }) = self.rate_limit.take() else { return };
        let tell = if answer.tells_limits { abi::set_header } else { abi::add_header };
        for (name, value) in [(LIMIT, limit), (LIMIT_POLICY, policy)] {
            let _ = tell(MapType::HttpResponseHeaders, name, &value);
        }
    }

    /// Decides about a part of a body that has come: `size` bytes are held, if Envoy says so.
    pub(crate) fn request_body(
        &mut self,
        vm: &mut Vm,
        size: Option<usize>,
        end_of_stream: bool,
    ) -> Action {
        let Some(body) = &self.body else { return Action::Continue };
        match body.check(size.unwrap_or_else(|| body.held()), end_of_stream) {
            Ok(action) => action,
            Err(refusal) => self.refuse(vm, &refusal),
        }
    }

    /// Keeps the facts in the head of the answer for the end, and tells the state of the limits.
    pub(crate) fn response_headers(&mut self) {
        if self.who.site.is_none() {
            return;
        }
        let map = abi::header_map(MapType::HttpResponseHeaders).unwrap_or_default();
        let answer = Answer::read(&map);
        self.answer = Some(answer);
        self.tell_limits(answer);
    }

    /// Ends the exchange: it is not under way any more.
    pub(crate) fn over(&self, vm: &mut Vm) {
        if self.entered
            && let Some((tenant, _)) = self.who.site
        {
            // The time of the last request is near enough, and costs no host call.
            let now_ms = vm.now_ms;
            vm.leave(tenant, now_ms);
        }
        self.count(vm);
    }

    /// Counts the exchange, once: not the first attempt of one that Envoy began anew.
    fn count(&self, vm: &mut Vm) -> Option<()> {
        let (tenant, site) = self.who.site?;
        let answer = match self.answer {
            Some(answer) => answer,
            None => self.answer_around_the_filter()?,
        };
        let status = answer.status;
        if let Some(site) = &self.site {
            site.answered(status, self.started_us / 1000);
        }
        let response_bytes =
            usage::response_body_bytes(self.is_head, status, answer.content_length);
        let response_bytes = response_bytes.unwrap_or_else(|| counter("response", "size"));
        let request_bytes = match self.request_bytes {
            RequestBytes::Known(bytes) => bytes,
            RequestBytes::Unknown => counter("request", "size"),
        };
        let ended_us = now_us().ok()?;
        let exchange = usage::Exchange {
            ended_at_ms: ended_us / 1000,
            status,
            duration_us: ended_us.saturating_sub(self.started_us),
            request_bytes,
            response_bytes,
        };
        let who = usage::Who {
            tenant,
            site,
            consumer: self.who.consumer,
            key: self.who.key,
            route: self.who.route,
        };
        vm.usage.record(&who, &exchange);
        Some(())
    }

    /// The answer of an exchange whose head the filter has not seen: none, if the client went away
    /// first, or one that Envoy gave past its filters. `None` if it was begun anew, and the attempt
    /// that follows will tell.
    #[cold]
    fn answer_around_the_filter(&self) -> Option<Answer> {
        let details = hostcalls::get_property(vec!["response", "code_details"]).ok().flatten();
        if details.is_some_and(|details| details == BEGUN_ANEW) {
            return None;
        }
        let status = u16::try_from(counter("response", "code")).unwrap_or(0);
        Some(Answer { status, ..Answer::default() })
    }
}

/// Removes from a client's trailers what only Tenantry may say: an upstream that takes trailers for
/// headers must not be told by the caller who called.
pub(crate) fn clean_trailers() -> Result<(), Status> {
    let map = abi::header_map(MapType::HttpRequestTrailers)?;
    for (name, _) in headers::parse(&map).ok_or(Status::ParseFailure)? {
        if name.starts_with(header_name::RESERVED_PREFIX.as_bytes()) {
            abi::remove_header(MapType::HttpRequestTrailers, name)?;
        }
    }
    Ok(())
}

/// The end of every error: the request is not let go. Should not even the answer be possible, it
/// waits until it times out.
pub(crate) fn fail_closed() -> Action {
    let _ = send(&Refusal::NotReady);
    Action::Pause
}

fn send(refusal: &Refusal) -> Result<(), Status> {
    let answer = refusal.answer();
    let headers = answer.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    hostcalls::send_http_response(answer.status, headers, Some(answer.body.as_bytes()))
}

fn set_id(name: &str, id: &Uuid) -> Result<(), Status> {
    with_text(id, |text| abi::set_header(MapType::HttpRequestHeaders, name.as_bytes(), text))
}

fn with_text<T>(id: &Uuid, work: impl FnOnce(&[u8]) -> T) -> T {
    let mut text = [0; 36];
    work(id.hyphenated().encode_lower(&mut text).as_bytes())
}

#[inline(never)]
fn carry_out(edit: &Edit<'_>) -> Result<(), Status> {
    let map = MapType::HttpRequestHeaders;
    match edit {
        Edit::Set(name, value) => abi::set_header(map, name.as_bytes(), value),
        Edit::Add(name, value) => abi::add_header(map, name.as_bytes(), value),
        Edit::Remove(name) => abi::remove_header(map, name),
    }
}

#[inline(never)]
fn property(name: &str) -> Option<Vec<u8>> {
    hostcalls::get_property(vec![name]).ok().flatten()
}

/// One of Envoy's counters of bytes: 64 bits, little endian.
#[inline(never)]
fn counter(of: &str, name: &str) -> u64 {
    let value = hostcalls::get_property(vec![of, name]).ok().flatten();
    value.and_then(|value| value.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// Microseconds since the Unix epoch.
fn now_us() -> Result<u64, Status> {
    abi::now_ns().map(|now_ns| now_ns / 1_000)
}

/// Milliseconds since the Unix epoch; 0 if the host does not tell.
pub(crate) fn now_ms() -> u64 {
    now_us().unwrap_or(0) / 1000
}
