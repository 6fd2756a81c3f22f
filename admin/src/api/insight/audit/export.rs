//! A chain as a stream: some rows at a time, each time in a transaction of its own, so that a
//! client that reads slowly holds neither a connection to the database nor more than those rows.
//! Written rows never change, so the pieces fit together.

use std::num::NonZeroU32;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use policy::id::TenantId;
use store::audit::{self, AuditRow, Head};
use store::{Actor, Store, StoreError};

use super::csv;
use crate::app::App;

/// The rows that are read at a time: each can have settings of a megabyte, twice.
const ROWS: NonZeroU32 = NonZeroU32::new(64).expect("it is not 0");

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A JSON object a line.
    JsonLines,
    /// RFC 4180, with a header.
    Csv,
}

/// The chain to export, and the transaction that sees it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chain {
    /// That of a tenant, in a transaction of the tenant.
    OfTenant(TenantId),
    /// Any, for operators.
    Any(TenantId),
}

impl Chain {
    fn tenant(self) -> TenantId {
        match self {
            Self::OfTenant(tenant) | Self::Any(tenant) => tenant,
        }
    }

    async fn rows(
        self,
        store: &Store,
        actor: &Actor,
        after: i64,
        last: i64,
    ) -> Result<Vec<AuditRow>, StoreError> {
        match self {
            Self::OfTenant(tenant) => {
                let mut tx = store.tenant(tenant, actor).await?;
                audit::following(&mut tx, tenant, after, last, ROWS).await
            }
            Self::Any(tenant) => {
                let mut tx = store.audit(actor).await?;
                audit::following(&mut tx, tenant, after, last, ROWS).await
            }
        }
    }
}

/// An export under way.
struct Export {
    chain: Chain,
    store: Store,
    actor: Actor,
    format: Format,
    /// The last row that was sent.
    after: i64,
    /// The last row that there was when it began.
    last: i64,
    begun: bool,
}

impl Export {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let mut text = Vec::new();
        if !self.begun && self.format == Format::Csv {
            text.extend_from_slice(csv::HEADER.as_bytes());
        }
        self.begun = true;
        let rows = match self.chain.rows(&self.store, &self.actor, self.after, self.last).await {
            Ok(rows) => rows,
            Err(error) => {
                // The answer has begun: it can only be broken off, so that no client takes it for
                // whole.
                tracing::error!(%error, "an export of the audit log broke off");
                return Err(error);
            }
        };
        for row in &rows {
            self.after = row.seq;
            match self.format {
                Format::JsonLines => {
                    if serde_json::to_writer(&mut text, row).is_ok() {
                        text.push(b'\n');
                    }
                }
                Format::Csv => csv::write(&mut text, row),
            }
        }
        Ok((!text.is_empty()).then(|| (text.into(), self)))
    }
}

/// Answers with the chain up to this head.
pub(super) fn stream(
    chain: Chain,
    app: &App,
    actor: Actor,
    head: Option<Head>,
    format: Format,
) -> Response {
    let tenant = chain.tenant();
    let (last, hash) = head.map_or((0, String::new()), |head| (head.seq, head.hash));
    // A copy of the head outside of the database tells if rows are cut off later.
    tracing::info!(
        audit_tenant = %tenant,
        audit_rows = last,
        audit_head = hash,
        "audit head, exported"
    );
    let (extension, media_type) = match format {
        Format::JsonLines => ("jsonl", "application/jsonl"),
        Format::Csv => ("csv", "text/csv; charset=utf-8; header=present"),
    };
    let export =
        Export { chain, store: app.store.clone(), actor, format, after: 0, last, begun: false };
    let mut response =
        Response::new(Body::from_stream(futures::stream::try_unfold(export, Export::next)));
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"audit-{tenant}.{extension}\""),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (HeaderName::from_static("audit-rows"), last.to_string()),
        (HeaderName::from_static("audit-head"), hash),
    ];
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
