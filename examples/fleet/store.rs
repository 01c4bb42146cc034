//! The store: opened by its URL, or made for the occasion.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tower::BoxError;
use tower_oauth::store::{FileStore, PostgresStore, RedisStore, SqliteStore};
use tower_oauth::token::{BoxTokenStore, Record, Swap, TokenStore};
use tower_oauth::{Error, TokenKey};

use crate::arguments::StoreKind;
use crate::servers::{Postgres, Redis};

/// A store for the occasion, which is gone when this is dropped.
pub struct Temporary {
    pub url: String,
    _keep: Keep,
}

#[allow(dead_code, reason = "held until it is dropped")]
enum Keep {
    Folder(tempfile::TempDir),
    Postgres(Postgres),
    Redis(Redis),
}

impl Temporary {
    pub fn start(kind: StoreKind) -> Result<Self, BoxError> {
        let in_folder = |url: &dyn Fn(&Path) -> String| -> Result<Self, BoxError> {
            let folder = tempfile::Builder::new().prefix("tower-oauth-fleet-").tempdir()?;
            Ok(Self { url: url(folder.path()), _keep: Keep::Folder(folder) })
        };
        match kind {
            StoreKind::File => in_folder(&|folder| folder.join("tokens.json").display().to_string()),
            StoreKind::Sqlite => {
                in_folder(&|folder| format!("sqlite:{}", folder.join("tokens.db").display()))
            }
            StoreKind::Postgres => {
                let server = started(Postgres::start)?;
                Ok(Self { url: server.url(), _keep: Keep::Postgres(server) })
            }
            StoreKind::Redis => {
                let server = started(Redis::start)?;
                Ok(Self { url: server.url(), _keep: Keep::Redis(server) })
            }
        }
    }
}

/// Starting a server panics, and says why, when it cannot be done.
fn started<T>(start: fn() -> T) -> Result<T, BoxError> {
    std::panic::catch_unwind(start).map_err(|_| "the server for the store does not start".into())
}

/// Opens the store at `url`.
pub async fn open(kind: StoreKind, url: &str) -> Result<BoxTokenStore, BoxError> {
    Ok(match kind {
        StoreKind::File => {
            let path = url.strip_prefix("file://").or_else(|| url.strip_prefix("file:")).unwrap_or(url);
            BoxTokenStore::new(FileStore::new(Path::new(path)))
        }
        StoreKind::Sqlite => {
            let options = url
                .parse::<sqlx::sqlite::SqliteConnectOptions>()?
                .create_if_missing(true)
                .busy_timeout(Duration::from_secs(10));
            let pool =
                sqlx::sqlite::SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
            let store = SqliteStore::new(pool);
            store.migrate().await?;
            BoxTokenStore::new(store)
        }
        StoreKind::Postgres => {
            let pool = sqlx::postgres::PgPoolOptions::new().max_connections(4).connect(url).await?;
            let store = PostgresStore::new(pool);
            store.migrate().await?;
            BoxTokenStore::new(store)
        }
        StoreKind::Redis => {
            // A busy disk may take longer than the 500 ms that are the default.
            let settings =
                redis::aio::ConnectionManagerConfig::new().set_response_timeout(Some(Duration::from_secs(5)));
            let client = redis::Client::open(url)?;
            let connection = redis::aio::ConnectionManager::new_with_config(client, settings).await?;
            BoxTokenStore::new(RedisStore::new(connection))
        }
    })
}

/// A store that counts conflicts on the way to the real one.
#[derive(Clone)]
pub struct Counted {
    store: BoxTokenStore,
    conflicts: Arc<AtomicU64>,
    /// Whether everybody gets every lease.
    without_leases: bool,
}

impl Counted {
    pub fn new(store: BoxTokenStore, without_leases: bool) -> Self {
        Self { store, conflicts: Arc::default(), without_leases }
    }

    /// The conflicts since the last time.
    pub fn take_conflicts(&self) -> u64 {
        self.conflicts.swap(0, Ordering::Relaxed)
    }
}

impl TokenStore for Counted {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        self.store.load(key).await
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        let swap = self.store.compare_and_swap(key, expected, record).await?;
        if let Swap::Conflict(_) = swap {
            self.conflicts.fetch_add(1, Ordering::Relaxed);
        }
        Ok(swap)
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        self.store.delete_if(key, generation).await
    }

    async fn lease(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        if self.without_leases { Ok(true) } else { self.store.lease(key, owner, ttl).await }
    }

    async fn renew(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        if self.without_leases { Ok(true) } else { self.store.renew(key, owner, ttl).await }
    }

    async fn release(&self, key: &TokenKey, owner: &str) -> Result<(), Error> {
        self.store.release(key, owner).await
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }
}
