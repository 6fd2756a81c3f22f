//! `GET /v1/operator/envoys`.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::envoy::ConnectedStream;
use store::{change, envoy};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::receipt::Envoy;

/// The Envoys that are connected to any replica of the control plane.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConnectedEnvoys {
    /// The number of the last change of all.
    head_seq: i64,
    /// By their `node.id`.
    items: Vec<ConnectedEnvoy>,
}

/// An Envoy.
#[derive(Debug, Serialize, ToSchema)]
struct ConnectedEnvoy {
    /// Its `node.id`.
    node_id: String,
    /// Its cell.
    cell: String,
    /// The last change that it has, and the filter in it; null before both are in order.
    #[schema(required = true)]
    acked_seq: Option<i64>,
    /// The age in milliseconds of the first change that it does not have; 0 if it has all.
    lag_ms: i64,
    /// Its own stream; null if it is not connected.
    #[schema(required = true)]
    ads: Option<EnvoyStream>,
    /// The stream of the filter in it; null if it is not connected.
    #[schema(required = true)]
    mirror: Option<EnvoyStream>,
}

/// A stream of an Envoy.
#[derive(Debug, Serialize, ToSchema)]
struct EnvoyStream {
    /// The replica of the control plane that has it.
    replica: Uuid,
    /// The version of the program at its end; empty if it says none.
    version: String,
    /// The time at which it began.
    connected_at: DateTime<Utc>,
    /// The time at which the replica last wrote about it.
    seen_at: DateTime<Utc>,
    /// The last change through which it has answered everything.
    #[schema(required = true)]
    acked_seq: Option<i64>,
}

/// Lists the Envoys that are connected.
///
/// With the version, the cell and the lag of each.
#[utoipa::path(get, path = "/v1/operator/envoys", operation_id = "listEnvoys", tag = "Status",
    responses((status = 200, description = "The Envoys.", body = ConnectedEnvoys)))]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    let streams = envoy::connected(&app.store).await?;
    let envoys = Envoy::all(&streams, None);
    let acked: Vec<_> =
        envoys.values().map(|envoy| envoy.acked_seq().unwrap_or_default()).collect();
    let mut tx = app.store.platform(&caller.actor()).await?;
    let (head_seq, behind_since) = change::behind(&mut tx, &acked).await?;
    let now = (app.clock)();
    let items =
        envoys.into_iter().zip(behind_since).map(|((node_id, envoy), since)| ConnectedEnvoy {
            node_id: node_id.to_owned(),
            cell: envoy
                .streams()
                .next()
                .map(|stream| stream.state.cell.clone())
                .unwrap_or_default(),
            acked_seq: envoy.acked_seq(),
            lag_ms: since.map_or(0, |since| (now - since).num_milliseconds().max(0)),
            ads: envoy.ads.map(EnvoyStream::from),
            mirror: envoy.mirror.map(EnvoyStream::from),
        });
    Answer::json(StatusCode::OK, &ConnectedEnvoys { head_seq, items: items.collect() })
}

impl From<&ConnectedStream> for EnvoyStream {
    fn from(stream: &ConnectedStream) -> Self {
        Self {
            replica: stream.replica,
            version: stream.state.version.clone(),
            connected_at: stream.connected_at,
            seen_at: stream.seen_at,
            acked_seq: stream.state.acked_seq,
        }
    }
}
