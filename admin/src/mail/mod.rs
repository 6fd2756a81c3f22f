//! E-mail: letters to people, and their sending.
//!
//! No request waits for a mail server. A letter is put in the outbox in the transaction of its
//! cause, and [`crate::jobs::deliver_mail`] sends it, with as many tries as it takes. The outbox is
//! sealed: letters carry tokens.

mod letter;
mod links;
mod outbox;
mod smtp;

pub use letter::Letter;
pub use links::{LinkBase, Links};
pub use outbox::Outbox;
pub use smtp::{MailFrom, Smtp, SmtpAuthorities, SmtpError, SmtpUrl};
