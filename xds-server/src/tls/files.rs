//! Certificates and key as files, and the configuration that rustls makes of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{Error as TlsError, RootCertStore, ServerConfig, version};

/// The protocol that gRPC is spoken over (RFC 9113 section 3.2).
const ALPN: &[u8] = b"h2";

/// The files of a server that asks its clients for certificates.
#[derive(Clone, Debug)]
pub struct Files {
    /// The server's certificate chain, in PEM, its own certificate first.
    pub cert: PathBuf,
    /// The key of it, in PEM.
    pub key: PathBuf,
    /// The certificates of the authorities whose clients are let in, in PEM.
    pub client_ca: PathBuf,
}

/// The content of the files at one time. It has no `Debug`: one of them is a private key.
pub(super) struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Vec<u8>,
}

/// A SHA-256 of all contents.
pub(super) type ContentsDigest = [u8; 32];

impl Contents {
    /// Tells contents apart without keeping them.
    pub(super) fn digest(&self) -> ContentsDigest {
        let mut digest = Sha256::new();
        for part in [&self.cert, &self.key, &self.client_ca] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

/// The content of the files, ready to be used.
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    /// The server's chain, and the authorities, in DER.
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) authorities: Vec<Vec<u8>>,
}

/// Why the files cannot be used.
#[derive(Debug, Error)]
pub enum FilesError {
    /// A file cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not PEM, or lacks its content.
    #[error("{path} has no {expected} in PEM")]
    Pem {
        /// The path.
        path: PathBuf,
        /// The expected content.
        expected: &'static str,
        /// Why not.
        #[source]
        source: PemError,
    },
    /// The certificate and the key do not belong together, or cannot be used.
    #[error("the certificate and the key cannot be used together")]
    Pair(#[source] TlsError),
    /// No client could be verified with the authorities.
    #[error("the authorities of clients cannot be used")]
    Authorities(#[source] VerifierBuilderError),
}

impl Files {
    pub(super) fn read(&self) -> Result<Contents, FilesError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| FilesError::Read { path: path.into(), source })
        };
        Ok(Contents {
            cert: read(&self.cert)?,
            key: read(&self.key)?,
            client_ca: read(&self.client_ca)?,
        })
    }

    /// Makes a configuration of what was read: TLS 1.3 alone, and no client without a certificate.
    pub(super) fn load(&self, contents: &Contents) -> Result<Loaded, FilesError> {
        let chain = certificates(&self.cert, &contents.cert)?;
        let authorities = certificates(&self.client_ca, &contents.client_ca)?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|source| {
            FilesError::Pem { path: self.key.clone(), expected: "private key", source }
        })?;
        let mut roots = RootCertStore::empty();
        for authority in &authorities {
            roots.add(authority.clone()).map_err(FilesError::Pair)?;
        }
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(FilesError::Authorities)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .map_err(FilesError::Pair)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key)
            .map_err(FilesError::Pair)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        let der = |certificates: Vec<CertificateDer<'_>>| {
            certificates.iter().map(|der| der.to_vec()).collect()
        };
        Ok(Loaded { config: Arc::new(config), chain: der(chain), authorities: der(authorities) })
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, FilesError> {
    let error = |source| FilesError::Pem { path: path.into(), expected: "certificate", source };
    let found =
        CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(error)?;
    if found.is_empty() { Err(error(PemError::NoItemsFound)) } else { Ok(found) }
}
