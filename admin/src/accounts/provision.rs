//! Makes the objects of a sign-up, all of them in one transaction.

use chrono::{DateTime, Utc};
use policy::key::Environment;
use serde::Serialize;
use store::account::{self, NewAccount};
use store::signup::{self, Signup};
use store::site::NewSite;
use store::tenant::{self, NewTenant};
use store::{PlatformTx, Role, Standing, TenantTx, member};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::http::problem::Problem;
use crate::http::problem::request::{INTERNAL, TAKEN};
use crate::signup::Wish;

/// The characters of a slug that leave room for a new end.
const SLUG_ROOM: usize = 50;

/// The objects that a sign-up made.
#[derive(Debug, Serialize, ToSchema)]
pub struct Made {
    /// The tenant. The person who signed up is its Admin.
    pub tenant_id: Uuid,
    /// Its first site.
    pub site_id: Uuid,
    /// The hostname of the site.
    #[schema(example = "acme-shop.gw.example.com")]
    pub hostname: String,
}

/// True if a site could not be made because another has its slug.
pub fn is_slug_taken(problem: &Problem) -> bool {
    problem.is(&TAKEN) && problem.errors().iter().any(|error| error.field == "slug")
}

/// The slug to try: the wanted one, or if that is taken, its beginning with a new end.
pub fn slug(wish: &Wish, signup: Uuid, is_taken: bool) -> String {
    if !is_taken {
        return wish.site_slug.clone();
    }
    let start: String = wish.site_slug.chars().take(SLUG_ROOM).collect();
    let id = signup.simple().to_string();
    // The end of a UUIDv7 is random.
    format!("{}-{}", start.trim_end_matches('-'), &id[id.len() - 8..])
}

/// Makes the account, the tenant and the site of a locked sign-up. The caller commits the
/// transaction.
pub async fn provision(
    app: &App,
    mut tx: PlatformTx,
    held: &Signup,
    slug: String,
    now: DateTime<Utc>,
) -> Result<(TenantTx, Made), Problem> {
    let wish: Wish = serde_json::from_value(held.wish.clone()).map_err(|_| &INTERNAL)?;
    // A person who was invited in the meantime has an account and keeps its password: the address
    // is proven to be theirs.
    let account = match account::by_email(&mut tx, &held.email).await? {
        Some(found) => found.account.id,
        None => {
            let new = NewAccount {
                email: held.email.clone(),
                name: held.name.clone(),
                password: Some(held.password.clone()),
                verified_at: Some(now),
            };
            account::create(&mut tx, new, now).await?.id
        }
    };
    let new = NewTenant {
        name: wish.organisation,
        slug: None,
        settings: Default::default(),
        platform_plan: None,
    };
    let tenant = tenant::create(&mut tx, new).await?.id;
    member::create(&mut tx, tenant, account, &Standing::everywhere(Role::Admin)).await?;
    signup::delete(&mut tx, held, "signup.finish").await?;
    let mut tx = tx.into_tenant(tenant).await?;
    let hostname = app.base_domain.name(&slug);
    let site = NewSite {
        name: slug.clone(),
        slug,
        hostname: hostname.clone(),
        environment: Environment::Live,
        forward_credentials: false,
        settings: wish.template.settings()?,
    };
    let site = wish.template.make(&mut tx, site, wish.origin.as_ref()).await?;
    Ok((tx, Made { tenant_id: tenant.into(), site_id: site.id.into(), hostname }))
}
