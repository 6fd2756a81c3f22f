//! How settings lie in the database.

use serde::Serialize;
use serde_json::Value;

/// The fields that differ from the defaults: what the database holds, so that `{}` says that
/// nothing was set.
///
/// What cannot be written as an object becomes `null`, which a CHECK of every table refuses.
pub(crate) fn sparse<T: Default + Serialize>(settings: &T) -> Value {
    let (Ok(Value::Object(mut fields)), Ok(Value::Object(defaults))) =
        (serde_json::to_value(settings), serde_json::to_value(T::default()))
    else {
        return Value::Null;
    };
    fields.retain(|name, value| defaults.get(name) != Some(value));
    Value::Object(fields)
}
