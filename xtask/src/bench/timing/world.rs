//! Makes what an attacker could guess: accounts, keys, tokens and ids, each beside others that do
//! not exist or do no longer.

use anyhow::{Context, Result};
use policy::key::{ApiKey, Environment};
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};
use stack::Stack;
use stack::testing::person::log_in;

use crate::bench::people::People;
use crate::bench::seed::{self, SITE, Scale, TENANT, id};
use crate::bench::tokens;

/// Each tenant has an Admin and a site. Of one account there are three letters in a quarter of an
/// hour at the most.
pub(super) const SCALE: Scale = Scale { sites: 1_500, keys: 60_000 };
/// Of each kind of token, and of keys.
const EACH: usize = 40;

/// Two lists of the same length: what was there and is no more, or is another's, and what never
/// was.
#[derive(Debug, Clone)]
pub(super) struct Twins {
    pub(super) real: Vec<String>,
    pub(super) invented: Vec<String>,
}

#[derive(Debug)]
pub(super) struct World {
    /// Revoked, and unknown.
    pub(super) keys: Twins,
    /// Those of another tenant, which work there.
    pub(super) foreign_keys: Vec<String>,
    pub(super) operator_tokens: Twins,
    pub(super) service_tokens: Twins,
    pub(super) access_tokens: Twins,
    pub(super) tenants: Twins,
    pub(super) sites: Twins,
    /// A service token that works, an Admin's of the first tenant.
    pub(super) own: String,
}

/// Fills the database, before xds-server reads it.
pub(super) async fn fill(stack: &Stack, upstream: std::net::SocketAddr) -> Result<World> {
    let mut database = stack.superuser().await?;
    let seeded = seed::seed(&mut database, SCALE, upstream, &tokens::make(0)?).await?;
    let people = People::seed(&mut database, SCALE).await?;
    let of_site =
        |site: usize| seeded.iter().filter(move |key| key.site == site).map(|key| key.key.clone());
    let revoked =
        format!("UPDATE api_keys SET revoked_at = now() WHERE site_id = '{}'", id(SITE, 0));
    database.execute(AssertSqlSafe(revoked)).await?;
    let mut random = StdRng::seed_from_u64(0x7469_6d69_6e67);
    let unknown =
        std::iter::repeat_with(|| unknown_key(&mut random)).take(EACH).collect::<Result<_>>()?;
    let tenant = format!("/v1/tenants/{}", id(TENANT, 0));
    let own = stack
        .api
        .post(&format!("{tenant}/service-tokens"), json!({"name": "own", "role": "admin"}))
        .await?;
    let ids =
        |kind: usize, from: usize| (from..from + EACH).map(|number| id(kind, number)).collect();
    Ok(World {
        keys: Twins { real: of_site(0).take(EACH).collect(), invented: unknown },
        foreign_keys: of_site(1).take(EACH).collect(),
        operator_tokens: operator_tokens(&mut database, &mut random).await?,
        service_tokens: service_tokens(stack, &mut database, &tenant).await?,
        access_tokens: access_tokens(stack, &mut database, people).await?,
        tenants: Twins { real: ids(TENANT, 1), invented: ids(TENANT, SCALE.sites) },
        sites: Twins { real: ids(SITE, 1), invented: ids(SITE, SCALE.sites) },
        own: own["token"].as_str().context("a service token")?.to_owned(),
    })
}

fn unknown_key(random: &mut StdRng) -> Result<String> {
    let mut bytes = [0; 64];
    random.fill_bytes(&mut bytes);
    let key =
        ApiKey::from_random(Environment::Live, &bytes).context("64 bytes are enough for a key")?;
    Ok(key.reveal().to_owned())
}

/// The revoked ones are written as the superuser: there is no operation that revokes the last.
async fn operator_tokens(database: &mut PgConnection, random: &mut StdRng) -> Result<Twins> {
    let mut draw = || {
        let text: String = (0..40).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect();
        format!("tno_{text}")
    };
    let real: Vec<String> = std::iter::repeat_with(&mut draw).take(EACH).collect();
    let invented = std::iter::repeat_with(draw).take(EACH).collect();
    for token in &real {
        let statement = "INSERT INTO operator_tokens (id, name, digest, revoked_at) VALUES \
         (gen_random_uuid(), 'bench', sha256($1), now())";
        sqlx::query(statement).bind(token.as_bytes()).execute(&mut *database).await?;
    }
    Ok(Twins { real, invented })
}

/// The unknown ones were made, too, and their rows taken away: so all have the same form.
async fn service_tokens(stack: &Stack, database: &mut PgConnection, tenant: &str) -> Result<Twins> {
    let (mut real, mut invented) = (Vec::new(), Vec::new());
    for number in 0..2 * EACH {
        let made = stack
            .api
            .post(&format!("{tenant}/service-tokens"), json!({"name": "bench", "role": "viewer"}))
            .await?;
        let token = made["token"].as_str().context("a service token")?.to_owned();
        let id = made["id"].as_str().context("its id")?;
        if number % 2 == 0 {
            stack.api.delete(&format!("{tenant}/service-tokens/{id}")).await?;
            real.push(token);
        } else {
            sqlx::query("DELETE FROM service_tokens WHERE id = $1::uuid")
                .bind(id)
                .execute(&mut *database)
                .await?;
            invented.push(token);
        }
    }
    Ok(Twins { real, invented })
}

/// Of sessions that have ended, and of sessions of which nothing is left.
async fn access_tokens(
    stack: &Stack,
    database: &mut PgConnection,
    people: People,
) -> Result<Twins> {
    let (mut real, mut invented) = (Vec::new(), Vec::new());
    for number in 0..2 * EACH {
        let token = log_in(&stack.api, &people.email(number)).await?;
        let last = "(SELECT id FROM sessions ORDER BY created_at DESC LIMIT 1)";
        let (statement, list) = match number % 2 {
            0 => (format!("UPDATE sessions SET revoked_at = now() WHERE id = {last}"), &mut real),
            _ => (format!("DELETE FROM sessions WHERE id = {last}"), &mut invented),
        };
        database.execute(AssertSqlSafe(statement)).await?;
        list.push(token);
    }
    Ok(Twins { real, invented })
}
