//! The connection string of PostgreSQL.

use std::ffi::OsStr;
use std::fmt;
use std::str::FromStr;

use clap::builder::{TypedValueParser, ValueParserFactory};
use clap::error::ErrorKind;
use thiserror::Error;

/// The schemes that PostgreSQL's own programs take (libpq, "Connection URIs").
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// A connection string. It may carry a password, so neither its `Debug` nor the error about a wrong
/// one shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

/// The text is no connection string.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a database URL begins with postgres:// or postgresql://")]
pub struct NotADatabaseUrl;

impl DatabaseUrl {
    /// Returns the text. Never log it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = NotADatabaseUrl;

    fn from_str(text: &str) -> Result<Self, NotADatabaseUrl> {
        if SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotADatabaseUrl)
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(redacted)")
    }
}

impl ValueParserFactory for DatabaseUrl {
    type Parser = Parser;

    fn value_parser() -> Parser {
        Parser
    }
}

/// Reads a [`DatabaseUrl`] from the command line or the environment. clap's own parsers repeat a
/// wrong value in their message, and with it a password.
#[derive(Clone, Copy, Debug)]
pub struct Parser;

impl TypedValueParser for Parser {
    type Value = DatabaseUrl;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<DatabaseUrl, clap::Error> {
        let flag = argument.and_then(clap::Arg::get_long).unwrap_or("database-url");
        value.to_str().ok_or(NotADatabaseUrl).and_then(str::parse).map_err(|error| {
            clap::Error::raw(ErrorKind::ValueValidation, format!("--{flag}: {error}\n"))
                .with_cmd(command)
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Cli {
        #[arg(long)]
        database_url: DatabaseUrl,
    }

    #[test]
    fn a_password_is_never_shown() {
        let good =
            Cli::try_parse_from(["x", "--database-url", "postgres://u:hunter2@h/d"]).unwrap();
        assert_eq!(good.database_url.reveal(), "postgres://u:hunter2@h/d");
        assert!(!format!("{good:?}").contains("hunter2"));

        let wrong =
            Cli::try_parse_from(["x", "--database-url", "host=h password=hunter2"]).unwrap_err();
        let message = wrong.to_string();
        assert!(message.contains("--database-url"), "{message}");
        assert!(message.contains("postgres://"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn both_schemes_are_taken() {
        for (text, good) in [
            ("postgres://h/d", true),
            ("postgresql://h/d", true),
            ("mysql://h/d", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<DatabaseUrl>().is_ok(), good, "{text}");
        }
    }
}
