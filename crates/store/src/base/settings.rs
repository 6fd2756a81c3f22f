//! Settings in the form of the database.

use serde::Serialize;
use serde_json::Value;

/// Returns the fields that differ from the defaults: `{}` stands for no settings.
///
/// A value that is no JSON object becomes `null`, which a CHECK of every table refuses.
pub(crate) fn sparse<T: Default + Serialize>(settings: &T) -> Value {
    let (Ok(Value::Object(mut fields)), Ok(Value::Object(defaults))) =
        (serde_json::to_value(settings), serde_json::to_value(T::default()))
    else {
        return Value::Null;
    };
    fields.retain(|name, value| defaults.get(name) != Some(value));
    Value::Object(fields)
}
