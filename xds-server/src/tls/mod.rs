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
use service::stop::{Stop, stopped};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tracing::{error, info};

pub use files::{Files, FilesError};

use self::files::Contents;

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
}

impl Tls {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// Whatever makes them unusable: a server that was asked for TLS does not start without.
    pub fn load(files: Files, trust_domain: &str) -> Result<Self, FilesError> {
        let loaded = files.load(&files.read()?)?;
        tell(&loaded.chain, &loaded.authorities);
        Ok(Self { files, trust_domain: trust_domain.to_owned(), config: Mutex::new(loaded.config) })
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

    /// Takes over the files whenever they have changed, until told to stop. If they cannot be used,
    /// what was read before is.
    pub async fn watch(self: Arc<Self>, stop: Stop) {
        let mut seen = self.files.read().ok();
        loop {
            tokio::select! {
                () = stopped(stop.clone()) => return,
                () = tokio::time::sleep(LOOK) => self.look(&mut seen),
            }
        }
    }

    fn look(&self, seen: &mut Option<Contents>) {
        let read = match self.files.read() {
            // A renewal may be under way: said once, when it has become so.
            Err(error) => {
                if seen.take().is_some() {
                    failed(&error);
                }
                return;
            }
            Ok(read) => read,
        };
        if seen.as_ref() == Some(&read) {
            return;
        }
        match self.files.load(&read) {
            Ok(loaded) => {
                tell(&loaded.chain, &loaded.authorities);
                *self.config.lock().unwrap_or_else(PoisonError::into_inner) = loaded.config;
                info!("the certificates have changed; connections from now on have the new ones");
            }
            Err(error) => failed(&error),
        }
        *seen = Some(read);
    }
}

fn failed(error: &FilesError) {
    counter!(report::TLS_RELOAD_ERRORS).increment(1);
    let cause = std::error::Error::source(error).map(ToString::to_string);
    error!(%error, cause, "the files of TLS have changed and cannot be used; those before stay in \
        use");
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
