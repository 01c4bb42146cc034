//! The stores, against the files and servers that they keep tokens in.

use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use redis::aio::ConnectionManager;
use sqlx::PgPool;
use sqlx::SqlitePool;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::sqlite::SqliteJournalMode;
use sqlx::sqlite::SqlitePoolOptions;
use tower_oauth::Secret;
use tower_oauth::store::EncryptedStore;
use tower_oauth::store::EncryptionKey;
use tower_oauth::store::FileStore;
use tower_oauth::store::PostgresStore;
use tower_oauth::store::RedisStore;
use tower_oauth::store::SqliteStore;
use tower_oauth::token::Record;
use tower_oauth::token::Swap;
use tower_oauth::token::TokenStore;

#[path = "stores/broken.rs"]
mod broken;
#[path = "stores/conformance.rs"]
mod conformance;
#[path = "stores/encryption.rs"]
mod encryption;
#[path = "stores/fixtures.rs"]
mod fixtures;
#[path = "stores/postgres.rs"]
mod in_postgres;
#[path = "stores/redis.rs"]
mod in_redis;
#[path = "stores/sqlite.rs"]
mod in_sqlite;
#[path = "stores/outages.rs"]
mod outages;
#[path = "stores/processes.rs"]
mod processes;
#[path = "stores/servers.rs"]
mod servers;

/// A record with nothing in it but a refresh token.
fn record(generation: u64) -> Record {
    let json = format!(
        r#"{{"version":1,"generation":{generation},"refresh_token":"hunter2-{generation}","tokens":[]}}"#
    );
    Record::from_json(&json).unwrap()
}

/// Stores a record, which must work.
async fn put(store: &impl TokenStore, key: &str, expected: Option<u64>, generation: u64) {
    let swap = store.compare_and_swap(&key.into(), expected, &record(generation)).await.unwrap();
    assert_eq!(swap, Swap::Stored);
}

/// The generation that is stored.
async fn generation(store: &impl TokenStore, key: &str) -> Option<u64> {
    store.load(&key.into()).await.unwrap().map(|record| record.generation())
}

fn encrypted<S: TokenStore>(store: S) -> EncryptedStore<S> {
    let key = Secret::new("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    EncryptedStore::new(store, EncryptionKey::from_base64("2024-07", &key).unwrap())
}

/// The Redis of all tests that do not stop it.
fn redis() -> &'static servers::Redis {
    static REDIS: OnceLock<servers::Redis> = OnceLock::new();
    REDIS.get_or_init(servers::Redis::start)
}

/// A connection of its own, as each process has one.
async fn redis_connection() -> ConnectionManager {
    ConnectionManager::new(redis::Client::open(redis().url()).unwrap()).await.unwrap()
}

/// The PostgreSQL of all tests that do not stop it.
fn postgres() -> &'static servers::Postgres {
    static POSTGRES: OnceLock<servers::Postgres> = OnceLock::new();
    POSTGRES.get_or_init(servers::Postgres::start)
}

/// A pool of its own, as each process has one, on a schema that is made if it is not there.
async fn postgres_pool(schema: &str) -> PgPool {
    let options = postgres().url().parse::<sqlx::postgres::PgConnectOptions>().unwrap();
    let options = options.options([("search_path", schema)]);
    let pool = PgPoolOptions::new().max_connections(8).connect_with(options).await.unwrap();
    // Several may try at once, and PostgreSQL lets one of them fail.
    let create = sqlx::AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {schema}"));
    let _ = sqlx::raw_sql(create).execute(&pool).await;
    pool
}

/// A name that no other test has.
fn unique(name: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{name}_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A database of SQLite in a folder.
async fn sqlite_pool(folder: &tempfile::TempDir) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("tokens.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    SqlitePoolOptions::new().max_connections(4).connect_with(options).await.unwrap()
}

async fn file_store(folder: &tempfile::TempDir) -> FileStore {
    FileStore::new(folder.path().join("tokens.json"))
}

async fn sqlite_store(folder: &tempfile::TempDir) -> SqliteStore {
    let store = SqliteStore::new(sqlite_pool(folder).await);
    store.migrate().await.unwrap();
    store
}

async fn postgres_store(schema: &str) -> PostgresStore {
    let store = PostgresStore::new(postgres_pool(schema).await);
    store.migrate().await.unwrap();
    store
}

async fn redis_store() -> RedisStore {
    RedisStore::new(redis_connection().await)
}
