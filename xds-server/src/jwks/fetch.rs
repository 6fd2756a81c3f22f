//! One reading of a URL.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use policy::address::is_public;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, AGE, CACHE_CONTROL, HeaderMap, HeaderName};
use reqwest::{Certificate, Client, Response, StatusCode, Url, redirect};
use thiserror::Error;

use super::lifetime::{MAX_LIFETIME, lifetime};
use super::set::{KeySet, SetError};

/// The whole of a reading, from the name's resolution to the last byte.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of an answer: 50 times what a set of RSA keys with certificates has.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// The operator's settings for readings.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    /// True if plain http, and addresses outside the public internet, are good too.
    pub allow_private: bool,
    /// Certificates of authorities, in PEM, that are trusted beside those of the system.
    pub authorities_pem: Option<Vec<u8>>,
    /// The longest time for a reading, from the name's resolution to the last byte. Default:
    /// [`TIMEOUT`].
    pub timeout: Duration,
    /// The longest lifetime of a set. It may be shorter than [`super::MIN_LIFETIME`].
    pub max_lifetime: Duration,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            allow_private: false,
            authorities_pem: None,
            timeout: TIMEOUT,
            max_lifetime: MAX_LIFETIME,
        }
    }
}

/// Reads URLs, each time on a connection of its own to a checked address. It follows no redirect,
/// uses no proxy, and unpacks nothing.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client,
    allow_private: bool,
    max_lifetime: Duration,
}

/// The result of a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The set.
    pub set: KeySet,
    /// The time for which it is good.
    pub lifetime: Duration,
}

/// Why there is no [`Fetcher`].
#[derive(Debug, Error)]
pub enum FetcherError {
    /// The text that should be certificates cannot be read as such.
    #[error("the certificates are not in PEM")]
    Certificates(#[source] reqwest::Error),
    /// The system has no TLS to offer.
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
}

/// Why a reading failed. No text of it quotes the answer.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The URL is not one, or not https.
    #[error("the URL is not an https URL")]
    Url,
    /// All addresses of the host are near this program, and not of the public internet.
    #[error("the host has no address on the public internet; --jwks-allow-private allows others")]
    PrivateAddress,
    /// It took too long.
    #[error("it took too long")]
    Timeout,
    /// The host could not be reached, or its certificate is not good, or its answer was not HTTP.
    #[error("the host cannot be read from: {reason}")]
    Transport {
        /// The last cause of all.
        reason: String,
    },
    /// The status of the answer is not 200. Redirects are not followed.
    #[error("the answer has the status {status}")]
    Status {
        /// Its status.
        status: StatusCode,
    },
    /// The answer is too large.
    #[error("the answer has more than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// The answer is no JWK Set that can be used.
    #[error(transparent)]
    Set(#[from] SetError),
}

impl FetchError {
    /// A word for a metric's label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::PrivateAddress => "private_address",
            Self::Timeout => "timeout",
            Self::Transport { .. } => "transport",
            Self::Status { .. } => "status",
            Self::TooLarge => "too_large",
            Self::Set(_) => "not_a_set",
        }
    }
}

impl Fetcher {
    /// A fetcher with these settings.
    ///
    /// # Errors
    /// Fails when the certificates cannot be read.
    pub fn new(settings: &FetchSettings) -> Result<Self, FetcherError> {
        let mut builder = Client::builder()
            .user_agent("tenantry-xds-server")
            .redirect(redirect::Policy::none())
            .no_proxy()
            .https_only(!settings.allow_private)
            // The next reading resolves the name again, and looks at the address again.
            .pool_max_idle_per_host(0)
            .timeout(settings.timeout);
        if !settings.allow_private {
            builder = builder.dns_resolver(Arc::new(PublicResolver));
        }
        if let Some(pem) = &settings.authorities_pem {
            for authority in
                Certificate::from_pem_bundle(pem).map_err(FetcherError::Certificates)?
            {
                builder = builder.add_root_certificate(authority);
            }
        }
        let client = builder.build().map_err(FetcherError::Client)?;
        Ok(Self {
            client,
            allow_private: settings.allow_private,
            max_lifetime: settings.max_lifetime,
        })
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// [`FetchError`]: what was read before stays good.
    pub async fn fetch(&self, url: &str) -> Result<Fetched, FetchError> {
        let url = Url::parse(url).map_err(|_| FetchError::Url)?;
        if url.scheme() != "https" && !(self.allow_private && url.scheme() == "http") {
            return Err(FetchError::Url);
        }
        // An address is not resolved, so the resolver does not see it.
        if !self.allow_private && literal(&url).is_some_and(|address| !is_public(address)) {
            return Err(FetchError::PrivateAddress);
        }
        let request =
            self.client.get(url).header(ACCEPT, "application/jwk-set+json, application/json");
        let mut response = request.send().await.map_err(|error| failure(&error))?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status { status: response.status() });
        }
        let lifetime = lifetime_of(response.headers()).min(self.max_lifetime);
        let body = bounded(&mut response).await?;
        Ok(Fetched { set: KeySet::read(&body)?, lifetime })
    }
}

/// The address in a URL that has one in place of a name.
fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn lifetime_of(headers: &HeaderMap) -> Duration {
    let values =
        |name: HeaderName| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lifetime(values(CACHE_CONTROL), values(AGE).next())
}

async fn bounded(response: &mut Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Maps an error of the client. Its own text names the URL, whose query may hold a secret.
fn failure(error: &reqwest::Error) -> FetchError {
    let causes = || std::iter::successors(error.source(), |cause| (*cause).source());
    if causes().any(|cause| cause.is::<NoPublicAddress>()) {
        FetchError::PrivateAddress
    } else if error.is_timeout() {
        FetchError::Timeout
    } else {
        let reason =
            causes().last().map_or_else(|| "no reason is known".to_owned(), ToString::to_string);
        FetchError::Transport { reason }
    }
}

/// Resolves names with the system's resolver, to their public addresses alone: the client connects
/// to the addresses that were checked, even if the name resolves to others next time.
#[derive(Debug)]
struct PublicResolver;

#[derive(Debug, Error)]
#[error("the name has no public address")]
struct NoPublicAddress;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let all = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = all.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(NoPublicAddress.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}
