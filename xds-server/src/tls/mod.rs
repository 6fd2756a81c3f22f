//! Mutual TLS between Envoys and this server: a client has a certificate of an authority that the
//! operator names, and is of the cells that the certificate names.

mod files;
mod identity;
pub(crate) mod report;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{counter, gauge};
use policy::cell::CellName;
use service::jobs::JobHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tracing::{error, info};

pub use files::{Files, FilesError};

use self::files::ContentsDigest;

/// The time between two looks at the files. A certificate is renewed long before it ends, so this
/// could be longer; a short time shows an operator in the log that a new one was taken.
const LOOK: Duration = Duration::from_secs(2);

/// The server's side of mutual TLS. Its files may change while it runs: connections that are made
/// from then on have the new ones.
#[derive(Debug)]
pub struct Tls {
    files: Files,
    trust_domain: String,
    config: Mutex<Arc<ServerConfig>>,
    /// The contents at the last look; none if they could not be read then.
    seen: Mutex<Option<Seen>>,
}

/// The contents of the files at one time.
#[derive(Clone, Copy, Debug)]
struct Seen {
    digest: ContentsDigest,
    usable: bool,
}

impl Tls {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// Whatever makes them unusable: a server that was asked for TLS does not start without.
    pub fn load(files: Files, trust_domain: &str) -> Result<Self, FilesError> {
        let read = files.read()?;
        let loaded = files.load(&read)?;
        tell(&loaded.chain, &loaded.authorities);
        Ok(Self {
            files,
            trust_domain: trust_domain.to_owned(),
            config: Mutex::new(loaded.config),
            seen: Mutex::new(Some(Seen { digest: read.digest(), usable: true })),
        })
    }

    /// For the next connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&config))
    }

    /// The cells that a client with this chain of certificates may be of.
    pub fn cells(&self, chain: Option<&[CertificateDer<'_>]>) -> BTreeSet<CellName> {
        let own = chain.and_then(|chain| chain.first());
        own.map(|certificate| identity::cells(certificate, &self.trust_domain)).unwrap_or_default()
    }

    /// Takes over the files whenever they have changed, for ever. If they cannot be used, the
    /// contents before stay in use.
    pub async fn watch(self: Arc<Self>, job: JobHandle) {
        loop {
            tokio::time::sleep(LOOK).await;
            if self.look() {
                job.succeeded();
            } else {
                job.failed();
            }
        }
    }

    /// Looks at the files once. Returns false if they cannot be used.
    fn look(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let read = match self.files.read() {
            // A renewal may be under way: said once, when it has become so.
            Err(error) => {
                if seen.take().is_some() {
                    failed(&error);
                }
                return false;
            }
            Ok(read) => read,
        };
        let digest = read.digest();
        if let Some(Seen { digest: before, usable }) = *seen
            && before == digest
        {
            return usable;
        }
        let loaded = self.files.load(&read);
        *seen = Some(Seen { digest, usable: loaded.is_ok() });
        match loaded {
            Ok(loaded) => {
                tell(&loaded.chain, &loaded.authorities);
                *self.config.lock().unwrap_or_else(PoisonError::into_inner) = loaded.config;
                info!("the certificates have changed; connections from now on have the new ones");
                true
            }
            Err(error) => {
                failed(&error);
                false
            }
        }
    }
}

fn failed(error: &FilesError) {
    counter!(report::TLS_RELOAD_ERRORS).increment(1);
    let cause = std::error::Error::source(error).map(ToString::to_string);
    error!(
        %error,
        cause,
        "the files of TLS have changed and cannot be used; those before stay in use"
    );
}

/// Shows when the first certificate of each file ends.
fn tell(chain: &[Vec<u8>], authorities: &[Vec<u8>]) {
    for (file, certificates) in [("server", chain), ("client_ca", authorities)] {
        let first =
            certificates.iter().filter_map(|certificate| identity::not_after_s(certificate)).min();
        if let Some(at) = first {
            gauge!(report::TLS_EXPIRY, "file" => file).set(at as f64);
        }
    }
}
