//! An issuer's web server, by HTTP or HTTPS, whose answer can be changed while it runs.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// The behaviour of the server.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// 200 with these further header lines and this body.
    Ok(&'static str, String),
    /// This status line and these headers, without a body.
    Status(&'static str),
    /// The head of an answer, and then a body without an end.
    Endless,
    /// One byte every 50 ms.
    Dripping,
    /// No answer.
    Silent,
    /// The connection is closed.
    Closing,
}

/// The server; it ends when this is dropped.
pub(crate) struct Issuer {
    pub(crate) address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    asked: Arc<AtomicUsize>,
    scheme: &'static str,
    /// The certificate of its authority, in PEM.
    pub(crate) authority_pem: Option<String>,
    serving: JoinHandle<()>,
}

/// A set with one RSA key of this name.
pub(crate) fn set(kid: &str) -> String {
    format!(r#"{{"keys":[{{"kty":"RSA","kid":"{kid}","n":"AQAB","e":"AQAB"}}]}}"#)
}

impl Issuer {
    /// Starts one with HTTP.
    pub(crate) async fn http(manner: Manner) -> Self {
        Self::start(manner, "http", None, None).await
    }

    /// Starts one with HTTPS, with a certificate of its own for localhost and 127.0.0.1.
    pub(crate) async fn https(manner: Manner) -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certified = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .expect("a certificate with its key");
        let tls = TlsAcceptor::from(Arc::new(config));
        Self::start(manner, "https", Some(tls), Some(certified.cert.pem())).await
    }

    async fn start(
        manner: Manner,
        scheme: &'static str,
        tls: Option<TlsAcceptor>,
        authority_pem: Option<String>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (manner, asked) = (Arc::new(Mutex::new(manner)), Arc::new(AtomicUsize::new(0)));
        let (manners, counter) = (Arc::clone(&manner), Arc::clone(&asked));
        let serving = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let (manners, tls) = (Arc::clone(&manners), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(connection, &manners).await,
                        Some(tls) => {
                            if let Ok(connection) = tls.accept(connection).await {
                                answer(connection, &manners).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, manner, asked, scheme, authority_pem, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}/keys?hidden=1", self.scheme, self.address)
    }

    pub(crate) fn set_manner(&self, manner: Manner) {
        *self.manner.lock().expect("nothing panics while it is held") = manner;
    }

    /// The number of connections so far.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(mut connection: impl AsyncRead + AsyncWrite + Unpin, manner: &Mutex<Manner>) {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        if !matches!(connection.read_buf(&mut read).await, Ok(1..)) {
            return;
        }
    }
    let manner = manner.lock().expect("nothing panics while it is held").clone();
    let text = match manner {
        Manner::Ok(headers, body) => {
            format!(
                "HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            )
        }
        Manner::Status(status) => {
            format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        }
        Manner::Closing => return,
        Manner::Silent => return std::future::pending().await,
        Manner::Endless | Manner::Dripping => {
            let (chunk, pause) = match manner {
                Manner::Endless => (vec![b' '; 16 * 1024], Duration::ZERO),
                _ => (b" ".to_vec(), Duration::from_millis(50)),
            };
            let mut alive =
                connection.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await.is_ok();
            while alive {
                tokio::time::sleep(pause).await;
                alive =
                    connection.write_all(&chunk).await.is_ok() && connection.flush().await.is_ok();
            }
            return;
        }
    };
    // The client may have gone.
    let _ = connection.write_all(text.as_bytes()).await;
    let _ = connection.shutdown().await;
}
