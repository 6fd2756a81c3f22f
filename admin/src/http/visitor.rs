//! The sender of a request before its identity is known.

use std::net::IpAddr;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use policy::id::Uuid;
use serde::de::DeserializeOwned;
use store::account::AccountId;
use store::{Actor, ActorKind, Logged, Party};

use crate::bounds;
use crate::http::body;
use crate::http::caller::{Peer, RequestId};
use crate::http::problem::Problem;

/// The part of a client's name that is kept.
const USER_AGENT_CHARS: usize = 200;

/// The sender of a request without a token.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// For the audit rows.
    pub request_id: String,
    /// The address that the request came from.
    pub source: Option<IpAddr>,
    /// The name that the client gives itself.
    pub user_agent: Option<String>,
}

impl Visitor {
    /// Its actor for audit rows: the program itself, because nothing is proven.
    pub fn nobody(&self) -> Actor {
        Actor {
            source: self.source,
            party: Party::Strangers,
            ..Actor::system(self.request_id.clone())
        }
    }

    /// Its actor for audit rows once it has proven that the account is its own.
    pub fn somebody(&self, account: AccountId) -> Actor {
        Actor {
            kind: ActorKind::Member,
            id: Uuid::from(account),
            request_id: self.request_id.clone(),
            source: self.source,
            party: Party::Account(account.into()),
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

/// A POST with a JSON body without a token. It cannot be repeated with an `Idempotency-Key`: its
/// answers are secrets that are valid only for a moment.
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
