//! The profile of a tenant as JSON: its contacts and its changes.

use serde::{Deserialize, Serialize};
use store::tenant;
use utoipa::ToSchema;

use crate::forms::check::Check;
use crate::http::body::{present, present_objects};
use crate::http::problem::Problem;

/// The most contacts of a tenant: a few for each subject.
const CONTACTS: usize = 20;

/// The subject of a contact.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ContactSubject {
    Technical,
    Billing,
    Security,
}

/// A person or team to write to.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Contact {
    /// The subject to write about.
    about: ContactSubject,
    /// The name of the person or team.
    #[schema(min_length = 1, max_length = 200, example = "Operations")]
    name: String,
    /// The address to write to.
    #[schema(min_length = 3, max_length = 254, example = "ops@example.com")]
    email: String,
}

/// Changes of a tenant's profile.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileChanges {
    /// Its name.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// The zone in which its days and months begin, by its IANA name.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, example = "Europe/Berlin")]
    time_zone: Option<String>,
    /// Contacts, 20 at most. They are replaced as a whole.
    #[serde(default, deserialize_with = "present_objects")]
    #[schema(nullable = false, max_items = 20)]
    contacts: Option<Vec<Contact>>,
    /// True if sessions without a second factor are turned away. A member who sets it in such a
    /// session has to log in again with a second factor.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    require_mfa: Option<bool>,
}

impl ProfileChanges {
    pub(super) fn checked(self) -> Result<tenant::ProfilePatch, Problem> {
        let mut check = Check::new();
        if let Some(name) = &self.name {
            check.name("name", name);
        }
        if let Some(zone) = &self.time_zone {
            check.time_zone("time_zone", zone);
        }
        let contacts = self.contacts.map(|contacts| {
            if contacts.len() > CONTACTS {
                check.refuse("contacts", format!("there can be {CONTACTS} at most"));
            }
            for (index, contact) in contacts.iter().enumerate().take(CONTACTS) {
                check.name(&format!("contacts[{index}].name"), &contact.name);
                check.email(&format!("contacts[{index}].email"), &contact.email);
            }
            serde_json::to_value(contacts).unwrap_or_default()
        });
        check.finish()?;
        Ok(tenant::ProfilePatch {
            name: self.name,
            time_zone: self.time_zone,
            contacts,
            require_mfa: self.require_mfa,
        })
    }
}
