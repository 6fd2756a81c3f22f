//! `GET /healthz`.

/// Tells that the program runs.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "live",
    tag = "Service",
    responses((status = 200, description = "It runs.", body = String, content_type = "text/plain")),
)]
pub(crate) async fn live() -> &'static str {
    "ok\n"
}
