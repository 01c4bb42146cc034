//! The keys that are in use: a bounded map whose readers take no lock.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use crate::token::AccessScope;
use crate::token::TokenKey;
use crate::token::buckets::Buckets;
use crate::token::entry::Entry;
use crate::token::entry::Grant;
use crate::token::entry::hash;
use crate::token::showcase::Showcase;
use crate::token::showcase::Spot;

/// Grants that nobody has any more are looked for when there are so many more than entries.
const SPARE_GRANTS: usize = 4;
/// How many entries are compared before one leaves.
const COMPARED: usize = 32;

/// The map.
pub(super) struct Keyed {
    entries: Buckets<Entry>,
    showcase: Arc<Showcase>,
    bound: usize,
    length: AtomicUsize,
    /// The lock of writers, and the grants, which only they need.
    grants: Mutex<HashMap<TokenKey, Weak<Grant>>>,
}

impl Keyed {
    pub(super) fn new(bound: usize) -> Self {
        let bound = bound.max(1);
        Self {
            entries: Buckets::new(bound),
            showcase: Arc::new(Showcase::new(bound)),
            bound,
            length: AtomicUsize::new(0),
            grants: Mutex::default(),
        }
    }

    /// The entry of a key and a scope, made when there is none.
    pub(super) fn entry(
        &self,
        key: &TokenKey,
        scope: &AccessScope,
        now: impl FnOnce() -> SystemTime,
    ) -> Arc<Entry> {
        self.get(key, scope).unwrap_or_else(|| {
            let now = now();
            let entry = self.insert(key, scope, now);
            entry.touch(now);
            entry
        })
    }

    /// The entry of a key and a scope.
    pub(super) fn get(&self, key: &TokenKey, scope: &AccessScope) -> Option<Arc<Entry>> {
        self.look_up(key, scope, Arc::clone)
    }

    /// What `take` takes of the entry of a key and a scope: without counting it, which would write to it.
    #[inline]
    pub(super) fn look_up<T>(
        &self,
        key: &TokenKey,
        scope: &AccessScope,
        take: impl FnOnce(&Arc<Entry>) -> T,
    ) -> Option<T> {
        self.entries.look_up(hash(key, scope), |entry| entry.is(key, scope), take)
    }

    /// Where the token is that is given out for a key and a scope; none if it has to be found by way of its entry.
    #[inline]
    pub(super) fn turn_to(&self, key: &TokenKey, scope: &AccessScope) -> Option<Spot<'_>> {
        self.showcase.turn_to(key, scope)
    }

    /// The entry whose last token has this serial number, among those whose key and scope have a hash with this upper half.
    pub(super) fn find(&self, upper: u32, serial: u32) -> Option<Arc<Entry>> {
        let mut found = None;
        self.entries.visit_alike(upper, |entry| {
            if entry.look(|state| state.slot.last().is_some_and(|(last, _)| last.serial == serial)) {
                found = Some(Arc::clone(entry));
            }
        });
        found
    }

    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// The entries of a key, whatever their scope.
    pub(super) fn entries(&self, key: &TokenKey) -> Vec<Arc<Entry>> {
        let grant = self.grants().get(key).and_then(Weak::upgrade);
        grant.map(|grant| grant.entries()).unwrap_or_default()
    }

    fn insert(&self, key: &TokenKey, scope: &AccessScope, now: SystemTime) -> Arc<Entry> {
        let mut grants = self.grants();
        let hash = hash(key, scope);
        if let Some(entry) = self.get(key, scope) {
            return entry;
        }
        // Two for one, so that a map which had to grow returns to its bound.
        for _ in 0..2 {
            if self.len() >= self.bound {
                self.evict(hash, now, &mut grants);
            }
        }
        // A reader may have held the last entry of a grant while it was evicted.
        if grants.len() > 2 * self.len() + SPARE_GRANTS {
            grants.retain(|_, grant| grant.strong_count() > 0);
        }
        let grant = grants.get(key).and_then(Weak::upgrade).unwrap_or_else(|| {
            let grant = Arc::new(Grant::new());
            grants.insert(key.clone(), Arc::downgrade(&grant));
            grant
        });
        let entry =
            Arc::new(Entry::new(key.clone(), scope.clone(), Arc::clone(&grant), Arc::clone(&self.showcase)));
        grant.enlist(&entry);
        self.entries.insert(hash, Arc::clone(&entry));
        self.length.fetch_add(1, Ordering::Relaxed);
        entry
    }

    /// Makes room: of the first entries (counted from where the new key goes) that nobody uses, one leaves; of those that
    /// lose nothing by it, if there are any, the one that was used longest ago. When every key is in use, the map grows
    /// beyond its bound for a while.
    fn evict(&self, hash: u64, now: SystemTime, grants: &mut HashMap<TokenKey, Weak<Grant>>) {
        let compared = Cell::new(0);
        let mut best: Option<(_, u64, Weak<Entry>)> = None;
        let compare = |hash, entry: &Arc<Entry>| {
            if !entry.is_unused() {
                return;
            }
            compared.set(compared.get() + 1);
            let rank = entry.rank(now);
            if best.as_ref().is_none_or(|(highest, ..)| rank > *highest) {
                best = Some((rank, hash, Arc::downgrade(entry)));
            }
        };
        self.entries.visit_from(hash, compare, || compared.get() >= COMPARED);
        let Some((_, hash, entry)) = best else { return };
        let Some(entry) = entry.upgrade() else { return };
        entry.leave(|| self.entries.remove(hash, &entry));
        self.length.fetch_sub(1, Ordering::Relaxed);
        let key = entry.key.clone();
        drop(entry);
        if grants.get(&key).is_some_and(|grant| grant.strong_count() == 0) {
            grants.remove(&key);
        }
    }

    fn grants(&self) -> MutexGuard<'_, HashMap<TokenKey, Weak<Grant>>> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Published;
    use crate::token::Token;
    use crate::token::settings::Times;
    use std::time::UNIX_EPOCH;

    fn key(number: usize) -> TokenKey {
        TokenKey::new(format!("key-{number}"))
    }

    fn second(second: u64) -> SystemTime {
        UNIX_EPOCH + std::time::Duration::from_secs(second)
    }

    #[test]
    fn one_key_and_scope_have_one_entry_and_scopes_share_their_grant() {
        let keyed = Keyed::new(100);
        let scope = AccessScope::new();
        let read = scope.scope("read");
        let entry = keyed.entry(&key(1), &scope, || second(1));
        assert!(Arc::ptr_eq(&entry, &keyed.entry(&key(1), &scope, || second(2))));
        let other = keyed.entry(&key(1), &read, || second(1));
        assert!(!Arc::ptr_eq(&entry, &other));
        assert!(Arc::ptr_eq(&entry.grant, &other.grant));
        assert_eq!(keyed.entries(&key(1)).len(), 2);
        assert_eq!(keyed.len(), 2);
    }

    #[test]
    fn keys_that_nobody_uses_leave_when_the_bound_is_reached() {
        let keyed = Keyed::new(64);
        for number in 0..10_000 {
            keyed.entry(&key(number), &AccessScope::new(), || second(number as u64));
        }
        assert_eq!(keyed.len(), 64);
        assert!(keyed.grants().len() <= 65);
    }

    /// Gives an entry a token.
    fn log_in(entry: &Entry, serial: u32) {
        let times = Times { soft: None, hard: None, end: None };
        let published = Published::new(Token::new("token"), serial, 1, times).unwrap();
        entry.change(|state| state.slot.login(Arc::new(published)));
    }

    /// The serial number of the token that is seen without a look at the entry.
    fn seen(keyed: &Keyed, number: usize) -> Option<u32> {
        seen_at(keyed, number, second(1))
    }

    fn seen_at(keyed: &Keyed, number: usize, now: SystemTime) -> Option<u32> {
        let (key, scope) = (key(number), AccessScope::new());
        Some(keyed.turn_to(&key, &scope)?.take(&key, &scope, now)?.serial)
    }

    #[test]
    fn a_token_is_seen_as_long_as_it_is_given_out_and_its_entry_stays() {
        let keyed = Keyed::new(1);
        let scope = AccessScope::new();
        let entry = keyed.entry(&key(1), &scope, || second(1));
        assert_eq!(seen(&keyed, 1), None);
        log_in(&entry, 7);
        assert_eq!(seen(&keyed, 1), Some(7));
        log_in(&entry, 8);
        assert_eq!(seen(&keyed, 1), Some(8));
        entry.change(|state| state.slot.reject(8));
        assert_eq!(seen(&keyed, 1), None);
        log_in(&entry, 9);
        drop(entry);
        keyed.entry(&key(2), &scope, || second(2));
        assert!(keyed.get(&key(1), &scope).is_none());
        assert_eq!(seen(&keyed, 1), None);
    }

    #[test]
    fn an_entry_that_has_left_shows_nothing_in_place_of_its_successor() {
        let keyed = Keyed::new(1);
        let scope = AccessScope::new();
        let first = keyed.entry(&key(1), &scope, || second(1));
        log_in(&first, 7);
        // As if somebody had found it just before it was evicted.
        first.leave(|| keyed.entries.remove(hash(&key(1), &scope), &first));
        assert_eq!(seen(&keyed, 1), None);
        log_in(&first, 8);
        assert_eq!(seen(&keyed, 1), None);
        let next = keyed.entry(&key(1), &scope, || second(3));
        assert!(!Arc::ptr_eq(&first, &next));
        log_in(&next, 9);
        first.change(|state| state.slot.reject(8));
        assert_eq!(seen(&keyed, 1), Some(9));
    }

    #[test]
    fn a_token_that_was_given_out_of_late_counts_as_a_use() {
        let keyed = Keyed::new(2);
        let scope = AccessScope::new();
        for number in [1, 2] {
            log_in(&keyed.entry(&key(number), &scope, || second(number as u64)), 7);
        }
        assert_eq!(seen_at(&keyed, 1, second(3)), Some(7));
        // Not even when that token was replaced.
        log_in(&keyed.get(&key(1), &scope).unwrap(), 8);
        keyed.entry(&key(3), &scope, || second(4));
        assert!(keyed.get(&key(2), &scope).is_none());
        assert!(keyed.get(&key(1), &scope).is_some());
    }

    #[test]
    fn an_entry_is_found_by_its_hash_and_the_token_decides_between_two() {
        let keyed = Keyed::new(10);
        let scope = AccessScope::new();
        let entries = [1, 2].map(|number| keyed.entry(&key(number), &scope, || second(1)));
        let hash = hash(&key(1), &scope);
        let upper = (hash >> 32) as u32;
        log_in(&entries[0], 7);
        // As if their hashes were the same.
        log_in(&entries[1], 8);
        keyed.entries.insert(hash, Arc::clone(&entries[1]));
        for (serial, expected) in [(7, 0), (8, 1)] {
            let found = keyed.find(upper, serial).unwrap();
            assert!(Arc::ptr_eq(&found, &entries[expected]), "{serial}");
        }
        // Nobody is taken for somebody else whose token was replaced.
        assert!(keyed.find(upper, 6).is_none());
        assert!(keyed.find(upper.wrapping_add(1), 7).is_none());
    }

    #[test]
    fn a_key_in_use_stays() {
        let keyed = Keyed::new(2);
        let kept: Vec<_> =
            (0..5).map(|number| keyed.entry(&key(number), &AccessScope::new(), || second(1))).collect();
        for number in 5..50 {
            keyed.entry(&key(number), &AccessScope::new(), || second(2));
        }
        for (number, entry) in kept.iter().enumerate() {
            let found = keyed.get(&key(number), &AccessScope::new());
            assert!(found.is_some_and(|found| Arc::ptr_eq(&found, entry)));
        }
    }
}
