use std::cell::{Cell, RefCell};

use proptest::prelude::*;

use super::*;
use crate::{
    id::Uuid,
    limit::testing::{Map, seed},
};

const NOW_MS: u64 = 1_700_000_000_000;

fn tenant(number: u128) -> TenantId {
    TenantId(Uuid::from_u128(number))
}

fn entered(gate: &mut Gate, id: TenantId, limit: u32, now_ms: u64, map: &mut Map) -> bool {
    gate.enter(id, Some(limit), 1, now_ms, map) == Entrance::Entered
}

#[test]
fn a_limit_counts_over_all_vms_and_ends_return_at_once_when_it_is_small() {
    let (id, mut map) = (tenant(1), Map::default());
    let (mut one, mut two) = (Gate::new(seed(), 1, u32::MAX), Gate::new(seed(), 2, u32::MAX));
    assert!(
        entered(&mut one, id, 2, NOW_MS, &mut map) && entered(&mut two, id, 2, NOW_MS, &mut map)
    );
    assert!(
        !entered(&mut one, id, 2, NOW_MS, &mut map) && !entered(&mut two, id, 2, NOW_MS, &mut map)
    );
    one.leave(id, NOW_MS, &mut map);
    assert!(entered(&mut two, id, 2, NOW_MS + FULL_MS, &mut map));
    assert!(!entered(&mut one, id, 2, NOW_MS + FULL_MS, &mut map));
}

#[test]
fn with_plenty_of_room_there_is_no_host_call() {
    let (id, mut map) = (tenant(1), Map::default());
    let mut gate = Gate::new(seed(), 1, u32::MAX);
    assert!(entered(&mut gate, id, 1_000, NOW_MS, &mut map));
    map.calls = 0;
    for _ in 0..1_000 {
        assert!(entered(&mut gate, id, 1_000, NOW_MS, &mut map));
        gate.leave(id, NOW_MS, &mut map);
    }
    assert_eq!(map.calls, 0);
}

#[test]
fn spares_return_with_the_flush_after_the_last_use() {
    let (id, mut map) = (tenant(1), Map::default());
    let (mut one, mut two) = (Gate::new(seed(), 1, u32::MAX), Gate::new(seed(), 2, u32::MAX));
    assert!(entered(&mut one, id, 100, NOW_MS, &mut map));
    one.leave(id, NOW_MS, &mut map);
    one.flush(NOW_MS, &mut map);
    one.flush(NOW_MS, &mut map);
    assert_eq!((0..200).filter(|_| entered(&mut two, id, 100, NOW_MS, &mut map)).count(), 100);
    assert!(one.tenants.is_empty());
}

#[test]
fn the_slots_of_a_dead_vm_return_and_those_of_a_living_one_do_not() {
    let (id, mut map) = (tenant(1), Map::default());
    let [mut dead, mut idle, mut next] = [1, 2, 3].map(|vm| Gate::new(seed(), vm, u32::MAX));
    assert!(
        entered(&mut dead, id, 2, NOW_MS, &mut map) && entered(&mut idle, id, 2, NOW_MS, &mut map)
    );
    drop(dead);
    let mut free_at = None;
    for now_ms in (NOW_MS..NOW_MS + 60_000).step_by(1_000) {
        idle.flush(now_ms, &mut map);
        if entered(&mut next, id, 2, now_ms, &mut map) {
            assert_eq!(
                free_at.replace(now_ms - NOW_MS),
                None,
                "the slot of the living one was taken"
            );
        }
        next.flush(now_ms, &mut map);
    }
    assert_eq!(free_at, Some(DEAD_AFTER_MS + GRACE_MS));
}

#[test]
fn a_leap_of_the_clock_takes_no_slot_of_the_living() {
    for leap in [1_000_000i64, -1_000_000] {
        let (id, mut map) = (tenant(1), Map::default());
        let [mut one, mut two] = [1, 2].map(|vm| Gate::new(seed(), vm, u32::MAX));
        assert!(entered(&mut one, id, 1, NOW_MS, &mut map));
        let leapt_ms = NOW_MS.saturating_add_signed(leap);
        for second in 0..60 {
            let now_ms = leapt_ms + second * 1_000;
            assert!(!entered(&mut two, id, 1, now_ms, &mut map));
            one.flush(now_ms, &mut map);
        }
    }
}

#[test]
fn a_noisy_tenant_is_shed_and_the_others_pass() {
    let (noisy, quiet, heavy, mut map) = (tenant(1), tenant(2), tenant(3), Map::default());
    let mut gate = Gate::new(seed(), 1, 100);
    let mut enter = |gate: &mut Gate, id, weight| gate.enter(id, None, weight, NOW_MS, &mut map);
    assert_eq!((0..500).filter(|_| enter(&mut gate, noisy, 1) == Entrance::Entered).count(), 100);
    assert_eq!(enter(&mut gate, noisy, 1), Entrance::Shed);
    // Two tenants of equal weight: half of the threshold each.
    assert_eq!((0..500).filter(|_| enter(&mut gate, quiet, 1) == Entrance::Entered).count(), 50);
    // And one that weighs as much as both.
    assert_eq!((0..500).filter(|_| enter(&mut gate, heavy, 2) == Entrance::Entered).count(), 50);
    assert_eq!(gate.in_flight(), 200);
    for _ in 0..150 {
        gate.leave(noisy, NOW_MS, &mut Map::default());
    }
    assert_eq!(gate.in_flight(), 100, "what did not enter cannot leave");
    assert_eq!(gate.weight, 3);
}

#[test]
fn tenants_beyond_the_bound_are_shed() {
    let (mut gate, mut map) = (Gate::new(seed(), 1, u32::MAX), Map::default());
    for number in 0..TENANTS_MAX as u128 {
        assert_eq!(gate.enter(tenant(number), None, 1, NOW_MS, &mut map), Entrance::Entered);
    }
    assert_eq!(gate.enter(tenant(u128::MAX), None, 1, NOW_MS, &mut map), Entrance::Shed);
    assert_eq!(gate.enter(tenant(5), None, 1, NOW_MS, &mut map), Entrance::Entered);
    gate.leave(tenant(6), NOW_MS, &mut map);
    gate.flush(NOW_MS, &mut map);
    assert_eq!(gate.enter(tenant(u128::MAX), None, 1, NOW_MS, &mut map), Entrance::Entered);
}

/// No tenant is shed for the number of tenants that have a request between two flushes: those
/// before make room, and return the slots that they held.
#[test]
fn tenants_without_a_request_in_flight_make_room() {
    for limit in [None, Some(100)] {
        let (mut gate, mut map) = (Gate::new(seed(), 1, u32::MAX), Map::default());
        let stays = tenant(u128::MAX);
        assert_eq!(gate.enter(stays, limit, 1, NOW_MS, &mut map), Entrance::Entered);
        for number in 0..12_000 {
            assert_eq!(gate.enter(tenant(number), limit, 1, NOW_MS, &mut map), Entrance::Entered);
            gate.leave(tenant(number), NOW_MS, &mut map);
        }
        assert!(gate.tenants.len() <= TENANTS_MAX, "{} tenants are kept", gate.tenants.len());
        assert_eq!((gate.active, gate.in_flight(), gate.weight), (1, 1, 1));
        for number in 0..2 {
            gate.flush(NOW_MS + number, &mut map);
        }
        assert_eq!(gate.tenants.keys().collect::<Vec<_>>(), [&stays]);
        let mut other = Gate::new(seed(), 2, u32::MAX);
        for id in [tenant(0), tenant(11_999)] {
            let entered = (0..101)
                .filter(|_| other.enter(id, Some(100), 1, NOW_MS, &mut map) == Entrance::Entered);
            assert_eq!(entered.count(), 100, "all slots came back");
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Enter(usize),
    Leave(usize),
    Flush,
}

/// VMs that interrupt each other between any two host calls.
struct Vms {
    gates: Vec<RefCell<Gate>>,
    map: RefCell<Map>,
    script: RefCell<std::vec::IntoIter<(usize, Act, u8)>>,
    in_flight: Cell<u32>,
    limit: u32,
    broken: Cell<Option<&'static str>>,
}

struct Interrupted<'a>(&'a Vms, u8);

impl Interrupted<'_> {
    fn interrupt(&mut self) {
        if self.1 & 1 == 1 {
            self.0.step();
        }
        self.1 >>= 1;
    }
}

impl Cells for Interrupted<'_> {
    fn read(&mut self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.interrupt();
        self.0.map.borrow_mut().read(name)
    }

    fn write(&mut self, name: &str, value: &[u8], cas: Option<u32>) -> bool {
        self.interrupt();
        self.0.map.borrow_mut().write(name, value, cas)
    }
}

impl Vms {
    fn step(&self) -> bool {
        let Some((vm, act, interrupted)) = self.script.borrow_mut().next() else { return false };
        let Ok(mut gate) = self.gates[vm].try_borrow_mut() else { return true };
        let mut cells = Interrupted(self, interrupted);
        match act {
            Act::Enter(count) => (0..count).for_each(|_| self.enter(&mut gate, &mut cells)),
            Act::Leave(count) => {
                for _ in 0..count.min(gate.in_flight() as usize) {
                    // It ends before its slot is free again.
                    self.in_flight.set(self.in_flight.get() - 1);
                    gate.leave(tenant(1), NOW_MS, &mut cells);
                }
            }
            Act::Flush => gate.flush(NOW_MS, &mut cells),
        }
        true
    }

    fn enter(&self, gate: &mut Gate, cells: &mut Interrupted<'_>) {
        if entered_in(gate, self.limit, cells) {
            self.in_flight.set(self.in_flight.get() + 1);
            if self.in_flight.get() > self.limit {
                self.broken.set(Some("more in flight than the limit"));
            }
        }
    }
}

fn entered_in(gate: &mut Gate, limit: u32, cells: &mut Interrupted<'_>) -> bool {
    gate.enter(tenant(1), Some(limit), 1, NOW_MS, cells) == Entrance::Entered
}

proptest! {
    #[test]
    fn no_interleaving_exceeds_the_limit_and_nothing_is_lost(
        limit in prop_oneof![0u32..6, 6u32..300],
        script in prop::collection::vec(
            (
                0usize..4,
                prop_oneof![
                    5 => prop_oneof![Just(1), 1usize..80].prop_map(Act::Enter),
                    4 => prop_oneof![Just(1), 1usize..80].prop_map(Act::Leave),
                    1 => Just(Act::Flush),
                ],
                prop_oneof![Just(0), any::<u8>()],
            ),
            1..120,
        ),
    ) {
        let vms = Vms {
            gates: (0..4).map(|vm| RefCell::new(Gate::new(seed(), vm, u32::MAX))).collect(),
            map: RefCell::default(),
            script: RefCell::new(script.into_iter()),
            in_flight: Cell::new(0),
            limit,
            broken: Cell::new(None),
        };
        while vms.step() {}
        prop_assert_eq!(vms.broken.get(), None);
        // With all spares returned, a newcomer gets exactly the slots that are not in flight.
        let mut map = vms.map.borrow_mut();
        for gate in &vms.gates {
            gate.borrow_mut().flush(NOW_MS, &mut *map);
            gate.borrow_mut().flush(NOW_MS, &mut *map);
        }
        let mut newcomer = Gate::new(seed(), 9, u32::MAX);
        let mut enters = || entered(&mut newcomer, tenant(1), limit, NOW_MS, &mut map);
        let free = (0..400).filter(|_| enters()).count();
        prop_assert_eq!(free, (limit - vms.in_flight.get()) as usize);
    }
}
