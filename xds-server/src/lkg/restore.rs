//! From what was stored to what is served.

use std::collections::{BTreeMap, BTreeSet};

use policy::cell::CellName;
use policy::wire::SYNC_NAME;

use super::record::{Entry, State};
use crate::cells::{Cells, Content, Group};
use crate::resource::{Named, Resource, ResourceType};
use crate::snapshot::Owner;

/// What stands for a cell, whether or not there is something in it: nothing that is served has this owner and is stored.
pub(super) fn mark(cell: &str) -> Entry<'_> {
    Entry { cell, kind: ResourceType::Sync, name: SYNC_NAME, content: Some((Owner::Platform, &[])) }
}

impl State {
    /// Puts everything into the cells. Returns how many resources that are.
    pub fn restore(self, cells: &Cells) -> usize {
        let mut existing: BTreeSet<CellName> = BTreeSet::new();
        let mut groups: BTreeMap<Owner, BTreeMap<CellName, Vec<Named>>> = BTreeMap::new();
        let mut count = 0;
        for ((cell, kind, name), (owner, bytes)) in self.resources {
            // Every name was one when it was stored.
            let Ok(cell) = cell.parse::<CellName>() else { continue };
            if owner == Owner::Platform {
                existing.insert(cell);
                continue;
            }
            count += 1;
            let resource = Resource::new(kind, bytes);
            groups.entry(owner).or_default().entry(cell).or_default().push(Named { kind, name, resource });
        }
        cells.set_existing(existing);
        let groups = groups.into_iter().map(|(owner, content)| Group { owner, content: Content::PerCell(content) });
        cells.apply(groups.collect());
        if let Some(commit) = self.commit {
            cells.reached(commit.seq);
        }
        count
    }
}
