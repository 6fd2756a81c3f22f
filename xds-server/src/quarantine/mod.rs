//! The treatment of a site whose resources are refused: it keeps the last good ones, on every
//! replica and over every restart, until it is given others. No other site is affected.
//!
//! The database has the decision ([`store::quarantine`]); this module makes it, and keeps the last
//! good resources of the sites whose newest ones no Envoy has accepted yet.

mod group;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use policy::desired::{DesiredSite, LeftOut};
use policy::id::SiteId;
use store::left_out::Bucket;
use store::quarantine::{Quarantined, Refusal};
use tracing::{error, info, warn};

use self::group::Digest;
pub use self::group::Wanted;
use crate::receipts::Roster;
use crate::resource::{Named, ResourceType, Version, site_of};
use crate::snapshot::Snapshot;
use crate::validate::Verdict;

/// The time for which the resources before are kept once an Envoy has accepted the newest: the
/// others may still refuse them.
const KEPT_AFTER_ACCEPTANCE: Duration = Duration::from_secs(60);

/// Decides which resources of a site are served.
#[derive(Debug, Default)]
pub struct Quarantine {
    roster: Arc<Roster>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    trials: HashMap<SiteId, Trial>,
    /// The digests of the served resources of sites, where those are the newest.
    served: HashMap<SiteId, Digest>,
}

/// New resources of a site.
#[derive(Debug)]
struct Trial {
    digest: Digest,
    /// The last good ones.
    good: Arc<Vec<Named>>,
    /// The digest that the site is under quarantine for, which ends when the new ones are accepted.
    refused: Option<Digest>,
    accepted_at: Option<Instant>,
}

/// The resources that a site is to have.
#[derive(Debug)]
pub enum Admitted {
    /// These resources, which are its newest.
    Newest(Vec<Named>),
    /// These resources, as its newest ones were refused.
    LastGood(Vec<Named>),
    /// The resources that it has.
    Kept,
}

/// A resource that an Envoy has refused.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// The Envoy.
    pub node_id: &'a str,
    /// The type of the resource.
    pub kind: ResourceType,
    /// Its name.
    pub name: &'a str,
    /// The version that it was sent.
    pub version: &'a Version,
    /// Its reason.
    pub reason: &'a str,
}

impl Quarantine {
    /// A quarantine that has its decisions written down by way of this roster.
    pub fn new(roster: Arc<Roster>) -> Self {
        Self { roster, state: Mutex::default() }
    }

    /// Decides which resources a site is to have, as of change `seq`, now that `newest` was made of
    /// it. `before` gives those that it has.
    pub fn admit(
        &self,
        site: &DesiredSite,
        newest: Vec<Named>,
        wanted: &Wanted,
        held: Option<&Quarantined>,
        seq: i64,
        before: impl FnOnce() -> Vec<Named>,
    ) -> Admitted {
        let digest = group::digest(&newest, wanted);
        let mut state = self.lock();
        let served = state.served.insert(site.site, digest);
        let trials = &mut state.trials;
        let Some(held) = held else {
            if served != Some(digest) {
                let before = before();
                // At a start they may have been on disk.
                if group::content(&before) != group::content(&newest) {
                    try_out(trials, site.site, digest, before);
                }
            }
            return Admitted::Newest(newest);
        };
        let good = held.good.as_deref().and_then(group::decode);
        if held.digest == digest {
            trials.remove(&site.site);
            self.roster.still(site.site, digest, seq);
            return match good {
                Some(good) => {
                    state.served.remove(&site.site);
                    Admitted::LastGood(group::as_of_now(&good, site, wanted))
                }
                // Envoys that have nothing better are told that the site does not answer.
                None => Admitted::LastGood(newest),
            };
        }
        match good {
            Some(good) if group::content(&good) != group::content(&newest) => {
                let trial = Trial {
                    digest,
                    good: Arc::new(good),
                    refused: Some(held.digest),
                    accepted_at: None,
                };
                trials.insert(site.site, trial);
            }
            Some(_) => {
                trials.remove(&site.site);
                self.roster.released(site.site, held.digest);
            }
            None => {
                let trial = Trial {
                    digest,
                    good: Arc::default(),
                    refused: Some(held.digest),
                    accepted_at: None,
                };
                trials.insert(site.site, trial);
            }
        }
        Admitted::Newest(newest)
    }

    /// Decides which resources a site is to have if its newest could not be made, and notes the
    /// reason.
    pub fn failed(
        &self,
        site: SiteId,
        desired: Option<(&DesiredSite, &Wanted)>,
        reason: String,
        held: Option<&Quarantined>,
        seq: i64,
        before: impl FnOnce() -> Vec<Named>,
    ) -> Admitted {
        let digest = group::digest_of_failure(&reason);
        let trial = {
            let mut state = self.lock();
            state.served.remove(&site);
            state.trials.remove(&site).filter(|trial| trial.accepted_at.is_none())
        };
        let good = held.and_then(|held| held.good.as_deref()).and_then(group::decode);
        if held.is_some_and(|held| held.digest == digest) {
            self.roster.still(site, digest, seq);
        } else {
            let good = trial.map(|trial| trial.good).or_else(|| Some(Arc::new(before())));
            let good = good.filter(|good| !good.is_empty()).map(|good| group::encode(&good));
            let (resource_type, resource) = (String::new(), String::new());
            self.roster.refused(Refusal {
                site,
                digest,
                node_id: None,
                resource_type,
                resource,
                reason,
                good,
            });
        }
        match (good, desired) {
            (Some(good), Some((site, wanted))) => {
                Admitted::LastGood(group::as_of_now(&good, site, wanted))
            }
            _ => Admitted::Kept,
        }
    }

    /// Takes in which parts of a bucket are too large to be served.
    pub fn left_out(&self, bucket: Bucket, parts: Vec<LeftOut>) {
        for part in &parts {
            warn!(site = %part.site, %part, "left out");
        }
        self.roster.left_out(bucket, parts);
    }

    /// Takes in that no other bucket has such parts.
    pub fn left_out_only(&self, buckets: BTreeSet<Bucket>) {
        self.roster.left_out_only(buckets);
    }

    /// Takes in that a site is gone.
    pub fn gone(&self, site: SiteId) {
        let mut state = self.lock();
        state.trials.remove(&site);
        state.served.remove(&site);
    }

    /// Returns true if the acceptance of all resources of this site by an Envoy is news.
    pub fn is_on_trial(&self, site: SiteId) -> bool {
        self.lock().trials.get(&site).is_some_and(|trial| trial.accepted_at.is_none())
    }

    /// Takes in that an Envoy has accepted all resources of this site.
    pub fn accepted(&self, site: SiteId) {
        let now = Instant::now();
        let mut state = self.lock();
        let State { trials, served } = &mut *state;
        let Some(trial) = trials.get_mut(&site) else { return };
        if served.get(&site) == Some(&trial.digest) {
            trial.accepted_at = Some(now);
            if let Some(refused) = trial.refused.take() {
                info!(%site, "the site has recovered");
                self.roster.released(site, refused);
            }
        }
        // Time has passed for the other trials too; there are few, as these are the sites that were
        // changed lately.
        trials.retain(|_, trial| {
            trial.accepted_at.is_none_or(|at| now.duration_since(at) < KEPT_AFTER_ACCEPTANCE)
        });
    }

    /// Takes in that an Envoy has refused a resource, by itself.
    pub fn refused(&self, snapshot: &Snapshot, refused: Refused<'_>) {
        let Some(site) = site_of(refused.name).filter(|_| refused.kind.is_sent_by_site()) else {
            return;
        };
        if snapshot
            .get(refused.kind, refused.name)
            .is_none_or(|now| now.version != *refused.version)
        {
            // The served resources have changed.
            return;
        }
        let Refused { node_id, kind, name, reason, .. } = refused;
        let (digest, good) = {
            let state = self.lock();
            let Some(digest) = state.served.get(&site).copied() else {
                // A new try of the newest ones would only begin the same again.
                error!(%site, node = node_id, "the last resources that were good are refused as \
                    well");
                return;
            };
            let trial = state.trials.get(&site).filter(|trial| trial.digest == digest);
            (digest, trial.map(|trial| Arc::clone(&trial.good)).filter(|good| !good.is_empty()))
        };
        match &good {
            Some(_) => {
                warn!(%site, node = node_id, "the site goes back to the last resources that were \
                    good")
            }
            None => {
                error!(%site, node = node_id, "no good resources of the site are known; who has \
                    some keeps them")
            }
        }
        self.roster.refused(Refusal {
            site,
            digest,
            node_id: Some(node_id.to_owned()),
            resource_type: kind.label().to_owned(),
            resource: name.to_owned(),
            reason: reason.to_owned(),
            good: good.map(|good| group::encode(&good)),
        });
    }

    /// Takes in the finding of a validating Envoy, where `now` are the served resources. Resources
    /// that a serving Envoy has accepted are good, whatever another version says of them.
    pub fn refused_by_validation(&self, now: &[Named], verdict: &Verdict) {
        if group::content(now) != group::content(&verdict.group) {
            // It looks at them as well.
            return;
        }
        let site = verdict.site;
        let (digest, good) = {
            let state = self.lock();
            let Some(digest) = state.served.get(&site).copied() else { return };
            match state.trials.get(&site).filter(|trial| trial.digest == digest) {
                Some(trial) if trial.accepted_at.is_some() => return,
                Some(trial) => {
                    (digest, Some(Arc::clone(&trial.good)).filter(|good| !good.is_empty()))
                }
                None => (digest, None),
            }
        };
        self.roster.refused(Refusal {
            site,
            digest,
            node_id: None,
            resource_type: String::new(),
            resource: String::new(),
            reason: format!("a validating Envoy refuses it: {}", verdict.reason),
            good: good.map(|good| group::encode(&good)),
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Remembers the resources of a site before it is given others.
fn try_out(trials: &mut HashMap<SiteId, Trial>, site: SiteId, digest: Digest, before: Vec<Named>) {
    if before.is_empty() {
        return;
    }
    // Resources that no Envoy has accepted yet are not known to be good.
    let unproven = trials.remove(&site).filter(|trial| trial.accepted_at.is_none());
    let good = unproven.map_or_else(|| Arc::new(before), |trial| trial.good);
    trials.insert(site, Trial { digest, good, refused: None, accepted_at: None });
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
