//! Requests through the gateway, and their answers.

use std::net::SocketAddr;

use reqwest::{Client, Method, header::HeaderMap};
use serde_json::Value;

/// One Envoy, as its clients see it.
#[derive(Clone)]
pub struct Gateway {
    address: SocketAddr,
    http: Client,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Gateway {
    /// # Panics
    /// Panics if the HTTP client cannot be made.
    pub fn new(address: SocketAddr) -> Self {
        let http = Client::builder()
            .no_proxy()
            .timeout(std::time::Duration::from_secs(30))
            .build()
            .expect("a client");
        Self { address, http }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A GET with this key in `X-API-Key`; an empty key sends none.
    pub async fn get(&self, host: &str, path: &str, key: &str) -> Answer {
        let header = [("x-api-key", key)];
        self.send(Method::GET, host, path, if key.is_empty() { &[] } else { &header }).await
    }

    /// Sends a request with these headers.
    ///
    /// # Panics
    /// Panics if there is no answer: a gateway that does not answer has failed, whatever the test
    /// is about.
    pub async fn send(
        &self,
        method: Method,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = self
            .http
            .request(method, format!("http://{}{path}", self.address))
            .header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("{host}{path} was not answered: {error}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response
            .text()
            .await
            .unwrap_or_else(|error| panic!("{host}{path} was cut off: {error}"));
        Answer { status, headers, body }
    }
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// Panics if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}: {}", self.status, self.body))
    }

    /// A header as the echo upstream received it; `None` if it did not arrive.
    pub fn upstream_saw(&self, header: &str) -> Option<String> {
        let values = self.json()["headers"][header].as_array()?.clone();
        Some(values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
    }

    /// The route that was matched, as the upstream was told.
    pub fn route(&self) -> Option<String> {
        self.upstream_saw("x-tenantry-route")
    }

    /// The name of the echo upstream that answered.
    pub fn upstream(&self) -> String {
        self.json()["upstream"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Everything by which a caller can tell answers apart: all but the date.
    pub fn fingerprint(&self) -> (u16, Vec<(String, String)>, String) {
        let headers = self.headers.iter().filter(|(name, _)| *name != "date");
        let headers = headers.map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        (self.status, headers.collect(), self.body.clone())
    }

    /// Asserts that this is a problem document with this status.
    ///
    /// # Panics
    /// Panics if it is not.
    pub fn assert_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.json()["status"], status, "{self:?}");
    }
}
