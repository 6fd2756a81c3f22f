//! Refresh tokens: exchanged once, for a successor that can be given again for a moment.
//!
//! The successor has to be known again, because its answer may have been lost. It is kept sealed
//! under a key that is derived from the token before it; the database has only the digest of that,
//! so its readers can open nothing.

use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use chrono::{DateTime, TimeDelta, Utc};
use hkdf::Hkdf;
use sha2::Sha256;
use store::session::{self, Drawn, Exchange};

use super::{REFRESH_LIFETIME, Tokens};
use crate::app::App;
use crate::http::problem::Problem;
use crate::http::problem::request::INTERNAL;
use crate::http::problem::rights::INVALID_TOKEN;
use crate::http::visitor::Visitor;
use crate::secret::{self, RefreshToken};

/// The time in which an answer can be asked for again: a client notices that a connection is
/// broken, and tries once more.
pub const RETRY: TimeDelta = TimeDelta::seconds(10);
/// Separates the keys that are derived here from all other keys (RFC 5869 section 3.2).
const PURPOSE: &[u8] = b"tenantry admin: successors of refresh tokens, form 1";
const NONCE_LEN: usize = 12;

/// Draws a refresh token, as it is given to the client and to the database.
pub fn draw(
    now: DateTime<Utc>,
    session_expires_at: DateTime<Utc>,
) -> Result<(RefreshToken, Drawn), Problem> {
    let token = RefreshToken::generate()?;
    let expires_at = (now + REFRESH_LIFETIME).min(session_expires_at);
    let drawn = Drawn { digest: token.digest(), expires_at };
    Ok((token, drawn))
}

/// Exchanges a refresh token.
pub async fn exchange(
    app: &App,
    visitor: &Visitor,
    presented: &RefreshToken,
) -> Result<Tokens, Problem> {
    let now = (app.clock)();
    let (successor, drawn) = draw(now, now + REFRESH_LIFETIME)?;
    let sealed = seal(presented, &successor)?;
    let mut tx = app.store.platform(&visitor.nobody()).await?;
    let exchanged =
        session::exchange(&mut tx, &presented.digest(), (&drawn, &sealed), RETRY, now).await?;
    let (session, successor) = match exchanged {
        Exchange::Done(session) => (session, successor),
        Exchange::Again { session, sealed } => (session, open(presented, &sealed)?),
        Exchange::Reused => {
            tx.commit().await?;
            tracing::warn!("a refresh token came again: its session has been ended");
            return Err(INVALID_TOKEN.problem());
        }
        Exchange::Unknown => return Err(INVALID_TOKEN.problem()),
    };
    // Signed first: without an access token the refresh token is not used up.
    let expires_at = drawn.expires_at.min(session.expires_at);
    let tokens = Tokens::issue(app, session.account.0, session.id, &successor, expires_at).await?;
    tx.commit().await?;
    Ok(tokens)
}

fn cipher(presented: &RefreshToken) -> Result<ChaCha20Poly1305, Problem> {
    let mut key = [0; 32];
    let derived =
        Hkdf::<Sha256>::new(None, presented.reveal().as_bytes()).expand(PURPOSE, &mut key);
    derived.map_err(|_| &INTERNAL)?;
    Ok(ChaCha20Poly1305::new(&key.into()))
}

fn seal(presented: &RefreshToken, successor: &RefreshToken) -> Result<Vec<u8>, Problem> {
    let nonce: [u8; NONCE_LEN] = secret::random()?;
    let sealed = cipher(presented)?.encrypt(&Nonce::from(nonce), successor.reveal().as_bytes());
    Ok([nonce.as_slice(), &sealed.map_err(|_| &INTERNAL)?].concat())
}

fn open(presented: &RefreshToken, sealed: &[u8]) -> Result<RefreshToken, Problem> {
    let cipher = cipher(presented)?;
    let opened = sealed.split_first_chunk::<NONCE_LEN>().and_then(|(nonce, sealed)| {
        let text = cipher.decrypt(&Nonce::from(*nonce), sealed).ok()?;
        RefreshToken::parse(std::str::from_utf8(&text).ok()?)
    });
    opened.ok_or_else(|| {
        tracing::error!("the successor of a refresh token cannot be opened");
        INTERNAL.problem()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_opens_with_the_token_it_succeeds_and_no_other() {
        let (token, successor) =
            (RefreshToken::generate().unwrap(), RefreshToken::generate().unwrap());
        let sealed = seal(&token, &successor).unwrap();
        assert_eq!(open(&token, &sealed).unwrap().reveal(), successor.reveal());
        assert!(open(&successor, &sealed).is_err());
        assert!(
            !sealed.windows(10).any(|part| successor
                .reveal()
                .as_bytes()
                .windows(10)
                .any(|other| part == other))
        );
    }
}
