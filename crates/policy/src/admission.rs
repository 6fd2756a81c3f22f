//! The limits and quotas that a request has to pass.

use std::net::IpAddr;

use crate::auth::Identity;
use crate::decision::State;
use crate::limit::{Check, Standing, Verdict, headers};
use crate::refusal::{RateLimitFields, RateLimited, Refusal};
use crate::request::Request;
use crate::rule::{By, Rule};
use crate::site::{Route, Site};

/// What a request is counted by.
pub(crate) struct Counted<'r, 'a> {
    pub(crate) request: &'r Request<'a>,
    pub(crate) site: &'r Site,
    pub(crate) route: Option<&'r Route>,
    pub(crate) identity: &'r Identity,
    pub(crate) now_ms: u64,
}

impl Counted<'_, '_> {
    /// Takes a token of each limit that applies, or none of any. Answers `None` if no limit applies, and otherwise what
    /// `RateLimit` headers say, if the site wants them.
    pub(crate) fn admit<S: State>(
        &self,
        state: &mut S,
        address: &mut impl FnMut(&mut S) -> Option<IpAddr>,
    ) -> Result<Option<Option<RateLimitFields>>, Refusal> {
        let site = self.site;
        // A plan that has not come yet may restrict.
        let plan = match self.identity.plan {
            0 => &[][..],
            number => site.plan(number).ok_or(Refusal::NotReady)?,
        };
        let api = self.route.and_then(|route| site.api(route)).map_or(&[][..], |api| &api.rules);
        let route = self.route.map_or(&[][..], |route| &route.rules);
        let granted = self.identity.grants().flat_map(|grant| grant.rules.iter());
        let rules = [&*site.rules, api, route, plan].into_iter().flatten().chain(granted);
        let mut checks = Vec::new();
        for rule in rules {
            let subject = self.subject(rule, state, address);
            checks.push(Check { limit: &rule.limit, subject, zone: rule.zone.as_ref().unwrap_or(&site.zone) });
        }
        if checks.is_empty() {
            return Ok(None);
        }
        match state.admit(&checks, self.now_ms) {
            Verdict::Admitted(standing) => {
                Ok(Some(standing.filter(|_| site.rate_limit_headers).map(|standing| self.fields(&standing, &checks))))
            }
            Verdict::Refused(standing) => Err(Refusal::RateLimited(Box::new(RateLimited {
                policy: standing.limit.name.to_string(),
                // A limit that never has more is one that nobody should wait for: a day is long enough.
                retry_after_s: headers::retry_after(&standing).unwrap_or_else(|| "86400".to_owned()),
                reset_at_ms: self.now_ms.saturating_add(standing.reset_ms),
                fields: self.fields(&standing, &checks),
            }))),
        }
    }

    fn fields(&self, standing: &Standing<'_>, checks: &[Check<'_>]) -> RateLimitFields {
        let check = checks.iter().find(|check| std::ptr::eq(check.limit, standing.limit));
        let zone = check.map_or(&self.site.zone, |check| check.zone);
        RateLimitFields {
            limit: headers::ratelimit(standing),
            policy: headers::ratelimit_policy([(standing.limit, zone)], self.now_ms),
        }
    }

    /// Which of a rule's counters the request is counted on.
    fn subject<S: State>(&self, rule: &Rule, state: &mut S, address: &mut impl FnMut(&mut S) -> Option<IpAddr>) -> u64 {
        if rule.by.is_empty() {
            return 0;
        }
        let mut open = false;
        let mut values = Vec::with_capacity(64);
        for by in &rule.by {
            open |= matches!(by, By::ClientIp | By::Header(_) | By::Claim(_));
            let before = values.len();
            self.push(by, state, address, &mut values);
            // With the lengths, ("ab", "c") is not ("a", "bc").
            let len = u64::try_from(values.len() - before).unwrap_or(u64::MAX);
            values.extend_from_slice(&len.to_le_bytes());
        }
        if open { state.seed().open_subject(rule.limit.id, &values) } else { state.seed().subject(&[&values]) }
    }

    fn push<S: State>(
        &self,
        by: &By,
        state: &mut S,
        address: &mut impl FnMut(&mut S) -> Option<IpAddr>,
        values: &mut Vec<u8>,
    ) {
        match by {
            By::Consumer => values.extend(self.identity.consumer.iter().flat_map(|id| id.as_bytes())),
            By::Key => values.extend(self.identity.key.iter().flat_map(|id| id.as_bytes())),
            By::Api => {
                values
                    .extend(self.route.and_then(|route| self.site.api(route)).iter().flat_map(|api| api.id.as_bytes()));
            }
            By::Route => values.extend(self.route.iter().flat_map(|route| route.id.as_bytes())),
            By::ClientIp => match address(state) {
                Some(IpAddr::V4(address)) => values.extend_from_slice(&address.octets()),
                // One customer usually has a /64 of IPv6 (RFC 6177), and could change within it at will.
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
