//! The floors: which room of a crate may import which. The list is the one that ARCHITECTURE.md
//! shows, in blocks that begin with ```` ```floors ````.

use std::collections::BTreeMap;

use crate::imports::{Arrow, arrows};
use crate::modules::{self, Modules};
use crate::sources;

/// The floor of each room of a crate, the highest first.
type Floors = BTreeMap<String, usize>;

/// The blocks of ARCHITECTURE.md, by the folder of source that each is about.
fn documented() -> BTreeMap<String, Floors> {
    let page = sources::read("ARCHITECTURE.md");
    let blocks = page.split("```floors\n").skip(1).map(|rest| rest.split("```").next());
    blocks
        .flatten()
        .map(|block| {
            let mut lines = block.lines();
            let src = lines.next().expect("a floors block names its folder first").to_owned();
            let rooms = lines.enumerate().flat_map(|(floor, line)| {
                line.split_whitespace().map(move |room| (room.to_owned(), floor))
            });
            (src, rooms.collect())
        })
        .collect()
}

/// Returns a sentence for each thing that a crate does against its floors.
fn faults(src: &str, floors: &Floors, modules: &Modules) -> Vec<String> {
    let rooms: Vec<_> =
        modules.keys().filter(|path| path.len() == 1).map(|path| &path[0]).collect();
    let unlisted = rooms
        .iter()
        .filter(|room| !floors.contains_key(**room))
        .map(|room| format!("{src}: `{room}` stands on no floor; give it one in ARCHITECTURE.md"));
    let gone = floors
        .keys()
        .filter(|room| !rooms.contains(room))
        .map(|room| format!("{src}: ARCHITECTURE.md gives a floor to `{room}`, which is gone"));
    let upward = arrows(modules).into_iter().filter_map(|arrow| {
        let (from, to) = (arrow.from.first()?, arrow.to.first()?);
        let (above, below) = (floors.get(from)?, floors.get(to)?);
        (from != to && above >= below)
            .then(|| format!("{}: `{from}` does not stand above `{to}`", arrow.line))
    });
    unlisted.chain(gone).chain(upward).collect()
}

fn no_room_imports_another(modules: &Modules) -> bool {
    let rooms = |arrow: &Arrow| Some((arrow.from.first()?.clone(), arrow.to.first()?.clone()));
    arrows(modules).iter().filter_map(rooms).all(|(from, to)| from == to)
}

#[test]
fn each_room_imports_only_from_lower_floors() {
    let documented = documented();
    let mut found = Vec::new();
    for src in sources::crates() {
        let modules = modules::read(&src);
        match documented.get(&src) {
            Some(floors) => found.extend(faults(&src, floors, &modules)),
            None if no_room_imports_another(&modules) => {}
            None => found.push(format!("{src}: ARCHITECTURE.md has no block of floors for it")),
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
