//! What hangs on a key: its token, as readers see it without a lock, and the state behind it.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicU64;
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
use crate::token::flight::Flight;
use crate::token::ledger::Ledger;
use crate::token::persist::Draft;
use crate::token::showcase::Showcase;
use crate::token::slot::Slot;

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
    showcase: Arc<Showcase>,
}

/// The state of an entry, behind its lock.
#[derive(Default)]
pub(super) struct State {
    pub(super) slot: Slot,
    /// The last flight; it is under way while the slot says so.
    pub(super) flight: Option<Arc<Flight>>,
    /// It is found by nobody any more; whoever still has it may use it up.
    has_left: bool,
}

/// All that belongs to one key: what makes exchanges of one grant take turns.
pub(super) struct Grant {
    /// One permit: the right to exchange.
    turn: Semaphore,
    /// A record that the store would not take yet: rare, and large.
    unpersisted: Mutex<Option<Box<Draft>>>,
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
    pub(super) fn new(key: TokenKey, scope: AccessScope, grant: Arc<Grant>, showcase: Arc<Showcase>) -> Self {
        Self {
            showcase,
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
        let served = self.served.load();
        let is_served = match (&*served, servable) {
            (Some(served), Some(servable)) => Arc::ptr_eq(served, servable),
            (None, None) => true,
            _ => false,
        };
        if !is_served {
            self.served.store(servable.cloned());
            self.hide(served.as_deref());
            if let Some(servable) = servable.filter(|_| !state.has_left) {
                self.showcase.show(&self.key, &self.scope, servable);
            }
            self.version.fetch_add(1, Ordering::Release);
        }
        self.look_at.store(state.slot.next_look().map_or(NEVER, millis), Ordering::Relaxed);
        result
    }

    /// Leaves the map, and shows nothing from now on: another one may come for the same key.
    pub(super) fn leave(&self, leave: impl FnOnce()) {
        let mut state = self.lock();
        state.has_left = true;
        self.hide(self.served.load().as_deref());
        leave();
    }

    /// Shows a token no longer, and keeps in mind when it was last given out.
    fn hide(&self, served: Option<&Published>) {
        if let Some(served) = served {
            self.showcase.hide(&self.key, &self.scope, served.serial);
            let used = self.showcase.used(&self.key, &self.scope, served.serial);
            self.used.fetch_max(used, Ordering::Relaxed);
        }
    }

    /// Looks at the state.
    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it can leave the map, which has one count of it; more than one is somebody else.
    pub(super) fn is_unused(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1
            && !self.look(|state| state.slot.is_flying())
            && self.grant.unpersisted().is_none()
    }

    /// Who leaves first: the highest. What must not be sent again is the last to be forgotten.
    pub(super) fn rank(&self, now: SystemTime) -> (bool, bool, Reverse<u64>) {
        let (is_idle, is_refused) = self.look(|state| {
            let is_refused = state.slot.last().is_some_and(|(_, is_refused)| is_refused);
            (state.slot.is_idle(now), is_refused)
        });
        let is_refused = is_refused || !self.grant.ledger().is_empty();
        (is_idle, !is_refused, Reverse(self.used()))
    }

    pub(super) fn is(&self, key: &TokenKey, scope: &AccessScope) -> bool {
        self.key == *key && self.scope == *scope
    }

    /// Says that it is in use. It is written once a second at most, so that readers on many cores do not fight for the line.
    pub(super) fn touch(&self, now: SystemTime) {
        let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if self.used.load(Ordering::Relaxed) != second {
            self.used.store(second, Ordering::Relaxed);
        }
    }

    /// The second in which it was used last, by somebody who looked for it or for the token that it gives out.
    fn used(&self) -> u64 {
        let shown = |served: &Published| self.showcase.used(&self.key, &self.scope, served.serial);
        let taken = self.served.load().as_deref().map_or(0, shown);
        self.used.load(Ordering::Relaxed).max(taken)
    }
}

impl Grant {
    /// Adds an entry.
    pub(super) fn enlist(&self, entry: &Arc<Entry>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| entry.strong_count() > 0);
        entries.push(Arc::downgrade(entry));
    }

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
        let unpersisted = self.unpersisted().as_ref().map(|draft| draft.generation());
        let entries = self.entries();
        let last = entries
            .iter()
            .filter_map(|entry| entry.look(|state| state.slot.last().map(|(last, _)| last.generation)));
        last.chain(unpersisted).max().unwrap_or(0)
    }

    pub(super) fn unpersisted(&self) -> MutexGuard<'_, Option<Box<Draft>>> {
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

    pub(super) fn new() -> Self {
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

/// By which they are found.
pub(super) fn hash(key: &TokenKey, scope: &AccessScope) -> u64 {
    key.precomputed_hash() ^ scope.precomputed_hash().rotate_left(17)
}

fn millis(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(NEVER)
}
