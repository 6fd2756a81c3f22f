//! The table of all connections, and the choice of the one that has to go.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::activity::{Activity, Worth};

/// The open connections, by the network of their client.
#[derive(Debug)]
pub(super) struct Crowd {
    most: usize,
    most_of_network: usize,
    next: u64,
    members: HashMap<u64, Member>,
    /// The number of connections of each network that has some.
    networks: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Member {
    network: IpAddr,
    is_proxy: bool,
    activity: Arc<Activity>,
}

/// The answer to a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// It has a place, with this number.
    At(u64),
    /// There is none: each that could go has a request under way, and no more than its share.
    Refused,
}

impl Crowd {
    /// An empty table of `most` places, of which one network has `most_of_network`.
    pub(super) fn new(most: usize, most_of_network: usize) -> Self {
        let (members, networks) = (HashMap::new(), HashMap::new());
        Self { most, most_of_network, next: 0, members, networks }
    }

    /// Gives a new connection a place, and another one up for it if there is none.
    ///
    /// A network that has its most gives up one of its own that has no request. In a full table the
    /// network with most connections gives up its idlest, even one with a request if the newcomer's
    /// network has fewer. A proxy has no most, and loses no request.
    pub(super) fn enter(
        &mut self,
        network: IpAddr,
        is_proxy: bool,
        activity: Arc<Activity>,
    ) -> Entered {
        let own = self.of(network);
        let victim = if !is_proxy && own >= self.most_of_network {
            self.idlest(|member| member.network == network, false, own)
        } else if self.members.len() >= self.most {
            self.idlest(|_| true, true, own)
        } else {
            return self.insert(Member { network, is_proxy, activity });
        };
        let Some(victim) = victim else { return Entered::Refused };
        self.give_up(victim);
        self.insert(Member { network, is_proxy, activity })
    }

    /// Gives one connection up, because the process can open no further one.
    pub(super) fn make_room(&mut self) {
        if let Some(victim) = self.idlest(|_| true, true, 0) {
            self.give_up(victim);
        }
    }

    /// Frees the place of a connection that has ended, if it still has it.
    pub(super) fn leave(&mut self, place: u64) {
        let Some(member) = self.members.remove(&place) else { return };
        let left = self.of(member.network).saturating_sub(1);
        if left == 0 {
            self.networks.remove(&member.network);
        } else {
            self.networks.insert(member.network, left);
        }
    }

    fn of(&self, network: IpAddr) -> usize {
        self.networks.get(&network).copied().unwrap_or_default()
    }

    fn insert(&mut self, member: Member) -> Entered {
        let place = self.next;
        self.next += 1;
        *self.networks.entry(member.network).or_default() += 1;
        self.members.insert(place, member);
        Entered::At(place)
    }

    fn give_up(&mut self, place: u64) {
        if let Some(member) = self.members.get(&place) {
            member.activity.give_up();
        }
        self.leave(place);
    }

    /// The idlest connection of the network with most of them, among those that may go for a
    /// newcomer whose network has `own`. A full table is some thousand rows: no order is kept.
    fn idlest(&self, among: impl Fn(&Member) -> bool, breaks: bool, own: usize) -> Option<u64> {
        let candidates = self.members.iter().filter(|(_, member)| among(member));
        let worths = candidates.filter_map(|(place, member)| {
            let of_network = self.of(member.network);
            let worth: Worth = member.activity.worth();
            let (is_busy, since) = worth;
            let may_go = !is_busy || (breaks && !member.is_proxy && of_network > own + 1);
            may_go.then_some(((std::cmp::Reverse(of_network), is_busy, since), *place))
        });
        worths.min().map(|(_, place)| place)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    struct Table {
        crowd: Crowd,
        start: Instant,
        activities: HashMap<u64, Arc<Activity>>,
    }

    impl Table {
        fn new(most: usize, most_of_network: usize) -> Self {
            let crowd = Crowd::new(most, most_of_network);
            Self { crowd, start: Instant::now(), activities: HashMap::new() }
        }

        /// A connection that has been silent since this second.
        fn enter(&mut self, network: &str, is_proxy: bool, second: u64) -> Option<u64> {
            let since = self.start + Duration::from_secs(second);
            let activity = Arc::new(Activity::new(since));
            let network = network.parse().unwrap();
            match self.crowd.enter(network, is_proxy, Arc::clone(&activity)) {
                Entered::At(place) => {
                    self.activities.insert(place, activity);
                    Some(place)
                }
                Entered::Refused => None,
            }
        }

        fn has(&self, place: Option<u64>) -> bool {
            self.crowd.members.contains_key(&place.unwrap())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_network_with_most_gives_up_its_idlest() {
        let mut table = Table::new(4, 4);
        let first = table.enter("192.0.2.1", false, 5);
        let idlest = table.enter("192.0.2.1", false, 1);
        let third = table.enter("192.0.2.1", false, 3);
        let other = table.enter("192.0.2.2", false, 0);
        let newcomer = table.enter("192.0.2.3", false, 9);
        assert!(!table.has(idlest) && table.has(first) && table.has(third));
        assert!(table.has(other) && table.has(newcomer), "though it was idle for longer");
        // Of networks that have as many, the idlest of all goes.
        table.enter("192.0.2.4", false, 9).unwrap();
        assert!(!table.has(third));
        table.enter("192.0.2.5", false, 9).unwrap();
        assert!(!table.has(other));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_end_for_a_newcomer_with_fewer_connections_alone() {
        let mut table = Table::new(3, 3);
        let places = [0, 1, 2].map(|second| table.enter("192.0.2.1", false, second).unwrap());
        let requests = places.map(|place| table.activities[&place].request());
        assert_eq!(table.enter("192.0.2.1", false, 9), None, "it has its most");
        let newcomer = table.enter("192.0.2.2", false, 9);
        assert!(table.has(newcomer) && !table.has(Some(places[0])));
        let _kept = table.activities[&newcomer.unwrap()].request();
        assert_eq!(table.enter("192.0.2.2", false, 9), None, "it would have as many");
        drop(requests);
        assert!(table.enter("192.0.2.2", false, 9).is_some(), "one is idle now");
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_has_its_most_and_a_proxy_has_none() {
        let mut table = Table::new(8, 2);
        let first = table.enter("2001:db8::", false, 0);
        table.enter("2001:db8::", false, 1).unwrap();
        table.enter("2001:db8::", false, 2).unwrap();
        assert!(!table.has(first), "its own idlest makes room");
        let proxied = [0; 6].map(|_| table.enter("10.0.0.1", true, 0).unwrap());
        let requests = proxied.map(|place| table.activities[&place].request());
        table.enter("192.0.2.1", false, 9).unwrap();
        assert_eq!(table.crowd.of("10.0.0.1".parse().unwrap()), 6, "no request of a proxy ends");
        assert_eq!(table.crowd.of("2001:db8::".parse().unwrap()), 1);
        drop(requests);
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_given_back() {
        let mut table = Table::new(1, 1);
        for _ in 0..3 {
            let place = table.enter("192.0.2.1", false, 0).unwrap();
            table.crowd.leave(place);
            table.crowd.leave(place);
        }
        assert!(table.crowd.networks.is_empty() && table.crowd.members.is_empty());
        let place = table.enter("192.0.2.1", false, 0);
        table.crowd.make_room();
        assert!(!table.has(place));
        table.activities[&place.unwrap()].given_up().await;
    }
}
