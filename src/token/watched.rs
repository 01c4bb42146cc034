//! A store whose operations are told to those who watch.

use std::time::Duration;

use crate::error::Error;
use crate::observe::Telemetry;
use crate::token::BoxTokenStore;
use crate::token::Record;
use crate::token::Swap;
use crate::token::TokenKey;
use crate::token::TokenStore;

/// The same store, told of if anybody may watch.
pub(super) fn watched(store: BoxTokenStore, telemetry: &Telemetry) -> BoxTokenStore {
    if cfg!(any(feature = "tracing", feature = "metrics")) {
        BoxTokenStore::new(Watched { store, telemetry: telemetry.clone() })
    } else {
        store
    }
}

struct Watched {
    store: BoxTokenStore,
    telemetry: Telemetry,
}

impl Watched {
    /// Does `work`, and says how it ended: `outcome` has a word for what the store answered.
    async fn watch<T>(
        &self,
        operation: &'static str,
        key: &TokenKey,
        work: impl Future<Output = Result<T, Error>>,
        outcome: impl FnOnce(&T) -> &'static str,
    ) -> Result<T, Error> {
        let watch = self.telemetry.store(operation, key);
        let result = watch.span().around(work).await;
        watch.end(result.as_ref().map(outcome));
        result
    }
}

impl TokenStore for Watched {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        let outcome = |record: &Option<Record>| if record.is_some() { "found" } else { "not_found" };
        self.watch("load", key, self.store.load(key), outcome).await
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        let outcome = |swap: &Swap| match swap {
            Swap::Stored => "stored",
            Swap::Conflict(_) => "conflict",
        };
        let work = self.store.compare_and_swap(key, expected, record);
        self.watch("compare_and_swap", key, work, outcome).await
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        let outcome = |done: &bool| if *done { "deleted" } else { "conflict" };
        self.watch("delete_if", key, self.store.delete_if(key, generation), outcome).await
    }

    async fn lease(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        let outcome = |granted: &bool| if *granted { "granted" } else { "held" };
        self.watch("lease", key, self.store.lease(key, owner, ttl), outcome).await
    }

    async fn renew(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        let outcome = |kept: &bool| if *kept { "renewed" } else { "lost" };
        self.watch("renew", key, self.store.renew(key, owner, ttl), outcome).await
    }

    async fn release(&self, key: &TokenKey, owner: &str) -> Result<(), Error> {
        self.watch("release", key, self.store.release(key, owner), |()| "released").await
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }
}
