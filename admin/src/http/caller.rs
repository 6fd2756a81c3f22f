//! The authenticated sender of a request.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use policy::id::{SiteId, TenantId};
use store::seal::SecretsKey;
use store::{Actor, ActorKind, Logged, Party, Standing};
use uuid::Uuid;

use crate::http::problem::Problem;
use crate::http::problem::request::NOT_FOUND;
use crate::http::problem::rights::FORBIDDEN;
use crate::rights::permissions::{self, CallerKind, Verdict, Who};
use crate::rights::place::Place;
use crate::rights::scopes::{self, Scope};
use crate::rights::table;

/// The purpose of the keys that are made of the secrets key for accounts.
const OF_ACCOUNT: &[u8] = b"tenantry admin: the answers of an account, form 1";

/// The id of the request, put there by [`crate::layers::observe`].
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The address of the other end of the connection, put there by [`crate::serve`].
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// The sender of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The bearer of this operator token.
    Operator { token: Uuid },
    /// A person who has logged in.
    Account {
        /// The account.
        account: Uuid,
        /// The session that the access token is of.
        session: Uuid,
    },
    /// A program with this service token.
    Service { token: Uuid },
}

impl Principal {
    /// The kind of caller, for the permission table.
    pub fn kind(self) -> CallerKind {
        match self {
            Self::Operator { .. } => CallerKind::Operator,
            Self::Account { .. } => CallerKind::Account,
            Self::Service { .. } => CallerKind::Service,
        }
    }

    /// The id that stays the same for as long as the principal exists: not the session, which ends.
    pub fn id(self) -> Uuid {
        match self {
            Self::Operator { token } | Self::Service { token } => token,
            Self::Account { account, .. } => account,
        }
    }
}

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The name of the person or team.
    pub principal: Principal,
    /// The tenant of the path.
    pub tenant: Option<TenantId>,
    /// Its standing in the tenant of the path. An operator has none, and needs none.
    pub standing: Standing,
    /// The part of its role that a service token may use; empty for all of it, and for other
    /// callers.
    pub scopes: Vec<Scope>,
    /// The expiry of a service token.
    pub expires_at: Option<DateTime<Utc>>,
    /// The root of the keys that seal answers.
    pub root: Root,
    /// For the audit rows.
    pub request_id: String,
    /// For the audit rows.
    pub source: Option<IpAddr>,
    /// The changes that were committed for this request.
    pub logged: Logged,
}

impl Caller {
    /// The caller as it stands in audit rows.
    pub fn actor(&self) -> Actor {
        Actor {
            kind: match self.principal.kind() {
                CallerKind::Operator => ActorKind::Operator,
                CallerKind::Account => ActorKind::Member,
                CallerKind::Service => ActorKind::Service,
            },
            id: self.principal.id(),
            request_id: self.request_id.clone(),
            source: self.source,
            party: self.party(),
            logged: self.logged.clone(),
        }
    }

    /// The party whose share of the database its requests take.
    pub fn party(&self) -> Party {
        match (self.principal.kind(), self.tenant) {
            (CallerKind::Operator, _) => Party::Platform,
            (CallerKind::Account | CallerKind::Service, Some(tenant)) => Party::Tenant(tenant),
            (CallerKind::Account | CallerKind::Service, None) => {
                Party::Account(self.principal.id())
            }
        }
    }

    /// The account that has logged in.
    ///
    /// # Errors
    /// Fails closed for other callers: the permission table keeps them away from the operations
    /// that need an account.
    pub fn account(&self) -> Result<Uuid, Problem> {
        match self.principal {
            Principal::Account { account, .. } => Ok(account),
            Principal::Operator { .. } | Principal::Service { .. } => Err(FORBIDDEN.problem()),
        }
    }

    /// True if it may make a token with this standing, these scopes and this end: nobody gives away
    /// more than they have.
    pub fn may_give(
        &self,
        standing: &Standing,
        scopes: &[Scope],
        expires_at: Option<DateTime<Utc>>,
    ) -> bool {
        if self.principal.kind() == CallerKind::Operator {
            return true;
        }
        let outlives =
            self.expires_at.is_some_and(|own| expires_at.is_none_or(|given| given > own));
        self.standing.covers(standing) && scopes::cover(&self.scopes, scopes) && !outlives
    }

    /// Checks that it may use another operation than that of its request, on a site of the tenant
    /// or on the tenant: for requests that do several.
    ///
    /// # Errors
    /// The problem that the other operation would answer.
    pub fn may(&self, operation: &str, site: Option<SiteId>) -> Result<(), Problem> {
        let who = table::who(operation).unwrap_or(Who::Operator);
        let place = site.map_or(Place::Tenant(None), |site| Place::Site(None, Some(site)));
        match permissions::decide(who, self.principal.kind(), &self.standing, place) {
            Verdict::Allowed => Ok(()),
            Verdict::Invisible => Err(NOT_FOUND.problem()),
            Verdict::Forbidden => Err(FORBIDDEN.because(who.text())),
        }
    }

    /// The sites of the tenant that it may see; `None` for all.
    pub fn visible_sites(&self) -> Option<Vec<Uuid>> {
        let all = self.principal.kind() == CallerKind::Operator || self.standing.role.is_some();
        (!all).then(|| self.standing.sites.keys().copied().collect())
    }
}

/// The root of the keys that seal a caller's answers. It stays the same for as long as the caller
/// may repeat a request.
#[derive(Clone)]
pub struct Root(Option<Vec<u8>>);

impl Root {
    /// A token that does not change while it is good.
    pub fn of_token(token: &str) -> Self {
        Self(Some(token.as_bytes().to_vec()))
    }

    /// A key of the account's own. Without a secrets key there is none, and the account's requests
    /// cannot be done once.
    pub fn of_account(secrets: Option<&SecretsKey>, account: Uuid) -> Self {
        Self(secrets.map(|key| key.derive(OF_ACCOUNT, account.as_bytes()).to_vec()))
    }

    /// The bytes to derive keys from; `None` without a secrets key.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.0.as_deref()
    }
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Root(redacted)")
    }
}
