//! Databases and roles on a server. All of it is DDL, which cannot be a checked query; names come
//! from this crate or are quoted, and passwords are alphanumeric.

use anyhow::{Context, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

/// Owns the databases that a private server holds, and migrates them. Not a superuser, so that
/// forced row level security and missing grants show here as they would in production.
pub const OWNER: &str = "tenantry_owner";

/// The group roles; each program logs in as a member of one. The migrations create those that are
/// not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Admin,
    Xds,
}

impl Group {
    pub const ALL: [Group; 2] = [Group::Admin, Group::Xds];

    pub fn name(self) -> &'static str {
        match self {
            Group::Admin => "tenantry_admin",
            Group::Xds => "tenantry_xds",
        }
    }

    /// The login role that [`Database::login`] makes.
    pub fn login_of(self, database: &str) -> String {
        format!("{database}_{}_login", self.name().trim_start_matches("tenantry_"))
    }
}

/// A server on which this login may create roles and databases.
#[derive(Debug, Clone)]
pub struct DatabaseServer {
    superuser: PgConnectOptions,
    /// The password that [`OWNER`] gets.
    owner_password: String,
}

impl DatabaseServer {
    pub fn new(superuser: PgConnectOptions, owner_password: String) -> DatabaseServer {
        DatabaseServer { superuser, owner_password }
    }

    /// `postgres://user:password@host:port/database` of a superuser. The password is given to
    /// [`OWNER`] too, so that several test processes can share the server without passing on a
    /// second secret.
    pub fn from_url(url: &str) -> Result<DatabaseServer> {
        let superuser: PgConnectOptions = url.parse().context("the database URL does not parse")?;
        let text = superuser.to_url_lossy();
        let password = text.password().unwrap_or_default().to_owned();
        Ok(DatabaseServer::new(superuser, password))
    }

    pub fn url(&self) -> String {
        url(&self.superuser)
    }

    pub async fn connect(&self) -> Result<PgConnection> {
        self.superuser.connect().await.context("logging in to PostgreSQL as its superuser")
    }

    /// The superuser's login to this database.
    pub fn superuser_of(&self, database: &str) -> PgConnectOptions {
        self.superuser.clone().database(database)
    }

    /// As [`DatabaseServer::connect`], in this database.
    pub async fn connect_to(&self, database: &str) -> Result<PgConnection> {
        self.superuser_of(database)
            .connect()
            .await
            .with_context(|| format!("logging in to database {database} as the superuser"))
    }

    /// The database as its owner.
    pub fn database(&self, name: &str) -> Database {
        let owner =
            self.superuser.clone().username(OWNER).password(&self.owner_password).database(name);
        Database { owner }
    }

    /// Makes the roles that belong to the whole server: [`OWNER`] and the groups, which it owns.
    /// The process that starts a server calls this once, before it hands the server out: PostgreSQL
    /// fails one of two sessions that change the same role at the same time.
    pub async fn make_roles(&self) -> Result<()> {
        let mut connection = self.connect().await?;
        ensure_login(&mut connection, OWNER, &self.owner_password, "CREATEROLE").await?;
        connection.execute(AssertSqlSafe(format!("SET ROLE {OWNER}"))).await?;
        for group in Group::ALL {
            ensure_role(&mut connection, group.name(), "NOLOGIN", None).await?;
        }
        connection.close().await?;
        Ok(())
    }

    /// Creates the database, from `template` if given, owned by [`OWNER`]. `Ok(false)` when it was
    /// there.
    pub async fn ensure_database(&self, name: &str, template: Option<&str>) -> Result<bool> {
        let mut connection = self.connect().await?;
        let is_new = !exists(&mut connection, name).await?;
        if is_new {
            create(&mut connection, name, template).await?;
        }
        connection.close().await?;
        Ok(is_new)
    }

    /// Drops the database and its logins, ending the sessions that are still in it.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        let mut connection = self.connect().await?;
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name));
        connection.execute(AssertSqlSafe(drop)).await?;
        let logins = Group::ALL.map(|group| quoted(&group.login_of(name))).join(", ");
        connection.execute(AssertSqlSafe(format!("DROP ROLE IF EXISTS {logins}"))).await?;
        connection.close().await?;
        Ok(())
    }
}

/// One database, as the role that owns it and migrates it.
#[derive(Debug, Clone)]
pub struct Database {
    owner: PgConnectOptions,
}

impl Database {
    pub fn from_url(url: &str) -> Result<Database> {
        Ok(Database { owner: url.parse().context("the database URL does not parse")? })
    }

    pub fn name(&self) -> &str {
        self.owner.get_database().unwrap_or("postgres")
    }

    pub fn owner_url(&self) -> String {
        url(&self.owner)
    }

    pub async fn connect(&self) -> Result<PgConnection> {
        self.owner
            .connect()
            .await
            .with_context(|| format!("logging in to the database {}", self.name()))
    }

    /// Makes a login role for this database alone in `group`, or gives the one that is there a new
    /// password; answers its URL. The groups have to be there: the migrations create them.
    pub async fn login(&self, group: Group, password: &str) -> Result<String> {
        let role = group.login_of(self.name());
        let mut connection = self.connect().await?;
        ensure_login(&mut connection, &role, password, &format!("IN ROLE {}", group.name()))
            .await?;
        connection.close().await?;
        Ok(url(&self.owner.clone().username(&role).password(password)))
    }

    /// Tells this database from one that has been put in its place under the same URL.
    pub async fn identity(&self) -> Result<String> {
        let mut connection = self.connect().await?;
        let identity: String = sqlx::query_scalar(
            "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || oid \
             FROM pg_database WHERE datname = current_database()",
        )
        .fetch_one(&mut connection)
        .await?;
        connection.close().await?;
        Ok(identity)
    }
}

/// Any constant will do, as long as every process takes the same: held while a role is made or
/// changed.
const ROLES_LOCK: i64 = 0x726f_6c65;

/// Tells whether the server has this database.
pub(crate) async fn exists(connection: &mut PgConnection, database: &str) -> Result<bool> {
    let exists = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)");
    Ok(exists.bind(database).fetch_one(connection).await?)
}

/// Creates a database that [`OWNER`] owns, from `template` if given.
pub(crate) async fn create(
    connection: &mut PgConnection,
    name: &str,
    template: Option<&str>,
) -> Result<()> {
    let mut sql = format!("CREATE DATABASE {} OWNER {OWNER}", quoted(name));
    if let Some(template) = template {
        sql.push_str(&format!(" TEMPLATE {}", quoted(template)));
    }
    connection
        .execute(AssertSqlSafe(sql))
        .await
        .with_context(|| format!("creating the database {name}"))?;
    Ok(())
}

/// Creates the login with `attributes`, or only renews its password.
async fn ensure_login(
    connection: &mut PgConnection,
    role: &str,
    password: &str,
    attributes: &str,
) -> Result<()> {
    let password = format!("PASSWORD '{password}'");
    let attributes = format!("LOGIN {password} {attributes}");
    ensure_role(connection, role, &attributes, Some(&password)).await
}

/// Creates the role with `attributes`, or gives the one that is there those of `renewed`.
///
/// PostgreSQL refuses two changes of a role at the same time ("tuple concurrently updated"), so one
/// process waits for the other. An advisory lock is one database's: every process that makes a role
/// of this name is in the same one. The block has no EXCEPTION clause, because the lock would go
/// with the subtransaction that such a clause rolls back.
async fn ensure_role(
    connection: &mut PgConnection,
    role: &str,
    attributes: &str,
    renewed: Option<&str>,
) -> Result<()> {
    let name = quoted(role);
    let renew =
        renewed.map_or_else(|| "NULL".to_owned(), |renewed| format!("ALTER ROLE {name} {renewed}"));
    let sql = format!(
        "DO $do$ BEGIN
           PERFORM pg_advisory_xact_lock({ROLES_LOCK});
           IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
             {renew};
           ELSE
             CREATE ROLE {name} {attributes};
           END IF;
         END $do$"
    );
    connection
        .execute(AssertSqlSafe(sql))
        .await
        .with_context(|| format!("creating the role {role}"))?;
    Ok(())
}

/// As text that `psql` takes too: libpq refuses parameters that it does not know, and sqlx always
/// adds one.
fn url(options: &PgConnectOptions) -> String {
    let mut url = options.to_url_lossy();
    let known: Vec<(String, String)> = url
        .query_pairs()
        .into_owned()
        .filter(|(name, _)| name != "statement-cache-capacity")
        .collect();
    url.query_pairs_mut().clear().extend_pairs(known);
    url.into()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
