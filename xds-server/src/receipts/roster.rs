//! The open streams, and the facts about them that are not written down yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use policy::desired::LeftOut;
use policy::id::{SiteId, Uuid};
use store::envoy::StreamState;
use store::left_out::Bucket;
use store::quarantine::Refusal;
use tokio::sync::Notify;

use crate::node::Client;

/// Shared by the streams, which change it, and the recorder, which writes it down.
#[derive(Debug, Default)]
pub struct Roster {
    state: Mutex<State>,
    news: Notify,
}

/// The facts to be written. While the database is away they wait, one entry for each thing, so that
/// they are bounded.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// The refusals, by site and Envoy. They are written first: a reader that learns that an Envoy
    /// has answered a change has to learn that it refused it.
    pub(crate) refusals: BTreeMap<(SiteId, Option<String>), Refusal>,
    /// The sites that have recovered, with the digest of what had been refused.
    pub(crate) released: BTreeMap<SiteId, [u8; 32]>,
    /// The sites that were changed, and still have the resources that were refused.
    pub(crate) still: BTreeMap<SiteId, ([u8; 32], i64)>,
    /// The buckets of which other parts are left out than before.
    pub(crate) left_out: BTreeMap<Bucket, Vec<LeftOut>>,
    /// The only buckets that have parts left out, after everything was read.
    pub(crate) only: Option<BTreeSet<Bucket>>,
    /// The streams whose state has changed, with the new state.
    pub(crate) streams: Vec<StreamState>,
    /// The streams that have ended.
    pub(crate) ended: BTreeSet<Uuid>,
}

#[derive(Debug, Default)]
struct State {
    streams: BTreeMap<Uuid, StreamState>,
    changed: BTreeSet<Uuid>,
    news: News,
}

/// The place of one stream. It is given up when it is dropped.
#[derive(Debug)]
pub struct Seat {
    roster: Arc<Roster>,
    id: Uuid,
    acked_seq: Option<i64>,
}

impl Roster {
    /// Takes in a stream.
    pub fn enter(self: &Arc<Self>, client: &Client) -> Seat {
        let id = store::new_id();
        let state = StreamState {
            id,
            node_id: client.id.clone(),
            kind: client.kind,
            cell: client.cell.clone(),
            version: client.version.clone(),
            acked_seq: None,
        };
        self.change(|roster| {
            roster.streams.insert(id, state);
            roster.changed.insert(id);
        });
        Seat { roster: Arc::clone(self), id, acked_seq: None }
    }

    /// Has a refusal written down.
    pub fn refused(&self, refusal: Refusal) {
        let key = (refusal.site, refusal.node_id.clone());
        self.change(|state| {
            state.news.released.remove(&refusal.site);
            state.news.refusals.insert(key, refusal);
        });
    }

    /// Has the end of a quarantine written down.
    pub fn released(&self, site: SiteId, digest: [u8; 32]) {
        self.change(|state| {
            state.news.still.remove(&site);
            state.news.released.insert(site, digest);
        });
    }

    /// Has it written down that a site still has the refused resources, as of this change.
    pub fn still(&self, site: SiteId, digest: [u8; 32], seq: i64) {
        self.change(|state| {
            // The good state between the two was never written down, and need not be.
            state.news.released.remove(&site);
            state.news.still.insert(site, (digest, seq));
        });
    }

    /// Has it written down which parts of a bucket are left out.
    pub fn left_out(&self, bucket: Bucket, parts: Vec<LeftOut>) {
        self.change(|state| {
            state.news.left_out.insert(bucket, parts);
        });
    }

    /// Has it written down that no other bucket has parts that are left out.
    pub fn left_out_only(&self, buckets: BTreeSet<Bucket>) {
        self.change(|state| state.news.only = Some(buckets));
    }

    /// Waits until something is to be written.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// Takes what is to be written; with `all`, every stream, so that it is known to live.
    pub(crate) fn take(&self, all: bool) -> News {
        let mut state = self.lock();
        let changed = std::mem::take(&mut state.changed);
        let mut news = std::mem::take(&mut state.news);
        let streams = state.streams.values().filter(|stream| all || changed.contains(&stream.id));
        news.streams = streams.cloned().collect();
        news
    }

    /// Puts back the facts that could not be written. Those that came meanwhile are newer.
    pub(super) fn put_back(&self, mut news: News) {
        let mut state = self.lock();
        let now = std::mem::take(&mut state.news);
        let refused: BTreeSet<_> =
            now.refusals.keys().map(|(site, _)| site).chain(now.still.keys()).collect();
        news.released.retain(|site, _| !refused.contains(site));
        news.still.retain(|site, _| !now.released.contains_key(site));
        state.changed.extend(news.streams.iter().map(|stream| stream.id));
        state.news = News {
            refusals: merged(news.refusals, now.refusals),
            released: merged(news.released, now.released),
            still: merged(news.still, now.still),
            left_out: merged(news.left_out, now.left_out),
            only: now.only.or(news.only),
            streams: Vec::new(),
            ended: news.ended.into_iter().chain(now.ended).collect(),
        };
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        self.refusals.is_empty()
            && self.released.is_empty()
            && self.still.is_empty()
            && self.left_out.is_empty()
            && self.only.is_none()
            && self.streams.is_empty()
            && self.ended.is_empty()
    }
}

impl Seat {
    /// Says how far the stream is now.
    pub fn acked(&mut self, acked_seq: Option<i64>) {
        if acked_seq == self.acked_seq {
            return;
        }
        self.acked_seq = acked_seq;
        let id = self.id;
        self.roster.change(|state| {
            if let Some(stream) = state.streams.get_mut(&id) {
                stream.acked_seq = acked_seq;
                state.changed.insert(id);
            }
        });
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let id = self.id;
        self.roster.change(|state| {
            state.streams.remove(&id);
            state.changed.remove(&id);
            state.news.ended.insert(id);
        });
    }
}

fn merged<K: Ord, V>(mut older: BTreeMap<K, V>, newer: BTreeMap<K, V>) -> BTreeMap<K, V> {
    older.extend(newer);
    older
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ads::Stream;
    use xds_api::pb::envoy::config::core::v3::Node;

    fn client(id: &str) -> Client {
        Client::read(&Node { id: id.to_owned(), ..Default::default() }).unwrap()
    }

    #[test]
    fn only_what_is_new_is_written() {
        let roster = Arc::new(Roster::default());
        let (mut first, second) = (roster.enter(&client("a")), roster.enter(&client("b")));
        assert_eq!(roster.take(false).streams.len(), 2);
        assert!(roster.take(false).is_empty());
        first.acked(Some(7));
        first.acked(Some(7));
        let news = roster.take(false);
        assert_eq!(
            news.streams.iter().map(|stream| stream.acked_seq).collect::<Vec<_>>(),
            [Some(7)]
        );
        assert_eq!(roster.take(true).streams.len(), 2, "a sign of life");
        drop(second);
        let news = roster.take(true);
        assert_eq!((news.streams.len(), news.ended.len()), (1, 1));
        assert_eq!(Stream::new().acked_seq(), None);
    }

    #[test]
    fn what_is_refused_again_was_not_released() {
        let (roster, site) = (Roster::default(), SiteId(Uuid::nil()));
        roster.released(site, [1; 32]);
        roster.still(site, [1; 32], 7);
        let news = roster.take(false);
        assert!(news.released.is_empty() && news.still.contains_key(&site), "{news:?}");
        roster.still(site, [1; 32], 8);
        roster.released(site, [1; 32]);
        let news = roster.take(false);
        assert!(news.still.is_empty() && news.released.contains_key(&site), "{news:?}");
        roster.still(site, [1; 32], 9);
        roster.put_back(news);
        let news = roster.take(false);
        assert!(
            news.released.is_empty() && news.still.contains_key(&site),
            "what was put back is older: {news:?}"
        );
    }

    #[test]
    fn what_could_not_be_written_waits_and_what_came_meanwhile_is_newer() {
        let roster = Arc::new(Roster::default());
        let mut seat = roster.enter(&client("a"));
        seat.acked(Some(1));
        roster.still(SiteId(Uuid::nil()), [1; 32], 1);
        let news = roster.take(false);
        seat.acked(Some(2));
        roster.still(SiteId(Uuid::nil()), [1; 32], 2);
        roster.put_back(news);
        let news = roster.take(false);
        assert_eq!(news.streams[0].acked_seq, Some(2));
        assert_eq!(news.still[&SiteId(Uuid::nil())], ([1; 32], 2));
    }
}
