//! Checks of settings: those that their types do not make, and those that only this service can
//! make.

use policy::settings::{Checked, TenantSettings};
use serde::de::DeserializeOwned;
use serde::ser::Serialize;

use super::check::Check;
use super::given::Given;

/// The field of a body in which settings are.
const FIELD: &str = "settings";

impl Check {
    /// Reads and checks settings, in the field `settings`. `None` if none are given, or they cannot
    /// be read.
    pub fn settings<T>(&mut self, given: Option<&Given<T>>) -> Option<T>
    where
        T: Checked + DeserializeOwned + Serialize,
    {
        match given?.read() {
            Ok(settings) => {
                self.faults(FIELD, &settings);
                Some(settings)
            }
            Err(errors) => {
                for error in errors {
                    self.refuse(below(FIELD, &error.field), error.message);
                }
                None
            }
        }
    }

    /// The settings of a tenant: their time zone has to be in the IANA database.
    pub fn tenant_settings(
        &mut self,
        given: Option<&Given<TenantSettings>>,
    ) -> Option<TenantSettings> {
        let settings = self.settings(given)?;
        self.time_zone(&below(FIELD, "time_zone"), &settings.time_zone);
        Some(settings)
    }

    /// A zone of the IANA database.
    pub fn time_zone(&mut self, field: &str, zone: &str) {
        if zone.parse::<chrono_tz::Tz>().is_err() {
            self.refuse(
                field,
                "has to be a name of the IANA time zone database, such as Europe/Berlin or UTC",
            );
        }
    }

    /// All faults of settings, below a field; the empty field is the body itself.
    pub fn faults(&mut self, field: &str, settings: &impl Checked) {
        for fault in settings.faults() {
            self.refuse(below(field, &fault.field), fault.message);
        }
    }
}

/// A place below another one; either may be empty.
fn below(field: &str, place: &str) -> String {
    let dot = if field.is_empty() || place.is_empty() { "" } else { "." };
    format!("{field}{dot}{place}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::http::problem::request::INVALID;

    fn refused(settings: Value) -> Vec<String> {
        let mut check = Check::new();
        let given = serde_json::from_value(settings).unwrap();
        check.tenant_settings(Some(&given));
        match check.finish() {
            Ok(()) => Vec::new(),
            Err(problem) => {
                assert!(problem.is(&INVALID), "{problem:?}");
                problem.into_errors().into_iter().map(|error| error.field).collect()
            }
        }
    }

    #[test]
    fn a_time_zone_is_one_that_exists() {
        for (zone, good) in [
            ("UTC", true),
            ("Europe/Berlin", true),
            ("Asia/Kolkata", true),
            ("Europe/Berlln", false),
            ("europe/berlin", false),
            ("+02:00", false),
            ("x", false),
        ] {
            assert_eq!(refused(json!({"time_zone": zone})).is_empty(), good, "{zone}");
        }
    }

    #[test]
    fn faults_are_named_below_the_field() {
        let settings =
            json!({"limits": [{"name": "a", "requests": 0, "per": "hour"}], "weight": 0});
        assert_eq!(refused(settings), ["settings.limits[0].requests", "settings.weight"]);
        assert_eq!(refused(json!({"wait": 1})), ["settings.wait"]);
        assert_eq!(refused(json!([])), ["settings"]);
    }
}
