//! The hubs of all cells: resources that are placed on a cell are in its hub, and an Envoy is
//! served from the hub of its cell alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{describe_gauge, gauge};
use policy::cell::CellName;
use tokio::sync::watch;

use crate::freshness::Freshness;
use crate::hub::Hub;
use crate::resource::{Named, Resource, ResourceType};
use crate::snapshot::{Changed, Owner};

/// A gauge: the cells that the database knows.
const CELLS: &str = "tenantry_xds_cells";

/// The resources that an owner is to have from now on.
#[derive(Clone, Debug)]
pub struct Group {
    /// The owner.
    pub owner: Owner,
    /// Its resources, by cell.
    pub content: Content,
}

/// The resources of an owner in its cells. In every other cell it has none.
#[derive(Clone, Debug)]
pub enum Content {
    /// The same in each of these cells.
    Same(Arc<BTreeSet<CellName>>, Vec<Named>),
    /// In each cell the resources of the sites that are placed on it.
    PerCell(BTreeMap<CellName, Vec<Named>>),
    /// The resources that it has already, in these cells.
    Kept(Arc<BTreeSet<CellName>>),
}

impl Group {
    /// An owner that is not there any more.
    pub fn gone(owner: Owner) -> Self {
        Self { owner, content: Content::PerCell(BTreeMap::new()) }
    }

    /// An owner that has these resources in these cells.
    pub fn same(owner: Owner, cells: Arc<BTreeSet<CellName>>, resources: Vec<Named>) -> Self {
        Self { owner, content: Content::Same(cells, resources) }
    }
}

/// The cells. A name that the database does not know has a hub as well, as long as there is a
/// stream for it, with the platform's resources alone: if the cell is made later, its Envoys do not
/// have to connect again.
#[derive(Debug)]
pub struct Cells {
    state: Mutex<State>,
    /// For streams whose Node has no valid name of a cell.
    nowhere: Arc<Hub>,
    loaded: watch::Sender<bool>,
    freshness: Freshness,
}

#[derive(Debug, Default)]
struct State {
    hubs: BTreeMap<CellName, Arc<Hub>>,
    /// The cells that the database knows.
    existing: BTreeSet<CellName>,
    platform: Vec<Named>,
    /// The last change of the log that is in all hubs.
    seq: i64,
    /// The cells in which an owner has resources.
    placed: HashMap<Owner, Vec<CellName>>,
}

/// The hub of one cell, for one stream.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The hub.
    pub hub: Arc<Hub>,
    /// True if the database knows the cell.
    pub known: bool,
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            nowhere: Arc::default(),
            loaded: watch::Sender::new(false),
            freshness: Freshness::default(),
        }
    }
}

impl Cells {
    /// The hub of the cell with this name; of a name that the database does not know, one without
    /// tenants.
    pub fn join(&self, name: &str) -> Joined {
        let Ok(name) = name.parse::<CellName>() else {
            return Joined { hub: Arc::clone(&self.nowhere), known: false };
        };
        let mut state = self.lock();
        let known = state.existing.contains(&name);
        state.forget_unused();
        Joined { hub: state.hub(&name), known }
    }

    /// Sets the resources that every cell has, with or without tenants.
    pub fn set_platform(&self, resources: Vec<Named>) {
        let mut state = self.lock();
        for hub in state.hubs.values().chain([&self.nowhere]) {
            hub.apply(vec![(Owner::Platform, resources.clone())]);
        }
        state.platform = resources;
    }

    /// Sets which cells there are.
    pub fn set_existing(&self, existing: BTreeSet<CellName>) {
        let mut state = self.lock();
        gauge!(CELLS).set(existing.len() as f64);
        state.existing = existing;
        state.forget_unused();
    }

    /// Replaces the resources of these owners, in each cell in one step, and tells the streams.
    /// Returns how many resources changed; one that is in several cells counts once.
    pub fn apply(&self, groups: Vec<Group>) -> usize {
        let mut state = self.lock();
        let mut steps: BTreeMap<CellName, Vec<(Owner, Vec<Named>)>> = BTreeMap::new();
        for Group { owner, content } in groups {
            let mut content = state.in_cells(owner, content);
            // An empty group in a cell is none.
            content.retain(|_, resources| !resources.is_empty());
            let now: Vec<_> = content.keys().cloned().collect();
            let before = if now.is_empty() {
                state.placed.remove(&owner)
            } else {
                state.placed.insert(owner, now)
            };
            for left in before.unwrap_or_default() {
                content.entry(left).or_default();
            }
            for (cell, resources) in content {
                steps.entry(cell).or_default().push((owner, resources));
            }
        }
        let changed = steps.into_iter().map(|(cell, step)| state.hub(&cell).apply(step));
        changed.reduce(union).map_or(0, |changed| changed.len())
    }

    /// Replaces resources of owners, as far as they are there, and tells the streams. Returns how
    /// many changed.
    pub fn replace(&self, resources: Vec<(Owner, Named)>) -> usize {
        let mut state = self.lock();
        let mut steps: BTreeMap<CellName, Vec<Named>> = BTreeMap::new();
        for (owner, resource) in resources {
            for cell in state.placed.get(&owner).into_iter().flatten() {
                steps.entry(cell.clone()).or_default().push(resource.clone());
            }
        }
        let changed = steps.into_iter().map(|(cell, step)| state.hub(&cell).replace(step));
        changed.reduce(union).map_or(0, |changed| changed.len())
    }

    /// Says that everything through this change of the log is in its place ([`Hub::reached`]), in
    /// each cell, even if the change was not for it.
    pub fn reached(&self, seq: i64) {
        let mut state = self.lock();
        state.seq = seq;
        state.hubs.values().chain([&self.nowhere]).for_each(|hub| hub.reached(seq));
    }

    /// A resource that is the same in all cells of its owner.
    pub fn get(&self, owner: Owner, kind: ResourceType, name: &str) -> Option<Arc<Resource>> {
        let state = self.lock();
        let hub = state.hubs.get(state.placed.get(&owner)?.first()?)?;
        hub.snapshot().get(kind, name).cloned()
    }

    /// The resources of an owner in the first of its cells; those of a site are the same in all of
    /// them.
    pub fn group(&self, owner: Owner) -> Vec<Named> {
        self.lock().group(owner)
    }

    /// The owners that have resources in some cell, the platform apart.
    pub fn owners(&self) -> BTreeSet<Owner> {
        self.lock().placed.keys().copied().collect()
    }

    /// The cells that have tenants, or streams, or are known, with their hubs.
    pub fn hubs(&self) -> Vec<(CellName, Arc<Hub>)> {
        self.lock().hubs.iter().map(|(name, hub)| (name.clone(), Arc::clone(hub))).collect()
    }

    /// The cells that the database knows.
    pub fn existing(&self) -> BTreeSet<CellName> {
        self.lock().existing.clone()
    }

    /// The last change of the log that is in all hubs; some of the later ones may be in them as
    /// well.
    pub fn seq(&self) -> i64 {
        self.lock().seq
    }

    /// The state of this replica compared with the database.
    pub fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// Says that the first load is complete: a resource that is in no hub does not exist.
    pub fn set_loaded(&self) {
        self.loaded.send_replace(true);
    }

    /// Returns true once the first load is complete.
    pub fn is_loaded(&self) -> bool {
        *self.loaded.borrow()
    }

    /// Waits until the first load is complete.
    pub async fn loaded(&self) {
        // The sender lives as long as `self`, so that this cannot fail.
        let _ = self.loaded.subscribe().wait_for(|loaded| *loaded).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hub(&mut self, name: &CellName) -> Arc<Hub> {
        let hub = self.hubs.entry(name.clone()).or_insert_with(|| {
            let hub = Hub::default();
            hub.apply(vec![(Owner::Platform, self.platform.clone())]);
            hub.reached(self.seq);
            Arc::new(hub)
        });
        Arc::clone(hub)
    }

    /// Lets go of the hubs of names that no cell has, once their last stream has ended.
    fn forget_unused(&mut self) {
        let existing = &self.existing;
        self.hubs.retain(|name, hub| {
            let empty = || hub.snapshot().owners().all(|owner| owner == Owner::Platform);
            existing.contains(name) || Arc::strong_count(hub) > 1 || !empty()
        });
    }

    fn group(&self, owner: Owner) -> Vec<Named> {
        let known = self.placed.get(&owner).and_then(|cells| self.hubs.get(cells.first()?));
        known.map(|hub| hub.snapshot().group(owner)).unwrap_or_default()
    }

    fn in_cells(&self, owner: Owner, content: Content) -> BTreeMap<CellName, Vec<Named>> {
        match content {
            Content::PerCell(content) => content,
            Content::Same(cells, resources) => {
                cells.iter().map(|cell| (cell.clone(), resources.clone())).collect()
            }
            Content::Kept(cells) => {
                let resources = self.group(owner);
                cells.iter().map(|cell| (cell.clone(), resources.clone())).collect()
            }
        }
    }
}

/// Gives the metric its help text.
pub(crate) fn describe() {
    describe_gauge!(CELLS, "Cells that there are");
}

fn union(mut all: Changed, mut more: Changed) -> Changed {
    all.append(&mut more);
    all
}

#[cfg(test)]
#[path = "cells_tests.rs"]
mod tests;
