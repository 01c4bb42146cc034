//! A map that forgets its oldest entries, so that a long test cannot fill the memory.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::Hash;

/// At most `limit` entries; the one inserted first is forgotten first.
pub(super) struct Bounded<K, V> {
    limit: usize,
    entries: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K: Clone + Eq + Hash, V> Bounded<K, V> {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, entries: HashMap::new(), order: VecDeque::new() }
    }

    /// Adds an entry; `false` when the key was there before, whose value is then replaced.
    pub(super) fn insert(&mut self, key: K, value: V) -> bool {
        if self.entries.insert(key.clone(), value).is_some() {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.entries.remove(&oldest);
            }
        }
        true
    }

    pub(super) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.get(key)
    }

    pub(super) fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.get_mut(key)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_is_forgotten_first() {
        let mut map = Bounded::new(2);
        for key in ["a", "b", "c"] {
            assert!(map.insert(key, ()));
        }
        assert!(map.get("a").is_none());
        assert!(map.get("b").is_some() && map.get("c").is_some());
    }

    #[test]
    fn a_key_that_is_known_is_replaced_in_its_place() {
        let mut map = Bounded::new(2);
        assert!(map.insert("a", 1));
        assert!(!map.insert("a", 2));
        assert_eq!(map.get("a"), Some(&2));
    }
}
