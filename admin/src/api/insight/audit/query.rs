//! Filters of the audit log.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use store::audit::Filter;
use utoipa::IntoParams;
use uuid::Uuid;

use super::export::Format;
use crate::forms::check::Check;
use crate::forms::page;
use crate::http::problem::Problem;

/// The years that a calendar has.
pub(super) const SECONDS: std::ops::RangeInclusive<i64> = 0..=253_402_300_799;

/// Declares a query of the log: the parameters that all queries have, and its own. (Serde cannot
/// refuse unknown parameters of a struct that has another one flattened into it.)
macro_rules! query {
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize, IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(super) struct $name {
            $($own)*
            /// Only changes of this actor: an operator token, an account or a service token.
            #[param(required = false, nullable = false, value_type = Uuid)]
            actor: Option<String>,
            /// Only this action, as in `route.create`, or all on one kind of object, as in
            /// `route.*`.
            #[param(
                required = false,
                nullable = false,
                pattern = r"^[a-z_]+\.([a-z_]+|\*)$",
                example = "route.*"
            )]
            action: Option<String>,
            /// Only changes of this object.
            #[param(required = false, nullable = false, value_type = Uuid)]
            object: Option<String>,
            /// Not before this time.
            #[param(required = false, nullable = false, value_type = DateTime<Utc>)]
            from: Option<String>,
            /// Before this time.
            #[param(required = false, nullable = false, value_type = DateTime<Utc>)]
            to: Option<String>,
            /// Only changes of this request.
            #[param(required = false, nullable = false, max_length = 200)]
            request_id: Option<String>,
            /// The most entries to return.
            #[param(
                minimum = 1,
                maximum = 200,
                default = 50,
                required = false,
                nullable = false,
                value_type = i64
            )]
            limit: Option<String>,
            /// The `next_cursor` of the previous page.
            #[param(required = false, nullable = false, pattern = "^[A-Za-z0-9_-]+$")]
            cursor: Option<String>,
        }
    };
}

query! {
    /// The query of a tenant's audit log.
    AuditQuery {}
}

query! {
    /// The query of the whole audit log.
    OperatorAuditQuery {
        /// Only the chain of this tenant; `00000000-0000-0000-0000-000000000000` for the platform's
        /// own.
        #[param(required = false, nullable = false, value_type = Uuid)]
        tenant_id: Option<String>,
    }
}

impl OperatorAuditQuery {
    /// The tenant, and the rest.
    pub(super) fn split(self) -> Result<(Option<Uuid>, AuditQuery), Problem> {
        let Self { tenant_id, actor, action, object, from, to, request_id, limit, cursor } = self;
        let mut check = Check::new();
        let tenant = uuid(&mut check, "tenant_id", tenant_id.as_deref());
        check.finish()?;
        Ok((tenant, AuditQuery { actor, action, object, from, to, request_id, limit, cursor }))
    }
}

/// The query for the store. The cursor of one chain has another form than that of all chains.
#[derive(Clone, Debug)]
pub(super) struct Asked<C> {
    pub(super) filter: Filter,
    pub(super) limit: u32,
    pub(super) after: Option<C>,
}

impl<C> Asked<C> {
    /// One row more than the page, to know whether there is a next one.
    pub(super) fn rows(&self) -> u32 {
        self.limit.saturating_add(1)
    }
}

impl AuditQuery {
    /// Reads the parameters.
    pub(super) fn asked<C>(&self, read_cursor: fn(&str) -> Option<C>) -> Result<Asked<C>, Problem> {
        let mut check = Check::new();
        let mut filter = Filter {
            actor: uuid(&mut check, "actor", self.actor.as_deref()),
            object: uuid(&mut check, "object", self.object.as_deref()),
            from: time(&mut check, "from", self.from.as_deref()),
            to: time(&mut check, "to", self.to.as_deref()),
            ..Filter::default()
        };
        if let Some(text) = self.action.as_deref() {
            match action(text) {
                Some((noun, "*")) => filter.noun = Some(noun.to_owned()),
                Some(_) => filter.action = Some(text.to_owned()),
                None => check.refuse("action", "must be like `route.create` or `route.*`"),
            }
        }
        if let Some(text) = &self.request_id {
            if text.chars().count() > 200 || text.contains('\0') {
                check.refuse("request_id", "must have 200 characters at most");
            }
            filter.request = Some(text.clone());
        }
        let limit = page::limit(&mut check, self.limit.as_deref());
        let mut after = None;
        if let Some(text) = &self.cursor {
            after = check
                .take("cursor", read_cursor(text).ok_or("is not a cursor that this list gave"));
        }
        check.finish()?;
        Ok(Asked { filter, limit, after })
    }
}

fn uuid(check: &mut Check, field: &str, text: Option<&str>) -> Option<Uuid> {
    check.take(field, text?.parse::<Uuid>().map_err(|_| "must be a UUID"))
}

fn time(check: &mut Check, field: &str, text: Option<&str>) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_rfc3339(text?).map(|time| time.to_utc()).ok();
    let parsed = parsed.filter(|time| SECONDS.contains(&time.timestamp()));
    check.take(field, parsed.ok_or("must be a time such as 2026-01-31T22:00:00Z (RFC 3339)"))
}

/// Noun and verb.
fn action(text: &str) -> Option<(&str, &str)> {
    let word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    text.split_once('.').filter(|(noun, verb)| word(noun) && (*verb == "*" || word(verb)))
}

/// The query of an export.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// `jsonl` for JSON Lines, which can be verified, or `csv`.
    #[param(required = false, nullable = false, pattern = "^(jsonl|csv)$", default = "jsonl")]
    format: Option<String>,
}

impl ExportQuery {
    /// Reads the parameter.
    pub(super) fn format(&self) -> Result<Format, Problem> {
        match self.format.as_deref() {
            None | Some("jsonl") => Ok(Format::JsonLines),
            Some("csv") => Ok(Format::Csv),
            Some(_) => Err(Problem::field("format", "must be `jsonl` or `csv`")),
        }
    }
}

/// The query of an operator's export.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OperatorExportQuery {
    /// The tenant of the chain; the platform's own by default.
    #[param(required = false, nullable = false, value_type = Uuid)]
    tenant_id: Option<String>,
    /// `jsonl` for JSON Lines, which can be verified, or `csv`.
    #[param(required = false, nullable = false, pattern = "^(jsonl|csv)$", default = "jsonl")]
    format: Option<String>,
}

impl OperatorExportQuery {
    /// Reads the parameters.
    pub(super) fn split(self) -> Result<(Option<Uuid>, Format), Problem> {
        let mut check = Check::new();
        let tenant = uuid(&mut check, "tenant_id", self.tenant_id.as_deref());
        check.finish()?;
        Ok((tenant, ExportQuery { format: self.format }.format()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::insight::audit::cursor;

    #[test]
    fn actions_are_words_or_all_of_a_noun() {
        for (text, good) in [
            ("route.create", true),
            ("signing_key.*", true),
            ("route", false),
            ("*.create", false),
            ("route.", false),
            ("route.a.b", false),
            ("Route.create", false),
            ("", false),
        ] {
            let query = AuditQuery { action: Some(text.to_owned()), ..AuditQuery::default() };
            assert_eq!(query.asked(cursor::read_place).is_ok(), good, "{text}");
        }
    }
}
