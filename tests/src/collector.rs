//! A collector of traces: an OTLP receiver over HTTP, on a free port of this machine.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

/// Attributes as text, by their names.
pub type Attributes = BTreeMap<String, String>;

/// A span that a program has exported.
#[derive(Clone, Debug)]
pub struct Collected {
    /// The attributes of the program, such as `service.name`.
    pub resource: Attributes,
    /// The span as it came.
    pub span: Span,
}

impl Collected {
    /// An attribute of the span, as text.
    pub fn attribute(&self, name: &str) -> Option<String> {
        attributes(&self.span.attributes).remove(name)
    }

    /// The name of the program.
    pub fn service(&self) -> &str {
        self.resource.get("service.name").map_or("", String::as_str)
    }

    /// The names of what happened in the span, each with its attributes.
    pub fn events(&self) -> Vec<(String, Attributes)> {
        let event = |event: &opentelemetry_proto::tonic::trace::v1::span::Event| {
            (event.name.clone(), attributes(&event.attributes))
        };
        self.span.events.iter().map(event).collect()
    }
}

/// Reads attributes as text; those that are lists are left out.
pub fn attributes(all: &[KeyValue]) -> Attributes {
    let text = |value: &any_value::Value| match value {
        any_value::Value::StringValue(text) => Some(text.clone()),
        any_value::Value::IntValue(number) => Some(number.to_string()),
        any_value::Value::BoolValue(truth) => Some(truth.to_string()),
        any_value::Value::DoubleValue(number) => Some(number.to_string()),
        _ => None,
    };
    let pair =
        |each: &KeyValue| Some((each.key.clone(), text(each.value.as_ref()?.value.as_ref()?)?));
    all.iter().filter_map(pair).collect()
}

/// The receiver. Its thread ends with the test's process.
pub struct Collector {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<Collected>>>,
}

impl Collector {
    /// # Panics
    /// Panics if there is no free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let spans = Arc::<Mutex<Vec<Collected>>>::default();
        let received = Arc::clone(&spans);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let received = Arc::clone(&received);
                thread::spawn(move || serve(connection, &received));
            }
        });
        Self { address, spans }
    }

    /// The value of `OTEL_EXPORTER_OTLP_ENDPOINT` for it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans that have come so far.
    pub fn spans(&self) -> Vec<Collected> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers one export on a connection.
///
/// # Panics
/// Panics, in its thread, on a request that is no export of traces.
fn serve(mut connection: TcpStream, spans: &Mutex<Vec<Collected>>) {
    let mut reader = BufReader::new(connection.try_clone().expect("a second handle"));
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or_default() == 0 {
        return;
    }
    assert_eq!(line.trim_end(), "POST /v1/traces HTTP/1.1");
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).expect("a header");
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().expect("a length"),
            "content-type" => assert_eq!(value.trim(), "application/x-protobuf"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the body");
    let request = ExportTraceServiceRequest::decode(body.as_slice()).expect("an export of traces");
    {
        let mut spans = spans.lock().unwrap_or_else(PoisonError::into_inner);
        for of_program in request.resource_spans {
            let resource =
                attributes(&of_program.resource.map(|all| all.attributes).unwrap_or_default());
            let all = of_program.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans.extend(all.map(|span| Collected { resource: resource.clone(), span }));
        }
    }
    let answer = ExportTraceServiceResponse::default().encode_to_vec();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\nconnection: close\r\n\
        content-length:";
    let _ = write!(connection, "{head} {}\r\n\r\n", answer.len());
    let _ = connection.write_all(&answer);
}
