//! An upstream that answers with what it was sent, over HTTP/1.1 and HTTP/2 without TLS.
//!
//! The answer to any request is 200 and
//! `{"method", "path", "headers": {name: [values]}, "upstream": <its name>, "body_bytes": n}`;
//! `path` is the request target as it arrived, query included, and trailers are among the headers.
//! Five request headers change that: `x-echo-delay-ms` waits before it answers, `x-echo-hold: 1`
//! until [`Echo::release`], `x-echo-status` sets the status, `x-echo-header: <name>=<value>` adds a
//! header, and `x-echo-reset: 1` ends the connection (HTTP/2: the stream) without an answer.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// The ledger keeps the last requests only: a load test sends millions, and then their number is
/// what counts.
const LEDGER_REQUESTS: usize = 10_000;

/// The longest delay that a request can ask for, and the longest that it is held.
const MAX_DELAY: Duration = Duration::from_secs(120);

/// One request as the upstream saw it; also the body of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    pub method: String,
    pub path: String,
    /// Names in lower case; a value that is not UTF-8 has its bad bytes replaced.
    pub headers: BTreeMap<String, Vec<String>>,
    pub upstream: String,
    pub body_bytes: usize,
}

impl Received {
    /// The value of a header that has to stand there exactly once.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self.headers.get(name).map(Vec::as_slice) {
            Some([value]) => Some(value),
            _ => None,
        }
    }
}

#[derive(Debug, Default)]
struct Ledger {
    last: Mutex<VecDeque<Received>>,
    total: AtomicU64,
    /// Number of times that held requests were released.
    releases: watch::Sender<u64>,
}

impl Ledger {
    fn enter(&self, received: Received) {
        self.total.fetch_add(1, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if last.len() == LEDGER_REQUESTS {
            last.pop_front();
        }
        last.push_back(received);
    }
}

/// A running echo upstream, on a thread of its own so that a test which blocks cannot starve it.
/// Dropping it closes the listener and all its connections.
#[derive(Debug)]
pub struct Echo {
    pub name: String,
    pub addr: SocketAddr,
    ledger: Arc<Ledger>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    /// Listens on `addr` (port 0 for any) and calls itself `name`.
    pub fn start(name: &str, addr: SocketAddr) -> Result<Echo> {
        let listener =
            std::net::TcpListener::bind(addr).with_context(|| format!("listening on {addr}"))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _guard = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let ledger = Arc::new(Ledger::default());
        let (stop, stopped) = oneshot::channel();
        let server = serve(listener, name.to_owned(), Arc::clone(&ledger));
        let thread = thread::Builder::new().name(format!("echo-{name}")).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = server => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Echo { name: name.to_owned(), addr, ledger, stop: Some(stop), thread: Some(thread) })
    }

    /// The last [`LEDGER_REQUESTS`] requests, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.ledger
            .last
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .iter()
            .cloned()
            .collect()
    }

    /// Number of requests that have arrived in all.
    pub fn total(&self) -> u64 {
        self.ledger.total.load(Ordering::Relaxed)
    }

    /// Answers all requests that are held now. One that is in the ledger is.
    pub fn release(&self) {
        self.ledger.releases.send_modify(|releases| *releases += 1);
    }

    /// Forgets the requests so far.
    pub fn clear(&self) {
        self.ledger.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
        self.ledger.total.store(0, Ordering::Relaxed);
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, name: String, ledger: Arc<Ledger>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve_connection(stream, name.clone(), Arc::clone(&ledger)));
            }
            // Out of file descriptors, say: it passes when connections end.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_connection(stream: TcpStream, name: String, ledger: Arc<Ledger>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let (name, ledger) = (name.clone(), Arc::clone(&ledger));
        async move { answer(request, name, &ledger).await }
    });
    // An error is a client that went away, or a reset that a request asked for.
    let _ =
        Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    upstream: String,
    ledger: &Ledger,
) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap_or_default();
    let mut all = head.headers.clone();
    // As an upstream does that reads trailers as headers (RFC 9110 section 6.5.1 lets it).
    for (name, value) in body.trailers().into_iter().flatten() {
        all.append(name, value.clone());
    }
    let body_bytes = body.to_bytes().len();
    let received = Received {
        method: head.method.to_string(),
        path: head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string),
        headers: headers(&all, head.uri.authority().map(|authority| authority.as_str())),
        upstream,
        body_bytes,
    };
    let text = serde_json::to_vec(&received)?;
    // Before it is in the ledger, so that whoever finds it there can release it.
    let mut releases = ledger.releases.subscribe();
    ledger.enter(received);
    if number(&head.headers, "x-echo-hold") == Some(1) {
        let _ = tokio::time::timeout(MAX_DELAY, releases.changed()).await;
    }
    if let Some(delay) = number(&head.headers, "x-echo-delay-ms") {
        tokio::time::sleep(Duration::from_millis(delay).min(MAX_DELAY)).await;
    }
    if number(&head.headers, "x-echo-reset") == Some(1) {
        return Err(io::Error::from(io::ErrorKind::ConnectionReset));
    }
    let status = number(&head.headers, "x-echo-status").and_then(|code| u16::try_from(code).ok());
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() =
        status.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some((name, value)) = asked_for(&head.headers) {
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// The header that the answer is to have.
fn asked_for(headers: &HeaderMap) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = headers.get("x-echo-header")?.to_str().ok()?.split_once('=')?;
    Some((name.parse().ok()?, value.parse().ok()?))
}

/// All headers; HTTP/2's `:authority` is entered as `host`, so that a test reads one name for both
/// versions.
fn headers(map: &HeaderMap, authority: Option<&str>) -> BTreeMap<String, Vec<String>> {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in map {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(name.as_str().to_owned()).or_default().push(value);
    }
    if let Some(authority) = authority {
        headers.entry("host".to_owned()).or_insert_with(|| vec![authority.to_owned()]);
    }
    headers
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// Runs echo upstreams until this process is ended: what `cargo xtask echo` does.
pub fn run_forever(listeners: &[(String, SocketAddr)]) -> Result<Infallible> {
    let _running: Vec<Echo> =
        listeners.iter().map(|(name, addr)| Echo::start(name, *addr)).collect::<Result<_>>()?;
    loop {
        thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports;

    fn client() -> reqwest::Client {
        reqwest::Client::builder().no_proxy().build().unwrap()
    }

    #[tokio::test]
    async fn answers_with_what_it_was_sent_and_keeps_a_ledger() {
        let echo = Echo::start("orders", ports::loopback(0)).unwrap();
        let url = format!("http://{}/a/b?c=%2F", echo.addr);
        let response = client().post(url).header("x-one", "1").body("12345").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let received: Received = response.json().await.unwrap();
        assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", "/a/b?c=%2F"));
        assert_eq!((received.header("x-one"), received.body_bytes), (Some("1"), 5));
        assert_eq!(received.upstream, "orders");
        assert_eq!(echo.received(), [received]);
    }

    #[tokio::test]
    async fn speaks_http2_without_tls() {
        let echo = Echo::start("h2", ports::loopback(0)).unwrap();
        let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
        let response = client.get(format!("http://{}/", echo.addr)).send().await.unwrap();
        assert_eq!(response.version(), reqwest::Version::HTTP_2);
        let received: Received = response.json().await.unwrap();
        assert_eq!(received.header("host"), Some(echo.addr.to_string().as_str()));
    }

    #[tokio::test]
    async fn control_headers_set_the_status_and_a_header_and_reset_the_connection() {
        let echo = Echo::start("moody", ports::loopback(0)).unwrap();
        let url = format!("http://{}/", echo.addr);
        let teapot = client().get(&url).header("x-echo-status", "418").send().await.unwrap();
        assert_eq!(teapot.status(), 418);
        let told = client()
            .get(&url)
            .header("x-echo-header", "ratelimit=\"own\";r=9")
            .send()
            .await
            .unwrap();
        assert_eq!(told.headers()["ratelimit"], r#""own";r=9"#);
        assert!(client().get(&url).header("x-echo-reset", "1").send().await.is_err());
        assert_eq!(echo.total(), 3);
    }

    #[tokio::test]
    async fn a_request_is_held_until_it_is_released() {
        let echo = Echo::start("slow", ports::loopback(0)).unwrap();
        let held = client().get(format!("http://{}/", echo.addr)).header("x-echo-hold", "1").send();
        let release = async {
            while echo.total() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            echo.release();
        };
        assert_eq!(tokio::join!(held, release).0.unwrap().status(), 200);
    }

    #[tokio::test]
    async fn a_dropped_echo_refuses_connections_and_can_come_back_on_its_port() {
        let echo = Echo::start("down", ports::free()).unwrap();
        let (addr, url) = (echo.addr, format!("http://{}/", echo.addr));
        let client = client();
        assert!(client.get(&url).send().await.is_ok());
        drop(echo);
        assert!(client.get(&url).send().await.is_err());
        let _back = Echo::start("down", addr).unwrap();
        assert!(client.get(&url).send().await.is_ok());
    }
}
