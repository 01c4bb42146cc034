//! A store for one process.

use std::collections::HashMap;
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

/// Keeps records in memory; clones share it, and it is gone when the last of them is.
///
/// The default store. It is right for grants that can start again from nothing (client credentials); a refresh token
/// that a user's login produced belongs in a store that outlives the process.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<HashMap<TokenKey, Record>>>);

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn records(&self) -> MutexGuard<'_, HashMap<TokenKey, Record>> {
        // Nothing in here can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MemoryStore({} records)", self.records().len())
    }
}

impl TokenStore for MemoryStore {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        Ok(self.records().get(key).cloned())
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        let mut records = self.records();
        let stored = records.get(key);
        if stored.map(Record::generation) != expected {
            return Ok(Swap::Conflict(stored.cloned()));
        }
        records.insert(key.clone(), record.clone());
        Ok(Swap::Stored)
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        let mut records = self.records();
        let is_that_one = records.get(key).is_some_and(|record| record.generation() == generation);
        if is_that_one {
            records.remove(key);
        }
        Ok(is_that_one)
    }
}
