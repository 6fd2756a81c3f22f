//! A real mail server (aiosmtpd), which keeps what it gets.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::ports;
use crate::process::{self, Launch, Process};

/// The program; its own text says what it notes.
const PROGRAM: &str = include_str!("mail_server.py");
/// It has this much time until it listens: Python starts slowly on a busy machine.
const START_WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(25);

/// The protection of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    Clear,
    /// In clear, until the client asks for TLS; without it nothing is taken.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// The settings of a server.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    pub security: Security,
    /// The files of its certificate and of the key of that, in PEM.
    pub certificate: Option<(&'a Path, &'a Path)>,
    /// The user and the password that are needed; without them nobody can log in.
    pub login: Option<(&'a str, &'a str)>,
}

/// A running mail server. It ends with this, and what it has got goes with it.
#[derive(Debug)]
pub struct MailServer {
    pub port: u16,
    folder: TempDir,
    _process: Process,
}

impl MailServer {
    /// One that takes everything from everybody, in clear.
    pub async fn start() -> Result<MailServer> {
        MailServer::with(&Options { security: Security::Clear, certificate: None, login: None })
            .await
    }

    pub async fn with(options: &Options<'_>) -> Result<MailServer> {
        let tools = env::var("TENANTRY_PYTHON_TOOLS").context(
            "TENANTRY_PYTHON_TOOLS is the folder of aiosmtpd: run `cargo xtask test`, \
             which gets it",
        )?;
        let folder = tempfile::Builder::new().prefix("tenantry-mail-").tempdir()?;
        let (program, log) = (folder.path().join("mail_server.py"), folder.path().join("log"));
        fs::write(&program, PROGRAM)?;
        let port = ports::free().port();
        let security = match options.security {
            Security::Clear => "clear",
            Security::StartTls => "starttls",
            Security::Tls => "tls",
        };
        let mut launch = Launch::new(Path::new(&tools).join("python"), &log)
            .args([program.as_path(), folder.path()])
            .args(["--port", &port.to_string(), "--security", security]);
        if let Some((certificate, key)) = options.certificate {
            launch = launch.args([Path::new("--cert"), certificate, Path::new("--key"), key]);
        }
        if let Some((user, password)) = options.login {
            launch = launch.args(["--login", &format!("{user}:{password}")]);
        }
        let process = launch.start()?;
        let deadline = Instant::now() + START_WITHIN;
        while TcpStream::connect(ports::loopback(port)).await.is_err() {
            let alive = process.exited().is_none() && Instant::now() < deadline;
            ensure!(alive, "the mail server does not listen\n{}", process::tail(&log));
            sleep(POLL).await;
        }
        Ok(MailServer { port, folder, _process: process })
    }

    /// The letters that have arrived, heads included, as a mail program shows them.
    pub fn letters(&self) -> Vec<String> {
        let files = fs::read_dir(self.mailbox()).into_iter().flatten();
        files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok()).map(shown).collect()
    }

    /// The commands of note that it was sent, such as `AUTH tls` or `MAIL clear`.
    pub fn commands(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("commands")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn mailbox(&self) -> PathBuf {
        self.folder.path().join("mail/new")
    }
}

/// Undoes the quoted-printable encoding (RFC 2045 section 6.7) that letters with long lines have.
fn shown(letter: String) -> String {
    if !letter.contains("Content-Transfer-Encoding: quoted-printable") {
        return letter;
    }
    let letter = letter.replace("=\r\n", "").replace("=\n", "");
    let mut parts = letter.split('=');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'=');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The word of a letter that begins so: a token, say.
pub fn word<'a>(letter: &'a str, beginning: &str) -> Option<&'a str> {
    letter.split_whitespace().find(|word| word.starts_with(beginning))
}
