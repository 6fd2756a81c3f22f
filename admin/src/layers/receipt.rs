//! Around every operation: waits, if the client asked for it.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use policy::id::{SiteId, TenantId};
use store::{Actor, Party, StoreError, change, quarantine};
use tokio::time::{Instant, timeout_at};

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::receipt::{Receipt, wait, with_receipt};
use crate::rights::place::Place;

/// Answers a write with `?wait=` once every Envoy has it, or when the time is over.
pub async fn layer(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some((time, uri)) = wait::take(request.method(), request.uri())? else {
        return Ok(next.run(request).await);
    };
    *request.uri_mut() = uri;
    let place = request.extensions().get::<Place>().copied().unwrap_or_default();
    let caller = request.extensions().get::<Caller>();
    let logged = caller.map(|caller| caller.logged.clone());
    let party = caller.map_or(Party::Strangers, Caller::party);
    let response = next.run(request).await;
    if !response.status().is_success() {
        return Ok(response);
    }
    let seq = logged.and_then(|logged| logged.seq());
    let receipt = match place.tenant() {
        Some(tenant) => {
            let actor = Actor { party, ..Actor::system("receipt") };
            receipt(&app, &actor, tenant, place.site(), seq, time).await
        }
        // It was about no tenant's sites.
        None => Ok(Some(Receipt::default())),
    };
    let receipt = receipt.unwrap_or_else(|error| {
        // The change is made, and must not look as if it were not.
        tracing::warn!(%error, "there is no receipt");
        None
    });
    Ok(with_receipt(response, receipt.as_ref()).await)
}

/// Waits until every Envoy has the change, at most until the time is over. `None` if nothing could
/// be read in time.
async fn receipt(
    app: &App,
    actor: &Actor,
    tenant: TenantId,
    site: Option<SiteId>,
    seq: Option<i64>,
    time: Duration,
) -> Result<Option<Receipt>, StoreError> {
    let until = Instant::now() + time;
    let mut tx = app.store.tenant(tenant, actor).await?;
    let seq = match seq {
        Some(seq) => seq,
        // A repetition, or a write that changed nothing: the tenant's previous change has to
        // arrive.
        None => change::last_of_tenant(&mut tx).await?,
    };
    // All of them, if the tenant was removed.
    let cells = store::tenant::cells(&mut tx).await?;
    drop(tx);
    let mut acks = app.acks.follow();
    // A client that does not want to wait is told the state, too.
    let first = Instant::now() + FIRST_READING;
    let mut receipt = None;
    while let Ok(Ok(())) =
        timeout_at(if receipt.is_none() { until.max(first) } else { until }, acks.changed()).await
    {
        let streams = acks.borrow_and_update().clone();
        let mut now = Receipt::of(&streams, cells.as_ref(), &[], seq);
        let settled = now.pending.is_empty();
        if settled || Instant::now() >= until || receipt.is_none() {
            let mut tx = app.store.tenant(tenant, actor).await?;
            let holds = quarantine::holds(&mut tx, site).await?;
            now = Receipt::of(&streams, cells.as_ref(), &holds, seq);
        }
        receipt = Some(now);
        if settled || Instant::now() >= until {
            break;
        }
    }
    Ok(receipt)
}

/// The time for the first reading if the client does not want to wait.
const FIRST_READING: Duration = Duration::from_secs(2);
