//! Letters to people.

use serde::{Deserialize, Serialize};

use super::links::{Links, Page};

/// A letter, as it lies in the outbox.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Letter {
    /// A request for another password of this address. The account is looked up when the letter is
    /// sent, so that the request does the same whether there is one or not.
    ResetRequest {
        /// The address, as it was given.
        email: String,
    },
    /// A sign-up. The account of the address is looked up when the letter is sent.
    Signup {
        /// The sign-up.
        id: uuid::Uuid,
    },
    /// A letter that only has to be sent.
    Ready {
        /// The address.
        to: String,
        /// One line.
        subject: String,
        /// Plain text.
        text: String,
    },
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Letter(redacted)")
    }
}

impl Letter {
    /// The letter with the token that sets a new password.
    pub fn reset(to: String, links: &Links, token: &str) -> Self {
        Self::Ready {
            to,
            subject: "Choose a new password".to_owned(),
            text: format!(
                "You asked for a new password for Tenantry.\n\n\
                 {}\n\
                 It works once, within an hour. If you did not ask, do nothing: your password \
                 stays as it is.\n",
                links.to(Page::Reset, token)
            ),
        }
    }

    /// The letter to an address that has an account.
    pub fn has_account(to: String) -> Self {
        Self::Ready {
            to,
            subject: "You have an account".to_owned(),
            text: "You signed up for Tenantry with this address. It already has an account.\n\n\
                   Log in with it. If you have lost the password, ask for a new one with POST \
                   /v1/auth/password-reset.\n\
                   If you did not sign up, do nothing.\n"
                .to_owned(),
        }
    }

    /// The letter with the token of an invitation to a tenant. Line breaks cannot be in the name of
    /// a tenant.
    pub fn invitation(to: String, tenant: &str, links: &Links, token: &str) -> Self {
        Self::Ready {
            to,
            subject: "You are invited".to_owned(),
            text: format!(
                "You are invited to work in {tenant} on Tenantry.\n\n\
                 {}\n\
                 It works once, after a login with this address. If you did not expect this \
                 invitation, do nothing.\n",
                links.to(Page::Invitation, token)
            ),
        }
    }

    /// The letter with the token that proves an address.
    pub fn verify(to: String, links: &Links, token: &str) -> Self {
        Self::Ready {
            to,
            subject: "Verify your e-mail address".to_owned(),
            text: format!(
                "Welcome to Tenantry. Please confirm that this address is yours.\n\n\
                 {}\n\
                 It works once, within a day. If you have not signed up, do nothing: no account \
                 is made.\n",
                links.to(Page::Verify, token)
            ),
        }
    }
}
