//! A transaction together with its party's place.

use sqlx::{PgConnection, Postgres, Transaction};

use crate::base::shares::Place;

/// A transaction that gives its place back when its connection is free, and no earlier.
///
/// A request that is broken off drops its transaction while PostgreSQL still runs a statement of
/// it, or waits for a lock. The connection is busy until that has ended; so is the place, or a
/// client that hangs up and comes again would have more than its share.
#[derive(Debug)]
pub(crate) struct Held {
    /// Taken at the end alone, which consumes or drops the whole.
    tx: Option<Transaction<'static, Postgres>>,
    place: Option<Place>,
}

impl Held {
    pub(crate) fn new(tx: Transaction<'static, Postgres>, place: Option<Place>) -> Self {
        Self { tx: Some(tx), place }
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.tx.as_mut().expect("a transaction is there until its end")
    }

    pub(crate) async fn commit(mut self) -> Result<(), sqlx::Error> {
        match self.tx.take() {
            Some(tx) => tx.commit().await,
            None => Ok(()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (Some(tx), Some(place)) = (self.tx.take(), self.place.take()) else { return };
        // Without a runtime the program is at its end.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        // No job: it ends with the statement, which has a time limit.
        runtime.spawn(async move {
            // It waits for the statement that is under way. A connection that fails is closed.
            let _ = tx.rollback().await;
            drop(place);
        });
    }
}
