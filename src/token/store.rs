//! Where grants are kept.

use std::fmt;
use std::future::Future;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::token::Record;
use crate::token::TokenKey;

/// Keeps one [`Record`] for each [`TokenKey`].
///
/// The one rule that everything rests on: a record is replaced only by
/// [`compare_and_swap`](Self::compare_and_swap) against its generation, atomically. Whoever shares a store, in this
/// process or another, then never overwrites what it has not seen.
///
/// A lease gives one owner the sole right to spend a grant's refresh token. A store that only one process uses may leave
/// the three lease methods as they are: within a process the manager keeps order by itself.
///
/// Errors are made with [`Error::store`]. Every method may be called again after it failed.
pub trait TokenStore: Send + Sync + 'static {
    /// The record of `key`, if there is one.
    fn load(&self, key: &TokenKey) -> impl Future<Output = Result<Option<Record>, Error>> + Send;

    /// Stores `record` if the stored generation is `expected` (`None`: if nothing is stored).
    fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> impl Future<Output = Result<Swap, Error>> + Send;

    /// Deletes the record if its generation is `generation`; says whether it did.
    fn delete_if(&self, key: &TokenKey, generation: u64) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Gives the lease of `key` to `owner` for `ttl` if nobody else holds it (`owner` itself may hold it already); says
    /// whether it did. The default always does.
    fn lease(
        &self,
        key: &TokenKey,
        owner: &str,
        ttl: Duration,
    ) -> impl Future<Output = Result<bool, Error>> + Send {
        let _ = (key, owner, ttl);
        ready(Ok(true))
    }

    /// Extends the lease of `owner` to `ttl` from now; `false` when it has lost it. The default always does.
    fn renew(
        &self,
        key: &TokenKey,
        owner: &str,
        ttl: Duration,
    ) -> impl Future<Output = Result<bool, Error>> + Send {
        let _ = (key, owner, ttl);
        ready(Ok(true))
    }

    /// Gives the lease back if `owner` still holds it. The default does nothing.
    fn release(&self, key: &TokenKey, owner: &str) -> impl Future<Output = Result<(), Error>> + Send {
        let _ = (key, owner);
        ready(Ok(()))
    }

    /// Whether somebody else, a process or a manager, may use the same records at the same time. Then, when a server
    /// refuses a refresh token, the manager gives others a moment to store what they may have got for it. The default is
    /// `true`, which is always right; `false` saves that moment.
    fn is_shared(&self) -> bool {
        true
    }
}

/// The outcome of [`TokenStore::compare_and_swap`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Swap {
    /// The record is stored.
    Stored,
    /// Nothing was changed, because another record (or none) is stored: this one.
    Conflict(Option<Record>),
}

/// Any store, chosen at run time.
///
/// ```
/// use tower_oauth::store::MemoryStore;
/// use tower_oauth::token::BoxTokenStore;
///
/// let store = BoxTokenStore::new(MemoryStore::new());
/// # let _ = store;
/// ```
#[derive(Clone)]
pub struct BoxTokenStore(Arc<dyn DynTokenStore>);

impl BoxTokenStore {
    /// Erases the type of `store`.
    pub fn new(store: impl TokenStore) -> Self {
        Self(Arc::new(store))
    }
}

impl fmt::Debug for BoxTokenStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BoxTokenStore")
    }
}

impl TokenStore for BoxTokenStore {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        self.0.load_boxed(key).await
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        self.0.compare_and_swap_boxed(key, expected, record).await
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        self.0.delete_if_boxed(key, generation).await
    }

    async fn lease(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        self.0.lease_boxed(key, owner, ttl).await
    }

    async fn renew(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        self.0.renew_boxed(key, owner, ttl).await
    }

    async fn release(&self, key: &TokenKey, owner: &str) -> Result<(), Error> {
        self.0.release_boxed(key, owner).await
    }

    fn is_shared(&self) -> bool {
        self.0.is_shared_dyn()
    }
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

trait DynTokenStore: Send + Sync {
    fn load_boxed<'a>(&'a self, key: &'a TokenKey) -> BoxFuture<'a, Option<Record>>;
    fn compare_and_swap_boxed<'a>(
        &'a self,
        key: &'a TokenKey,
        expected: Option<u64>,
        record: &'a Record,
    ) -> BoxFuture<'a, Swap>;
    fn delete_if_boxed<'a>(&'a self, key: &'a TokenKey, generation: u64) -> BoxFuture<'a, bool>;
    fn lease_boxed<'a>(&'a self, key: &'a TokenKey, owner: &'a str, ttl: Duration) -> BoxFuture<'a, bool>;
    fn renew_boxed<'a>(&'a self, key: &'a TokenKey, owner: &'a str, ttl: Duration) -> BoxFuture<'a, bool>;
    fn release_boxed<'a>(&'a self, key: &'a TokenKey, owner: &'a str) -> BoxFuture<'a, ()>;
    fn is_shared_dyn(&self) -> bool;
}

impl<S: TokenStore> DynTokenStore for S {
    fn load_boxed<'a>(&'a self, key: &'a TokenKey) -> BoxFuture<'a, Option<Record>> {
        Box::pin(self.load(key))
    }

    fn compare_and_swap_boxed<'a>(
        &'a self,
        key: &'a TokenKey,
        expected: Option<u64>,
        record: &'a Record,
    ) -> BoxFuture<'a, Swap> {
        Box::pin(self.compare_and_swap(key, expected, record))
    }

    fn delete_if_boxed<'a>(&'a self, key: &'a TokenKey, generation: u64) -> BoxFuture<'a, bool> {
        Box::pin(self.delete_if(key, generation))
    }

    fn lease_boxed<'a>(&'a self, key: &'a TokenKey, owner: &'a str, ttl: Duration) -> BoxFuture<'a, bool> {
        Box::pin(self.lease(key, owner, ttl))
    }

    fn renew_boxed<'a>(&'a self, key: &'a TokenKey, owner: &'a str, ttl: Duration) -> BoxFuture<'a, bool> {
        Box::pin(self.renew(key, owner, ttl))
    }

    fn release_boxed<'a>(&'a self, key: &'a TokenKey, owner: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(self.release(key, owner))
    }

    fn is_shared_dyn(&self) -> bool {
        self.is_shared()
    }
}
