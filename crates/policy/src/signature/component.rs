//! Component identifiers (RFC 9421 section 2): the parts of a request that a signature covers.

use std::fmt;
use std::str::FromStr;

use sfv::{BareItem, Item, ItemSerializer, KeyRef, Parser, String as SfString, StringRef, key_ref};
use thiserror::Error;

const NAME: &KeyRef = key_ref("name");
const KEY: &KeyRef = key_ref("key");
const SF: &KeyRef = key_ref("sf");
const BS: &KeyRef = key_ref("bs");

/// Why an identifier names nothing that can be covered here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ComponentError {
    /// It is no string with parameters (RFC 9421 section 2).
    #[error("a component identifier is a string, with parameters")]
    NoIdentifier,
    /// A derived component that requests do not have, or that is not known.
    #[error("`{0}` is no derived component of a request")]
    UnknownDerived(String),
    /// No field has such a name; names are in lower case.
    #[error("`{0}` is no field name in lower case")]
    FieldName(String),
    /// A parameter that is not known, not supported (`req`, `tr`), not for this component, or of
    /// the wrong type.
    #[error("`{component}` cannot have the parameter `{parameter}`")]
    Parameter {
        /// The component's name.
        component: String,
        /// The parameter's name.
        parameter: String,
    },
    /// `@query-param` without its `name`.
    #[error("`@query-param` needs the parameter `name`")]
    NoName,
    /// `bs` together with `sf` or `key` (RFC 9421 section 2.1).
    #[error("`{0}` has `bs` together with `sf` or `key`")]
    Incompatible(String),
}

/// A component of a request. Two identifiers are the same in any order of their parameters (RFC
/// 9421 section 2).
///
/// Its text is that of a structured field: `"@query-param";name="id"`. Reading takes a name without
/// quotes as well.
#[derive(Clone, PartialEq, Eq)]
pub enum Component {
    /// `@method`.
    Method,
    /// `@target-uri`.
    TargetUri,
    /// `@authority`.
    Authority,
    /// `@scheme`.
    Scheme,
    /// `@request-target`.
    RequestTarget,
    /// `@path`.
    Path,
    /// `@query`.
    Query,
    /// `@query-param` with this `name`, percent-encoded as RFC 9421 section 2.2.8 says.
    QueryParam(String),
    /// A header field.
    Field(Field),
}

/// A header field, and the form in which its value is covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name in lower case.
    pub name: String,
    /// `;sf`: the value as its strict serialisation (RFC 9421 section 2.1.1).
    pub sf: bool,
    /// `;bs`: each line wrapped as a byte sequence (section 2.1.3).
    pub bs: bool,
    /// `;key`: this member of a dictionary alone (section 2.1.2).
    pub key: Option<String>,
}

impl Component {
    /// A header field in its plain form. The name is in lower case.
    pub fn field(name: &str) -> Result<Self, ComponentError> {
        // A token (RFC 9110 section 5.6.2) without capitals.
        let token = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
        };
        if name.is_empty() || !name.bytes().all(token) {
            return Err(ComponentError::FieldName(name.to_owned()));
        }
        Ok(Self::Field(Field { name: name.to_owned(), sf: false, bs: false, key: None }))
    }

    /// Returns true if the whole of this field is covered, in any form.
    pub(super) fn covers_field(&self, name: &str) -> bool {
        matches!(self, Self::Field(field) if field.name == name && field.key.is_none())
    }

    /// Reads an identifier as a signature lists it.
    pub(super) fn from_item(item: &Item) -> Result<Self, ComponentError> {
        let BareItem::String(name) = &item.bare_item else {
            return Err(ComponentError::NoIdentifier);
        };
        let mut component = Self::bare(name.as_str())?;
        for (parameter, value) in &item.params {
            component.parameter(parameter, value).ok_or_else(|| ComponentError::Parameter {
                component: name.as_str().to_owned(),
                parameter: parameter.as_str().to_owned(),
            })?;
        }
        match &component {
            Self::QueryParam(_) if !item.params.contains_key(NAME) => Err(ComponentError::NoName),
            Self::Field(field) if field.bs && (field.sf || field.key.is_some()) => {
                Err(ComponentError::Incompatible(field.name.clone()))
            }
            _ => Ok(component),
        }
    }

    fn bare(name: &str) -> Result<Self, ComponentError> {
        Ok(match name {
            "@method" => Self::Method,
            "@target-uri" => Self::TargetUri,
            "@authority" => Self::Authority,
            "@scheme" => Self::Scheme,
            "@request-target" => Self::RequestTarget,
            "@path" => Self::Path,
            "@query" => Self::Query,
            "@query-param" => Self::QueryParam(String::new()),
            _ if name.starts_with('@') => {
                return Err(ComponentError::UnknownDerived(name.to_owned()));
            }
            _ => Self::field(name)?,
        })
    }

    /// Takes in a parameter; `None` if the component cannot have it.
    fn parameter(&mut self, parameter: &KeyRef, value: &BareItem) -> Option<()> {
        match (self, value) {
            (Self::QueryParam(name), BareItem::String(value)) if parameter == NAME => {
                value.as_str().clone_into(name);
            }
            (Self::Field(field), BareItem::String(value)) if parameter == KEY => {
                field.key = Some(value.as_str().to_owned());
            }
            (Self::Field(field), BareItem::Boolean(true)) if parameter == SF => field.sf = true,
            (Self::Field(field), BareItem::Boolean(true)) if parameter == BS => field.bs = true,
            _ => return None,
        }
        Some(())
    }

    fn name(&self) -> &str {
        match self {
            Self::Method => "@method",
            Self::TargetUri => "@target-uri",
            Self::Authority => "@authority",
            Self::Scheme => "@scheme",
            Self::RequestTarget => "@request-target",
            Self::Path => "@path",
            Self::Query => "@query",
            Self::QueryParam(_) => "@query-param",
            Self::Field(field) => &field.name,
        }
    }
}

impl FromStr for Component {
    type Err = ComponentError;

    fn from_str(text: &str) -> Result<Self, ComponentError> {
        if !text.starts_with('"') {
            let name =
                SfString::from_string(text.to_owned()).map_err(|_| ComponentError::NoIdentifier)?;
            return Self::from_item(&Item::new(name));
        }
        let item: Item = Parser::new(text).parse().map_err(|_| ComponentError::NoIdentifier)?;
        Self::from_item(&item)
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The texts came from strings of structured fields, so that they can be written as such
        // again.
        let string = |text| StringRef::from_str(text).map_err(|_| fmt::Error);
        let mut item = ItemSerializer::new().bare_item(string(self.name())?);
        match self {
            Self::QueryParam(name) => item = item.parameter(NAME, string(name)?),
            Self::Field(field) => {
                if field.sf {
                    item = item.parameter(SF, true);
                }
                if field.bs {
                    item = item.parameter(BS, true);
                }
                if let Some(key) = &field.key {
                    item = item.parameter(KEY, string(key)?);
                }
            }
            _ => {}
        }
        f.write_str(&item.finish())
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
