//! The keys that are in use: a bounded map whose readers take no lock, and what hangs on each key.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use arc_swap::ArcSwapOption;
use arc_swap::Guard;
use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;

use crate::token::AccessScope;
use crate::token::Published;
#[cfg(test)]
use crate::token::Record;
use crate::token::TokenKey;
use crate::token::flight::Flight;
use crate::token::ledger::Ledger;
use crate::token::persist::Draft;
use crate::token::slot::Slot;

/// Keys in one shard, as long as the map is full and keys are spread evenly: few, so that a reader touches few cache lines.
const SHARD_KEYS: usize = 4;
/// Keys that a shard has room for without a detour.
const NEAR: usize = 6;
/// How many entries are compared before one leaves.
const COMPARED: usize = 32;
/// "Never", as a moment.
const NEVER: u64 = u64::MAX;

/// All that belongs to one key and one scope.
///
/// The order of the fields matters: what every request reads comes first, in one cache line with the reference count.
#[repr(C)]
pub(crate) struct Entry {
    pub(super) key: TokenKey,
    pub(super) scope: AccessScope,
    /// What readers get without a lock: the slot's token, unless a server refused it.
    served: ArcSwapOption<Published>,
    /// From this moment (milliseconds since 1970) on, the first reader has to look at the slot.
    look_at: AtomicU64,
    /// The second (since 1970) in which it was last looked up; rough, for eviction only.
    used: AtomicU64,
    pub(super) grant: Arc<Grant>,
    state: Mutex<State>,
}

/// The state of an entry, behind its lock.
#[derive(Default)]
pub(super) struct State {
    pub(super) slot: Slot,
    /// The last flight; it is under way while the slot says so.
    pub(super) flight: Option<Arc<Flight>>,
}

/// All that belongs to one key: what makes exchanges of one grant take turns.
pub(super) struct Grant {
    /// One permit: the right to exchange.
    turn: Semaphore,
    /// A record that the store would not take yet.
    unpersisted: Mutex<Option<Draft>>,
    /// One permit: the duty to store it.
    pub(super) storing: Semaphore,
    /// Who holds the lease until that is done.
    kept_lease: Mutex<Option<String>>,
    ledger: Mutex<Ledger>,
    /// What a manager that is broken on purpose read too early.
    #[cfg(test)]
    pub(super) stale: Mutex<Option<Option<Record>>>,
    entries: Mutex<Vec<Weak<Entry>>>,
}

/// What a reader finds without a lock.
pub(crate) enum Found {
    /// A token that may be sent.
    Token(Guard<Option<Arc<Published>>>),
    /// The same, and the reader has to look at the slot: a successor may be wanted.
    TokenAndLook(Guard<Option<Arc<Published>>>),
    /// Nothing.
    Nothing,
}

impl Entry {
    fn new(key: TokenKey, scope: AccessScope, grant: Arc<Grant>) -> Self {
        Self {
            key,
            scope,
            grant,
            served: ArcSwapOption::empty(),
            look_at: AtomicU64::new(NEVER),
            used: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    /// The token that may be sent at `now`: one atomic load, one comparison; no lock, no allocation.
    pub(crate) fn served(&self, now: SystemTime) -> Option<Guard<Option<Arc<Published>>>> {
        let served = self.served.load();
        let is_usable = served.as_deref().is_some_and(|published| published.is_usable(now));
        is_usable.then_some(served)
    }

    /// The same for a reader, who may have to do something for it.
    pub(crate) fn find(&self, now: SystemTime) -> Found {
        let Some(served) = self.served(now) else {
            return Found::Nothing;
        };
        // No look is due before a renewal is; that is seen without converting the time.
        if served.as_deref().is_some_and(|published| published.is_fresh(now)) {
            return Found::Token(served);
        }
        let look_at = self.look_at.load(Ordering::Relaxed);
        if look_at <= millis(now) {
            // Of all the readers that see this, one takes it upon itself.
            let mine = self.look_at.compare_exchange(look_at, NEVER, Ordering::Relaxed, Ordering::Relaxed);
            if mine.is_ok() {
                return Found::TokenAndLook(served);
            }
        }
        Found::Token(served)
    }

    /// Changes the state, then shows readers what came of it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        let servable = state.slot.servable();
        let is_shown = match (&*self.served.load(), servable) {
            (Some(shown), Some(servable)) => Arc::ptr_eq(shown, servable),
            (None, None) => true,
            _ => false,
        };
        if !is_shown {
            self.served.store(servable.cloned());
        }
        self.look_at.store(state.slot.next_look().map_or(NEVER, millis), Ordering::Relaxed);
        result
    }

    /// Looks at the state.
    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it can leave the map, which has one count of it; more than one is somebody else.
    fn is_unused(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1
            && !self.look(|state| state.slot.is_flying())
            && self.grant.unpersisted().is_none()
    }

    /// Who leaves first: the highest. What must not be sent again is the last to be forgotten.
    fn rank(&self, now: SystemTime) -> (bool, bool, Reverse<u64>) {
        let (is_idle, is_refused) = self.look(|state| {
            let is_refused = state.slot.last().is_some_and(|(_, is_refused)| is_refused);
            (state.slot.is_idle(now), is_refused)
        });
        let is_refused = is_refused || !self.grant.ledger().is_empty();
        (is_idle, !is_refused, Reverse(self.used.load(Ordering::Relaxed)))
    }

    fn is(&self, key: &TokenKey, scope: &AccessScope) -> bool {
        self.key == *key && self.scope == *scope
    }

    /// Says that it is in use.
    pub(super) fn touch(&self, now: SystemTime) {
        let second = millis(now) / 1_000;
        // Written once a second at most, so that readers on many cores do not fight for the line.
        if self.used.load(Ordering::Relaxed) != second {
            self.used.store(second, Ordering::Relaxed);
        }
    }
}

impl Grant {
    /// The entries of this grant that are in use.
    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.strong_count() > 0);
        entries.iter().filter_map(Weak::upgrade).collect()
    }

    /// Waits until nobody else in this process exchanges this grant.
    pub(super) async fn take_turn(&self) -> Option<SemaphorePermit<'_>> {
        // Closing the semaphore is nobody's business, so there always is a permit.
        self.turn.acquire().await.ok()
    }

    /// The highest generation that this process knows of; 0 when there is none.
    pub(super) fn generation(&self) -> u64 {
        let unpersisted = self.unpersisted().as_ref().map(Draft::generation);
        let entries = self.entries();
        let last = entries
            .iter()
            .filter_map(|entry| entry.look(|state| state.slot.last().map(|(last, _)| last.generation)));
        last.chain(unpersisted).max().unwrap_or(0)
    }

    pub(super) fn unpersisted(&self) -> MutexGuard<'_, Option<Draft>> {
        self.unpersisted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The owner of a lease that outlives its flight, until what the flight brought is stored.
    pub(super) fn kept_lease(&self) -> MutexGuard<'_, Option<String>> {
        self.kept_lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of the refresh token.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new() -> Self {
        Self {
            turn: Semaphore::new(1),
            unpersisted: Mutex::new(None),
            storing: Semaphore::new(1),
            kept_lease: Mutex::new(None),
            ledger: Mutex::default(),
            #[cfg(test)]
            stale: Mutex::default(),
            entries: Mutex::new(Vec::new()),
        }
    }
}

/// The map. Readers load a snapshot of one shard; writers, who are rare, replace it.
pub(super) struct Keyed {
    shards: Box<[ArcSwapOption<Shard>]>,
    bound: usize,
    length: AtomicUsize,
    /// The lock of writers, and the grants, which only they need.
    grants: Mutex<HashMap<TokenKey, Weak<Grant>>>,
}

/// Some entries, with the hashes of their keys.
#[derive(Clone, Default)]
struct Shard {
    near: [Option<(u64, Arc<Entry>)>; NEAR],
    far: Vec<(u64, Arc<Entry>)>,
}

impl Shard {
    fn iter(&self) -> impl Iterator<Item = &(u64, Arc<Entry>)> {
        self.near.iter().flatten().chain(&self.far)
    }

    fn find(&self, hash: u64, key: &TokenKey, scope: &AccessScope) -> Option<Arc<Entry>> {
        self.iter()
            .find(|(other, entry)| *other == hash && entry.is(key, scope))
            .map(|(_, entry)| entry.clone())
    }

    fn insert(&mut self, hash: u64, entry: Arc<Entry>) {
        match self.near.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some((hash, entry)),
            None => self.far.push((hash, entry)),
        }
    }

    fn remove(&mut self, entry: &Arc<Entry>) {
        let is_it = |(_, other): &(u64, Arc<Entry>)| Arc::ptr_eq(other, entry);
        match self.near.iter_mut().find(|place| place.as_ref().is_some_and(is_it)) {
            Some(place) => *place = self.far.pop(),
            None => self.far.retain(|other| !is_it(other)),
        }
    }

    /// Nothing, if it is empty: most shards of a map that has just been made are.
    fn shared(self) -> Option<Arc<Self>> {
        let is_empty = self.iter().next().is_none();
        if is_empty { None } else { Some(Arc::new(self)) }
    }
}

impl Keyed {
    pub(super) fn new(bound: usize) -> Self {
        let bound = bound.max(1);
        let shards = bound.div_ceil(SHARD_KEYS).next_power_of_two();
        Self {
            shards: (0..shards).map(|_| ArcSwapOption::empty()).collect(),
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
        let hash = hash(key, scope);
        self.shard(hash)?.load().as_deref()?.find(hash, key, scope)
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

    fn shard(&self, hash: u64) -> Option<&ArcSwapOption<Shard>> {
        // The number of shards is a power of two.
        let mask = self.shards.len().wrapping_sub(1);
        self.shards.get(usize::try_from(hash >> 32).unwrap_or(0) & mask)
    }

    fn insert(&self, key: &TokenKey, scope: &AccessScope, now: SystemTime) -> Arc<Entry> {
        let mut grants = self.grants();
        let hash = hash(key, scope);
        let Some(shard) = self.shard(hash) else {
            // There is at least one shard, so this is not reached; an entry outside of the map would still work.
            return Arc::new(Entry::new(key.clone(), scope.clone(), Arc::new(Grant::new())));
        };
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
        if grants.len() > 2 * self.len() + SHARD_KEYS {
            grants.retain(|_, grant| grant.strong_count() > 0);
        }
        let grant = grants.get(key).and_then(Weak::upgrade).unwrap_or_else(|| {
            let grant = Arc::new(Grant::new());
            grants.insert(key.clone(), Arc::downgrade(&grant));
            grant
        });
        let entry = Arc::new(Entry::new(key.clone(), scope.clone(), Arc::clone(&grant)));
        let mut entries = grant.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.strong_count() > 0);
        entries.push(Arc::downgrade(&entry));
        drop(entries);
        let mut next = shard.load().as_deref().cloned().unwrap_or_default();
        next.insert(hash, Arc::clone(&entry));
        shard.store(next.shared());
        self.length.fetch_add(1, Ordering::Relaxed);
        entry
    }

    /// Makes room: of the first entries (counted from where the new key goes) that nobody uses, one leaves; of those that
    /// lose nothing by it, if there are any, the one that was used longest ago. When every key is in use, the map grows
    /// beyond its bound for a while.
    fn evict(&self, hash: u64, now: SystemTime, grants: &mut HashMap<TokenKey, Weak<Grant>>) {
        let start = usize::try_from(hash >> 32).unwrap_or(0);
        let mask = self.shards.len().wrapping_sub(1);
        let mut compared = 0;
        let mut best: Option<(_, _, Arc<Shard>, Weak<Entry>)> = None;
        for step in 0..self.shards.len() {
            let Some(shard) = self.shards.get(start.wrapping_add(step) & mask) else { continue };
            let Some(entries) = shard.load_full() else { continue };
            for (_, entry) in entries.iter().filter(|(_, entry)| entry.is_unused()) {
                compared += 1;
                let rank = entry.rank(now);
                if best.as_ref().is_none_or(|(highest, ..)| rank > *highest) {
                    best = Some((rank, shard, Arc::clone(&entries), Arc::downgrade(entry)));
                }
            }
            if compared >= COMPARED {
                break;
            }
        }
        let Some((_, shard, entries, entry)) = best else { return };
        let Some(entry) = entry.upgrade() else { return };
        let mut next = Shard::clone(&entries);
        next.remove(&entry);
        shard.store(next.shared());
        self.length.fetch_sub(1, Ordering::Relaxed);
        drop(entries);
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

fn hash(key: &TokenKey, scope: &AccessScope) -> u64 {
    key.precomputed_hash() ^ scope.precomputed_hash().rotate_left(17)
}

fn millis(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;

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
