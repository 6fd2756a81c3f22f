//! Checks of settings: what their types do not rule out, and what only this service can know.

use policy::settings::{Checked, TenantSettings};

use crate::check::Check;

/// The field of a body in which settings are.
const FIELD: &str = "settings";

impl Check {
    /// Settings, in the field `settings`.
    pub fn settings(&mut self, settings: Option<&impl Checked>) {
        if let Some(settings) = settings {
            self.faults(FIELD, settings);
        }
    }

    /// The settings of a tenant: their time zone has to be in the IANA database.
    pub fn tenant_settings(&mut self, settings: Option<&TenantSettings>) {
        self.settings(settings);
        if let Some(zone) = settings.map(|settings| &settings.time_zone)
            && zone.parse::<chrono_tz::Tz>().is_err()
        {
            let message = "has to be a name of the IANA time zone database, such as Europe/Berlin or UTC";
            self.refuse(format!("{FIELD}.time_zone"), message);
        }
    }

    /// All that is wrong with settings, below a field; the empty field is the body itself.
    pub fn faults(&mut self, field: &str, settings: &impl Checked) {
        for fault in settings.faults() {
            let dot = if field.is_empty() || fault.field.is_empty() { "" } else { "." };
            self.refuse(format!("{field}{dot}{}", fault.field), fault.message);
        }
    }
}

#[cfg(test)]
mod tests {
    use policy::settings::Limit;

    use super::*;
    use crate::problem::Problem;

    fn refused(settings: &TenantSettings) -> Vec<String> {
        let mut check = Check::new();
        check.tenant_settings(Some(settings));
        match check.finish() {
            Ok(()) => Vec::new(),
            Err(Problem::Invalid(errors)) => errors.into_iter().map(|error| error.field).collect(),
            Err(other) => panic!("{other:?}"),
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
            let settings = TenantSettings { time_zone: zone.to_owned(), ..TenantSettings::default() };
            assert_eq!(refused(&settings).is_empty(), good, "{zone}");
        }
    }

    #[test]
    fn faults_are_named_below_the_field() {
        let limit: Limit =
            serde_json::from_value(serde_json::json!({"name": "a", "requests": 0, "per": "hour"})).unwrap();
        let settings = TenantSettings { limits: vec![limit], weight: 0, ..TenantSettings::default() };
        assert_eq!(refused(&settings), ["settings.limits[0].requests", "settings.weight"]);
    }
}
