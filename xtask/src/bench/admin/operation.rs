//! The operations that are measured, and their callers.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};
use stack::admin_api::AdminApi;
use stack::testing::person::log_in;

use crate::bench::people::People;
use crate::bench::seed::{CONSUMER, CONSUMERS, SITE, Scale, TENANT, id};

/// Neighbouring requests are about tenants that are this far apart: a prime, so that all come in
/// turn.
const STRIDE: usize = 7_919;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Operation {
    ListSites,
    ListConsumers,
    ListKeys,
    CreateKey,
    Login,
    /// Lists and creations in turn.
    Mixed,
}

impl Operation {
    pub(super) const ALL: [Self; 6] = [
        Self::ListSites,
        Self::ListConsumers,
        Self::ListKeys,
        Self::CreateKey,
        Self::Mixed,
        Self::Login,
    ];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::ListSites => "list sites",
            Self::ListConsumers => "list consumers",
            Self::ListKeys => "list keys",
            Self::CreateKey => "create a key",
            Self::Login => "log in",
            Self::Mixed => "lists and creations in turn",
        }
    }

    /// True if the bar names it.
    pub(super) fn has_bar(self) -> bool {
        self != Self::Login
    }

    /// One request, by the Admin of the tenant that it is about.
    pub(super) fn send(
        self,
        number: usize,
        callers: &Callers,
    ) -> impl Future<Output = Result<()>> + Send + 'static + use<> {
        let (api, tenant) = callers.of(number);
        let email = callers.people.email(tenant);
        async move {
            let site = format!("/v1/tenants/{}/sites", id(TENANT, tenant));
            let in_site = format!("{site}/{}", id(SITE, tenant));
            let keys = format!("{in_site}/consumers/{}/keys", id(CONSUMER, tenant * CONSUMERS));
            let full = |page: Value| {
                page["items"].as_array().filter(|items| !items.is_empty()).map(|_| ())
            };
            let answered = match (self, number % 2) {
                (Self::ListSites, _) => full(api.get(&site).await?),
                (Self::ListConsumers, _) => full(api.get(&format!("{in_site}/consumers")).await?),
                (Self::ListKeys, _) | (Self::Mixed, 0) => full(api.get(&keys).await?),
                (Self::CreateKey | Self::Mixed, _) => {
                    api.post(&keys, json!({})).await?["key"].as_str().map(|_| ())
                }
                (Self::Login, _) => log_in(&api, &email).await.map(|_| Some(()))?,
            };
            answered.with_context(|| {
                format!("{} of tenant {tenant} has answered nothing", self.title())
            })
        }
    }
}

/// The callers: each tenant's own Admin.
pub(super) struct Callers {
    people: People,
    apis: Vec<AdminApi>,
    tenants: Vec<usize>,
}

impl Callers {
    /// Logs in so many Admins, of tenants all over the platform.
    pub(super) async fn log_in(
        api: &AdminApi,
        people: People,
        scale: Scale,
        count: usize,
    ) -> Result<Self> {
        let tenants: Vec<usize> =
            (0..count.min(scale.sites)).map(|number| number * STRIDE % scale.sites).collect();
        let mut apis = Vec::with_capacity(tenants.len());
        for tenant in &tenants {
            apis.push(api.with_token(log_in(api, &people.email(*tenant)).await?));
        }
        Ok(Self { people, apis, tenants })
    }

    fn of(&self, number: usize) -> (AdminApi, usize) {
        let at = number % self.tenants.len();
        (self.apis[at].clone(), self.tenants[at])
    }
}
