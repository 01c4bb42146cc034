//! A bounded map that forgets what was used longest ago.

use std::collections::HashMap;
use std::collections::VecDeque;

use crate::token_key::TokenKey;

/// At most `bound` values. Looking one up counts as using it.
pub(super) struct Recent<V> {
    bound: usize,
    entries: HashMap<TokenKey, Entry<V>>,
    /// Every use, oldest first. Those that are not the last use of their key have no meaning any more.
    uses: VecDeque<(u64, TokenKey)>,
    last_use: u64,
}

struct Entry<V> {
    used: u64,
    value: V,
}

impl<V> Recent<V> {
    pub(super) fn new(bound: usize) -> Self {
        Self { bound: bound.max(1), entries: HashMap::new(), uses: VecDeque::new(), last_use: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&mut self, key: &TokenKey) -> Option<&V> {
        let entry = self.entries.get_mut(key)?;
        // The key that was used last is still that.
        if entry.used != self.last_use {
            self.last_use += 1;
            entry.used = self.last_use;
            self.uses.push_back((self.last_use, key.clone()));
            self.tidy();
        }
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// The value of a key, without using it.
    pub(super) fn peek(&self, key: &TokenKey) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    pub(super) fn insert(&mut self, key: TokenKey, value: V) {
        self.last_use += 1;
        self.uses.push_back((self.last_use, key.clone()));
        self.entries.insert(key, Entry { used: self.last_use, value });
        while self.entries.len() > self.bound {
            let Some((used, key)) = self.uses.pop_front() else { break };
            if self.entries.get(&key).is_some_and(|entry| entry.used == used) {
                self.entries.remove(&key);
            }
        }
        self.tidy();
    }

    pub(super) fn remove(&mut self, key: &TokenKey) {
        self.entries.remove(key);
        self.tidy();
    }

    /// Throws uses away that have no meaning, as soon as they are more than half of all.
    fn tidy(&mut self) {
        if self.uses.len() > 2 * self.entries.len() + 16 {
            let entries = &self.entries;
            self.uses.retain(|(used, key)| entries.get(key).is_some_and(|entry| entry.used == *used));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> TokenKey {
        TokenKey::new(number.to_string())
    }

    fn keys(map: &Recent<usize>) -> Vec<usize> {
        let mut keys: Vec<_> = map.entries.values().map(|entry| entry.value).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn what_was_used_longest_ago_leaves_first() {
        let mut map = Recent::new(3);
        for number in 0..3 {
            map.insert(key(number), number);
        }
        assert_eq!(map.get(&key(0)), Some(&0));
        assert_eq!(map.peek(&key(1)), Some(&1));
        map.insert(key(3), 3);
        assert_eq!(keys(&map), [0, 2, 3]);
        map.insert(key(4), 4);
        assert_eq!(keys(&map), [0, 3, 4]);
    }

    #[test]
    fn what_is_removed_makes_room() {
        let mut map = Recent::new(2);
        map.insert(key(0), 0);
        map.insert(key(1), 1);
        map.remove(&key(1));
        map.insert(key(2), 2);
        assert_eq!(keys(&map), [0, 2]);
    }

    #[test]
    fn a_value_is_replaced_in_its_place() {
        let mut map = Recent::new(2);
        map.insert(key(0), 0);
        map.insert(key(1), 1);
        map.insert(key(0), 7);
        assert_eq!(map.get(&key(0)), Some(&7));
        map.insert(key(2), 2);
        assert_eq!(keys(&map), [2, 7]);
    }

    #[test]
    fn neither_values_nor_uses_grow_without_bound() {
        let mut map = Recent::new(10);
        for number in 0..10_000 {
            map.insert(key(number), number);
            for recent in number.saturating_sub(9)..=number {
                assert_eq!(map.get(&key(recent)), Some(&recent));
            }
            assert!(map.len() <= 10 && map.uses.len() <= 2 * map.len() + 17, "{}", map.uses.len());
        }
        for number in 0..10_000 {
            map.remove(&key(number));
        }
        assert!(map.entries.is_empty() && map.uses.len() <= 17);
    }

    #[test]
    fn a_bound_of_nothing_keeps_one() {
        let mut map = Recent::new(0);
        map.insert(key(0), 0);
        assert_eq!(map.get(&key(0)), Some(&0));
        map.insert(key(1), 1);
        assert_eq!(keys(&map), [1]);
    }
}
