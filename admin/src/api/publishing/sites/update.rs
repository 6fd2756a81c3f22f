//! `PATCH /v1/tenants/{tenant_id}/sites/{site_id}`.

use axum::extract::State;
use store::site;

use super::model::{Site, SiteChanges};
use crate::app::App;
use crate::forms::ids::SitePath;
use crate::http::answer::Answer;
use crate::http::extract::{IdPath, PatchBody};
use crate::http::problem::Problem;

/// Changes a site.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant_id}/sites/{site_id}",
    operation_id = "updateSite",
    tag = "Sites",
    params(SitePath),
    request_body(
        content = SiteChanges,
        examples(
            ("key_sources" = (
                summary = "Keys in a header of its own, as the password of Basic, or in the query",
                value = json!({
                    "settings": {
                        "key_sources": [
                            {"in": "bearer"},
                            {"in": "basic"},
                            {"in": "header", "name": "X-Token"},
                            {"in": "query", "name": "api_key"}
                        ]
                    }
                }),
            )),
            ("tokens" = (
                summary = "Tokens or keys, and answers that name the fault",
                value = json!({
                    "settings": {"auth": {"any_of": ["jwt", "key"]}, "challenges": true}
                }),
            )),
            ("signatures" = (
                summary = "Keys, and signatures that are a minute old at most",
                value = json!({
                    "settings": {
                        "auth": {"all_of": ["key", "signature"]},
                        "signatures": {
                            "components": [
                                "@method",
                                "@authority",
                                "@path",
                                "@query",
                                "content-type"
                            ],
                            "max_age_seconds": 60
                        }
                    }
                }),
            )),
            ("addresses" = (
                summary = "Only from the office, and a limit for each address",
                value = json!({
                    "settings": {
                        "ip": {"allow": ["192.0.2.0/24", "2001:db8::/32"], "deny": ["192.0.2.66"]},
                        "limits": [
                            {
                                "name": "per-address",
                                "requests": 20,
                                "per": "second",
                                "burst": 40,
                                "by": ["client_ip"]
                            }
                        ]
                    }
                }),
            )),
        ),
    ),
    responses((status = 200, description = "The site as it is now.", body = Site)),
)]
pub(super) async fn update(
    State(app): State<App>,
    IdPath(at): IdPath<SitePath>,
    patch: PatchBody<SiteChanges>,
) -> Result<Answer, Problem> {
    let changes = patch.body.checked()?;
    let mut tx = app.store.tenant(at.tenant_id, &patch.caller.actor()).await?;
    let site = Site::from(site::update(&mut tx, at.site_id, changes, patch.expected.0).await?);
    tx.commit().await?;
    Answer::object(&site)
}
