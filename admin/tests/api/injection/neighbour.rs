//! The tenant that nobody else may see or change.

use serde_json::json;

use crate::harness::Api;
use crate::publishing::World;

/// A part of every name of the neighbour's.
const MARKER: &str = "zebra-of-the-neighbour";
/// Makes a neighbour whose every name can be recognised in an answer; returns it with everything
/// that only it may see.
pub(crate) async fn neighbour(api: &Api) -> (World, Vec<String>) {
    let victim = World::make(api, "globex").await;
    for place in [
        &victim.tenant,
        &victim.site,
        &victim.upstream,
        &victim.api,
        &victim.route,
        &victim.consumer,
        &victim.key,
        &victim.signing_key,
        &victim.plan,
        &victim.service_token,
    ] {
        api.patch(place, json!({"name": MARKER})).await.expect(200);
    }
    let template = "{tenant_id} {site_id} {hostname_id} {upstream_id} {api_id} {version_id} \
        {route_id} {consumer_id} {key_id} {plan_id} \
                    {issuer_id} {signing_key_id} {account_id} {invitation_id} {service_token_id}";
    let ids = victim.path(template);
    let secrets = ids.split(' ').chain([MARKER]).map(str::to_owned).collect();
    (victim, secrets)
}
