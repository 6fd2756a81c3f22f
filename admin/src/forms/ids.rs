//! The ids in paths.

use std::fmt::Display;
use std::str::FromStr;

use policy::id::{
    ApiId, ConsumerId, HostnameId, IssuerId, KeyId, PlanId, RouteId, SiteId, TenantId, UpstreamId,
    VersionId,
};
use serde::de::{Deserialize, Deserializer, Error};
use store::account::AccountId;
use store::route::VersionRef;
use utoipa::IntoParams;
use uuid::Uuid;

/// Reads an id in its one text form, so that every object has one URL.
pub fn canonical<'de, D: Deserializer<'de>, T: FromStr + Display>(
    deserializer: D,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    let id: T = text.parse().map_err(|_| D::Error::custom("no id"))?;
    if id.to_string() == text {
        Ok(id)
    } else {
        Err(D::Error::custom("no id in its canonical form"))
    }
}

/// Declares the ids of a path.
macro_rules! paths {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $id:ty = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, serde::Deserialize, IntoParams)]
        #[into_params(parameter_in = Path)]
        pub struct $name {$(
            #[doc = $text]
            #[serde(deserialize_with = "canonical")]
            #[param(value_type = Uuid)]
            pub $field: $id,
        )*}
    )*};
}

paths! {
    /// A platform plan.
    PlatformPlanPath {
        platform_plan_id: Uuid = "The platform plan.",
    }
    /// A tenant.
    TenantPath {
        tenant_id: TenantId = "The tenant.",
    }
    /// A member of a tenant.
    MemberPath {
        tenant_id: TenantId = "The tenant.",
        account_id: Uuid = "The member's account.",
    }
    /// An invitation to a tenant.
    InvitationPath {
        tenant_id: TenantId = "The tenant.",
        invitation_id: Uuid = "The invitation.",
    }
    /// A service token of a tenant.
    ServiceTokenPath {
        tenant_id: TenantId = "The tenant.",
        service_token_id: Uuid = "The service token.",
    }
    /// A site.
    SitePath {
        tenant_id: TenantId = "The tenant.",
        site_id: SiteId = "The site.",
    }
    /// A hostname.
    HostnamePath {
        tenant_id: TenantId = "The tenant.",
        site_id: SiteId = "The site.",
        hostname_id: HostnameId = "The hostname.",
    }
    /// An upstream.
    UpstreamPath {
        tenant_id: TenantId = "The tenant.",
        site_id: SiteId = "The site.",
        upstream_id: UpstreamId = "The upstream.",
    }
    /// An API.
    ApiPath {
        tenant_id: TenantId = "The tenant.",
        site_id: SiteId = "The site.",
        api_id: ApiId = "The API.",
    }
    /// A version.
    VersionPath {
        tenant_id: TenantId = "The tenant.",
        site_id: SiteId = "The site.",
        api_id: ApiId = "The API.",
        version_id: VersionId = "The version.",
    }
    /// A route.
    RoutePath {
        tenant_id: TenantId = "The tenant.",
        site_id: SiteId = "The site.",
        api_id: ApiId = "The API.",
        version_id: VersionId = "The version.",
        route_id: RouteId = "The route.",
    }
    /// A plan.
    PlanPath {
        tenant_id: TenantId = "The tenant.",
        site_id: SiteId = "The site.",
        plan_id: PlanId = "The plan.",
    }
    /// An issuer.
    IssuerPath {
        tenant_id: TenantId = "The tenant.",
        site_id: SiteId = "The site.",
        issuer_id: IssuerId = "The issuer.",
    }
    /// A consumer.
    ConsumerPath {
        tenant_id: TenantId = "The tenant.",
        site_id: SiteId = "The site.",
        consumer_id: ConsumerId = "The consumer.",
    }
    /// An API key.
    KeyPath {
        tenant_id: TenantId = "The tenant.",
        site_id: SiteId = "The site.",
        consumer_id: ConsumerId = "The consumer.",
        key_id: KeyId = "The key.",
    }
    /// A signing key.
    SigningKeyPath {
        tenant_id: TenantId = "The tenant.",
        site_id: SiteId = "The site.",
        consumer_id: ConsumerId = "The consumer.",
        signing_key_id: KeyId = "The signing key.",
    }
    /// A sign-up.
    SignupPath {
        signup_id: Uuid = "The sign-up.",
    }
    /// A session of an account.
    SessionPath {
        session_id: Uuid = "The session.",
    }
}

impl MemberPath {
    /// The account, as the store wants it.
    pub fn account(self) -> AccountId {
        AccountId(self.account_id)
    }
}

impl VersionPath {
    /// The version, as the store wants it.
    pub fn version(self) -> VersionRef {
        VersionRef { site: self.site_id, api: self.api_id, version: self.version_id }
    }

    /// The path of the version.
    pub fn place(self) -> String {
        let Self { tenant_id, site_id, api_id, version_id } = self;
        format!("/v1/tenants/{tenant_id}/sites/{site_id}/apis/{api_id}/versions/{version_id}")
    }
}

impl RoutePath {
    /// The route's version, as the store wants it.
    pub fn version(self) -> VersionRef {
        VersionRef { site: self.site_id, api: self.api_id, version: self.version_id }
    }
}

impl SitePath {
    /// The path of the site.
    pub fn place(self) -> String {
        let Self { tenant_id, site_id } = self;
        format!("/v1/tenants/{tenant_id}/sites/{site_id}")
    }
}

impl ConsumerPath {
    /// The path of the consumer.
    pub fn place(self) -> String {
        let Self { tenant_id, site_id, consumer_id } = self;
        format!("/v1/tenants/{tenant_id}/sites/{site_id}/consumers/{consumer_id}")
    }
}

impl KeyPath {
    /// The key's consumer.
    pub fn consumer(self) -> ConsumerPath {
        ConsumerPath {
            tenant_id: self.tenant_id,
            site_id: self.site_id,
            consumer_id: self.consumer_id,
        }
    }
}
