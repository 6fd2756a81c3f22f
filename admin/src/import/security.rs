//! The security of a document. It is not imported, as a gateway's methods are not those of a
//! description, but nobody should believe that it was: each thing that is lost becomes a warning.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{
    Deserialize, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, VariantAccess as _,
    Visitor,
};

/// The names that a warning gives: enough to know its subject.
const NAMES_SHOWN: usize = 5;

/// Any value at all: wrong security of a document does not keep its routes from being imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Loose {
    Text(String),
    List(Vec<Loose>),
    /// The entries whose names are texts.
    Object(Vec<(String, Loose)>),
    Other,
}

impl Loose {
    /// The number of values that it consists of.
    pub(super) fn parts(&self) -> usize {
        match self {
            Self::Text(_) | Self::Other => 1,
            Self::List(items) => 1 + items.iter().map(Self::parts).sum::<usize>(),
            Self::Object(entries) => {
                1 + entries.iter().map(|(_, value)| value.parts()).sum::<usize>()
            }
        }
    }
}

/// The security of a whole document, as it is gathered.
#[derive(Debug, Default)]
pub(super) struct Security {
    /// The schemes that the document itself asks for.
    global: BTreeSet<String>,
    /// The schemes of operations that say something of their own.
    own: BTreeSet<String>,
    /// Operations that ask for other schemes than the document.
    differing: Vec<String>,
    /// Operations that are declared public.
    public: Vec<String>,
    /// Operations that ask for scopes.
    scoped: Vec<String>,
}

impl Security {
    /// The security of the document, unless an operation has its own.
    pub(super) fn document(&mut self, requirements: Option<&Loose>) {
        if let Some(requirements) = requirements {
            self.global = schemes(requirements);
            if has_scopes(requirements) {
                self.scoped.push("/security".to_owned());
            }
        }
    }

    /// The security of an operation, if it has its own.
    pub(super) fn operation(&mut self, pointer: &str, requirements: Option<&Loose>) {
        let Some(requirements) = requirements else { return };
        let named = schemes(requirements);
        if is_public(requirements) {
            self.public.push(pointer.to_owned());
        } else if named != self.global {
            self.differing.push(pointer.to_owned());
        }
        if has_scopes(requirements) {
            self.scoped.push(pointer.to_owned());
        }
        self.own.extend(named);
    }

    /// The losses, in sentences.
    pub(super) fn warnings(self) -> Vec<String> {
        let mut warnings = Vec::new();
        let all: Vec<_> = self.global.union(&self.own).map(String::as_str).collect();
        if !all.is_empty() {
            warnings.push(format!(
                "The security schemes of the description are not imported ({}): callers \
                 authenticate as `settings.auth` of the site, the API and the route says.",
                shown(&all)
            ));
        }
        for (places, what, remedy) in [
            (
                &self.differing,
                "Operations with security schemes of their own",
                "Set `settings.auth` of their routes.",
            ),
            (
                &self.public,
                "Operations that are public in the description, and are not here",
                "Set `settings.auth` of their routes to `none`.",
            ),
            (
                &self.scoped,
                "Scopes that are asked for in the description, and not here",
                "Set `settings.scopes` of the API or its routes.",
            ),
        ] {
            if !places.is_empty() {
                let places: Vec<_> = places.iter().map(String::as_str).collect();
                warnings.push(format!("{what}: {}. {remedy}", shown(&places)));
            }
        }
        warnings
    }
}

fn shown(names: &[&str]) -> String {
    let first: Vec<_> = names.iter().take(NAMES_SHOWN).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(NAMES_SHOWN);
    if more == 0 { first.join(", ") } else { format!("{} and {more} more", first.join(", ")) }
}

/// The security requirement objects (OpenAPI 3.1, section 4.8.30) of a list: alternatives, each of
/// schemes with scopes.
fn requirements(list: &Loose) -> impl Iterator<Item = &[(String, Loose)]> {
    let items = if let Loose::List(items) = list { items.as_slice() } else { &[] };
    items.iter().filter_map(|item| {
        if let Loose::Object(entries) = item { Some(entries.as_slice()) } else { None }
    })
}

fn schemes(list: &Loose) -> BTreeSet<String> {
    requirements(list).flatten().map(|(scheme, _)| scheme.clone()).collect()
}

fn has_scopes(list: &Loose) -> bool {
    requirements(list)
        .flatten()
        .any(|(_, scopes)| matches!(scopes, Loose::List(scopes) if !scopes.is_empty()))
}

/// An empty list removes the document's requirements; an empty object in a list makes them
/// optional.
fn is_public(list: &Loose) -> bool {
    matches!(list, Loose::List(items) if items.is_empty())
        || requirements(list).any(<[_]>::is_empty)
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_none<E>(self) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Loose, D::Error> {
        Loose::deserialize(deserializer)
    }

    fn visit_str<E>(self, text: &str) -> Result<Loose, E> {
        Ok(Loose::Text(text.to_owned()))
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Loose, E> {
        Ok(Loose::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Loose::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
        let mut entries = Vec::new();
        while let Some((name, value)) = map.next_entry::<Loose, Loose>()? {
            if let Loose::Text(name) = name {
                entries.push((name, value));
            }
        }
        Ok(Loose::Object(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Loose, A::Error> {
        let (_, variant) = data.variant::<IgnoredAny>()?;
        variant.newtype_variant::<IgnoredAny>()?;
        Ok(Loose::Other)
    }
}
