//! The number of statements that an operation takes: each is a round trip to PostgreSQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::fixture::{actor, sample, with_database};

/// Counts the statements that sqlx logs. It logs no `BEGIN`.
#[derive(Clone, Default)]
struct Statements(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn a_revocation_takes_eight_statements_after_begin() {
    with_database(async |database| {
        let store = database.store().await;
        let own = sample(&store, "one", 0).await;
        let statements = Statements::default();
        let subscriber = Registry::default().with(statements.clone());
        let _counted = tracing::subscriber::set_default(subscriber);
        let mut tx = store.tenant(own.tenant, &actor()).await.unwrap();
        store::key::revoke(&mut tx, own.site, own.consumer, own.key, None).await.unwrap();
        tx.commit().await.unwrap();
        // The tenant; the site's lock, the key's, the revocation; the audit row; the lock of the
        // change log and the change; the commit.
        assert_eq!(statements.0.load(Ordering::Relaxed), 8);
    })
    .await;
}
