//! All resources of a cell as they should be, in memory: what the streams send from.
//!
//! Resources come and go in groups, one per owner, so that a change costs no more than its group
//! and cannot leave anything behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use policy::id::{SiteId, TenantId};

use crate::resource::{Named, Resource, ResourceType, route_name};

/// The owner of a group of resources. One change replaces the whole group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The platform itself.
    Platform,
    /// One site.
    Site(SiteId),
    /// The listeners of one tenant.
    Listeners(TenantId),
    /// One bucket of credentials, by its number.
    Bucket(u16),
    /// One bucket of consumers, by its number.
    Consumers(u16),
}

/// The names that a change touched: added, changed or removed.
pub type Changed = BTreeSet<(ResourceType, String)>;

/// The desired resources, by type and name.
#[derive(Debug, Default)]
pub struct Snapshot {
    by_name: BTreeMap<ResourceType, BTreeMap<String, Entry>>,
    by_owner: BTreeMap<Owner, Vec<(ResourceType, String)>>,
    seq: i64,
}

#[derive(Debug)]
struct Entry {
    owner: Owner,
    resource: Arc<Resource>,
}

impl Snapshot {
    /// Replaces the resources of an owner; an empty list removes it. Returns the names whose
    /// content has changed.
    ///
    /// A name that moves from one owner to another (a hostname does) belongs to the one that was
    /// applied last, whichever of the two comes first.
    pub fn apply(&mut self, owner: Owner, resources: Vec<Named>) -> Changed {
        let mut changed = Changed::new();
        let mut gone: BTreeSet<_> =
            self.by_owner.remove(&owner).unwrap_or_default().into_iter().collect();
        let mut names = Vec::with_capacity(resources.len());
        for Named { kind, name, resource } in resources {
            let key = (kind, name);
            gone.remove(&key);
            let before = self
                .by_name
                .entry(kind)
                .or_default()
                .insert(key.1.clone(), Entry { owner, resource });
            if before.is_none_or(|before| {
                self.get(kind, &key.1).is_none_or(|now| now.version != before.resource.version)
            }) {
                changed.insert(key.clone());
            }
            names.push(key);
        }
        for (kind, name) in gone {
            let Some(entries) = self.by_name.get_mut(&kind) else { continue };
            if entries.get(&name).is_some_and(|entry| entry.owner == owner) {
                entries.remove(&name);
                changed.insert((kind, name));
            }
        }
        if !names.is_empty() {
            self.by_owner.insert(owner, names);
        }
        changed
    }

    /// Replaces one resource that is there; its owner stays. Returns its name if the content has
    /// changed.
    pub fn replace(
        &mut self,
        Named { kind, name, resource }: Named,
    ) -> Option<(ResourceType, String)> {
        let entry = self.by_name.get_mut(&kind)?.get_mut(&name)?;
        let before = std::mem::replace(&mut entry.resource, resource);
        (before.version != entry.resource.version).then_some((kind, name))
    }

    /// The last change of the log that is in it in full; some of the later ones may be in it as
    /// well.
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// Says that everything through this change is in it.
    pub fn set_seq(&mut self, seq: i64) {
        self.seq = seq;
    }

    /// A resource.
    pub fn get(&self, kind: ResourceType, name: &str) -> Option<&Arc<Resource>> {
        Some(&self.by_name.get(&kind)?.get(name)?.resource)
    }

    /// A resource, and its owner.
    pub fn owned(&self, kind: ResourceType, name: &str) -> Option<(Owner, &Arc<Resource>)> {
        let entry = self.by_name.get(&kind)?.get(name)?;
        Some((entry.owner, &entry.resource))
    }

    /// All resources, and their owners.
    pub fn entries(&self) -> impl Iterator<Item = (Owner, Named)> {
        let entries = self
            .by_name
            .iter()
            .flat_map(|(kind, entries)| entries.iter().map(|entry| (*kind, entry)));
        entries.map(|(kind, (name, entry))| {
            (entry.owner, Named { kind, name: name.clone(), resource: Arc::clone(&entry.resource) })
        })
    }

    /// All names of a type, in order.
    pub fn names(&self, kind: ResourceType) -> impl Iterator<Item = &String> {
        self.by_name.get(&kind).into_iter().flat_map(BTreeMap::keys)
    }

    /// The names of a type (CDS or EDS) that a site's RouteConfiguration depends on.
    pub fn names_of_site(&self, kind: ResourceType, site: SiteId) -> impl Iterator<Item = &String> {
        let prefix = format!("{}/", route_name(site));
        let entries = self.by_name.get(&kind);
        let range = entries.into_iter().flat_map({
            let prefix = prefix.clone();
            move |entries| entries.range(prefix.clone()..)
        });
        range.map(|(name, _)| name).take_while(move |name| name.starts_with(&prefix))
    }

    /// The resources of an owner, without those that have another owner by now.
    pub fn group(&self, owner: Owner) -> Vec<Named> {
        let names = self.by_owner.get(&owner).into_iter().flatten();
        let group = names.filter_map(|(kind, name)| {
            let entry = self.by_name.get(kind)?.get(name).filter(|entry| entry.owner == owner)?;
            Some(Named { kind: *kind, name: name.clone(), resource: Arc::clone(&entry.resource) })
        });
        group.collect()
    }

    /// All owners that have resources.
    pub fn owners(&self) -> impl Iterator<Item = Owner> {
        self.by_owner.keys().copied()
    }

    /// The number of resources of a type.
    pub fn len(&self, kind: ResourceType) -> usize {
        self.by_name.get(&kind).map_or(0, BTreeMap::len)
    }
}

#[cfg(test)]
mod tests {
    use policy::id::Uuid;

    use super::*;

    fn site(number: u128) -> Owner {
        Owner::Site(SiteId(Uuid::from_u128(number)))
    }

    fn host(name: &str, content: &str) -> Named {
        let kind = ResourceType::Host;
        Named { kind, name: name.to_owned(), resource: Resource::new(kind, content.into()) }
    }

    fn names(changed: &Changed) -> Vec<&str> {
        changed.iter().map(|(_, name)| name.as_str()).collect()
    }

    #[test]
    fn applying_a_group_reports_exactly_what_differs() {
        let mut snapshot = Snapshot::default();
        snapshot.apply(site(1), vec![host("a", "1"), host("b", "1"), host("c", "1")]);
        let changed = snapshot.apply(site(1), vec![host("a", "1"), host("b", "2"), host("d", "1")]);
        assert_eq!(names(&changed), ["b", "c", "d"]);
        assert!(
            snapshot
                .apply(site(1), vec![host("a", "1"), host("b", "2"), host("d", "1")])
                .is_empty()
        );
    }

    #[test]
    fn a_resource_that_is_replaced_stays_its_owners() {
        let mut snapshot = Snapshot::default();
        snapshot.apply(site(1), vec![host("a", "1")]);
        assert_eq!(snapshot.replace(host("a", "2")), Some((ResourceType::Host, "a".to_owned())));
        assert_eq!(snapshot.replace(host("a", "2")), None);
        assert_eq!(snapshot.replace(host("b", "1")), None, "it is nobody's");
        assert_eq!(names(&snapshot.apply(site(1), Vec::new())), ["a"]);
        assert_eq!(snapshot.len(ResourceType::Host), 0);
    }

    #[test]
    fn an_empty_group_removes_its_owner() {
        let mut snapshot = Snapshot::default();
        snapshot.apply(site(1), vec![host("a", "1")]);
        assert_eq!(names(&snapshot.apply(site(1), Vec::new())), ["a"]);
        assert_eq!((snapshot.owners().count(), snapshot.len(ResourceType::Host)), (0, 0));
    }

    #[test]
    fn a_name_that_moves_survives_the_removal_by_its_former_owner_in_either_order() {
        for new_owner_first in [true, false] {
            let mut snapshot = Snapshot::default();
            snapshot.apply(site(1), vec![host("moving", "1")]);
            let mut steps = [(site(2), vec![host("moving", "2")]), (site(1), Vec::new())];
            if !new_owner_first {
                steps.reverse();
            }
            for (owner, group) in steps {
                snapshot.apply(owner, group);
            }
            let now = snapshot.get(ResourceType::Host, "moving").unwrap();
            assert_eq!(now.body.value, b"2");
        }
    }

    #[test]
    fn the_names_of_a_site_are_those_under_its_own_prefix() {
        let ids = [1, 2, 3].map(|number| SiteId(Uuid::from_u128(number)));
        let mut snapshot = Snapshot::default();
        for id in ids {
            let kind = ResourceType::Cluster;
            let name = format!("site/{id}/u");
            snapshot.apply(
                Owner::Site(id),
                vec![Named { kind, name, resource: Resource::new(kind, Vec::new()) }],
            );
        }
        let found: Vec<_> = snapshot.names_of_site(ResourceType::Cluster, ids[1]).collect();
        assert_eq!(found, [&format!("site/{}/u", ids[1])]);
    }
}
