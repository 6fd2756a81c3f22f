//! Who sends a request before anybody knows who it is.

use std::net::IpAddr;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use policy::id::Uuid;
use serde::de::DeserializeOwned;
use store::account::AccountId;
use store::{Actor, ActorKind, Logged};

use crate::bounds;
use crate::http::body;
use crate::http::caller::{Peer, RequestId};
use crate::http::problem::Problem;

/// What is kept of the name of a client.
const USER_AGENT_CHARS: usize = 200;

/// Somebody who is not known yet.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// For the audit rows.
    pub request_id: String,
    /// Where the request came from.
    pub source: Option<IpAddr>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
}

impl Visitor {
    /// As it stands in audit rows: the program itself, for nobody has proven to be anyone.
    pub fn nobody(&self) -> Actor {
        Actor { source: self.source, ..Actor::system(self.request_id.clone()) }
    }

    /// As it stands in audit rows once it has proven whose account it is.
    pub fn somebody(&self, account: AccountId) -> Actor {
        Actor {
            kind: ActorKind::Member,
            id: Uuid::from(account),
            request_id: self.request_id.clone(),
            source: self.source,
            logged: Logged::default(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let user_agent =
            parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self {
            request_id: parts
                .extensions
                .get::<RequestId>()
                .map(|id| id.0.clone())
                .unwrap_or_default(),
            source: parts.extensions.get::<Peer>().map(|peer| peer.0),
            user_agent: user_agent.map(|text| text.chars().take(USER_AGENT_CHARS).collect()),
        })
    }
}

/// A POST with a JSON body by somebody who is not known yet. It is not done once: its answers are
/// secrets of a moment.
pub struct VisitorBody<T> {
    pub visitor: Visitor,
    pub body: T,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for VisitorBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, state).await?;
        body::expect_json(&parts.headers)?;
        let bytes = body::read(body, bounds::LOGIN_BODY_BYTES).await?;
        Ok(Self { visitor, body: body::parse(&bytes)? })
    }
}
