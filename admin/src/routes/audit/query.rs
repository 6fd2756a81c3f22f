//! What is asked for of the log, and where a page goes on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use store::audit::{Filter, Position};
use utoipa::IntoParams;
use uuid::Uuid;

use super::export::Format;
use crate::check::Check;
use crate::limits;
use crate::problem::Problem;

/// The first byte of a cursor, so that none is taken for another list's: in one chain, and over all of them.
const IN_CHAIN: u8 = 3;
const OVER_ALL: u8 = 4;
/// The years that a calendar has.
const SECONDS: std::ops::RangeInclusive<i64> = 0..=253_402_300_799;

/// The query of a tenant's audit log.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Only what this actor has done: an operator token, an account or a service token.
    #[param(required = false, nullable = false, value_type = Uuid)]
    actor: Option<String>,
    /// Only this action, as in `route.create`, or all on one kind of object, as in `route.*`.
    #[param(required = false, nullable = false, pattern = r"^[a-z_]+\.([a-z_]+|\*)$", example = "route.*")]
    action: Option<String>,
    /// Only what was done to this object.
    #[param(required = false, nullable = false, value_type = Uuid)]
    object: Option<String>,
    /// Not before this time.
    #[param(required = false, nullable = false, value_type = DateTime<Utc>)]
    from: Option<String>,
    /// Before this time.
    #[param(required = false, nullable = false, value_type = DateTime<Utc>)]
    to: Option<String>,
    /// Only what this request has changed.
    #[param(required = false, nullable = false, max_length = 200)]
    request_id: Option<String>,
    /// How many entries to give at most.
    #[param(minimum = 1, maximum = 200, default = 50, required = false, nullable = false, value_type = i64)]
    limit: Option<String>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(required = false, nullable = false, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// The query of the whole audit log.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OperatorAuditQuery {
    /// Only the chain of this tenant; `00000000-0000-0000-0000-000000000000` for the platform's own.
    #[param(required = false, nullable = false, value_type = Uuid)]
    tenant_id: Option<String>,
    /// Only what this actor has done: an operator token, an account or a service token.
    #[param(required = false, nullable = false, value_type = Uuid)]
    actor: Option<String>,
    /// Only this action, as in `route.create`, or all on one kind of object, as in `route.*`.
    #[param(required = false, nullable = false, pattern = r"^[a-z_]+\.([a-z_]+|\*)$", example = "tenant.*")]
    action: Option<String>,
    /// Only what was done to this object.
    #[param(required = false, nullable = false, value_type = Uuid)]
    object: Option<String>,
    /// Not before this time.
    #[param(required = false, nullable = false, value_type = DateTime<Utc>)]
    from: Option<String>,
    /// Before this time.
    #[param(required = false, nullable = false, value_type = DateTime<Utc>)]
    to: Option<String>,
    /// Only what this request has changed.
    #[param(required = false, nullable = false, max_length = 200)]
    request_id: Option<String>,
    /// How many entries to give at most.
    #[param(minimum = 1, maximum = 200, default = 50, required = false, nullable = false, value_type = i64)]
    limit: Option<String>,
    /// Where to go on: `next_cursor` of the page before.
    #[param(required = false, nullable = false, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
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

/// What the store is to be asked. Where a page goes on is of another form in one chain than over all.
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
        let mut limit = limits::PAGE_DEFAULT;
        if let Some(text) = &self.limit {
            limit = check.take("limit", text.parse::<i64>().map_err(|_| "must be a number")).unwrap_or(limit);
            check.range("limit", limit, &limits::PAGE);
        }
        let mut after = None;
        if let Some(text) = &self.cursor {
            after = check.take("cursor", read_cursor(text).ok_or("is not a cursor that this list gave"));
        }
        check.finish()?;
        Ok(Asked { filter, limit: u32::try_from(limit).unwrap_or_default(), after })
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
    let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    text.split_once('.').filter(|(noun, verb)| word(noun) && (*verb == "*" || word(verb)))
}

/// The cursor of what is before a row of one chain.
pub(super) fn place_in_chain(seq: i64) -> String {
    let mut bytes = vec![IN_CHAIN];
    bytes.extend_from_slice(&seq.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads it again.
pub(super) fn read_place_in_chain(text: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (form, seq) = bytes.split_first()?;
    if *form == IN_CHAIN { Some(i64::from_be_bytes(seq.try_into().ok()?)) } else { None }
}

/// The cursor of what is before a row of all chains.
pub(super) fn place_of(position: &Position) -> String {
    let mut bytes = vec![OVER_ALL];
    bytes.extend_from_slice(&position.at.timestamp_micros().to_be_bytes());
    bytes.extend_from_slice(position.tenant.as_bytes());
    bytes.extend_from_slice(&position.seq.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads it again.
pub(super) fn read_place(text: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (form, rest) = bytes.split_first()?;
    let (at, rest) = rest.split_first_chunk::<8>()?;
    let (tenant, seq) = rest.split_first_chunk::<16>()?;
    let at = DateTime::from_timestamp_micros(i64::from_be_bytes(*at))?;
    let seq = i64::from_be_bytes(seq.try_into().ok()?);
    let known = *form == OVER_ALL && SECONDS.contains(&at.timestamp());
    known.then_some(Position { at, tenant: Uuid::from_bytes(*tenant), seq })
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
    /// Whose chain; the platform's own by default.
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

    #[test]
    fn cursors_read_back_and_are_not_taken_for_one_another() {
        let position = Position {
            at: DateTime::from_timestamp_micros(1_775_558_700_000_001).unwrap(),
            tenant: Uuid::max(),
            seq: 9,
        };
        assert_eq!(read_place(&place_of(&position)), Some(position));
        assert_eq!(read_place_in_chain(&place_in_chain(7)), Some(7));
        assert_eq!(read_place(&place_in_chain(7)), None);
        assert_eq!(read_place_in_chain(&place_of(&position)), None);
        for wrong in ["", "!", "Aw", "AAAAAAAAAAAA"] {
            assert_eq!((read_place(wrong), read_place_in_chain(wrong)), (None, None), "{wrong}");
        }
    }

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
            assert_eq!(query.asked(read_place).is_ok(), good, "{text}");
        }
    }
}
