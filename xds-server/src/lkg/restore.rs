//! From the stored state to the served one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use policy::cell::CellName;
use policy::wire::SYNC_NAME;

use tracing::{error, info, warn};

use super::files::StateDir;
use super::record::{Commit, Entry, State};
use crate::cells::{Cells, Content, Group};
use crate::freshness::Source;
use crate::resource::{Named, Resource, ResourceType};
use crate::snapshot::Owner;

/// The time that PostgreSQL has to be read before the stored state is served. If it turns out to be
/// away at once, the wait ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// Puts the stored state into the cells, and returns its last transaction. The state in PostgreSQL
/// is newer: [`serve_restored`] decides when this one is served. Files that cannot be used are
/// reported, and the start is one without a stored state.
pub fn restore(dir: &StateDir, cells: &Cells) -> Option<Commit> {
    let loaded = match dir.load() {
        Ok(Some(loaded)) => loaded,
        Ok(None) => {
            info!("nothing is stored yet");
            return None;
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            error!(%error, cause, "there is no stored state to start from");
            return None;
        }
    };
    let commit = loaded.state.commit?;
    let resources = loaded.state.restore(cells);
    let torn_bytes = loaded.torn_bytes;
    info!(seq = commit.seq, resources, torn_bytes, "read the stored state");
    Some(commit)
}

/// Serves the restored state if PostgreSQL turns out to be away, or takes its time. Ends when it is
/// decided.
pub async fn serve_restored(commit: Commit, cells: Arc<Cells>) {
    let freshness = cells.freshness();
    tokio::select! {
        () = freshness.from_database() => return,
        () = freshness.lost() => {}
        () = tokio::time::sleep(PATIENCE) => {}
    }
    if freshness.source() == Source::Nothing {
        freshness.set_source(Source::Disk { seq: commit.seq, at_ms: commit.at_ms });
        cells.set_loaded();
        warn!(seq = commit.seq, "PostgreSQL is away; what was stored is served");
    }
}

/// The mark of a cell, with or without resources in it: no served resource has this owner and is
/// stored.
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
            groups.entry(owner).or_default().entry(cell).or_default().push(Named {
                kind,
                name,
                resource,
            });
        }
        cells.set_existing(existing);
        let groups = groups
            .into_iter()
            .map(|(owner, content)| Group { owner, content: Content::PerCell(content) });
        cells.apply(groups.collect());
        if let Some(commit) = self.commit {
            cells.reached(commit.seq);
        }
        count
    }
}
