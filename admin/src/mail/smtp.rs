//! The mail server (RFC 5321, RFC 8314).

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use thiserror::Error;
use uuid::Uuid;

/// How long a mail server may take for a command: RFC 5321 section 4.5.3.2 asks for minutes, of servers that nobody waits for.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where e-mail is handed over. It may carry a password, so its `Debug` shows nothing.
#[derive(Clone)]
pub struct SmtpUrl(String);

impl FromStr for SmtpUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if AsyncSmtpTransport::<Tokio1Executor>::from_url(text).is_err() {
            return Err(
                "a mail server is smtps://user:password@host, or smtp://user:password@host?tls=required for STARTTLS; smtp://host is in clear",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmtpUrl(redacted)")
    }
}

/// Who e-mail is from.
#[derive(Clone, Debug)]
pub struct MailFrom(Mailbox);

impl FromStr for MailFrom {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "a sender is an address such as no-reply@example.com, or `Name <address>`")
    }
}

/// Why a letter could not be sent. Its text says nothing of the letter.
#[derive(Debug, Error)]
pub enum SmtpError {
    /// It cannot be sent, however often it is tried: the address is none.
    #[error("the letter cannot be written")]
    Unsendable,
    /// The server has refused it for good.
    #[error("the mail server has refused the letter: {code}")]
    Refused {
        /// What the server said.
        code: String,
    },
    /// The server could not be reached, or wants to be asked later.
    #[error("the mail server could not take the letter")]
    Later(#[source] lettre::transport::smtp::Error),
}

/// A mail server, and who writes.
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
    /// A server that is connected to when there is something to send.
    ///
    /// # Errors
    /// For an URL that names none; [`SmtpUrl`] has seen to it.
    pub fn new(url: &SmtpUrl, from: MailFrom) -> Result<Self, lettre::transport::smtp::Error> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&url.0)?.timeout(Some(TIMEOUT)).build();
        Ok(Self { transport, from })
    }

    /// Sends a letter. Its id is the same whenever it is tried, so that one that comes twice is seen to be the same.
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
            Err(error) if error.is_permanent() => {
                let code = error.status().map(|code| code.to_string()).unwrap_or_default();
                Err(SmtpError::Refused { code })
            }
            Err(error) => Err(SmtpError::Later(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_does_not_show_its_password() {
        for (text, good) in [
            ("smtps://ada:hunter2@mail.example.com", true),
            ("smtp://ada:hunter2@mail.example.com:587?tls=required", true),
            ("smtp://127.0.0.1:2525", true),
            ("http://mail.example.com", false),
            ("mail.example.com", false),
        ] {
            let parsed = text.parse::<SmtpUrl>();
            assert_eq!(parsed.is_ok(), good, "{text}");
            assert!(!format!("{parsed:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_sender_is_an_address() {
        for (text, good) in
            [("no-reply@example.com", true), ("Tenantry <no-reply@example.com>", true), ("nobody", false)]
        {
            assert_eq!(text.parse::<MailFrom>().is_ok(), good, "{text}");
        }
    }
}
