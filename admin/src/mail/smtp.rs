//! The mail server (RFC 5321, RFC 8314).

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use axum::http::Uri;
use chrono::{DateTime, Utc};
use lettre::message::Mailbox;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use thiserror::Error;
use uuid::Uuid;

/// The time that a mail server may take for a command: RFC 5321 section 4.5.3.2 asks for minutes,
/// of servers that nobody waits for.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Codes of a mail server that refuses a login, or wants one first (RFC 4954 section 6): the
/// operator can mend that, so letters wait for it.
const LOGIN_REFUSED: [u16; 4] = [530, 534, 535, 538];

/// The mail server. It may carry a password, so its `Debug` shows nothing.
#[derive(Clone)]
pub struct SmtpUrl {
    text: String,
    host: String,
    security: Security,
}

/// The protection of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Security {
    Clear,
    StartTls,
    Tls,
}

impl FromStr for SmtpUrl {
    type Err = &'static str;

    /// STARTTLS if the server offers it (`tls=opportunistic`) is refused: an attacker on the way
    /// can take the offer away.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = "a mail server is smtps://user:password@host, or \
                    smtp://user:password@host?tls=required for STARTTLS; smtp://host is in clear";
        let uri: Uri = text.parse().map_err(|_| form)?;
        let security = match (uri.scheme_str(), uri.query()) {
            (Some("smtps"), None) => Security::Tls,
            (Some("smtp"), Some("tls=required")) => Security::StartTls,
            (Some("smtp"), None) => Security::Clear,
            _ => return Err(form),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(form)?.to_owned();
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if has_user && security == Security::Clear {
            return Err("a password is not sent in clear: use smtps://, or add ?tls=required");
        }
        AsyncSmtpTransport::<Tokio1Executor>::from_url(text).map_err(|_| form)?;
        Ok(Self { text: text.to_owned(), host, security })
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmtpUrl(redacted)")
    }
}

/// Authorities that the mail server's certificate may be of, beside those that the system trusts.
#[derive(Clone, Debug, Default)]
pub struct SmtpAuthorities(Vec<Certificate>);

impl SmtpAuthorities {
    /// Reads certificates in PEM.
    ///
    /// # Errors
    /// If there is none, or one that cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, &'static str> {
        const WRONG: &str = "the file has to hold certificates in PEM";
        let begins = b"-----BEGIN CERTIFICATE-----";
        if !pem.windows(begins.len()).any(|window| window == begins) {
            return Err(WRONG);
        }
        Certificate::from_pem(pem).map(|certificate| Self(vec![certificate])).map_err(|_| WRONG)
    }
}

/// The sender of e-mail.
#[derive(Clone, Debug)]
pub struct MailFrom(Mailbox);

impl FromStr for MailFrom {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .map(Self)
            .map_err(|_| "a sender is an address such as no-reply@example.com, or `Name <address>`")
    }
}

/// The reason why a letter could not be sent. Its text says nothing of the letter.
#[derive(Debug, Error)]
pub enum SmtpError {
    /// It cannot be sent, however often it is tried: the address is not an address.
    #[error("the letter cannot be written")]
    Unsendable,
    /// The server has refused it for good.
    #[error("the mail server has refused the letter: {code}")]
    Refused {
        /// The answer of the server.
        code: u16,
    },
    /// The server could not be reached, or wants to be asked later.
    #[error("the mail server could not take the letter")]
    Later(#[source] lettre::transport::smtp::Error),
}

/// A mail server, and the sender.
#[derive(Clone)]
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: MailFrom,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Smtp {
    /// A mail server; a connection is made when there is a letter to send. Its certificate has to
    /// be for the host of the URL, and of an authority that the system trusts, or of one of these.
    ///
    /// # Errors
    /// For a URL without a host, which [`SmtpUrl`] refuses, and for authorities that cannot be
    /// read.
    pub fn new(
        url: &SmtpUrl,
        from: MailFrom,
        authorities: SmtpAuthorities,
    ) -> Result<Self, lettre::transport::smtp::Error> {
        let mut trusted = TlsParameters::builder(url.host.clone());
        for authority in authorities.0 {
            trusted = trusted.add_root_certificate(authority);
        }
        let tls = match url.security {
            Security::Clear => Tls::None,
            Security::StartTls => Tls::Required(trusted.build()?),
            Security::Tls => Tls::Wrapper(trusted.build()?),
        };
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&url.text)?.tls(tls);
        Ok(Self { transport: transport.timeout(Some(TIMEOUT)).build(), from })
    }

    /// Sends a letter. Its id is the same for each try, so that a letter that arrives twice can be
    /// recognised.
    pub async fn send(
        &self,
        id: Uuid,
        to: &str,
        subject: &str,
        text: String,
        now: DateTime<Utc>,
    ) -> Result<(), SmtpError> {
        let to: Mailbox = to.parse().map_err(|_| SmtpError::Unsendable)?;
        let message = Message::builder()
            .from(self.from.0.clone())
            .to(to)
            .subject(subject)
            .date(SystemTime::from(now))
            .message_id(Some(format!("<{id}@{}>", self.from.0.email.domain())))
            .body(text)
            .map_err(|_| SmtpError::Unsendable)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => match error.status().filter(|_| error.is_permanent()).map(u16::from) {
                Some(code) if !LOGIN_REFUSED.contains(&code) => Err(SmtpError::Refused { code }),
                _ => Err(SmtpError::Later(error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_does_not_show_its_password_and_is_not_told_it_in_clear() {
        for (text, good) in [
            ("smtps://ada:hunter2@mail.example.com", true),
            ("smtp://ada:hunter2@mail.example.com:587?tls=required", true),
            ("smtp://127.0.0.1:2525", true),
            ("smtp://ada:hunter2@mail.example.com", false),
            ("smtp://ada@mail.example.com", false),
            ("smtp://ada:hunter2@mail.example.com?tls=opportunistic", false),
            ("smtp://ada:hunter2@mail.example.com?tls=none", false),
            ("smtps://", false),
            ("http://mail.example.com", false),
            ("mail.example.com", false),
        ] {
            let parsed = text.parse::<SmtpUrl>();
            assert_eq!(parsed.is_ok(), good, "{text}");
            assert!(!format!("{parsed:?}").contains("hunter2"));
        }
    }

    #[test]
    fn authorities_are_certificates() {
        for wrong in [
            &b""[..],
            b"no certificate",
            b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            assert!(SmtpAuthorities::from_pem(wrong).is_err());
        }
    }

    #[test]
    fn a_sender_is_an_address() {
        for (text, good) in [
            ("no-reply@example.com", true),
            ("Tenantry <no-reply@example.com>", true),
            ("nobody", false),
        ] {
            assert_eq!(text.parse::<MailFrom>().is_ok(), good, "{text}");
        }
    }
}
