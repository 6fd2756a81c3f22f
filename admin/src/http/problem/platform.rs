//! Problems of an installation that lacks something.

use super::kind::{Kind, kinds};

kinds! {
    /// A secret is to be kept, and the operator has given no key to seal it with.
    NO_SECRETS_KEY = Kind::unavailable("no-secrets-key", "Secrets cannot be kept here").detail(
        "The operator has to configure a key for secrets first: `tenantry-admin serve` takes it by \
         --secrets-key-file, and tenantry-xds needs the same one.",
    );
    /// An e-mail is to be sent, and the operator has named no mail server.
    NO_MAIL = Kind::unavailable("no-mail", "E-mail cannot be sent from here").detail(
        "The operator has to name a mail server first: `tenantry-admin serve` takes it by \
         --smtp-url.",
    );
}
