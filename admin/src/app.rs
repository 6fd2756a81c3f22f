//! The state that all requests share. It knows no handler: [`crate::service`] puts the parts
//! together.

use policy::host::BaseDomain;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use policy::address::AddressRules;
use service::jobs::Jobs;
use store::Store;
use store::seal::SecretsKey;

use crate::identity::access_token::AccessTokens;
use crate::identity::password::Passwords;
use crate::import::ImportPlaces;
use crate::last_used::LastUsed;
use crate::mail::{Links, Outbox};
use crate::rate_limit::RateLimits;
use crate::receipt::Acks;
use crate::rights::access::AccessTable;
use crate::signup::Mode;

/// The state for handlers. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub store: Store,
    pub base_domain: BaseDomain,
    /// The time, so that no handler has a clock of its own.
    pub clock: fn() -> DateTime<Utc>,
    pub access: Arc<AccessTable>,
    /// True if the keys of issuers may be read by http.
    pub allow_http_jwks: bool,
    /// The addresses that upstreams may have.
    pub upstream_addresses: Arc<AddressRules>,
    /// The key that seals secrets in the database, if the operator has given one.
    pub secrets: Option<Arc<SecretsKey>>,
    /// The places for imports.
    pub imports: ImportPlaces,
    /// The jobs of the program, for probes.
    pub jobs: Jobs,
    /// The answers of Envoys.
    pub acks: Arc<Acks>,
    /// The mode of sign-up.
    pub signup: Mode,
    /// The rate limits of the API.
    pub rate_limits: Arc<RateLimits>,
    /// Takes letters, if a mail server is configured.
    pub outbox: Outbox,
    /// The targets of links in letters.
    pub links: Links,
    /// Notes the last use of service tokens.
    pub last_used: LastUsed,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// Signs and verifies access tokens.
    pub access_tokens: AccessTokens,
}
