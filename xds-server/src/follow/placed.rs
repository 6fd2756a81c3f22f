//! The cells of sites, as of the last change that was applied.

use std::collections::{BTreeMap, HashMap};

use policy::cell::CellName;
use policy::id::SiteId;
use store::desired::CellSet;

/// The cells of every site. They tell to which cells a credential goes, without a look into the
/// database.
#[derive(Debug, Default)]
pub(super) struct Placed {
    of_site: HashMap<SiteId, CellSet>,
}

impl Placed {
    pub(super) fn put(&mut self, site: SiteId, cells: CellSet) {
        self.of_site.insert(site, cells);
    }

    pub(super) fn remove(&mut self, site: SiteId) {
        self.of_site.remove(&site);
    }

    pub(super) fn cells(&self, site: SiteId) -> Option<&CellSet> {
        self.of_site.get(&site)
    }

    /// Gives each cell the items of the sites that are placed on it. Items of a site that is not
    /// known are left out: the change that makes the site is still to come, and brings its
    /// credentials again.
    pub(super) fn split<T: Clone>(
        &self,
        items: Vec<T>,
        site_of: impl Fn(&T) -> SiteId,
    ) -> BTreeMap<CellName, Vec<T>> {
        let mut dealt: BTreeMap<CellName, Vec<T>> = BTreeMap::new();
        for item in items {
            let Some(cells) = self.of_site.get(&site_of(&item)) else { continue };
            let mut cells = cells.iter();
            let Some(first) = cells.next() else { continue };
            for cell in cells {
                give(&mut dealt, cell, item.clone());
            }
            give(&mut dealt, first, item);
        }
        dealt
    }
}

fn give<T>(dealt: &mut BTreeMap<CellName, Vec<T>>, cell: &CellName, item: T) {
    // Most cells are there already: no name is cloned for them.
    match dealt.get_mut(cell) {
        Some(items) => items.push(item),
        None => {
            dealt.insert(cell.clone(), vec![item]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use policy::id::Uuid;

    use super::*;

    fn site(number: u128) -> SiteId {
        SiteId(Uuid::from_u128(number))
    }

    #[test]
    fn each_cell_gets_what_is_placed_on_it() {
        let mut placed = Placed::default();
        for (number, cells) in [(1, vec!["a"]), (2, vec!["a", "b"]), (3, vec!["b"])] {
            let cells: BTreeSet<CellName> =
                cells.into_iter().map(|name| name.parse().unwrap()).collect();
            placed.put(site(number), Arc::new(cells));
        }
        placed.put(site(4), CellSet::default());
        let dealt = placed.split(vec![1, 2, 3, 4, 5], |number| site(*number));
        let dealt: Vec<_> =
            dealt.iter().map(|(cell, items)| (cell.as_str(), items.as_slice())).collect();
        assert_eq!(dealt, [("a", &[1, 2][..]), ("b", &[2, 3])]);
    }
}
