//! A bounded cache in two generations: a value that is used moves to the young one. A full young
//! one becomes the old one, and the values that were not used since are dropped. All operations are
//! O(1).

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem;

/// A cache that holds no more than a stated number of bytes.
#[derive(Debug)]
pub struct Cache<K, V, S = RandomState> {
    young: HashMap<K, (V, usize), S>,
    old: HashMap<K, (V, usize), S>,
    young_bytes: usize,
    old_bytes: usize,
    half_bytes: usize,
    turns: u32,
}

impl<K: Hash + Eq, V, S: BuildHasher + Default> Cache<K, V, S> {
    /// A cache of `max_bytes`, by the bytes that the values are said to take when they come in.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            young: HashMap::default(),
            old: HashMap::default(),
            young_bytes: 0,
            old_bytes: 0,
            half_bytes: max_bytes / 2,
            turns: 0,
        }
    }

    /// Returns the value under a key.
    pub fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        if !self.young.contains_key(key)
            && let Some((key, (value, bytes))) = self.old.remove_entry(key)
        {
            self.old_bytes = self.old_bytes.saturating_sub(bytes);
            self.insert(key, value, bytes);
        }
        self.young.get_mut(key).map(|(value, _)| value)
    }

    /// The same for a value that was used since the last turn, with half the work: nothing moves.
    pub fn recent<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.young.get(key).map(|(value, _)| value)
    }

    /// Keeps a value of so many bytes, its key included, in the place of the one under its key. A
    /// value larger than half of the cache is not kept.
    pub fn insert(&mut self, key: K, value: V, bytes: usize) {
        self.remove(&key);
        if bytes > self.half_bytes {
            return;
        }
        if self.young_bytes + bytes > self.half_bytes {
            self.old = mem::take(&mut self.young);
            self.old_bytes = mem::take(&mut self.young_bytes);
            self.turns = self.turns.wrapping_add(1);
        }
        self.young_bytes += bytes;
        self.young.insert(key, (value, bytes));
    }

    /// Forgets a key, and returns its value.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if let Some((value, bytes)) = self.young.remove(key) {
            self.young_bytes = self.young_bytes.saturating_sub(bytes);
            return Some(value);
        }
        let (value, bytes) = self.old.remove(key)?;
        self.old_bytes = self.old_bytes.saturating_sub(bytes);
        Some(value)
    }

    /// The bytes that are kept, by what the callers of [`Self::insert`] said.
    pub fn held_bytes(&self) -> usize {
        self.young_bytes + self.old_bytes
    }

    /// Another number for each time that the young generation has become the old one. A caller that
    /// has a value from somewhere else meanwhile has to ask for it once in each, so that it is not
    /// dropped.
    pub fn turns(&self) -> u32 {
        self.turns
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// True if nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_bounded_and_never_answers_wrongly(
            steps in prop::collection::vec((0_u8..20, 1_usize..60, any::<bool>()), 0..200),
        ) {
            let mut cache = Cache::<_, _>::new(200);
            let mut last = HashMap::new();
            for (step, (key, bytes, write)) in steps.into_iter().enumerate() {
                if write {
                    cache.insert(key, step, bytes);
                    last.insert(key, step);
                } else if let Some(value) = cache.get(&key) {
                    prop_assert_eq!(Some(&*value), last.get(&key));
                }
                let all = cache.young.values().chain(cache.old.values());
                let held: usize = all.map(|(_, bytes)| bytes).sum();
                prop_assert!(held <= 200);
                prop_assert_eq!(held, cache.held_bytes());
                prop_assert!(cache.young.keys().all(|key| !cache.old.contains_key(key)));
            }
        }
    }

    #[test]
    fn what_is_used_stays() {
        let mut cache = Cache::<_, _>::new(100);
        cache.insert("used", 0, 10);
        for number in 1..1000 {
            cache.insert(Box::leak(number.to_string().into_boxed_str()), number, 10);
            assert_eq!(cache.get("used"), Some(&mut 0));
        }
        assert!(cache.len() <= 10, "{}", cache.len());
    }
}
