//! The sites that wait to be validated, and their order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use policy::id::{SiteId, TenantId};

/// The sites that wait: each once, for any number of changes, and tenants in turn, so that one with
/// many changes keeps no other waiting.
#[derive(Debug, Default)]
pub(super) struct Queue {
    of_tenant: BTreeMap<TenantId, VecDeque<SiteId>>,
    /// The tenants with a site that waits.
    turns: VecDeque<TenantId>,
    waiting: BTreeSet<SiteId>,
}

impl Queue {
    /// Puts a site at the end of its tenant's, unless it waits already.
    pub(super) fn push(&mut self, tenant: TenantId, site: SiteId) {
        if !self.waiting.insert(site) {
            return;
        }
        let sites = self.of_tenant.entry(tenant).or_default();
        if sites.is_empty() {
            self.turns.push_back(tenant);
        }
        sites.push_back(site);
    }

    /// Takes as many at the most, one of each tenant in turn.
    pub(super) fn take(&mut self, most: usize) -> Vec<(TenantId, SiteId)> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some(tenant) = self.turns.pop_front() else { break };
            let Some(sites) = self.of_tenant.get_mut(&tenant) else { continue };
            taken.extend(sites.pop_front().map(|site| (tenant, site)));
            if sites.is_empty() {
                self.of_tenant.remove(&tenant);
            } else {
                self.turns.push_back(tenant);
            }
        }
        for (_, site) in &taken {
            self.waiting.remove(site);
        }
        taken
    }

    /// The number of sites that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use policy::id::Uuid;

    use super::*;

    fn tenant(number: u128) -> TenantId {
        TenantId(Uuid::from_u128(number))
    }

    fn take(queue: &mut Queue, most: usize) -> Vec<SiteId> {
        queue.take(most).into_iter().map(|(_, site)| site).collect()
    }

    fn site(number: u128) -> SiteId {
        SiteId(Uuid::from_u128(number))
    }

    #[test]
    fn a_site_waits_once() {
        let mut queue = Queue::default();
        for _ in 0..3 {
            queue.push(tenant(1), site(1));
        }
        assert_eq!((queue.len(), take(&mut queue, 9)), (1, vec![site(1)]));
        queue.push(tenant(1), site(1));
        assert_eq!(take(&mut queue, 9), [site(1)], "and again when it changes again");
        assert_eq!((queue.len(), take(&mut queue, 9)), (0, Vec::new()));
    }

    #[test]
    fn tenants_take_turns() {
        let mut queue = Queue::default();
        for number in 10..20 {
            queue.push(tenant(1), site(number));
        }
        queue.push(tenant(2), site(20));
        queue.push(tenant(3), site(30));
        assert_eq!(take(&mut queue, 4), [10, 20, 30, 11].map(site));
        queue.push(tenant(2), site(21));
        assert_eq!(take(&mut queue, 2), [12, 21].map(site));
        assert_eq!(queue.len(), 7);
    }
}
