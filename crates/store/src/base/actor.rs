//! The actors of changes, as the audit log names them.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use uuid::Uuid;

use crate::base::party::Party;

/// The actor of a change, for the audit log.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The kind of actor.
    pub kind: ActorKind,
    /// The id of the operator token, of the person's account or of the service token; nil for the
    /// system.
    pub id: Uuid,
    /// The id of the request, 200 characters at most: a longer one fails the commit.
    pub request_id: String,
    /// The address of the client.
    pub source: Option<IpAddr>,
    /// The party whose share of the connections its transactions take.
    pub party: Party,
    /// The place for the number of the last change that was committed.
    pub logged: Logged,
}

/// The number of the last change that was committed for an actor. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Logged(Arc<AtomicI64>);

impl Logged {
    /// Returns the number; `None` if nothing was committed that the data plane has to know.
    pub fn seq(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Acquire)).filter(|seq| *seq > 0)
    }

    pub(crate) fn raise(&self, seq: i64) {
        self.0.fetch_max(seq, Ordering::AcqRel);
    }
}

impl Actor {
    /// Makes the actor for work of the program itself, such as its first start.
    pub fn system(request_id: impl Into<String>) -> Self {
        Self {
            kind: ActorKind::System,
            id: Uuid::nil(),
            request_id: request_id.into(),
            source: None,
            party: Party::Platform,
            logged: Logged::default(),
        }
    }
}

/// The kinds of actors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// An operator, by the operator token.
    Operator,
    /// The program itself.
    System,
    /// A person, by the account.
    Member,
    /// A program of a tenant, by its service token.
    Service,
}

impl ActorKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::System => "system",
            Self::Member => "member",
            Self::Service => "service",
        }
    }
}

/// The id of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub Uuid);

impl From<AccountId> for Uuid {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AccountId {
    /// Makes the person the actor of a request.
    pub fn actor(self, request_id: String, source: Option<IpAddr>, logged: Logged) -> Actor {
        let party = Party::Account(self.0);
        Actor { kind: ActorKind::Member, id: self.0, request_id, source, party, logged }
    }
}
