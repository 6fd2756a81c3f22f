//! What all requests share. It knows no handler: [`crate::service`] puts the parts together.

use policy::host::BaseDomain;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use policy::address::AddressRules;
use store::Store;
use store::seal::SecretsKey;
use tokio::sync::Semaphore;

use crate::identity::access_token::AccessTokens;
use crate::identity::password::Passwords;
use crate::last_used::LastUsed;
use crate::mail::{Links, Outbox};
use crate::rate_limit::RateLimits;
use crate::receipt::Acks;
use crate::rights::access::AccessTable;
use crate::signup::Mode;

/// What handlers can use. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub store: Store,
    pub base_domain: BaseDomain,
    /// The time, so that no handler has a clock of its own.
    pub clock: fn() -> DateTime<Utc>,
    pub access: Arc<AccessTable>,
    /// Whether the keys of issuers may be read by http.
    pub allow_http_jwks: bool,
    /// Which addresses upstreams may have.
    pub upstream_addresses: Arc<AddressRules>,
    /// What seals secrets in the database, if the operator has given a key.
    pub secrets: Option<Arc<SecretsKey>>,
    /// Bounds how many documents are parsed at the same time.
    pub imports: Arc<Semaphore>,
    /// What Envoys have answered.
    pub acks: Arc<Acks>,
    /// Who may sign up.
    pub signup: Mode,
    /// Who may make how many requests.
    pub rate_limits: Arc<RateLimits>,
    /// Takes letters, if a mail server is configured.
    pub outbox: Outbox,
    /// Where links in letters lead.
    pub links: Links,
    /// When service tokens were last used.
    pub last_used: LastUsed,
    /// What hashes passwords.
    pub passwords: Passwords,
    /// What signs and verifies access tokens.
    pub access_tokens: AccessTokens,
}
