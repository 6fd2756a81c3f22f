//! Settings and secrets that the follower serves, and the keys that a start of the program finds
//! from the one before, with a real PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use policy::cell::DEFAULT;
use policy::desired::Secret;
use policy::id::{SiteId, Uuid};
use policy::settings::{Algorithm, ConsumerSettings};
use policy::wire::{ConsumerBucket, SitePolicy};
use prost::Message as _;
use service::flags::DatabaseUrl;
use service::jobs::{JobSpec, Jobs};
use stack::postgres::{Cluster, Group};
use stack::testing::new_cluster;
use store::consumer::{ConsumerPatch, NewConsumer};
use store::issuer::NewIssuer;
use store::seal::SecretsKey;
use store::site::NewSite;
use store::tenant::NewTenant;
use store::{Actor, ActorKind, Reader, Store, TenantTx, jwks_cache};
use xds_server::cells::Cells;
use xds_server::follow::{Followed, Follower, Serving};
use xds_server::jwks::{FetchSettings, Fetcher, Keyring, Saver, Worker};
use xds_server::resource::ResourceType;

use crate::issuer::{Issuer, Manner, set};
use crate::site::{issuer_settings, pushed, until};

const KEY: [u8; 32] = [7; 32];

/// A deployment's database, with a tenant and a site.
struct Deployment {
    cluster: Cluster,
    xds_url: String,
    store: Store,
    tenant: policy::id::TenantId,
    site: SiteId,
}

fn actor() -> Actor {
    Actor {
        kind: ActorKind::Operator,
        id: Uuid::from_u128(7),
        request_id: "test".to_owned(),
        source: None,
        party: Default::default(),
        logged: Default::default(),
    }
}

impl Deployment {
    async fn start(name: &str) -> Self {
        let cluster = new_cluster(name).await.expect("PostgreSQL starts");
        let server = cluster.server();
        server.ensure_database("jwks", None).await.expect("a new database");
        let database = server.database("jwks");
        store::migrate(&database.owner_url()).await.expect("the migrations apply");
        let admin_url = database.login(Group::Admin, "secret").await.expect("a login");
        let xds_url = database.login(Group::Xds, "secret").await.expect("a login");
        let store = Store::connect(&admin_url, 2).await.expect("the admin role connects");
        let mut tx = store.platform(&actor()).await.expect("a transaction");
        let new = NewTenant {
            name: "Acme".to_owned(),
            slug: None,
            settings: Default::default(),
            platform_plan: None,
        };
        let tenant = store::tenant::create(&mut tx, new).await.expect("a tenant").id;
        tx.commit().await.expect("a commit");
        let mut tx = store.tenant(tenant, &actor()).await.expect("a transaction");
        let new = NewSite {
            name: "Shop".to_owned(),
            slug: "shop".to_owned(),
            hostname: "shop.gw.localhost".to_owned(),
            environment: policy::key::Environment::Live,
            forward_credentials: false,
            settings: Default::default(),
        };
        let site = store::site::create(&mut tx, new).await.expect("a site").id;
        tx.commit().await.expect("a commit");
        Self { cluster, xds_url, store, tenant, site }
    }

    async fn tx(&self) -> TenantTx {
        self.store.tenant(self.tenant, &actor()).await.expect("a transaction")
    }

    async fn add_issuer(&self, settings: policy::settings::Issuer, secret: Option<&str>) {
        let mut tx = self.tx().await;
        let shared_secret = secret.map(|secret| Secret(secret.as_bytes().to_vec()));
        let key = SecretsKey::new(KEY);
        let new = NewIssuer { settings, shared_secret };
        store::issuer::create(&mut tx, self.site, new, Some(&key)).await.expect("an issuer");
        tx.commit().await.expect("a commit");
    }

    /// Starts the parts of `tenantry-xds serve`, except gRPC and HTTP.
    async fn serve(&self, secrets_key: Option<SecretsKey>) -> Running {
        let (cells, keyring, saver) =
            (Arc::new(Cells::default()), Arc::new(Keyring::default()), Arc::new(Saver::default()));
        let fetcher =
            Fetcher::new(&FetchSettings { allow_private: true, ..FetchSettings::default() })
                .expect("a fetcher");
        let jobs = Jobs::new(service::ambient::now, || 0.5);
        let worker =
            Worker::new(Arc::clone(&keyring), Arc::clone(&cells), fetcher, Arc::clone(&saver));
        let url: DatabaseUrl = self.xds_url.parse().expect("a URL");
        let saving = url.clone();
        jobs.spawn_once(JobSpec::new("jwks_worker"), |job| worker.run(job));
        jobs.spawn_once(JobSpec::new("jwks_saver"), |job| saver.run(saving, job));
        let followed = Followed {
            database_url: url,
            secrets_key,
            base_domain: "gw.localhost".parse().expect("a domain"),
        };
        let serving = Serving { cells: Arc::clone(&cells), keyring, ..Serving::default() };
        jobs.spawn_once(JobSpec::new("follower"), |job| Follower::new(followed, serving).run(job));
        cells.loaded().await;
        Running { cells, jobs }
    }
}

struct Running {
    cells: Arc<Cells>,
    jobs: Jobs,
}

impl Running {
    async fn stop(&self) {
        assert!(self.jobs.shut_down(Duration::from_secs(5)).await.is_empty(), "no job is late");
    }

    fn policy(&self, site: SiteId) -> SitePolicy {
        let hub = self.cells.join(DEFAULT).hub;
        let snapshot = hub.snapshot();
        let policy = snapshot.get(ResourceType::SitePolicy, &site.to_string()).expect("a policy");
        SitePolicy::decode(policy.body.value.as_slice()).expect("a policy")
    }
}

#[tokio::test]
async fn an_issuer_that_is_down_keeps_its_keys_over_a_restart() {
    let deployment = Deployment::start("jwks-restart").await;
    let issuer = Issuer::http(Manner::Ok("", set("one"))).await;
    deployment.add_issuer(issuer_settings(&issuer.url()), None).await;
    let first = deployment.serve(None).await;
    until("the set is pushed", async || pushed(&first.cells, deployment.site).contains("one"))
        .await;
    let good = pushed(&first.cells, deployment.site);
    let reader = Reader::connect(&deployment.xds_url, 1).await.expect("the xds role connects");
    until("it is saved", async || jwks_cache::all(&reader).await.expect("a table").len() == 1)
        .await;
    first.stop().await;

    issuer.set_manner(Manner::Closing);
    let asked = issuer.asked();
    let second = deployment.serve(None).await;
    assert_eq!(pushed(&second.cells, deployment.site), good, "before any Envoy is served");
    assert_eq!(issuer.asked(), asked, "it is good for an hour");
    second.stop().await;

    // Its time is over, and the issuer is still down.
    let mut superuser =
        deployment.cluster.server().connect_to("jwks").await.expect("the superuser connects");
    sqlx::query("UPDATE jwks_cache SET read_at = read_at - interval '2 hours'")
        .execute(&mut superuser)
        .await
        .expect("an update");
    let third = deployment.serve(None).await;
    assert_eq!(pushed(&third.cells, deployment.site), good);
    until("the issuer is asked", async || issuer.asked() > asked).await;
    assert_eq!(pushed(&third.cells, deployment.site), good);
    issuer.set_manner(Manner::Ok("", set("two")));
    until("it is back", async || pushed(&third.cells, deployment.site).contains("two")).await;

    // The removal of the site removes the issuer.
    let mut tx = deployment.tx().await;
    store::site::delete(&mut tx, deployment.site, None).await.expect("the site goes");
    tx.commit().await.expect("a commit");
    until("the set is forgotten", async || {
        jwks_cache::all(&reader).await.expect("a table").is_empty()
    })
    .await;
    third.stop().await;
    deployment.cluster.destroy().await.expect("PostgreSQL stops");
}

#[tokio::test]
async fn secrets_are_served_to_who_has_the_key_and_consumers_as_they_change() {
    let deployment = Deployment::start("jwks-consumers").await;
    let mut symmetric = issuer_settings("");
    (symmetric.jwks_uri, symmetric.algorithms) = (None, vec![Algorithm::HS256]);
    let secret = "0123456789abcdef0123456789abcdef";
    deployment.add_issuer(symmetric, Some(secret)).await;
    for (key, found) in [(Some(KEY), secret), (Some([8; 32]), ""), (None, "")] {
        let running = deployment.serve(key.map(SecretsKey::new)).await;
        assert_eq!(running.policy(deployment.site).issuers[0].secret, found.as_bytes());
        running.stop().await;
    }

    let running = deployment.serve(None).await;
    let consumers = || running.cells.join(DEFAULT).hub.snapshot().len(ResourceType::ConsumerBucket);
    let settings = ConsumerSettings { scopes: vec!["orders".to_owned()], ..Default::default() };
    let mut tx = deployment.tx().await;
    let new = NewConsumer { name: "App".to_owned(), plan_id: None, settings };
    let consumer =
        store::consumer::create(&mut tx, deployment.site, new).await.expect("a consumer").id;
    tx.commit().await.expect("a commit");
    until("the consumer is served", async || consumers() == 1).await;
    {
        let name = policy::consumer::bucket_name(policy::consumer::bucket_of(consumer));
        let hub = running.cells.join(DEFAULT).hub;
        let snapshot = hub.snapshot();
        let bucket = snapshot.get(ResourceType::ConsumerBucket, &name).expect("a bucket");
        let bucket = ConsumerBucket::decode(bucket.body.value.as_slice()).expect("a bucket");
        assert_eq!(bucket.consumers[0].id, consumer.as_bytes());
        assert_eq!(bucket.consumers[0].scopes, ["orders"]);
    }
    let mut tx = deployment.tx().await;
    let patch = ConsumerPatch { settings: Some(ConsumerSettings::default()), ..Default::default() };
    store::consumer::update(&mut tx, deployment.site, consumer, patch, None)
        .await
        .expect("an update");
    tx.commit().await.expect("a commit");
    until("there is nothing to say of it any more", async || consumers() == 0).await;
    running.stop().await;
    deployment.cluster.destroy().await.expect("PostgreSQL stops");
}
