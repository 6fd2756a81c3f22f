//! Certificates for mutual TLS between Envoys and xds-server.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use stack::envoy::ClientTls;

/// The DNS name in the certificates of xds-server.
const SERVER_NAME: &str = "xds.internal";

/// An authority, and the folder into which it writes what it issues.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: PathBuf,
}

impl Authority {
    /// Makes an authority.
    ///
    /// # Panics
    /// Panics if it cannot be made, or the folder cannot be written.
    pub fn new(dir: &Path, name: &str) -> Self {
        let dir = dir.join(name);
        fs::create_dir_all(&dir).expect("a folder");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"))
            .expect("an authority");
        fs::write(dir.join("ca.crt"), issuer.pem()).expect("a file");
        Self { issuer, dir }
    }

    /// Issues a certificate for xds-server, which replaces the one before. Returns the settings
    /// with which xds-server uses it.
    pub fn server(&self) -> [(&'static str, String); 3] {
        let params = CertificateParams::new(vec![SERVER_NAME.to_owned()]).expect("a DNS name");
        let (certificate, key) = self.issue("server", params);
        let text = |path: PathBuf| path.to_str().expect("a path in UTF-8").to_owned();
        [
            ("TENANTRY_TLS_CERT", text(certificate)),
            ("TENANTRY_TLS_KEY", text(key)),
            ("TENANTRY_TLS_CLIENT_CA", text(self.dir.join("ca.crt"))),
        ]
    }

    /// Issues a certificate for Envoys of these cells, which trust the authority in turn.
    pub fn edge(&self, name: &str, cells: &[&str]) -> ClientTls {
        self.edge_trusting(name, cells, self)
    }

    /// As [`Authority::edge`], for an Envoy that trusts another authority.
    pub fn edge_trusting(&self, name: &str, cells: &[&str], trusted: &Authority) -> ClientTls {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        let uri = |cell: &&str| {
            SanType::URI(format!("spiffe://tenantry/cell/{cell}").try_into().expect("a URI"))
        };
        params.subject_alt_names = cells.iter().map(uri).collect();
        let (certificate, key) = self.issue(name, params);
        ClientTls {
            certificate,
            key,
            authority: trusted.dir.join("ca.crt"),
            server_name: SERVER_NAME.to_owned(),
        }
    }

    fn issue(&self, name: &str, params: CertificateParams) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let paths = (self.dir.join(format!("{name}.crt")), self.dir.join(format!("{name}.key")));
        fs::write(&paths.0, certificate.pem()).expect("a file");
        fs::write(&paths.1, key.serialize_pem()).expect("a file");
        paths
    }
}
