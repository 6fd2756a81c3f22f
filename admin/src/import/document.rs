//! The few parts of an OpenAPI document that matter here. Everything else is skipped without being
//! kept.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::security::Loose;
use crate::bounds;

/// The root of a document.
#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct Document {
    /// The version of the specification that it follows, such as `3.1.0`.
    pub openapi: Option<String>,
    /// Present in Swagger 2.0 instead of `openapi`.
    pub swagger: Option<IgnoredAny>,
    #[serde(default)]
    pub servers: Vec<Server>,
    pub paths: Option<Entries<PathItem>>,
    pub components: Option<Components>,
    pub security: Option<Loose>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct Server {
    pub url: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct Components {
    /// New in 3.1: path items that paths refer to.
    #[serde(rename = "pathItems")]
    pub path_items: Option<Entries<PathItem>>,
}

/// One path with its operations.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct PathItem {
    #[serde(rename = "$ref")]
    pub reference: Option<String>,
    pub get: Option<Operation>,
    pub head: Option<Operation>,
    pub post: Option<Operation>,
    pub put: Option<Operation>,
    pub patch: Option<Operation>,
    pub delete: Option<Operation>,
    pub options: Option<Operation>,
    pub trace: Option<Operation>,
}

impl PathItem {
    /// The operations with the names of their fields, in the order of [`policy::method::Methods`].
    pub(super) fn operations(&self) -> impl Iterator<Item = (&'static str, &Operation)> {
        let all = [
            ("get", &self.get),
            ("head", &self.head),
            ("post", &self.post),
            ("put", &self.put),
            ("patch", &self.patch),
            ("delete", &self.delete),
            ("options", &self.options),
            ("trace", &self.trace),
        ];
        all.into_iter()
            .filter_map(|(name, operation)| operation.as_ref().map(|operation| (name, operation)))
    }
}

#[derive(Clone, Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct Operation {
    #[serde(rename = "operationId")]
    pub operation_id: Option<String>,
    pub security: Option<Loose>,
}

/// The entries of an object in the order of the document, without its `x-` extensions.
#[derive(Debug)]
pub(super) struct Entries<T>(pub Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if key.starts_with("x-") {
                map.next_value::<IgnoredAny>()?;
            } else if entries.len() >= bounds::IMPORT_PATHS {
                // Each takes half a kilobyte, though it may be a few characters long.
                let most = bounds::IMPORT_PATHS;
                return Err(A::Error::custom(format!("has more than {most} entries")));
            } else {
                entries.push((key, map.next_value()?));
            }
        }
        Ok(Entries(entries))
    }
}
