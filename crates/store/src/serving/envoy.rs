//! The connected Envoys and their progress: xds-server writes them, and receipts are made of them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgExecutor, PgListener};
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::pool::{Pooling, Store};
use crate::base::reader::Reader;

/// The channel that is notified after each writing. It has no payload.
pub const CHANNEL: &str = "tenantry_acks";

/// The time after its last sign of life from which a stream counts as gone: its replica may be gone
/// too, and cannot say so.
pub const GONE_AFTER: Duration = Duration::from_secs(15);
/// The age, in seconds, at which its row is removed.
const REMOVED_AFTER_S: f64 = 60.0;

/// The kinds of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamKind {
    /// Envoy's own configuration.
    Ads,
    /// The state of the filter in it.
    Mirror,
}

impl StreamKind {
    /// Returns the word for it in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ads => "ads",
            Self::Mirror => "mirror",
        }
    }
}

/// A stream, as its replica knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// The stream's own id.
    pub id: Uuid,
    /// The Envoy's `node.id`.
    pub node_id: String,
    /// Its kind.
    pub kind: StreamKind,
    /// The Envoy's cell.
    pub cell: String,
    /// The version of the program at the other end, if it says one.
    pub version: String,
    /// The last change through which it has answered everything.
    pub acked_seq: Option<i64>,
}

/// A stream, as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectedStream {
    /// The replica of xds-server that serves it.
    pub replica: Uuid,
    /// The time of its beginning.
    pub connected_at: DateTime<Utc>,
    /// The time at which its replica last wrote about it.
    pub seen_at: DateTime<Utc>,
    /// The time at which it reached that change.
    pub acked_at: Option<DateTime<Utc>>,
    /// Its state.
    pub state: StreamState,
}

/// Writes the states of these streams, removes the streams that have ended, and notifies the
/// listeners.
pub async fn write(
    reader: &Reader,
    replica: Uuid,
    streams: &[StreamState],
    ended: &[Uuid],
) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = streams.iter().map(|stream| stream.id).collect();
    let text = |of: fn(&StreamState) -> &str| -> Vec<String> {
        // PostgreSQL's text has no NUL; one Envoy's odd name must not keep the others from being
        // written.
        streams.iter().map(|stream| of(stream).replace('\0', "")).collect()
    };
    let (nodes, cells) = (text(|stream| &stream.node_id), text(|stream| &stream.cell));
    let (kinds, versions) = (text(|stream| stream.kind.as_str()), text(|stream| &stream.version));
    let acked: Vec<Option<i64>> = streams.iter().map(|stream| stream.acked_seq).collect();
    sqlx::query!(
        "WITH gone AS (DELETE FROM envoys WHERE id = ANY ($8)),
         written AS (
             INSERT INTO envoys (id, replica, node_id, stream, cell, version, acked_seq, acked_at)
             SELECT id, $2, node_id, stream, cell, version, acked_seq,
                    CASE WHEN acked_seq IS NOT NULL THEN clock_timestamp() END
             FROM unnest($1::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
                 AS now (id, node_id, stream, cell, version, acked_seq)
             ON CONFLICT (id) DO UPDATE
                 SET seen_at = clock_timestamp(), acked_seq = excluded.acked_seq,
                     acked_at = CASE WHEN envoys.acked_seq IS DISTINCT
                     FROM excluded.acked_seq THEN clock_timestamp()
                                     ELSE envoys.acked_at END
         )
         SELECT pg_notify($9, '')",
        &ids,
        replica,
        &nodes,
        &kinds,
        &cells,
        &versions,
        acked.as_slice() as &[Option<i64>],
        ended,
        CHANNEL
    )
    .execute(&reader.pool)
    .await?;
    Ok(())
}

/// Removes all streams of a replica that stops.
pub async fn leave(reader: &Reader, replica: Uuid) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM envoys WHERE replica = $1", replica).execute(&reader.pool).await?;
    sqlx::query!("SELECT pg_notify($1, '')", CHANNEL).execute(&reader.pool).await?;
    Ok(())
}

/// Removes the streams of replicas that are gone. Returns their number.
pub async fn prune(reader: &Reader) -> Result<u64, StoreError> {
    let pruned = sqlx::query!(
        "DELETE FROM envoys WHERE seen_at < clock_timestamp() - make_interval(secs => $1)",
        REMOVED_AFTER_S
    )
    .execute(&reader.pool)
    .await?;
    Ok(pruned.rows_affected())
}

/// Reads the open streams: of each Envoy the newest of each kind, by node and kind.
pub async fn connected(store: &Store) -> Result<Vec<ConnectedStream>, StoreError> {
    connected_by(store.reading().await?.conn()).await
}

/// Reads the same through a connection.
pub(crate) async fn connected_by(
    connection: impl PgExecutor<'_>,
) -> Result<Vec<ConnectedStream>, StoreError> {
    let rows = sqlx::query!(
        "SELECT DISTINCT ON (node_id, stream) id, replica, node_id, stream, cell, version,
             connected_at, seen_at,
                acked_seq, acked_at
         FROM envoys WHERE seen_at > clock_timestamp() - make_interval(secs => $1)
         ORDER BY node_id, stream, connected_at DESC, id",
        GONE_AFTER.as_secs_f64()
    )
    .fetch_all(connection)
    .await?;
    let streams = rows.into_iter().map(|row| ConnectedStream {
        replica: row.replica,
        connected_at: row.connected_at,
        seen_at: row.seen_at,
        acked_at: row.acked_at,
        state: StreamState {
            id: row.id,
            node_id: row.node_id,
            // A CHECK of the table rules out a third.
            kind: if row.stream == "mirror" { StreamKind::Mirror } else { StreamKind::Ads },
            cell: row.cell,
            version: row.version,
            acked_seq: row.acked_seq,
        },
    });
    Ok(streams.collect())
}

/// Waits for new states of streams. It connects again by itself; the table has the states that it
/// missed meanwhile. Behind a pooler it hears nothing: its caller looks now and then anyway.
#[derive(Debug)]
pub struct Listener(Option<PgListener>);

impl Listener {
    /// Listens, on a connection of its own.
    pub async fn connect(store: &Store) -> Result<Self, StoreError> {
        if store.pooling == Pooling::Transaction {
            return Ok(Self(None));
        }
        let mut listener = PgListener::connect_with(&store.pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Self(Some(listener)))
    }

    /// Waits until something may have been written.
    ///
    /// # Errors
    /// An error if PostgreSQL cannot be reached. Wait a moment, and call it again.
    pub async fn wait(&mut self) -> Result<(), StoreError> {
        let Some(listener) = &mut self.0 else { return std::future::pending().await };
        listener.try_recv().await?;
        while listener.next_buffered().is_some() {}
        Ok(())
    }
}
