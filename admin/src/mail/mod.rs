//! E-mail: what is written to people, and how it is sent.
//!
//! No request waits for a mail server. A letter is put in the outbox in the transaction of what it
//! is about, and [`post::run`] sends it, with as many tries as it takes. What is in the outbox is
//! sealed: letters carry tokens.

pub mod letter;
mod links;
pub mod post;
mod smtp;

pub use letter::Letter;
pub use links::{LinkBase, Links};
pub use smtp::{MailFrom, Smtp, SmtpAuthorities, SmtpError, SmtpUrl};

use chrono::{DateTime, TimeDelta, Utc};
use policy::desired::Secret;
use store::{PlatformTx, outbox};

use crate::app::App;
use crate::problem::Problem;

/// How long a letter is tried to be sent: as long as its token is good, which is what it is about.
const KEPT: TimeDelta = TimeDelta::hours(24);

/// Puts a letter in the outbox.
///
/// # Errors
/// [`Problem::NoMail`] if the operator has named no mail server, and [`Problem::NoSecretsKey`] if
/// there is no key to seal letters with.
pub async fn write(
    app: &App,
    tx: &mut PlatformTx,
    letter: &Letter,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    if !app.sends_mail {
        return Err(Problem::NoMail);
    }
    let content = serde_json::to_vec(letter).map_err(|_| Problem::Internal)?;
    Ok(outbox::put(tx, app.secrets.as_deref(), &Secret(content), KEPT, now).await?)
}
