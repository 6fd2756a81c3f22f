//! The placement of resources in cells.

use policy::id::{SiteId, Uuid};

use super::*;

const OWNER: Owner = Owner::Site(SiteId(Uuid::from_u128(1)));

fn cells(names: &[&str]) -> Arc<BTreeSet<CellName>> {
    Arc::new(names.iter().map(|name| name.parse().unwrap()).collect())
}

fn host(name: &str, content: &str) -> Named {
    let kind = ResourceType::Host;
    Named { kind, name: name.to_owned(), resource: Resource::new(kind, content.into()) }
}

/// The names of the hosts that an Envoy of a cell gets.
fn hosts(all: &Cells, cell: &str) -> Vec<String> {
    all.join(cell).hub.snapshot().names(ResourceType::Host).cloned().collect()
}

#[test]
fn a_cell_has_what_is_placed_on_it_and_nothing_else() {
    let all = Cells::default();
    all.apply(vec![Group::same(OWNER, cells(&["a", "b"]), vec![host("one", "1")])]);
    let two = Owner::Site(SiteId(Uuid::from_u128(2)));
    all.apply(vec![Group::same(two, cells(&["b"]), vec![host("two", "1")])]);
    assert_eq!(hosts(&all, "a"), ["one"]);
    assert_eq!(hosts(&all, "b"), ["one", "two"]);
    assert!(hosts(&all, "c").is_empty());
}

#[test]
fn a_move_adds_to_the_new_cell_and_takes_from_the_old_one() {
    let all = Cells::default();
    for (placed, a, b) in
        [(vec!["a"], 1, 0), (vec!["a", "b"], 1, 1), (vec!["b"], 0, 1), (vec![], 0, 0)]
    {
        all.apply(vec![Group::same(OWNER, cells(&placed), vec![host("one", "1")])]);
        assert_eq!((hosts(&all, "a").len(), hosts(&all, "b").len()), (a, b), "{placed:?}");
    }
    assert!(all.owners().is_empty());
}

#[test]
fn a_group_that_is_kept_moves_with_its_owner() {
    let all = Cells::default();
    all.apply(vec![Group::same(OWNER, cells(&["a"]), vec![host("one", "1")])]);
    all.apply(vec![Group { owner: OWNER, content: Content::Kept(cells(&["b"])) }]);
    assert_eq!((hosts(&all, "a").len(), hosts(&all, "b")), (0, vec!["one".to_owned()]));
}

#[test]
fn every_cell_has_the_platforms_resources_whenever_it_was_joined_and_whatever_its_name() {
    let all = Cells::default();
    let before = all.join("early").hub;
    all.set_platform(vec![host("api", "1")]);
    assert_eq!(before.snapshot().len(ResourceType::Host), 1);
    for name in ["late", "", "No Cell"] {
        assert_eq!(hosts(&all, name), ["api"], "{name}");
    }
}

#[test]
fn a_stream_of_a_cell_that_is_made_later_gets_its_tenants() {
    let all = Cells::default();
    let joined = all.join("new");
    assert!(!joined.known);
    all.set_existing(cells(&["new"]).as_ref().clone());
    all.apply(vec![Group::same(OWNER, cells(&["new"]), vec![host("one", "1")])]);
    assert_eq!(joined.hub.snapshot().len(ResourceType::Host), 1);
    assert!(all.join("new").known);
}

#[test]
fn names_that_no_cell_has_leave_nothing_behind() {
    let all = Cells::default();
    all.set_existing(cells(&["default"]).as_ref().clone());
    for number in 0..100 {
        all.join(&format!("made-up-{number}"));
    }
    assert!(all.hubs().len() <= 2, "{:?}", all.hubs().len());
}

#[test]
fn what_is_replaced_is_replaced_in_all_cells_of_its_owner_and_counted_once() {
    let all = Cells::default();
    all.apply(vec![Group::same(OWNER, cells(&["a", "b"]), vec![host("one", "1")])]);
    assert_eq!(all.replace(vec![(OWNER, host("one", "2"))]), 1);
    for cell in ["a", "b"] {
        let joined = all.join(cell);
        assert_eq!(joined.hub.snapshot().get(ResourceType::Host, "one").unwrap().body.value, b"2");
    }
    assert_eq!(all.get(OWNER, ResourceType::Host, "one").unwrap().body.value, b"2");
}
