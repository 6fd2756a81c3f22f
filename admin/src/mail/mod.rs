//! E-mail: what is written to people, and how it is sent.
//!
//! No request waits for a mail server. A letter is put in the outbox in the transaction of what it
//! is about, and [`crate::jobs::deliver_mail`] sends it, with as many tries as it takes. What is in the outbox is
//! sealed: letters carry tokens.

mod letter;
mod links;
mod outbox;
mod smtp;

pub use letter::Letter;
pub use links::{LinkBase, Links};
pub use outbox::Outbox;
pub use smtp::{MailFrom, Smtp, SmtpAuthorities, SmtpError, SmtpUrl};
