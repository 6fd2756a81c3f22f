//! One edit through the admin API, and when each Envoy obeys it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use futures::future;
use reqwest::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::types::Uuid;

use super::world::{ENVOYS, PATH, PATIENCE, Seen, World};
use crate::bench::seed::{API, CONSUMER, CONSUMERS, SITE, TENANT, UPSTREAM, VERSION, id};

/// Number of kinds of edit: see [`Editor::edit`].
pub(super) const KINDS: usize = 5;

/// Before an edit is made whose effect is known, so that those who wait for it are asking by then.
const HEAD_START: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    RouteAdded,
    KeyMade,
    UpstreamMoved,
    RouteRemoved,
    KeyRevoked,
}

impl Kind {
    pub(super) const ALL: [Self; KINDS] = [
        Self::RouteAdded,
        Self::KeyMade,
        Self::UpstreamMoved,
        Self::RouteRemoved,
        Self::KeyRevoked,
    ];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::RouteAdded => "route added",
            Self::KeyMade => "key made",
            Self::UpstreamMoved => "upstream moved",
            Self::RouteRemoved => "route removed",
            Self::KeyRevoked => "key revoked",
        }
    }
}

/// The time of one edit from its commit, in milliseconds, on each Envoy.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Measured {
    pub(super) kind: Kind,
    pub(super) after_ms: Vec<f64>,
    /// Answers 5xx while it was waited for.
    pub(super) failures: usize,
}

/// The time at which an Envoy has obeyed, and the number of its 5xx answers until then.
type Obeyed = (SystemTime, usize);

/// Makes the edits of one series, on one site.
pub(super) struct Editor<'a> {
    world: &'a World,
    site: usize,
    /// Its own path in the site.
    path: String,
    route: String,
    key: String,
    key_text: String,
}

impl<'a> Editor<'a> {
    pub(super) fn new(world: &'a World, series: usize, site: usize) -> Self {
        let (route, key, key_text) = Default::default();
        Self { world, site, path: format!("/bench-{series}"), route, key, key_text }
    }

    /// Makes one edit of the five, which are to be made in order, and waits until both Envoys obey
    /// it.
    pub(super) async fn edit(&mut self, step: usize) -> Result<Measured> {
        let kind = *Kind::ALL.get(step).context("there are five steps")?;
        let (object, obeyed) = match kind {
            Kind::RouteAdded => self.add_route().await?,
            Kind::KeyMade => self.make_key().await?,
            Kind::UpstreamMoved => self.move_upstream().await?,
            Kind::RouteRemoved => self.remove_route().await?,
            Kind::KeyRevoked => self.revoke_key().await?,
        };
        let committed = self.committed_at(object.parse()?).await?;
        let failures = obeyed.iter().map(|(_, failures)| failures).sum();
        let after_ms = obeyed.into_iter().map(|(at, _)| milliseconds(at) - committed).collect();
        Ok(Measured { kind, after_ms, failures })
    }

    async fn add_route(&mut self) -> Result<(String, Vec<Obeyed>)> {
        let url = format!("{}/routes", self.version_url());
        let body = json!({ "methods": ["GET"], "path": self.path });
        let path = format!("/shop/v1{}", self.path);
        let edit = async { Ok(self.world.stack.api.post(&url, body).await?) };
        let (added, obeyed) =
            self.watch(&path, None, |seen| seen.status == StatusCode::OK, edit).await?;
        self.route = text(&added, "id")?;
        Ok((self.route.clone(), obeyed))
    }

    /// The key is known when the answer is here, which is after the commit.
    async fn make_key(&mut self) -> Result<(String, Vec<Obeyed>)> {
        let made = self.world.stack.api.post(&self.keys_url(), json!({})).await?;
        (self.key, self.key_text) = (text(&made, "id")?, text(&made, "key")?);
        let key = Some(self.key_text.as_str());
        let obeyed = self.everywhere(PATH, key, |seen| seen.status == StatusCode::OK).await?;
        Ok((self.key.clone(), obeyed))
    }

    async fn move_upstream(&mut self) -> Result<(String, Vec<Obeyed>)> {
        let id = id(UPSTREAM, self.site);
        let upstream = self.world.turn_upstream(self.site);
        let endpoint =
            json!({ "address": upstream.addr.ip().to_string(), "port": upstream.addr.port() });
        let url = format!("{}/upstreams/{id}", self.site_url());
        let edit = async {
            Ok(self.world.stack.api.patch(&url, json!({ "endpoints": [endpoint] })).await?)
        };
        let moved = |seen: &Seen| seen.upstream.as_deref() == Some(&upstream.name);
        let (_, obeyed) = self.watch(PATH, None, moved, edit).await?;
        Ok((id, obeyed))
    }

    async fn remove_route(&mut self) -> Result<(String, Vec<Obeyed>)> {
        let url = format!("{}/routes/{}", self.version_url(), self.route);
        let path = format!("/shop/v1{}", self.path);
        let edit = async { Ok(self.world.stack.api.delete(&url).await?) };
        let (_, obeyed) =
            self.watch(&path, None, |seen| seen.status == StatusCode::NOT_FOUND, edit).await?;
        Ok((self.route.clone(), obeyed))
    }

    async fn revoke_key(&mut self) -> Result<(String, Vec<Obeyed>)> {
        let url = format!("{}/{}", self.keys_url(), self.key);
        let edit = async { Ok(self.world.stack.api.delete(&url).await?) };
        let refused = |seen: &Seen| seen.status == StatusCode::FORBIDDEN;
        let (_, obeyed) = self.watch(PATH, Some(&self.key_text), refused, edit).await?;
        Ok((self.key.clone(), obeyed))
    }

    /// Makes the edit while both Envoys are asked.
    async fn watch(
        &self,
        path: &str,
        key: Option<&str>,
        obeyed: impl Fn(&Seen) -> bool,
        edit: impl Future<Output = Result<Value>>,
    ) -> Result<(Value, Vec<Obeyed>)> {
        let edit = async {
            tokio::time::sleep(HEAD_START).await;
            edit.await
        };
        future::try_join(edit, self.everywhere(path, key, obeyed)).await
    }

    /// Asks both Envoys until they obey.
    async fn everywhere(
        &self,
        path: &str,
        key: Option<&str>,
        obeyed: impl Fn(&Seen) -> bool,
    ) -> Result<Vec<Obeyed>> {
        future::try_join_all((0..ENVOYS).map(|envoy| self.until(envoy, path, key, &obeyed))).await
    }

    /// Asks one Envoy without a pause until it obeys; says when that was.
    async fn until(
        &self,
        envoy: usize,
        path: &str,
        key: Option<&str>,
        obeyed: &impl Fn(&Seen) -> bool,
    ) -> Result<Obeyed> {
        let (started, mut failures) = (SystemTime::now(), 0);
        loop {
            let seen = self.world.ask(envoy, self.site, path, key).await?;
            let at = SystemTime::now();
            if obeyed(&seen) {
                return Ok((at, failures));
            }
            failures += usize::from(seen.status.is_server_error());
            let waited = started.elapsed().unwrap_or_default();
            ensure!(
                waited < PATIENCE,
                "site {} at Envoy {envoy}: after {waited:?} {path} is still {seen:?}",
                self.site
            );
        }
    }

    /// Milliseconds since the Unix epoch at which the last edit of an object was committed
    /// (`track_commit_timestamp`): every edit has its audit row in its own transaction.
    async fn committed_at(&self, object: Uuid) -> Result<f64> {
        let tenant: Uuid = id(TENANT, self.site).parse()?;
        let sql = "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 * 1000 \
                   FROM audit_log WHERE tenant_id = $1 AND object_id = $2 \
                   ORDER BY seq DESC LIMIT 1";
        let mut database = self.world.database.lock().await;
        Ok(sqlx::query_scalar(sql).bind(tenant).bind(object).fetch_one(&mut *database).await?)
    }

    fn site_url(&self) -> String {
        format!("/v1/tenants/{}/sites/{}", id(TENANT, self.site), id(SITE, self.site))
    }

    fn version_url(&self) -> String {
        format!(
            "{}/apis/{}/versions/{}",
            self.site_url(),
            id(API, self.site),
            id(VERSION, self.site)
        )
    }

    fn keys_url(&self) -> String {
        format!("{}/consumers/{}/keys", self.site_url(), id(CONSUMER, self.site * CONSUMERS))
    }
}

fn milliseconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0
}

fn text(object: &Value, field: &str) -> Result<String> {
    object[field]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("the answer has no text field `{field}`"))
}
