//! The keys that are in use: a bounded map whose readers take no lock, and what hangs on each key.

use std::cell::Cell;
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
use crate::token::address::Listing;
use crate::token::buckets::Buckets;
use crate::token::flight::Flight;
use crate::token::ledger::Ledger;
use crate::token::persist::Draft;
use crate::token::slot::Slot;

/// Grants that nobody has any more are looked for when there are so many more than entries.
const SPARE_GRANTS: usize = 4;
/// How many entries are compared before one leaves.
const COMPARED: usize = 32;
/// "Never", as a moment.
const NEVER: u64 = u64::MAX;

/// All that belongs to one key and one scope.
///
/// The order of the fields matters: what every request reads comes first, in one cache line.
#[repr(C, align(64))]
pub(crate) struct Entry {
    pub(super) key: TokenKey,
    pub(super) scope: AccessScope,
    /// What readers get without a lock: the slot's token, unless a server refused it.
    served: ArcSwapOption<Published>,
    /// From this moment (milliseconds since 1970) on, the first reader has to look at the slot.
    look_at: AtomicU64,
    /// The second (since 1970) in which it was last looked up; rough, for eviction only.
    used: AtomicU64,
    /// Grows whenever what readers get changes.
    version: AtomicU64,
    pub(super) listing: Listing,
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
            version: AtomicU64::new(0),
            listing: Listing::default(),
            state: Mutex::default(),
        }
    }

    /// What readers find is the same as long as this is. Read before it, so that no change in between is missed.
    #[inline]
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The token that may be sent at `now`: one atomic load, one comparison; no lock, no allocation.
    pub(crate) fn served(&self, now: SystemTime) -> Option<Guard<Option<Arc<Published>>>> {
        let served = self.served.load();
        let is_usable = served.as_deref().is_some_and(|published| published.is_usable(now));
        is_usable.then_some(served)
    }

    /// The same for a reader, who may have to do something for it.
    #[inline]
    pub(crate) fn find(&self, now: SystemTime) -> Found {
        let served = self.served.load();
        // No look is due before a renewal is.
        if served.as_deref().is_some_and(|published| published.is_fresh(now)) {
            return Found::Token(served);
        }
        self.find_stale(served, now)
    }

    #[inline(never)]
    fn find_stale(&self, served: Guard<Option<Arc<Published>>>, now: SystemTime) -> Found {
        if !served.as_deref().is_some_and(|published| published.is_usable(now)) {
            return Found::Nothing;
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
            self.version.fetch_add(1, Ordering::Release);
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

/// The map.
pub(super) struct Keyed {
    entries: Buckets<Entry>,
    bound: usize,
    length: AtomicUsize,
    /// The lock of writers, and the grants, which only they need.
    grants: Mutex<HashMap<TokenKey, Weak<Grant>>>,
}

impl Keyed {
    pub(super) fn new(bound: usize) -> Self {
        let bound = bound.max(1);
        Self { entries: Buckets::new(bound), bound, length: AtomicUsize::new(0), grants: Mutex::default() }
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
        let entry = Arc::new(Entry::new(key.clone(), scope.clone(), Arc::clone(&grant)));
        let mut entries = grant.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.strong_count() > 0);
        entries.push(Arc::downgrade(&entry));
        drop(entries);
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
        self.entries.remove(hash, &entry);
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
