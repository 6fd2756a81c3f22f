//! Settings: the rules that a tenant can set for its requests, one type for each object that
//! carries settings.
//!
//! These types are the JSON of the admin API and of the database alike. An absent field has its
//! default; an unknown field is an error. [`Checked::check`] finds the faults that the types cannot
//! rule out, and names the field by its path.

mod auth;
mod ip;
mod issuer;
mod limit;
mod object;
mod signing;
#[cfg(test)]
mod tests;

pub use auth::{Auth, AuthMethod, KeySource};
pub use ip::IpSettings;
pub use issuer::{Algorithm, Issuer, MAX_JWKS_BYTES};
pub use limit::{By, Limit, MAX_QUOTA, MAX_RATE, Quota, RateLimitHeaders, RateUnit, Window};
pub use object::{
    ApiSettings, ConsumerSettings, KeySettings, PlanSettings, PlatformRequests, RouteSettings,
    SiteSettings, Subject, TenantSettings,
};
pub use signing::{MAX_BODY_BYTES, SignatureSettings, SigningAlgorithm};

use crate::header_name::RESERVED_PREFIX;

/// One thing that is wrong with settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The path of the field, such as `limits[2].requests`.
    pub field: String,
    /// The fault, and how to mend it.
    pub message: String,
}

/// The faults found so far, and where in the settings one is.
#[derive(Debug, Default)]
pub struct Faults {
    path: Vec<String>,
    found: Vec<Fault>,
}

impl Faults {
    /// Notes a fault of the field that is being looked at.
    pub fn add(&mut self, message: impl Into<String>) {
        self.found.push(Fault { field: self.path.join("."), message: message.into() });
    }

    /// Looks at a field of the current object.
    pub fn at(&mut self, field: impl Into<String>, look: impl FnOnce(&mut Self)) {
        self.path.push(field.into());
        look(self);
        self.path.pop();
    }

    /// Looks at every item of a list, which has at most `max` of them.
    pub fn each<T>(
        &mut self,
        field: &str,
        items: &[T],
        max: usize,
        mut look: impl FnMut(&mut Self, &T),
    ) {
        if items.len() > max {
            self.at(field, |faults| {
                faults.add(format!("at most {max} are allowed, and there are {}", items.len()))
            });
        }
        for (index, item) in items.iter().enumerate().take(max) {
            self.at(format!("{field}[{index}]"), |faults| look(faults, item));
        }
    }

    /// A text of a bounded length without control characters.
    pub fn text(&mut self, text: &str, max: usize) {
        let count = text.chars().count();
        if count == 0 || count > max || text.chars().any(char::is_control) {
            self.add(format!("has to be 1 to {max} characters without control characters"));
        }
    }

    /// The name of a header that tenants may use: a token (RFC 9110 section 5.1) without
    /// underscores, which upstreams may take for hyphens, and none of those that Envoy or Tenantry
    /// itself rely on.
    pub fn header(&mut self, name: &str) {
        const RESERVED: [&str; 6] =
            ["host", "connection", "content-length", "transfer-encoding", "te", "upgrade"];
        let lower = name.to_ascii_lowercase();
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^`|~".contains(&byte);
        if lower.is_empty() || lower.len() > 128 || !lower.bytes().all(token) {
            self.add("has to be a header name: 1 to 128 letters, digits and hyphens");
        } else if RESERVED.contains(&lower.as_str())
            || lower.starts_with(RESERVED_PREFIX)
            || lower.starts_with("x-envoy-")
        {
            self.add(format!(
                "the header {name} is used by the gateway itself; choose another one"
            ));
        }
    }

    /// Returns the faults, in the order of the fields.
    pub fn into_found(self) -> Vec<Fault> {
        self.found
    }
}

/// Settings that can be checked.
pub trait Checked {
    /// Notes all that is wrong.
    fn check(&self, faults: &mut Faults);

    /// All that is wrong; empty if the settings can be used.
    fn faults(&self) -> Vec<Fault> {
        let mut faults = Faults::default();
        self.check(&mut faults);
        faults.into_found()
    }
}
