//! E-mail over TLS, to real mail servers with certificates of an authority that no system trusts.

use std::path::{Path, PathBuf};

use admin::mail::{Links, SmtpAuthorities};
use chrono::TimeDelta;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use stack::mail_server::{MailServer, Options, Security};
use tempfile::TempDir;

use crate::accounts::{EMAIL, account};
use crate::harness::{Api, pass, with_api};
use crate::mail::{ask_for_reset, post_to};

const LOGIN: Option<(&str, &str)> = Some(("ada", "hunter2"));

/// An authority, and a certificate of it for the address of the server.
struct Authority {
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "An authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in
            [("ca", issuer.pem()), ("crt", certificate.pem()), ("key", key.serialize_pem())]
        {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The form in which the operator configures it.
    fn trusted(&self) -> SmtpAuthorities {
        SmtpAuthorities::from_pem(&std::fs::read(self.file("ca")).unwrap()).unwrap()
    }

    async fn server(&self, security: Security) -> MailServer {
        let (certificate, key): (&Path, &Path) = (&self.file("crt"), &self.file("key"));
        let options = Options { security, certificate: Some((certificate, key)), login: LOGIN };
        MailServer::with(&options).await.unwrap_or_else(|error| panic!("{error:?}"))
    }
}

fn url(security: Security, login: &str, port: u16) -> String {
    match security {
        Security::Tls => format!("smtps://{login}@127.0.0.1:{port}"),
        _ => format!("smtp://{login}@127.0.0.1:{port}?tls=required"),
    }
}

/// Tries to empty the outbox, and returns the number of letters that were sent. The next try is due
/// then.
async fn emptied(api: &Api, url: &str, authorities: SmtpAuthorities) -> u64 {
    let sent = post_to(api, url, authorities, Links::default()).empty().await.unwrap();
    pass(TimeDelta::minutes(1));
    sent
}

async fn waiting(api: &Api) -> i64 {
    api.count("SELECT count(*) FROM mail_outbox").await
}

#[tokio::test]
async fn letters_go_over_tls_to_a_server_that_is_trusted_and_wait_for_it_otherwise() {
    with_api(async |api| {
        account(api, EMAIL, true).await;
        let (authority, other) = (Authority::new(), Authority::new());
        for security in [Security::Tls, Security::StartTls] {
            let server = authority.server(security).await;
            let url = url(security, "ada:hunter2", server.port);
            ask_for_reset(api, EMAIL).await.expect(202);
            for untrusted in [SmtpAuthorities::default(), other.trusted()] {
                assert_eq!(
                    emptied(api, &url, untrusted).await,
                    0,
                    "{security:?}: not to a stranger"
                );
            }
            assert_eq!(waiting(api).await, 1);
            assert_eq!(
                server.commands(),
                Vec::<String>::new(),
                "a stranger is told no password and no address"
            );
            assert_eq!(emptied(api, &url, authority.trusted()).await, 1);
            assert_eq!((server.letters().len(), waiting(api).await), (1, 0));
            assert_eq!(server.commands(), ["AUTH tls", "MAIL tls"]);
            pass(TimeDelta::hours(1));
        }
    })
    .await;
}

#[tokio::test]
async fn a_certificate_for_another_host_is_not_taken() {
    with_api(async |api| {
        account(api, EMAIL, true).await;
        let authority = Authority::new();
        let server = authority.server(Security::Tls).await;
        ask_for_reset(api, EMAIL).await.expect(202);
        let url = format!("smtps://ada:hunter2@localhost:{}", server.port);
        assert_eq!(emptied(api, &url, authority.trusted()).await, 0);
        assert_eq!((waiting(api).await, server.commands().len()), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_password_is_not_sent_to_a_server_that_offers_no_tls() {
    with_api(async |api| {
        account(api, EMAIL, true).await;
        let options = Options { security: Security::Clear, certificate: None, login: LOGIN };
        let server = MailServer::with(&options).await.unwrap_or_else(|error| panic!("{error:?}"));
        ask_for_reset(api, EMAIL).await.expect(202);
        let url = url(Security::StartTls, "ada:hunter2", server.port);
        assert_eq!(emptied(api, &url, SmtpAuthorities::default()).await, 0);
        assert_eq!((waiting(api).await, server.commands()), (1, Vec::new()));
    })
    .await;
}

#[tokio::test]
async fn a_letter_waits_until_the_password_of_the_mail_server_is_right() {
    with_api(async |api| {
        account(api, EMAIL, true).await;
        let authority = Authority::new();
        let server = authority.server(Security::Tls).await;
        ask_for_reset(api, EMAIL).await.expect(202);
        for (login, sent) in [("ada:hunter3", 0), ("ada:hunter2", 1)] {
            let url = url(Security::Tls, login, server.port);
            assert_eq!(emptied(api, &url, authority.trusted()).await, sent, "{login}");
            assert_eq!(waiting(api).await, 1 - i64::try_from(sent).unwrap());
        }
        assert_eq!(server.letters().len(), 1);
    })
    .await;
}
