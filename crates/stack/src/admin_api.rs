//! A client of the admin HTTP API, JSON in and JSON out: what `up` and the tests provision with.

use std::fmt;
use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use thiserror::Error;

/// An import of a thousand operations is the longest call.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The service ends a connection on which nothing was asked for 10 s. One is not used again so
/// shortly before that that the two could cross: a POST whose connection ends is not sent again.
const IDLE: Duration = Duration::from_secs(5);

/// The largest page that the API answers.
const PAGE: u32 = 200;

#[derive(Debug, Error)]
pub enum ApiError {
    /// The API answered, but not 2xx. `body` is its problem document, which never holds a
    /// credential.
    #[error("{method} {path} was answered {status}: {body}")]
    Status { method: Method, path: String, status: StatusCode, body: String },
    #[error("{method} {path} was not answered")]
    Transport {
        method: Method,
        path: String,
        #[source]
        source: reqwest::Error,
    },
}

impl ApiError {
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            ApiError::Status { status, .. } => Some(*status),
            ApiError::Transport { .. } => None,
        }
    }

    /// The problem document; `Null` when there is none.
    pub fn problem(&self) -> Value {
        match self {
            ApiError::Status { body, .. } => serde_json::from_str(body).unwrap_or_default(),
            ApiError::Transport { .. } => Value::Null,
        }
    }
}

#[derive(Clone)]
pub struct AdminApi {
    base: String,
    token: String,
    http: Client,
}

impl fmt::Debug for AdminApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdminApi({}, token hidden)", self.base)
    }
}

impl AdminApi {
    /// `base` is `http://<address>`; paths are given with their `/v1`.
    ///
    /// # Errors
    /// If the HTTP client cannot be made.
    pub fn new(
        base: impl Into<String>,
        token: impl Into<String>,
    ) -> Result<AdminApi, reqwest::Error> {
        let http = Client::builder().no_proxy().timeout(TIMEOUT).pool_idle_timeout(IDLE).build()?;
        Ok(AdminApi { base: base.into(), token: token.into().trim().to_owned(), http })
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    pub async fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.json(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Result<Value, ApiError> {
        self.json(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Result<Value, ApiError> {
        self.json(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value, ApiError> {
        self.json(Method::DELETE, path, None).await
    }

    /// A body that is not this client's to build: an OpenAPI document, say.
    pub async fn post_text(
        &self,
        path: &str,
        content_type: &str,
        body: String,
    ) -> Result<Value, ApiError> {
        let request =
            self.request(Method::POST, path).header("content-type", content_type).body(body);
        self.send(Method::POST, path, request).await
    }

    /// The first item of a list, over all its pages, that `wanted` accepts.
    pub async fn find(
        &self,
        path: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Option<Value>, ApiError> {
        let mut url = format!("{path}?limit={PAGE}");
        loop {
            let page = self.get(&url).await?;
            if let Some(item) =
                page["items"].as_array().into_iter().flatten().find(|item| wanted(item))
            {
                return Ok(Some(item.clone()));
            }
            let Some(cursor) = page["next_cursor"].as_str() else { return Ok(None) };
            url = format!("{path}?limit={PAGE}&cursor={cursor}");
        }
    }

    /// The token. Never log it.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same service, for another caller.
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: token.into(), ..self.clone() }
    }

    /// A request with the token, to be sent by the caller, for tests that look at the bare
    /// response.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, ApiError> {
        let mut request = self.request(method.clone(), path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.send(method, path, request).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<Value, ApiError> {
        let transport =
            |source| ApiError::Transport { method: method.clone(), path: path.to_owned(), source };
        let response: Response = request.send().await.map_err(transport)?;
        let status = response.status();
        let body = response.text().await.map_err(transport)?;
        if !status.is_success() {
            return Err(ApiError::Status {
                method: method.clone(),
                path: path.to_owned(),
                status,
                body,
            });
        }
        Ok(serde_json::from_str(&body).unwrap_or_default())
    }
}
