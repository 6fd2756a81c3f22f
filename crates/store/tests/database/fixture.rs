//! A migrated database with the three roles of a deployment, and rows to work on.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures::FutureExt as _;
use policy::desired::{LeftOut, Object, UpstreamProtocol};
use policy::id::{ApiId, ConsumerId, KeyId, RouteId, SiteId, TenantId, UpstreamId, VersionId};
use policy::key::{Digest, Environment};
use policy::method::Methods;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use stack::testing::TestDatabase;
use store::left_out;
use store::quarantine::Refusal;
use store::route::{RouteSpec, VersionRef};
use store::upstream::Endpoint;
use store::usage::{self, Ledger};
use store::{Actor, ActorKind, Reader, Store, TenantTx};
use uuid::Uuid;

/// A database, and the ways to reach it.
pub(crate) struct Database {
    /// The cluster's superuser in this database, with whom tests compare and break things.
    pub(crate) superuser: PgPool,
    owner_url: String,
    pub(crate) admin_url: String,
    xds_url: String,
}

/// Runs a test in a fresh database, which is dropped afterwards, whether the test fails or not.
pub(crate) async fn with_database(test: impl AsyncFnOnce(&Database)) {
    let own = TestDatabase::create().await.expect("a database of the test's own");
    let database = Database {
        superuser: PgPoolOptions::new().connect_lazy_with(own.superuser()),
        // The owner is what a hosted PostgreSQL gives its customers: no superuser.
        owner_url: own.database.owner_url(),
        admin_url: own.admin_url.clone(),
        xds_url: own.xds_url.clone(),
    };
    let outcome = AssertUnwindSafe(test(&database)).catch_unwind().await;
    database.superuser.close().await;
    own.drop().await.expect("the superuser may drop it");
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

impl Database {
    pub(crate) async fn store(&self) -> Store {
        Store::connect(&self.admin_url, 8).await.expect("the admin role connects")
    }

    pub(crate) async fn reader(&self) -> Reader {
        Reader::connect(&self.xds_url, 4).await.expect("the xds role connects")
    }

    pub(crate) async fn owner(&self) -> PgConnection {
        PgConnection::connect(&self.owner_url).await.expect("the owner connects")
    }

    pub(crate) async fn admin(&self) -> PgConnection {
        PgConnection::connect(&self.admin_url).await.expect("the admin role connects")
    }

    pub(crate) async fn xds(&self) -> PgConnection {
        PgConnection::connect(&self.xds_url).await.expect("the xds role connects")
    }

    /// Returns a number that the superuser reads, whom row security does not bind.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .fetch_one(&self.superuser)
            .await
            .expect("the query counts")
    }
}

pub(crate) fn actor() -> Actor {
    Actor {
        kind: ActorKind::Operator,
        id: Uuid::from_u128(7),
        request_id: "test".to_owned(),
        source: "192.0.2.1".parse().ok(),
        party: Default::default(),
        logged: Default::default(),
    }
}

/// One of each kind of object, all of one tenant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) tenant: TenantId,
    pub(crate) site: SiteId,
    pub(crate) upstream: UpstreamId,
    pub(crate) api: ApiId,
    pub(crate) version: VersionId,
    pub(crate) route: RouteId,
    pub(crate) consumer: ConsumerId,
    pub(crate) key: KeyId,
}

impl Sample {
    pub(crate) fn version_ref(&self) -> VersionRef {
        VersionRef { site: self.site, api: self.api, version: self.version }
    }

    /// Begins a transaction of the sample's tenant.
    pub(crate) async fn begin(&self, store: &Store) -> TenantTx {
        store.tenant(self.tenant, &actor()).await.expect("a transaction begins")
    }
}

/// Makes a tenant that has one of everything, with its key in the given bucket.
pub(crate) async fn sample(store: &Store, slug: &str, bucket: u16) -> Sample {
    let mut platform = store.platform(&actor()).await.unwrap();
    let new = store::tenant::NewTenant {
        name: slug.to_owned(),
        slug: Some(slug.to_owned()),
        settings: Default::default(),
        platform_plan: None,
    };
    let tenant = store::tenant::create(&mut platform, new).await.unwrap().id;
    platform.commit().await.unwrap();
    let mut tx = store.tenant(tenant, &actor()).await.unwrap();
    let sample = site_sample(&mut tx, slug, bucket).await;
    tx.commit().await.unwrap();
    sample
}

/// Makes a site that has one of everything.
pub(crate) async fn site_sample(tx: &mut TenantTx, slug: &str, bucket: u16) -> Sample {
    let site = store::site::create(tx, new_site(slug)).await.unwrap().id;
    let upstream = store::upstream::create(tx, site, new_upstream("main")).await.unwrap().id;
    let api = store::api::NewApi {
        name: "orders".to_owned(),
        base_path: "/orders".to_owned(),
        strip_base_path: true,
        settings: Default::default(),
    };
    let api = store::api::create(tx, site, api).await.unwrap().id;
    let version =
        store::version::NewVersion { name: "v1".to_owned(), in_path: true, upstream_id: upstream };
    let version = store::version::create(tx, site, api, version).await.unwrap().id;
    let route = route("GET", "/orders/{id}");
    let route =
        store::route::create(tx, VersionRef { site, api, version }, route).await.unwrap().id;
    let consumer = new_consumer("app");
    let consumer = store::consumer::create(tx, site, consumer).await.unwrap().id;
    let key = store::key::create(tx, site, consumer, new_key(bucket)).await.unwrap().id;
    Sample { tenant: tx.tenant(), site, upstream, api, version, route, consumer, key }
}

/// The usage store, in the role of xds-server.
pub(crate) async fn ledger(database: &Database) -> Ledger {
    Ledger::connect(&database.xds_url, 4).await.expect("the xds role connects")
}

/// The key of the sample's usage.
pub(crate) fn used(sample: &Sample, hour: u32) -> usage::Key {
    usage::Key {
        tenant: sample.tenant,
        hour,
        site: sample.site,
        consumer: Some(sample.consumer),
        key: Some(sample.key),
        route: Some(sample.route),
        status_class: 2,
    }
}

/// Adds a request of each sample to the sums, as xds-server alone can.
pub(crate) async fn use_once(database: &Database, samples: &[Sample]) {
    let sums = usage::Sums { requests: 1, ..Default::default() };
    let entries = samples.iter().map(|sample| (used(sample, 1), sums)).collect();
    let reporter = *Uuid::now_v7().as_bytes();
    ledger(database)
        .await
        .record(&[usage::Report { reporter, seq: 1, entries }])
        .await
        .expect("usage is recorded");
}

/// Puts sites under quarantine, as if an Envoy had refused them.
pub(crate) async fn hold_back(database: &Database, samples: &[Sample]) {
    let reader = database.reader().await;
    for (sample, bucket) in samples.iter().zip(0..) {
        let refusal = Refusal {
            site: sample.site,
            digest: [1; 32],
            node_id: Some("edge-1".to_owned()),
            resource_type: "rds".to_owned(),
            resource: "site".to_owned(),
            reason: "no good".to_owned(),
            good: None,
        };
        store::quarantine::refuse(&reader, &refusal).await.unwrap();
        let object = Object::Consumer(sample.consumer);
        let part = LeftOut { site: sample.site, object, bytes: 2, allowed: 1 };
        left_out::write(&reader, left_out::Bucket::Consumers(bucket), &[part]).await.unwrap();
    }
}

pub(crate) fn new_site(slug: &str) -> store::site::NewSite {
    store::site::NewSite {
        name: slug.to_owned(),
        slug: slug.to_owned(),
        hostname: format!("{slug}.gw.localhost"),
        environment: Environment::Live,
        forward_credentials: false,
        settings: Default::default(),
    }
}

pub(crate) fn new_upstream(name: &str) -> store::upstream::NewUpstream {
    store::upstream::NewUpstream {
        name: name.to_owned(),
        endpoints: vec![Endpoint { address: "10.0.0.1".to_owned(), port: 8080, weight: 1 }],
        protocol: UpstreamProtocol::Http1,
        connect_timeout_ms: 5_000,
        request_timeout_ms: 15_000,
    }
}

pub(crate) fn route(method: &str, path: &str) -> RouteSpec {
    RouteSpec {
        name: None,
        methods: Methods::named(method).unwrap(),
        path: path.to_owned(),
        upstream_id: None,
        settings: Default::default(),
    }
}

pub(crate) fn new_consumer(name: &str) -> store::consumer::NewConsumer {
    store::consumer::NewConsumer {
        name: name.to_owned(),
        plan_id: None,
        settings: Default::default(),
    }
}

pub(crate) fn new_key(bucket: u16) -> store::key::NewKey {
    store::key::NewKey {
        name: None,
        digest: digest(bucket),
        hint: "tnt_live_...0000".to_owned(),
        expires_at: None,
        settings: Default::default(),
    }
}

/// A digest in the given bucket, different from all others.
pub(crate) fn digest(bucket: u16) -> Digest {
    let mut bytes = [0; 32];
    let [high, low] = bucket.to_be_bytes();
    bytes[0] = high;
    bytes[1] = low;
    bytes[16..].copy_from_slice(Uuid::now_v7().as_bytes());
    Digest(bytes)
}

/// Waits until a condition of the database holds, for a minute at most.
pub(crate) async fn until(database: &Database, condition: &str) {
    for _ in 0..3_000 {
        let query = AssertSqlSafe(format!("SELECT {condition}"));
        if sqlx::query_scalar::<_, bool>(query).fetch_one(&database.superuser).await.unwrap() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it did not come to this within a minute: {condition}");
}
