//! The limits and quotas that a request has to pass.

use std::net::IpAddr;

use crate::auth::Identity;
use crate::limit::{Check, Standing, Verdict, headers};
use crate::refusal::{RateLimitFields, RateLimited, Refusal};
use crate::request::Request;
use crate::rule::{By, Rule};
use crate::site::{Route, Site};
use crate::state::State;

/// Room for this many checks is made at once: few requests have more.
const CHECKS_AS_A_RULE: usize = 8;

/// The limits of a request that passes them.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// No limit applies, or the request was counted when it came by before.
    NothingTaken,
    /// Tokens were taken; the answer carries no `RateLimit` headers.
    Taken,
    /// Tokens were taken; the answer carries these `RateLimit` headers.
    TakenAndTold(RateLimitFields),
}

impl Admitted {
    /// True if tokens were taken.
    pub(crate) fn is_taken(&self) -> bool {
        !matches!(self, Self::NothingTaken)
    }

    /// The `RateLimit` headers of the answer.
    pub(crate) fn into_fields(self) -> Option<RateLimitFields> {
        match self {
            Self::TakenAndTold(fields) => Some(fields),
            Self::NothingTaken | Self::Taken => None,
        }
    }
}

/// The parts of a request that its counters depend on.
pub(crate) struct Counted<'r, 'a> {
    pub(crate) request: &'r Request<'a>,
    pub(crate) site: &'r Site,
    pub(crate) route: Option<&'r Route>,
    pub(crate) identity: &'r Identity,
    pub(crate) now_ms: u64,
}

impl Counted<'_, '_> {
    /// Takes a token of each limit that applies, or none of any.
    pub(crate) fn admit<S: State>(
        &self,
        state: &mut S,
        address: &mut impl FnMut(&mut S) -> Option<IpAddr>,
    ) -> Result<Admitted, Refusal> {
        let site = self.site;
        // A plan that has not come yet may restrict.
        let plan = match self.identity.plan {
            0 => &[][..],
            number => site.plan(number).ok_or(Refusal::NotReady)?,
        };
        let api = self.route.and_then(|route| site.api(route)).map_or(&[][..], |api| &api.rules);
        let route = self.route.map_or(&[][..], |route| &route.rules);
        let mut checks = Vec::with_capacity(CHECKS_AS_A_RULE);
        for rules in [&*site.rules, api, route, plan] {
            self.add_checks(rules, &mut checks, state, address);
        }
        if self.identity.details.is_some() {
            for grant in self.identity.grants() {
                self.add_checks(&grant.rules, &mut checks, state, address);
            }
        }
        if checks.is_empty() {
            return Ok(Admitted::NothingTaken);
        }
        match state.admit(&checks, self.now_ms) {
            Verdict::Admitted(Some(standing)) if site.rate_limit_headers => {
                Ok(Admitted::TakenAndTold(self.fields(&standing, &checks)))
            }
            Verdict::Admitted(_) => Ok(Admitted::Taken),
            Verdict::Refused(standing) => Err(self.refused(&standing, &checks)),
        }
    }

    /// Adds the checks of these rules.
    fn add_checks<'c, S: State>(
        &'c self,
        rules: &'c [Rule],
        checks: &mut Vec<Check<'c>>,
        state: &mut S,
        address: &mut impl FnMut(&mut S) -> Option<IpAddr>,
    ) {
        let mut last: Option<(&[By], u64)> = None;
        for rule in rules {
            // Most rules count by the same as the one before.
            let subject = match last {
                Some((by, subject)) if *by == *rule.by => subject,
                _ => self.subject(rule, state, address),
            };
            last = if rule.by.iter().any(By::is_open) { None } else { Some((&rule.by, subject)) };
            checks.push(Check {
                limit: &rule.limit,
                subject,
                zone: rule.zone.as_ref().unwrap_or(&self.site.zone),
            });
        }
    }

    #[cold]
    fn refused(&self, standing: &Standing<'_>, checks: &[Check<'_>]) -> Refusal {
        Refusal::RateLimited(Box::new(RateLimited {
            policy: standing.limit.name.to_string(),
            // A limit that never has more is one that nobody should wait for: a day is long enough.
            retry_after_s: headers::retry_after(standing).unwrap_or_else(|| "86400".to_owned()),
            reset_at_ms: self.now_ms.saturating_add(standing.reset_ms),
            fields: self.fields(standing, checks),
        }))
    }

    fn fields(&self, standing: &Standing<'_>, checks: &[Check<'_>]) -> RateLimitFields {
        let check = checks.iter().find(|check| std::ptr::eq(check.limit, standing.limit));
        let zone = check.map_or(&self.site.zone, |check| check.zone);
        RateLimitFields {
            limit: headers::ratelimit(standing),
            policy: headers::ratelimit_policy(standing.limit, zone, self.now_ms),
        }
    }

    /// Returns the number of the counter, among those of a rule, that the request is counted on.
    fn subject<S: State>(
        &self,
        rule: &Rule,
        state: &mut S,
        address: &mut impl FnMut(&mut S) -> Option<IpAddr>,
    ) -> u64 {
        if rule.by.is_empty() {
            return 0;
        }
        let mut values = Vec::with_capacity(64);
        for by in &rule.by {
            let before = values.len();
            self.push(by, state, address, &mut values);
            // With the lengths, ("ab", "c") is not ("a", "bc").
            let len = u64::try_from(values.len() - before).unwrap_or(u64::MAX);
            values.extend_from_slice(&len.to_le_bytes());
        }
        match rule.by.iter().any(By::is_open) {
            true => state.seed().open_subject(rule.limit.id, &values),
            false => state.seed().subject(&values),
        }
    }

    fn push<S: State>(
        &self,
        by: &By,
        state: &mut S,
        address: &mut impl FnMut(&mut S) -> Option<IpAddr>,
        values: &mut Vec<u8>,
    ) {
        match by {
            By::Consumer => {
                push_id(values, self.identity.consumer.as_ref().map(|id| id.as_bytes()))
            }
            By::Key => push_id(values, self.identity.key.as_ref().map(|id| id.as_bytes())),
            By::Api => {
                let api = self.route.and_then(|route| self.site.api(route));
                push_id(values, api.map(|api| api.id.as_bytes()));
            }
            By::Route => push_id(values, self.route.map(|route| route.id.as_bytes())),
            By::ClientIp => match address(state) {
                Some(IpAddr::V4(address)) => values.extend_from_slice(&address.octets()),
                // One customer usually has a /64 of IPv6 (RFC 6177), and could change within it at
                // will.
                Some(IpAddr::V6(address)) => values.extend(address.octets().iter().take(8)),
                None => {}
            },
            By::Header(name) => {
                for value in self.request.values(name) {
                    values.extend_from_slice(value);
                    values.push(0);
                }
            }
            By::Claim(name) => {
                let claim = self.identity.token.as_ref().and_then(|token| token.claim(name));
                values.extend(claim.iter().flat_map(|claim| claim.as_bytes()));
            }
        }
    }
}

fn push_id(values: &mut Vec<u8>, id: Option<&[u8; 16]>) {
    if let Some(id) = id {
        values.extend_from_slice(id);
    }
}
