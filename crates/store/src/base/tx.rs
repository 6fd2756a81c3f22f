//! The scoped transactions, and the order of their writes at a commit.

use std::collections::BTreeSet;

use policy::id::{ConsumerId, SiteId, TenantId};
use policy::trace_parent::{CHANGE_SEQ, TRACE_TARGET, TraceParent};
use sqlx::PgConnection;
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info, info_span};

use crate::base::actor::{Actor, ActorKind};
use crate::base::audit::{self, Entry};
use crate::base::change::{self, Change};
use crate::base::error::StoreError;
use crate::base::held::Held;
use crate::base::party::{Party, Work};
use crate::base::pool::Store;

/// A transaction with the rows that its commit writes. Public only because the sealed trait names
/// it.
#[derive(Debug)]
pub struct Core {
    held: Held,
    actor: Actor,
    entries: Vec<(TenantId, Entry)>,
    changes: BTreeSet<(TenantId, Change)>,
    pub(crate) unfinished_idempotency: bool,
    /// True in the scope of the platform, false in that of one tenant.
    is_platform: bool,
    /// The tenant whose rows it sees.
    seen: Option<TenantId>,
    /// The span of the whole transaction.
    span: Span,
    trace: fn() -> Option<TraceParent>,
}

impl Core {
    /// Begins a transaction of a party, in a scope: a parameter of PostgreSQL and its value.
    async fn begin(
        store: &Store,
        actor: Actor,
        party: Party,
        (name, value): (&str, &str),
    ) -> Result<Self, StoreError> {
        // Jobs look into the database every second: only their commits are spans.
        let span = match actor.kind {
            ActorKind::System => Span::none(),
            _ => info_span!(target: TRACE_TARGET, "transaction"),
        };
        let begun = async {
            let place = store.shares.take(party).await;
            let place = place.map_err(|_| StoreError::ShareTaken { party })?;
            let mut held = Held::new(store.begin().await?, place);
            match party.times(store.work) {
                Some(times) => {
                    // One statement for all, as each is a message to and from PostgreSQL.
                    sqlx::query!(
                        "SELECT set_config($1, $2, true) AS scope,
                                set_config('lock_timeout', $3, true) AS lock_timeout,
                                set_config('statement_timeout', $4, true) AS statement_timeout,
                                set_config('idle_in_transaction_session_timeout', $5, true)
                                    AS idle_timeout",
                        name,
                        value,
                        times.lock,
                        times.statement,
                        times.idle
                    )
                    .fetch_one(held.conn())
                    .await?;
                }
                None => set_local(held.conn(), name, value).await?,
            }
            Ok::<_, StoreError>(held)
        };
        Ok(Self {
            held: begun.instrument(span.clone()).await?,
            actor,
            entries: Vec::new(),
            changes: BTreeSet::new(),
            unfinished_idempotency: false,
            is_platform: false,
            seen: None,
            span,
            trace: store.trace,
        })
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.held.conn()
    }

    pub(crate) fn record(&mut self, tenant: TenantId, entry: Entry) {
        self.span.in_scope(|| {
            let (action, object) = (entry.action, entry.object);
            info!(target: TRACE_TARGET, action, %object, %tenant, "recorded");
        });
        self.entries.push((tenant, entry));
    }

    pub(crate) fn mark(&mut self, tenant: TenantId, change: Change) {
        self.changes.insert((tenant, change));
    }

    /// Lets the transaction see the rows of a tenant, and of no other.
    pub(crate) async fn see_tenant(&mut self, tenant: TenantId) -> Result<(), StoreError> {
        if self.seen == Some(tenant) {
            return Ok(());
        }
        set_local(self.held.conn(), "tenantry.tenant_id", &tenant.to_string()).await?;
        self.seen = Some(tenant);
        Ok(())
    }

    /// Writes the audit rows, tenant by tenant, then the change rows under the lock that puts
    /// commits in their order, then commits. All writers share the lock: nothing slow may follow
    /// it.
    ///
    /// The commit is a span, which has the number of the last change as `tenantry.change_seq`. The
    /// change rows carry its place in the trace, so that their push can be joined with it.
    async fn commit(self) -> Result<(), StoreError> {
        if self.entries.is_empty() && self.changes.is_empty() {
            return self.write_and_commit().await;
        }
        let span = self
            .span
            .in_scope(|| info_span!(target: TRACE_TARGET, "commit", tenantry.change_seq = Empty));
        self.write_and_commit().instrument(span).await
    }

    async fn write_and_commit(mut self) -> Result<(), StoreError> {
        if self.unfinished_idempotency {
            let reason = "an idempotent answer was begun and not finished".to_owned();
            return Err(StoreError::Invalid { field: "idempotency", reason });
        }
        let entries = std::mem::take(&mut self.entries);
        let tenants: BTreeSet<TenantId> = entries.iter().map(|(tenant, _)| *tenant).collect();
        for tenant in tenants {
            self.see_tenant(tenant).await?;
            let of_tenant: Vec<&Entry> = entries
                .iter()
                .filter(|(owner, _)| *owner == tenant)
                .map(|(_, entry)| entry)
                .collect();
            let written = audit::write(self.held.conn(), tenant, &self.actor, &of_tenant).await;
            // A chain grows by one transaction at a time.
            written.map_err(|error| error.while_changing("tenant", tenant.into()))?;
        }
        let mut last = 0;
        if !self.changes.is_empty() {
            change::lock(self.held.conn()).await?;
            let trace = (self.trace)();
            let changes: Vec<(TenantId, Change)> = self.changes.iter().copied().collect();
            if self.is_platform {
                // A platform plan may have thousands of tenants.
                last = change::write(self.held.conn(), &changes, trace).await?;
            } else {
                for of_tenant in changes.chunk_by(|(one, _), (other, _)| one == other) {
                    if let Some((tenant, _)) = of_tenant.first() {
                        self.see_tenant(*tenant).await?;
                    }
                    last = change::write(self.held.conn(), of_tenant, trace).await?;
                }
            }
        }
        self.held.commit().await?;
        if last > 0 {
            Span::current().record(CHANGE_SEQ, last);
        }
        self.actor.logged.raise(last);
        Ok(())
    }
}

impl Store {
    /// The same store, for transactions that do as much as [`Work`] says.
    pub fn with_work(&self, work: Work) -> Self {
        Self { work, ..self.clone() }
    }

    /// Begins a transaction that sees and writes the rows of one tenant. It does not prove that the
    /// tenant exists: in an absent tenant nothing is found, and nothing can be made.
    pub async fn tenant(&self, tenant: TenantId, actor: &Actor) -> Result<TenantTx, StoreError> {
        TenantTx::begin(self, tenant, actor.clone()).await
    }

    /// Begins a transaction that sees and writes the platform's own rows: tenants, operator tokens,
    /// retention.
    pub async fn platform(&self, actor: &Actor) -> Result<PlatformTx, StoreError> {
        PlatformTx::begin(self, actor.clone()).await
    }

    /// Begins a transaction that reads the audit log of all tenants, and nothing else of theirs.
    pub async fn audit(&self, actor: &Actor) -> Result<AuditTx, StoreError> {
        AuditTx::begin(self, actor.clone()).await
    }
}

mod sealed {
    pub trait Sealed {
        fn core(&mut self) -> &mut super::Core;
    }
}
pub(crate) use sealed::Sealed;

/// A transaction of any scope, for operations of all of them.
pub trait ScopedTx: Sealed + Send {}

/// A savepoint of a transaction. There is one at a time, always under the same name.
#[derive(Debug)]
pub struct Savepoint {
    entries: usize,
    changes: BTreeSet<(TenantId, Change)>,
}

/// A transaction in which one tenant's rows exist, and no others. Dropped without
/// [`TenantTx::commit`] it leaves nothing. After an error it can only be dropped: PostgreSQL
/// refuses every further statement.
#[derive(Debug)]
pub struct TenantTx {
    core: Core,
    tenant: TenantId,
}

impl TenantTx {
    pub(crate) async fn begin(
        store: &Store,
        tenant: TenantId,
        actor: Actor,
    ) -> Result<Self, StoreError> {
        let party = actor.party.inside(tenant);
        let scope = ("tenantry.tenant_id", &*tenant.to_string());
        let mut core = Core::begin(store, actor, party, scope).await?;
        core.seen = Some(tenant);
        Ok(Self { core, tenant })
    }

    /// The tenant whose rows it sees.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Writes the audit rows and the change rows, and commits.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.core.commit().await
    }

    /// Begins a part that can be undone by itself, even after an error. It ends with
    /// [`TenantTx::keep`] or [`TenantTx::undo`], before another one begins.
    pub async fn savepoint(&mut self) -> Result<Savepoint, StoreError> {
        sqlx::query!("SAVEPOINT item").execute(self.conn()).await?;
        Ok(Savepoint { entries: self.core.entries.len(), changes: self.core.changes.clone() })
    }

    /// Keeps the part since the savepoint.
    pub async fn keep(&mut self, _since: Savepoint) -> Result<(), StoreError> {
        sqlx::query!("RELEASE SAVEPOINT item").execute(self.conn()).await?;
        Ok(())
    }

    /// Undoes the part since the savepoint, with its audit rows and its changes for the data plane.
    pub async fn undo(&mut self, since: Savepoint) -> Result<(), StoreError> {
        sqlx::query!("ROLLBACK TO SAVEPOINT item").execute(self.conn()).await?;
        sqlx::query!("RELEASE SAVEPOINT item").execute(self.conn()).await?;
        self.core.entries.truncate(since.entries);
        self.core.changes = since.changes;
        Ok(())
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.core.conn()
    }

    pub(crate) fn record(&mut self, entry: Entry) {
        self.core.record(self.tenant, entry);
    }

    pub(crate) fn mark_site(&mut self, site: SiteId) {
        self.core.mark(self.tenant, Change::Site(site));
    }

    pub(crate) fn mark_bucket(&mut self, bucket: u16) {
        self.core.mark(self.tenant, Change::Keys(bucket));
    }

    pub(crate) fn mark_consumer(&mut self, consumer: ConsumerId) {
        self.core.mark(self.tenant, Change::Consumers(policy::consumer::bucket_of(consumer)));
    }
}

/// A transaction on the platform's own rows. Dropped without [`PlatformTx::commit`] it leaves
/// nothing.
#[derive(Debug)]
pub struct PlatformTx {
    pub(crate) core: Core,
}

impl PlatformTx {
    /// The owner of audit rows that concern no tenant.
    pub(crate) const PLATFORM: TenantId = audit::PLATFORM;

    pub(crate) async fn begin(store: &Store, actor: Actor) -> Result<Self, StoreError> {
        let party = actor.party;
        let mut core = Core::begin(store, actor, party, ("tenantry.scope", "platform")).await?;
        core.is_platform = true;
        Ok(Self { core })
    }

    /// Writes the audit rows and the change rows, and commits.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.core.commit().await
    }

    /// Goes on in a tenant, in the same transaction: a tenant and its first objects are made
    /// together, or not at all.
    pub async fn into_tenant(mut self, tenant: TenantId) -> Result<TenantTx, StoreError> {
        set_local(self.core.conn(), "tenantry.scope", "").await?;
        self.core.is_platform = false;
        self.core.see_tenant(tenant).await?;
        Ok(TenantTx { core: self.core, tenant })
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.core.conn()
    }
}

/// A transaction that reads the audit log of all tenants, and can write nothing.
#[derive(Debug)]
pub struct AuditTx {
    core: Core,
}

impl AuditTx {
    pub(crate) async fn begin(store: &Store, actor: Actor) -> Result<Self, StoreError> {
        let party = actor.party;
        let mut core = Core::begin(store, actor, party, ("tenantry.scope", "audit")).await?;
        set_local(core.conn(), "transaction_read_only", "on").await?;
        Ok(Self { core })
    }
}

impl Sealed for AuditTx {
    fn core(&mut self) -> &mut Core {
        &mut self.core
    }
}

impl ScopedTx for AuditTx {}

impl Sealed for TenantTx {
    fn core(&mut self) -> &mut Core {
        &mut self.core
    }
}

impl Sealed for PlatformTx {
    fn core(&mut self) -> &mut Core {
        &mut self.core
    }
}

impl ScopedTx for TenantTx {}
impl ScopedTx for PlatformTx {}

/// Sets a parameter until the end of the transaction (`SET LOCAL`), so that a pooled connection
/// keeps nothing.
async fn set_local(conn: &mut PgConnection, name: &str, value: &str) -> Result<(), StoreError> {
    sqlx::query_scalar!("SELECT set_config($1, $2, true)", name, value).fetch_one(conn).await?;
    Ok(())
}
