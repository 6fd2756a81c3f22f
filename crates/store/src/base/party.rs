//! The parties that share the connections to PostgreSQL, their shares, and the times that their
//! transactions may take.

use std::time::Duration;

use policy::id::TenantId;
use uuid::Uuid;

use crate::base::shares::{Place, Share, ShareTaken, Shares};

/// The party whose share of the connections a transaction takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Party {
    /// Operators, and jobs of the program: they have all connections, so that nobody keeps them
    /// out.
    #[default]
    Platform,
    /// A tenant: its members and its programs together.
    Tenant(TenantId),
    /// A person, outside of any tenant.
    Account(Uuid),
    /// All who have proven nothing, together: sign-up, login, tokens from letters.
    Strangers,
}

/// The kinds of work, by the time that they may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Work {
    /// One object, or a page of them.
    #[default]
    Short,
    /// Many objects in one transaction: an import, a copy, a bulk request, a removal.
    Long,
}

/// The times of a transaction, in milliseconds as text, as PostgreSQL takes them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// The longest wait for a row that another transaction has locked.
    pub(crate) lock: &'static str,
    /// The longest run of a statement.
    pub(crate) statement: &'static str,
    /// The longest pause between two statements.
    pub(crate) idle: &'static str,
}

/// Lock: longer than all changes but long ones take, and four connections that wait for so long are
/// still few. Statement: as long as a request may take, since nobody waits for the rest. Idle: no
/// request waits for its client inside a transaction.
const SHORT: Times = Times { lock: "2000", statement: "30000", idle: "10000" };
/// The statements of an import of 5,000 routes, on a slow machine. The wait is no longer: it holds
/// a connection all the same.
const LONG: Times = Times { lock: "2000", statement: "60000", idle: "30000" };

/// The wait of a transaction for a place of its party: as long as for a connection.
const WAIT: Duration = Duration::from_secs(5);
/// A quarter: three tenants that do their worst leave one, and operators have theirs besides.
const PART: u32 = 4;
/// Requests that may wait for a connection: a console that loads a page asks for a dozen things.
const TENANT_QUEUE: usize = 32;
/// One person clicks.
const ACCOUNT_QUEUE: usize = 16;
/// A morning's logins: each takes a connection for some milliseconds.
const STRANGERS_QUEUE: usize = 256;

/// The shares of the connections of one pool.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionShares {
    shares: Shares<Party>,
    part: usize,
}

impl ConnectionShares {
    /// The shares of so many connections. A quarter stays free of tenants and strangers: it serves
    /// operators, jobs, and the look at each token.
    pub(crate) fn of(connections: u32) -> Self {
        let part = (connections / PART).max(1);
        let for_parties = connections.saturating_sub(part).max(1);
        let usize = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self { shares: Shares::new(usize(for_parties)), part: usize(part) }
    }

    /// Takes a place of a party; the platform needs none.
    pub(crate) async fn take(&self, party: Party) -> Result<Option<Place>, ShareTaken> {
        let part = self.part;
        let share = match party {
            Party::Platform => return Ok(None),
            Party::Tenant(_) => Share { places: part, queue: TENANT_QUEUE },
            Party::Account(_) => Share { places: part.div_ceil(2), queue: ACCOUNT_QUEUE },
            Party::Strangers => Share { places: part, queue: STRANGERS_QUEUE },
        };
        self.shares.take(party, share, WAIT).await.map(Some)
    }
}

impl Party {
    /// The party of a transaction of a tenant: an operator stays one, and all others are the
    /// tenant's.
    pub(crate) fn inside(self, tenant: TenantId) -> Self {
        match self {
            Self::Platform => Self::Platform,
            Self::Tenant(_) | Self::Account(_) | Self::Strangers => Self::Tenant(tenant),
        }
    }

    /// The times of a transaction; `None` for those of the connection.
    pub(crate) fn times(self, work: Work) -> Option<Times> {
        match (self, work) {
            (Self::Platform, _) => None,
            (_, Work::Short) => Some(SHORT),
            (_, Work::Long) => Some(LONG),
        }
    }
}
