//! What one version of the crate wrote is read by the next.

use std::time::Duration;
use std::time::UNIX_EPOCH;

use tower_oauth::store::FileStore;
use tower_oauth::store::MemoryStore;
use tower_oauth::store::PostgresStore;
use tower_oauth::store::RedisStore;
use tower_oauth::store::SqliteStore;
use tower_oauth::token::AccessScope;
use tower_oauth::token::Record;
use tower_oauth::token::Swap;
use tower_oauth::token::TokenStore;

use crate::encrypted;
use crate::generation;
use crate::postgres_pool;
use crate::put;
use crate::redis_connection;
use crate::sqlite_pool;
use crate::unique;

const MINUTE: Duration = Duration::from_secs(60);

/// The record that all fixtures hold.
fn fixture() -> Record {
    Record::from_json(include_str!("fixtures/record-1.json")).unwrap()
}

/// That a store of version 1 is read and goes on.
async fn assert_goes_on(store: &impl TokenStore) {
    assert_eq!(store.load(&"alice".into()).await.unwrap(), Some(fixture()));
    put(store, "alice", Some(42), 43).await;
    assert_eq!(generation(store, "alice").await, Some(43));
}

#[test]
fn a_record() {
    let (record, millis) = (fixture(), |millis| Some(UNIX_EPOCH + Duration::from_millis(millis)));
    assert_eq!(record.generation(), 42);
    assert_eq!(record.refresh_token().unwrap().expose(), "refresh-1");
    assert_eq!(record.refresh_expires_at(), millis(1_900_000_000_123));
    assert!(record.rotates());
    assert_eq!(record.intent_at(), millis(1_800_000_000_500));
    let scope = AccessScope::new().scope("read write").resource("https://api.example.com/");
    let token = record.token(&scope).unwrap();
    assert_eq!((token.access_token().expose(), token.token_type()), ("access-1", "Bearer"));
    assert_eq!(token.obtained_at(), millis(1_800_000_000_001));
    assert_eq!(token.expires_at(), millis(1_800_000_600_999));
    assert_eq!(token.scope().unwrap(), ["read"]);
    assert_eq!(token.extra("instance_url").unwrap(), "https://eu7.example.com");
    let token = record.token(&AccessScope::new()).unwrap();
    assert_eq!((token.access_token().expose(), token.expires_at()), ("access-2", None));
    // It is written as it was: nothing that was known then is dropped now.
    let written: serde_json::Value = serde_json::from_str(record.to_json().expose()).unwrap();
    let was: serde_json::Value = serde_json::from_str(include_str!("fixtures/record-1.json")).unwrap();
    assert_eq!(written, was);
}

#[tokio::test]
async fn a_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path().join("tokens.json"));
    for (name, text) in [
        ("tokens.json", include_str!("fixtures/file-1.json")),
        ("tokens.json.leases", include_str!("fixtures/file-1.leases.json")),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let store = store.dangerously_allow_open_file();
    assert_goes_on(&store).await;
    assert_eq!(generation(&store, "bob").await, Some(1));
    assert!(store.lease(&"alice".into(), "me", MINUTE).await.unwrap(), "the lease of who crashed has ended");
    assert!(!store.lease(&"bob".into(), "me", MINUTE).await.unwrap(), "the lease of who runs has not");
}

#[tokio::test]
async fn a_sqlite_database() {
    let folder = tempfile::tempdir().unwrap();
    let pool = sqlite_pool(&folder).await;
    sqlx::raw_sql(include_str!("fixtures/sqlite-1.sql")).execute(&pool).await.unwrap();
    let store = SqliteStore::new(pool);
    store.migrate().await.unwrap();
    assert_goes_on(&store).await;
    assert!(!store.lease(&"alice".into(), "me", MINUTE).await.unwrap());
}

#[tokio::test]
async fn a_postgres_database() {
    let pool = postgres_pool(&unique("fixture")).await;
    sqlx::raw_sql(include_str!("fixtures/postgres-1.sql")).execute(&pool).await.unwrap();
    let store = PostgresStore::new(pool);
    store.migrate().await.unwrap();
    assert_goes_on(&store).await;
    assert!(!store.lease(&"alice".into(), "me", MINUTE).await.unwrap());
}

#[tokio::test]
async fn a_redis() {
    let prefix = unique("fixture:");
    let mut connection = redis_connection().await;
    for line in include_str!("fixtures/redis-1.txt").replace("tower-oauth:", &prefix).lines() {
        let mut words = line.split('\t');
        let mut command = redis::cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>()).exec_async(&mut connection).await.unwrap();
    }
    let store = RedisStore::new(connection).prefix(&prefix);
    assert_goes_on(&store).await;
    assert!(!store.lease(&"alice".into(), "me", MINUTE).await.unwrap());
}

#[tokio::test]
async fn an_encrypted_record() {
    let sealed = Record::from_json(include_str!("fixtures/encrypted-1.json")).unwrap();
    let inner = MemoryStore::new();
    assert_eq!(inner.compare_and_swap(&"alice".into(), None, &sealed).await.unwrap(), Swap::Stored);
    assert_goes_on(&encrypted(inner)).await;
}
