//! Places that many parties share, so that no party has them all.
//!
//! Each party has a few places of its own, and all parties together have as many as there are to
//! give. A party that has its share waits, in a queue of its own that is bounded; it holds no place
//! meanwhile, and nobody else waits behind it.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The share of a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The places that it has at once.
    pub places: usize,
    /// Those that may wait for one of them.
    pub queue: usize,
}

/// Places, and the parties that have some or wait for one. Clones share them.
#[derive(Debug)]
pub struct Shares<K>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    all: Arc<Semaphore>,
    /// The parties that are present. An absent one has no entry, so the table is as long as there
    /// are requests.
    parties: Mutex<HashMap<K, Party>>,
}

#[derive(Debug)]
struct Party {
    own: Arc<Semaphore>,
    /// Those that have a place or wait for one.
    present: usize,
}

/// A place. It is given back when this is dropped: it goes to whatever does the work.
#[derive(Debug)]
pub struct Place {
    _own: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
    _presence: Box<dyn Send + Sync + Leaving>,
}

/// The party has its share, and as many wait as may; or the wait was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareTaken;

/// One of those that are present, until it is dropped.
#[derive(Debug)]
struct Presence<K: Eq + Hash> {
    inner: Arc<Inner<K>>,
    key: K,
}

/// Lets a [`Place`] forget the type of its party.
trait Leaving: Debug {}
impl<K: Eq + Hash + Debug> Leaving for Presence<K> {}

impl<K> Clone for Shares<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Clone + Debug + Eq + Hash + Send + Sync + 'static> Shares<K> {
    /// So many places for all parties together.
    pub fn new(places: usize) -> Self {
        let all = Arc::new(Semaphore::new(places));
        Self(Arc::new(Inner { all, parties: Mutex::default() }))
    }

    /// Takes a place of a party's share, and waits for it for a while.
    ///
    /// # Errors
    /// [`ShareTaken`] at once if as many wait as may, and after the wait if none became free.
    pub async fn take(&self, key: K, share: Share, wait: Duration) -> Result<Place, ShareTaken> {
        let (presence, own) = self.enter(key, share)?;
        let all = Arc::clone(&self.0.all);
        // The own place first: whoever waits for one of all holds nothing that others need.
        let both = async move { (own.acquire_owned().await, all.acquire_owned().await) };
        match tokio::time::timeout(wait, both).await {
            Ok((Ok(own), Ok(of_all))) => {
                Ok(Place { _own: own, _of_all: of_all, _presence: Box::new(presence) })
            }
            // The semaphores are never closed.
            _ => Err(ShareTaken),
        }
    }

    fn enter(&self, key: K, share: Share) -> Result<(Presence<K>, Arc<Semaphore>), ShareTaken> {
        let mut parties = self.0.parties();
        let party = parties
            .entry(key.clone())
            .or_insert_with(|| Party { own: Arc::new(Semaphore::new(share.places)), present: 0 });
        if party.present >= share.places.saturating_add(share.queue) {
            return Err(ShareTaken);
        }
        party.present += 1;
        let own = Arc::clone(&party.own);
        drop(parties);
        Ok((Presence { inner: Arc::clone(&self.0), key }, own))
    }
}

impl<K> Inner<K> {
    fn parties(&self) -> std::sync::MutexGuard<'_, HashMap<K, Party>> {
        // A panic elsewhere leaves a whole table behind: entries are written one at a time.
        self.parties.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Presence<K> {
    fn drop(&mut self) {
        let mut parties = self.inner.parties();
        if let Some(party) = parties.get_mut(&self.key) {
            party.present -= 1;
            if party.present == 0 {
                parties.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share = Share { places: 2, queue: 1 };
    const WAIT: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn a_party_has_its_share_and_others_have_theirs() {
        let shares = Shares::new(3);
        let first = shares.take("greedy", SHARE, WAIT).await.unwrap();
        let _second = shares.take("greedy", SHARE, WAIT).await.unwrap();
        assert!(shares.take("greedy", SHARE, WAIT).await.is_err(), "it waited in vain");
        let _other = shares.take("modest", SHARE, WAIT).await.unwrap();
        drop(first);
        shares.take("greedy", SHARE, WAIT).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_is_bounded_and_who_gives_up_leaves_it() {
        let shares = Shares::new(8);
        let held = [
            shares.take(1, SHARE, WAIT).await.unwrap(),
            shares.take(1, SHARE, WAIT).await.unwrap(),
        ];
        let waiting = shares.clone();
        let waiting = tokio::spawn(async move { waiting.take(1, SHARE, WAIT).await });
        tokio::task::yield_now().await;
        assert_eq!(shares.take(1, SHARE, Duration::MAX).await.unwrap_err(), ShareTaken);
        assert_eq!(waiting.await.unwrap().unwrap_err(), ShareTaken);
        drop(held);
        assert!(shares.0.parties().is_empty(), "an absent party takes no room");
        assert_eq!(shares.0.all.available_permits(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn parties_together_have_no_more_than_there_is() {
        let shares = Shares::new(2);
        let _held = [
            shares.take("a", SHARE, WAIT).await.unwrap(),
            shares.take("b", SHARE, WAIT).await.unwrap(),
        ];
        assert!(shares.take("c", SHARE, WAIT).await.is_err());
    }
}
