//! One of each kind of caller.

use serde_json::json;

use crate::harness::{Api, id_of};
use crate::publishing::World;

/// The role of a caller in the tenant whose objects are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    None,
    Viewer,
    Developer,
    Admin,
}

/// A kind of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Nobody,
    Operator,
    /// A person who has logged in, with this role in the tenant.
    Account(Rank),
    /// A person who has logged in, a developer of the one site and nothing else.
    SiteDeveloper,
    /// A service token with this role.
    Service(Rank),
}

/// A caller with its token, if it has one.
pub(crate) struct Someone {
    pub(crate) name: String,
    pub(crate) caller: Caller,
    pub(crate) token: Option<String>,
}

/// Makes one of each kind. `own` is the tenant that they belong to, except for one of a third
/// tenant and one of none.
pub(crate) async fn everybody(api: &Api, own: &World) -> Vec<Someone> {
    let tenant = id_of(&own.tenant);
    let mut all = vec![
        Someone { name: "nobody".into(), caller: Caller::Nobody, token: None },
        Someone {
            name: "operator".into(),
            caller: Caller::Operator,
            token: Some(api.token.reveal().to_owned()),
        },
    ];
    for (role, rank) in
        [("viewer", Rank::Viewer), ("developer", Rank::Developer), ("admin", Rank::Admin)]
    {
        let person = api.colleague(tenant, json!({"role": role})).await;
        all.push(Someone {
            name: role.into(),
            caller: Caller::Account(rank),
            token: Some(person.token),
        });
        let made = api
            .post(&format!("{}/service-tokens", own.tenant), json!({"name": role, "role": role}))
            .await;
        let token = made.expect(201).json()["token"].as_str().map(str::to_owned);
        all.push(Someone { name: format!("{role} token"), caller: Caller::Service(rank), token });
    }
    let sites = json!([{"site_id": id_of(&own.site), "role": "developer"}]);
    let person = api.colleague(tenant, json!({"role": null, "sites": sites})).await;
    all.push(Someone {
        name: "site developer".into(),
        caller: Caller::SiteDeveloper,
        token: Some(person.token),
    });
    let third = api.make("/v1/tenants", json!({"name": "Third"})).await;
    let stranger = api.colleague(id_of(&third), json!({"role": "admin"})).await;
    all.push(Someone {
        name: "stranger".into(),
        caller: Caller::Account(Rank::None),
        token: Some(stranger.token),
    });
    let made = api
        .post(&format!("{third}/service-tokens"), json!({"name": "x", "role": "admin"}))
        .await
        .expect(201);
    let token = made.json()["token"].as_str().map(str::to_owned);
    all.push(Someone {
        name: "stranger's token".into(),
        caller: Caller::Service(Rank::None),
        token,
    });
    let person = api.person().await;
    all.push(Someone {
        name: "in no tenant".into(),
        caller: Caller::Account(Rank::None),
        token: Some(person.token),
    });
    all
}
