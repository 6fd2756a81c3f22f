//! A migrated database, and servers on it.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt as _;
use policy::key::Environment;
use policy::usage::{METHOD, SERVICE, UsageAck, UsageReport, Who};
use service::jobs::JobHandle;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor as _};
use stack::postgres::Group;
use stack::testing::TestDatabase;
use store::{Actor, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::client::Grpc;
use tonic::codec::ProstCodec;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use xds_server::cells::Cells;
use xds_server::grpc::Observers;
use xds_server::{grpc, usage};

/// A database, and the ways to reach it.
pub(crate) struct Database {
    superuser: PgPool,
    store: Store,
    /// The login role of the server.
    role: String,
    pub(crate) xds_url: String,
}

/// Runs a test in a fresh database, which is dropped afterwards, whether the test fails or not.
pub(crate) async fn with_database(test: impl AsyncFnOnce(&Database)) {
    let own = TestDatabase::create().await.expect("a database of the test's own");
    let database = Database {
        store: Store::connect(&own.admin_url, 2).await.expect("the admin role connects"),
        superuser: PgPoolOptions::new().connect_lazy_with(own.superuser()),
        xds_url: own.xds_url.clone(),
        role: Group::Xds.login_of(own.database.name()),
    };
    let outcome = AssertUnwindSafe(test(&database)).catch_unwind().await;
    database.superuser.close().await;
    own.drop().await.expect("the superuser may drop it");
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

impl Database {
    /// Makes a tenant with a site; its requests are counted without a consumer.
    pub(crate) async fn somebody(&self, slug: &str) -> Who {
        let mut platform = self.store.platform(&Actor::system("test")).await.unwrap();
        let new = store::tenant::NewTenant {
            name: slug.to_owned(),
            slug: None,
            settings: Default::default(),
            platform_plan: None,
        };
        let tenant = store::tenant::create(&mut platform, new).await.unwrap().id;
        platform.commit().await.unwrap();
        let mut tx = self.store.tenant(tenant, &Actor::system("test")).await.unwrap();
        let site = store::site::NewSite {
            name: slug.to_owned(),
            slug: slug.to_owned(),
            hostname: format!("{slug}.gw.test"),
            environment: Environment::Live,
            forward_credentials: false,
            settings: Default::default(),
        };
        let site = store::site::create(&mut tx, site).await.unwrap().id;
        tx.commit().await.unwrap();
        Who { tenant, site, consumer: None, key: None, route: None }
    }

    /// Returns a number that the superuser reads.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(query.to_owned()))
            .fetch_one(&self.superuser)
            .await
            .expect("the query counts")
    }

    /// Ends the connections of the server and lets it make no new ones, as a failing database
    /// would.
    pub(crate) async fn cut_off(&self) {
        for statement in [
            format!("ALTER ROLE {} CONNECTION LIMIT 0", self.role),
            // The function waits until they have ended.
            format!(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity \
                WHERE usename = '{}'",
                self.role
            ),
        ] {
            self.superuser
                .execute(AssertSqlSafe(statement))
                .await
                .expect("the superuser may run it");
        }
    }

    /// Undoes [`Database::cut_off`].
    pub(crate) async fn reconnect(&self) {
        let statement = format!("ALTER ROLE {} CONNECTION LIMIT -1", self.role);
        self.superuser.execute(AssertSqlSafe(statement)).await.expect("the superuser may run it");
    }
}

/// A server that takes reports.
pub(crate) struct Server {
    channel: Channel,
    stop: watch::Sender<bool>,
    tasks: [JoinHandle<()>; 2],
}

impl Server {
    pub(crate) async fn start(database_url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = watch::channel(false);
        let (reports, queued) = usage::channel();
        let job = JobHandle::unsupervised("usage_writer", stopped.clone(), SystemTime::now);
        let database_url = database_url.parse().expect("a database URL");
        let writing = usage::Writer::new(queued).await.run(database_url, job);
        let serving = grpc::serve(
            listener,
            Arc::new(Cells::default()),
            Observers::default(),
            reports,
            None,
            stopped,
        );
        let tasks = [
            tokio::spawn(async move { writing.await.expect("the writer ends well") }),
            tokio::spawn(async move { serving.await.expect("the server ends well") }),
        ];
        let channel =
            Endpoint::from_shared(format!("http://{address}")).expect("a URI").connect_lazy();
        Self { channel, stop, tasks }
    }

    pub(crate) async fn stop(self) {
        drop(self.channel);
        self.stop.send_replace(true);
        for task in self.tasks {
            task.await.expect("it ends");
        }
    }

    pub(crate) fn client(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) async fn report(&self, message: &UsageReport) -> Result<UsageAck, Status> {
        report(self.client(), message).await
    }

    /// Sends a report again until it is taken, for a minute at most.
    pub(crate) async fn report_until_taken(&self, message: &UsageReport) -> UsageAck {
        for _ in 0..60 {
            match self.report(message).await {
                Ok(ack) => return ack,
                Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status}"),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("the report was not taken");
    }
}

/// Sends a report, as Envoy does.
pub(crate) async fn report(channel: Channel, message: &UsageReport) -> Result<UsageAck, Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
    let path = PathAndQuery::try_from(format!("/{SERVICE}/{METHOD}")).expect("a path");
    let codec = ProstCodec::<UsageReport, UsageAck>::default();
    client.unary(Request::new(message.clone()), path, codec).await.map(tonic::Response::into_inner)
}

pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    u64::try_from(now.as_millis()).expect("a time before the year 500,000,000")
}
