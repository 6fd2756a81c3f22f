//! Who is calling: the operator token, checked before anything else of a request is looked at.

use std::net::IpAddr;

use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use store::{Actor, Logged};
use uuid::Uuid;

use crate::access::Access;
use crate::app::App;
use crate::permissions::Who;
use crate::problem::Problem;
use crate::secret::OperatorToken;

/// The id of the request, put there by [`crate::observe`].
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The address of the other end of the connection, put there by [`crate::serve`].
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Which operator token was used.
    pub operator: Uuid,
    /// The token itself, from which the keys of sealed answers are derived.
    pub token: OperatorToken,
    /// For the audit rows.
    pub request_id: String,
    /// For the audit rows.
    pub source: Option<IpAddr>,
    /// What was committed for this request.
    pub logged: Logged,
}

impl Caller {
    /// The caller as it stands in audit rows.
    pub fn actor(&self) -> Actor {
        Actor {
            kind: store::ActorKind::Operator,
            id: self.operator,
            request_id: self.request_id.clone(),
            source: self.source,
            logged: self.logged.clone(),
        }
    }
}

/// Lets a request through if the permission table does. Whatever is not in the table is not let through.
pub async fn authorize(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let pattern = parts.extensions.get::<MatchedPath>().ok_or(Problem::NoSuchPath)?;
    match app.access.find(pattern.as_str(), &parts.method) {
        Access::For(Who::Anyone) => {}
        Access::For(Who::Operator) => {
            let caller = authenticate(&app, &parts).await?;
            parts.extensions.insert(caller);
        }
        Access::OtherMethods(allow) => return Err(Problem::MethodNotAllowed(allow)),
        Access::None => return Err(Problem::NoSuchPath),
    }
    Ok(next.run(Request::from_parts(parts, body)).await)
}

async fn authenticate(app: &App, parts: &Parts) -> Result<Caller, Problem> {
    let token = bearer(&parts.headers)?;
    let found = app.store.authenticate(&token.digest()).await?;
    let operator = found.ok_or(Problem::InvalidToken)?;
    let extensions = &parts.extensions;
    Ok(Caller {
        operator: operator.id,
        token,
        request_id: extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
        source: extensions.get::<Peer>().map(|peer| peer.0),
        logged: Logged::default(),
    })
}

/// The bearer token of a request (RFC 6750 section 2.1). The scheme is case-insensitive (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Result<OperatorToken, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Problem::MissingToken)?;
    if values.next().is_some() {
        return Err(Problem::InvalidToken);
    }
    let value = value.to_str().map_err(|_| Problem::InvalidToken)?;
    let (scheme, token) = value.split_once(' ').ok_or(Problem::MissingToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::MissingToken);
    }
    OperatorToken::parse(token.trim()).ok_or(Problem::InvalidToken)
}
