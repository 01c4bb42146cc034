//! A store for one process.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::error::Error;
use crate::token::Record;
use crate::token::Swap;
use crate::token::TokenKey;
use crate::token::TokenStore;

/// Records that can be had again, of which [`MemoryStore::new`] keeps this many.
const BOUND: usize = 10_000;

/// Keeps records in memory; clones share it, and it is gone when the last of them is.
///
/// The default store. It is right for grants that can start again from nothing (client credentials); a refresh token
/// that a user's login produced belongs in a store that outlives the process.
///
/// What can be had again is bounded, so that a service with millions of tenants does not fill the memory: of records
/// without a refresh token that go back to no login, the oldest leave first. The others stay, however many there are.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    bound: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    records: HashMap<TokenKey, Record>,
    /// The keys of records that can be had again, oldest first. A key whose record has become another stays until its
    /// turn comes.
    replaceable: VecDeque<TokenKey>,
}

impl MemoryStore {
    /// An empty store, which keeps at most 10 000 records that can be had again.
    pub fn new() -> Self {
        Self::bounded(BOUND)
    }

    /// An empty store, which keeps at most this many records that can be had again; at least one.
    pub fn bounded(records: usize) -> Self {
        Self(Arc::new(Inner { bound: records.max(1), state: Mutex::default() }))
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.state().records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way through a change.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn insert(&mut self, key: &TokenKey, record: &Record, bound: usize) {
        let before = self.records.insert(key.clone(), record.clone());
        let was_queued = before.is_some_and(|before| before.is_replaceable());
        if !record.is_replaceable() || was_queued {
            return;
        }
        self.replaceable.push_back(key.clone());
        while self.replaceable.len() > bound {
            let Some(oldest) = self.replaceable.pop_front() else { return };
            if self.records.get(&oldest).is_some_and(Record::is_replaceable) {
                self.records.remove(&oldest);
            }
        }
    }

    fn remove(&mut self, key: &TokenKey) {
        if self.records.remove(key).is_some_and(|record| record.is_replaceable()) {
            self.replaceable.retain(|queued| queued != key);
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MemoryStore({} records)", self.len())
    }
}

impl TokenStore for MemoryStore {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        Ok(self.state().records.get(key).cloned())
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        let mut state = self.state();
        let stored = state.records.get(key);
        if stored.map(Record::generation) != expected {
            return Ok(Swap::Conflict(stored.cloned()));
        }
        state.insert(key, record, self.0.bound);
        Ok(Swap::Stored)
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        let mut state = self.state();
        let is_that_one = state.records.get(key).is_some_and(|record| record.generation() == generation);
        if is_that_one {
            state.remove(key);
        }
        Ok(is_that_one)
    }

    /// Whether there is a clone that somebody else may have given to another manager.
    fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;
    use crate::token::AccessScope;
    use crate::token::Token;

    /// Replaces whatever is there.
    async fn store(store: &MemoryStore, key: &str, record: Record) {
        let key = TokenKey::new(key);
        let expected = store.load(&key).await.unwrap().map(|stored| stored.generation());
        assert_eq!(store.compare_and_swap(&key, expected, &record).await.unwrap(), Swap::Stored);
    }

    async fn has(store: &MemoryStore, key: &str) -> bool {
        store.load(&TokenKey::new(key)).await.unwrap().is_some()
    }

    fn exchanged(token: Token) -> Record {
        Record::after_exchange(None, &AccessScope::new(), token)
    }

    fn login(token: Token) -> Record {
        Record::login(0, false, AccessScope::new(), token)
    }

    #[test]
    fn the_bound_is_that_of_the_table() {
        assert_documented("records in memory that can be had again", BOUND);
    }

    #[tokio::test]
    async fn of_what_can_be_had_again_the_oldest_leaves_first() {
        let memory = MemoryStore::bounded(2);
        for key in ["a", "b", "a", "c"] {
            store(&memory, key, exchanged(Token::new("t"))).await;
        }
        assert_eq!(memory.len(), 2);
        assert!(!has(&memory, "a").await && has(&memory, "b").await && has(&memory, "c").await);
    }

    #[tokio::test]
    async fn what_only_a_login_can_bring_back_stays() {
        let memory = MemoryStore::bounded(1);
        store(&memory, "login", login(Token::new("t"))).await;
        store(&memory, "rotating", exchanged(Token::new("t").with_refresh_token("r"))).await;
        store(&memory, "first", exchanged(Token::new("t"))).await;
        // One that could be had again is replaced by a login.
        store(&memory, "first", login(Token::new("t"))).await;
        for number in 0..10 {
            store(&memory, &format!("tenant-{number}"), exchanged(Token::new("t"))).await;
        }
        for key in ["login", "rotating", "first", "tenant-9"] {
            assert!(has(&memory, key).await, "{key}");
        }
        assert_eq!(memory.len(), 4);
    }

    #[tokio::test]
    async fn a_record_that_was_deleted_and_comes_again_is_the_youngest() {
        let memory = MemoryStore::bounded(2);
        store(&memory, "a", exchanged(Token::new("t"))).await;
        store(&memory, "b", exchanged(Token::new("t"))).await;
        assert!(memory.delete_if(&TokenKey::new("a"), 1).await.unwrap());
        store(&memory, "a", exchanged(Token::new("t"))).await;
        store(&memory, "c", exchanged(Token::new("t"))).await;
        assert!(has(&memory, "a").await && !has(&memory, "b").await && has(&memory, "c").await);
    }
}
