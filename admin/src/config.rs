//! Flags and environment variables. Every flag `--some-name` has the twin `TENANTRY_SOME_NAME`;
//! `--listen`, which other programs have as well, has `TENANTRY_ADMIN_LISTEN`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand};
use policy::host::{BaseDomain, DEFAULT_BASE_DOMAIN};
use policy::id::TenantId;
use policy::ip::Cidr;
use service::flags::{DatabaseUrl, OldVariable, Upstreams, refuse_old_variable};
use service::logging::LogFlags;

use crate::mail::{LinkBase, MailFrom, SmtpUrl};
use crate::rate_limit::Allowed;
use crate::signup::Mode;

/// The admin service of Tenantry: the HTTP API through which tenants, sites, APIs and keys are set
/// up.
#[derive(Debug, Parser)]
#[command(name = "tenantry-admin", version, about)]
pub struct Cli {
    /// The log.
    #[command(flatten)]
    pub log: LogFlags,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the admin API.
    Serve(Box<Serve>),
    /// Bring the database up to date, and exit.
    Migrate(Migrate),
    /// Work on the audit log.
    Audit(Audit),
}

/// Flags of `serve`.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// PostgreSQL, with a login role that is a member of `tenantry_admin`.
    #[arg(long, env = "TENANTRY_DATABASE_URL", hide_env_values = true)]
    pub database_url: DatabaseUrl,
    /// The most connections to PostgreSQL. Each request uses one at a time.
    #[arg(long, env = "TENANTRY_DATABASE_CONNECTIONS", default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub database_connections: u32,
    /// PostgreSQL is behind a pooler in transaction mode, such as pgbouncer: keep nothing on a
    /// connection between two transactions.
    #[arg(long, env = "TENANTRY_DATABASE_POOLER", value_parser = BoolishValueParser::new())]
    pub database_pooler: bool,
    /// Address and port to listen on. The API is for operators: put it behind TLS and off the
    /// public network.
    #[arg(long, env = "TENANTRY_ADMIN_LISTEN", default_value = "127.0.0.1:9080")]
    pub listen: SocketAddr,
    /// The domain under which every site gets a hostname.
    #[arg(long, env = "TENANTRY_BASE_DOMAIN", default_value = DEFAULT_BASE_DOMAIN)]
    pub base_domain: BaseDomain,
    /// File for the operator token that the first start makes; without it, the token is printed
    /// once. The file must not exist yet when a token is made.
    #[arg(long, env = "TENANTRY_OPERATOR_TOKEN_FILE")]
    pub operator_token_file: Option<PathBuf>,
    /// The key that seals secrets in the database: a file with 64 hexadecimal digits, readable by
    /// its owner only. Without it no shared secret of an issuer and no HMAC signing key can be
    /// made. xds-server needs the same one.
    #[arg(long, env = "TENANTRY_SECRETS_KEY_FILE")]
    pub secrets_key_file: Option<PathBuf>,
    /// Sign-up: `open` for everybody, `approval` if an operator has to approve, `closed` for
    /// nobody. It needs --smtp-url.
    #[arg(long, env = "TENANTRY_SIGNUP", value_enum, default_value_t)]
    pub signup: Mode,
    /// The mail server: smtps://user:password@host for TLS, smtp://user:password@host?tls=required
    /// for STARTTLS. Without one no e-mail is sent, so no password can be reset. It needs
    /// --mail-from and --secrets-key-file.
    #[arg(
        long,
        env = "TENANTRY_SMTP_URL",
        hide_env_values = true,
        requires_all = ["mail_from", "secrets_key_file"]
    )]
    pub smtp_url: Option<SmtpUrl>,
    /// Authorities that the mail server's certificate may be of, beside those that the system
    /// trusts: a file of certificates in PEM.
    #[arg(long, env = "TENANTRY_SMTP_CA_FILE", requires = "smtp_url")]
    pub smtp_ca_file: Option<PathBuf>,
    /// Beginning of links in letters, as in https://console.example.com. They lead to pages of
    /// yours under it, /verify, /reset-password and /invitation, with the token in the fragment
    /// (#token=...). Without it letters name the call of the API that takes the token.
    #[arg(long, env = "TENANTRY_MAIL_LINK_BASE")]
    pub mail_link_base: Option<LinkBase>,
    /// Sender of e-mail, as in `no-reply@example.com`.
    #[arg(long, env = "TENANTRY_MAIL_FROM")]
    pub mail_from: Option<MailFrom>,
    /// Take http URLs for the keys of issuers, too. For development only: anybody on the way can
    /// replace the keys.
    #[arg(long, env = "TENANTRY_ALLOW_HTTP_JWKS", value_parser = BoolishValueParser::new())]
    pub allow_http_jwks: bool,
    /// The addresses that upstreams may have.
    #[command(flatten)]
    pub upstreams: Upstreams,
    /// Rate limits of the API.
    #[command(flatten)]
    pub rate_limits: RateLimitFlags,
}

/// Refuses the variable that the address once had, so that it is not silently ignored.
///
/// # Errors
/// If it is set.
pub fn check_variables(is_set: impl Fn(&str) -> bool) -> Result<(), OldVariable> {
    refuse_old_variable("TENANTRY_LISTEN", "TENANTRY_ADMIN_LISTEN", is_set)
}

/// Rate limits of the API. Each replica counts by itself.
#[derive(Clone, Debug, Args)]
pub struct RateLimitFlags {
    /// Requests a second of one operator token, account or service token; five times as many at
    /// once. 0 is no limit.
    #[arg(long, env = "TENANTRY_RATE_PER_PRINCIPAL", default_value_t = 100)]
    pub rate_per_principal: u32,
    /// Requests a second from one address (of IPv6, one /64 network); five times as many at once. 0
    /// is no limit.
    #[arg(long, env = "TENANTRY_RATE_PER_ADDRESS", default_value_t = 200)]
    pub rate_per_address: u32,
    /// Requests a minute to /v1/auth/ from one address; as many at once. 0 is no limit.
    #[arg(long, env = "TENANTRY_AUTH_RATE_PER_ADDRESS", default_value_t = 60)]
    pub auth_rate_per_address: u32,
    /// The addresses of proxies in front of the API, such as 10.1.0.0/16; repeat it, or use commas.
    /// The client is the last address in X-Forwarded-For that is not one of them, for the rate
    /// limits and for the audit log. The header of other peers is ignored.
    #[arg(long, env = "TENANTRY_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<Cidr>,
}

impl RateLimitFlags {
    /// The limits that this comes to.
    pub fn allowed(self) -> Allowed {
        Allowed {
            per_principal: self.rate_per_principal,
            per_address: self.rate_per_address,
            auth_per_address: self.auth_rate_per_address,
            trusted_proxies: self.trusted_proxies,
        }
    }
}

/// Flags of `migrate`.
#[derive(Clone, Debug, Args)]
pub struct Migrate {
    /// PostgreSQL, with the role that owns the tables.
    #[arg(long, env = "TENANTRY_DATABASE_URL", hide_env_values = true)]
    pub database_url: DatabaseUrl,
}

/// Flags of `audit`.
#[derive(Clone, Debug, Args)]
pub struct Audit {
    /// The command.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// Commands on the audit log.
#[derive(Clone, Debug, Subcommand)]
pub enum AuditCommand {
    /// Check that a chain is as it was written: every hash is computed again. Ends with 0 if all is
    /// intact, 1 if a chain is broken, 2 if it could not be checked.
    Verify(VerifyAudit),
}

/// Flags of `audit verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyAudit {
    /// An export in JSON Lines. It is verified without a database and without a network.
    pub file: Option<PathBuf>,
    /// Without a file: PostgreSQL, with a login role that is a member of `tenantry_admin`. All
    /// chains in it are verified.
    #[arg(long, env = "TENANTRY_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<DatabaseUrl>,
    /// In a database, only the chain of this tenant; 00000000-0000-0000-0000-000000000000 is the
    /// platform's.
    #[arg(long)]
    pub tenant: Option<TenantId>,
    /// The hash of a row that was once the last: it has to be there, and to be row `--rows` if that
    /// is given.
    #[arg(long)]
    pub head: Option<ChainHead>,
    /// Number of rows that the chain once had: it has to have as many, or more.
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..))]
    pub rows: Option<i64>,
}

/// The hash of a row of the audit log: 64 hexadecimal digits in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHead(pub String);

impl FromStr for ChainHead {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.to_ascii_lowercase();
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(text))
        } else {
            Err("a hash has 64 hexadecimal digits")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_old_name_of_the_address_is_refused() {
        assert!(check_variables(|_| false).is_ok());
        let refused = check_variables(|name| name == "TENANTRY_LISTEN").unwrap_err();
        assert!(refused.to_string().contains("TENANTRY_ADMIN_LISTEN"), "{refused}");
    }

    #[test]
    fn a_connection_string_does_not_show_itself() {
        let line = ["tenantry-admin", "serve", "--database-url", "postgres://u:hunter2@h/d"];
        let parsed = Cli::parse_from(line);
        assert!(!format!("{parsed:?}").contains("hunter2"));
    }

    #[test]
    fn a_mail_server_needs_a_sender_and_a_key_and_does_not_show_itself() {
        let line = |more: &[&str]| {
            let line = [
                "tenantry-admin",
                "serve",
                "--database-url",
                "postgres://h/d",
                "--smtp-url",
                "smtps://u:hunter2@h",
            ];
            Cli::try_parse_from([&line, more].concat())
        };
        assert!(line(&[]).is_err());
        assert!(line(&["--mail-from", "a@b.example"]).is_err());
        let parsed = line(&["--mail-from", "a@b.example", "--secrets-key-file", "k"]).unwrap();
        assert!(!format!("{parsed:?}").contains("hunter2"));
    }

    #[test]
    fn http_keys_and_secrets_are_off_unless_asked_for() {
        let line = ["tenantry-admin", "serve", "--database-url", "postgres://h/d"];
        let serve = |more: &[&str]| match Cli::parse_from([&line, more].concat()).command {
            Command::Serve(serve) => (serve.allow_http_jwks, serve.secrets_key_file),
            Command::Migrate(_) | Command::Audit(_) => panic!("another command"),
        };
        assert_eq!(serve(&[]), (false, None));
        assert_eq!(
            serve(&["--allow-http-jwks", "--secrets-key-file", "k"]),
            (true, Some(PathBuf::from("k")))
        );
    }
}
