//! `GET /v1/tenants/{tenant_id}/sites/{site_id}/status`.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use policy::cell::CellName;
use policy::id::Uuid;
use serde::Serialize;
use store::envoy::ConnectedStream;
use store::quarantine::Hold;
use store::{change, envoy, left_out, quarantine, site, tenant};
use utoipa::ToSchema;

use crate::app::App;
use crate::forms::ids::SitePath;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::extract::IdPath;
use crate::http::problem::Problem;
use crate::receipt::{Envoy, Refusal, refusals};

/// The progress of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Progress {
    /// It is live.
    Acked,
    /// It is on its way.
    Pending,
    /// It was refused: the previous configuration is still live.
    Refused,
}

/// The state of a site's last change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SiteStatus {
    /// Of all Envoys together: `acked` when all have it, `refused` when the site's configuration
    /// was refused.
    state: Progress,
    /// The number of the last change of the site in the order of all changes; null if there was
    /// none for some days.
    #[schema(required = true)]
    desired_seq: Option<i64>,
    /// The time of the change.
    #[schema(required = true)]
    changed_at: Option<DateTime<Utc>>,
    /// The refusal, if there is one; until a better edit is accepted, the site keeps its previous
    /// configuration.
    #[schema(required = true)]
    refusal: Option<SiteRefusal>,
    /// The parts of the site that are too large to be served, the newest 100 of them: their
    /// credentials are refused, and all else is served.
    left_out: Vec<LeftOut>,
    /// The Envoys of the tenant's cells that are connected.
    envoys: Vec<EnvoyStatus>,
}

/// A part of a site that is too large to be served.
#[derive(Debug, Serialize, ToSchema)]
struct LeftOut {
    /// The consumer whose credentials are refused; null for credentials of several consumers.
    #[schema(required = true)]
    consumer_id: Option<Uuid>,
    /// The reason, and the remedy.
    reason: String,
    /// The time since which it holds.
    at: DateTime<Utc>,
}

/// A refused configuration of a site.
#[derive(Debug, Serialize, ToSchema)]
struct SiteRefusal {
    /// The kind of configuration, such as `rds` (routes) or `cds` (upstreams); empty if none could
    /// be made.
    resource_type: String,
    /// Its name.
    resource: String,
    /// The reason.
    reason: String,
    /// The time since which it holds.
    at: DateTime<Utc>,
}

/// The progress of one Envoy.
#[derive(Debug, Serialize, ToSchema)]
struct EnvoyStatus {
    /// Its `node.id`.
    node_id: String,
    /// Its progress.
    state: Progress,
    /// The last change that it has answered; null before its first sync is complete.
    #[schema(required = true)]
    acked_seq: Option<i64>,
    /// The time since which it is so.
    #[schema(required = true)]
    at: Option<DateTime<Utc>>,
    /// The reason of its refusal, if it has refused it.
    #[schema(required = true)]
    reason: Option<String>,
}

/// Gets the status of a site.
///
/// It says if its last change is live, on which Envoys, and which parts were refused and why.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/sites/{site_id}/status",
    operation_id = "getSiteStatus", tag = "Status", params(SitePath),
    responses((status = 200, description = "The status.", body = SiteStatus)))]
pub(super) async fn of_site(
    State(app): State<App>,
    IdPath(at): IdPath<SitePath>,
    caller: Caller,
) -> Result<Answer, Problem> {
    let mut tx = app.store.tenant(at.tenant_id, &caller.actor()).await?;
    // Not parsed: if its contents cannot be read, its owner learns so here.
    site::require(&mut tx, at.site_id).await?;
    // Answers before refusals: an Envoy's refusal is written before it counts as an answer.
    let streams = envoy::connected(&app.store).await?;
    let cells = tenant::cells(&mut tx).await?;
    let last = change::last_of_site(&mut tx, at.site_id).await?;
    let hold = quarantine::holds(&mut tx, Some(at.site_id)).await?.pop();
    let left_out = left_out::of_site(&mut tx, at.site_id).await?;
    let status = SiteStatus {
        left_out: left_out.into_iter().map(LeftOut::of).collect(),
        ..SiteStatus::of(&streams, cells.as_ref(), last, hold)
    };
    Answer::json(StatusCode::OK, &status)
}

impl SiteStatus {
    fn of(
        streams: &[ConnectedStream],
        cells: Option<&BTreeSet<CellName>>,
        last: Option<(i64, DateTime<Utc>)>,
        hold: Option<Hold>,
    ) -> Self {
        let desired = last.map_or(0, |(seq, _)| seq);
        // A later edit is not refused yet.
        let hold = hold.filter(|hold| hold.seq >= desired);
        let refused = hold.as_ref().map(refusals).unwrap_or_default();
        let envoys = Envoy::all(streams, cells);
        let envoys: Vec<_> = envoys
            .into_iter()
            .map(|(node_id, envoy)| EnvoyStatus::of(node_id, &envoy, desired, &refused))
            .collect();
        let state = if hold.is_some() {
            Progress::Refused
        } else if envoys.iter().all(|envoy| envoy.state == Progress::Acked) {
            Progress::Acked
        } else {
            Progress::Pending
        };
        let refusal = hold.map(|hold| SiteRefusal {
            resource_type: hold.resource_type,
            resource: hold.resource,
            reason: hold.reason,
            at: hold.at,
        });
        let (desired_seq, changed_at) = last.unzip();
        Self { state, desired_seq, changed_at, refusal, left_out: Vec::new(), envoys }
    }
}

impl LeftOut {
    fn of(told: left_out::Told) -> Self {
        Self { consumer_id: told.consumer.map(Into::into), reason: told.reason, at: told.at }
    }
}

impl EnvoyStatus {
    fn of(node_id: &str, envoy: &Envoy<'_>, desired: i64, refused: &[Refusal]) -> Self {
        let acked_seq = envoy.acked_seq();
        let since = envoy.streams().filter_map(|stream| stream.acked_at).max();
        let node_id = node_id.to_owned();
        if let Some(refusal) =
            refused.iter().find(|refusal| refusal.node_id.as_ref() == Some(&node_id))
        {
            let reason = Some(refusal.reason.clone());
            return Self {
                node_id,
                state: Progress::Refused,
                acked_seq,
                at: Some(refusal.at),
                reason,
            };
        }
        let has = acked_seq.is_some_and(|acked| acked >= desired) && refused.is_empty();
        let state = if has { Progress::Acked } else { Progress::Pending };
        Self { node_id, state, acked_seq, at: since, reason: None }
    }
}
