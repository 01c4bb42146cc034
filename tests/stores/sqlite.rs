//! What is particular to SQLite.

use std::time::Duration;

use futures_util::future::join_all;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::sqlite::SqlitePoolOptions;
use tower_oauth::ErrorKind;
use tower_oauth::store::SqliteStore;
use tower_oauth::token::TokenStore;

use crate::generation;
use crate::put;
use crate::record;
use crate::sqlite_pool;
use crate::sqlite_store;

#[tokio::test(flavor = "multi_thread")]
async fn many_may_migrate_at_once_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let stores: Vec<_> = join_all((0..4).map(|_| sqlite_store(&folder))).await;
    put(&stores[0], "alice", None, 1).await;
    stores[1].migrate().await.unwrap();
    assert_eq!(generation(&stores[2], "alice").await, Some(1));
}

#[tokio::test]
async fn tables_of_a_later_version_are_an_error_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite_store(&folder).await;
    let pool = sqlite_pool(&folder).await;
    sqlx::raw_sql("INSERT INTO tower_oauth_schema VALUES (99)").execute(&pool).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(error.to_string().contains("have version 99"), "{error}");
}

#[tokio::test]
async fn without_its_tables_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::new(sqlite_pool(&folder).await);
    let error = store.load(&"alice".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("no such table"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_another_has_locked_is_waited_for_without_a_busy_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let other = sqlite_store(&folder).await;
    let options = SqliteConnectOptions::new().filename(folder.path().join("tokens.db"));
    let options = options.busy_timeout(Duration::ZERO);
    let store = SqliteStore::new(SqlitePoolOptions::new().connect_with(options).await.unwrap());
    let pool = sqlite_pool(&folder).await;
    let writer = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let key = "alice".into();
    let first = record(1);
    let mut swap = tokio_test::task::spawn(store.compare_and_swap(&key, None, &first));
    while !swap.is_woken() {
        assert!(swap.poll().is_pending());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    writer.rollback().await.unwrap();
    swap.await.unwrap();
    assert_eq!(generation(&other, "alice").await, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stays_locked_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    sqlite_store(&folder).await;
    let options = SqliteConnectOptions::new().filename(folder.path().join("tokens.db"));
    let options = options.busy_timeout(Duration::ZERO);
    let store = SqliteStore::new(SqlitePoolOptions::new().connect_with(options).await.unwrap());
    let pool = sqlite_pool(&folder).await;
    let _writer = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = store.compare_and_swap(&"alice".into(), None, &record(1)).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("locked"), "{error}");
}

#[tokio::test]
async fn a_row_that_was_changed_by_hand_is_an_error_and_shows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, pool) = (sqlite_store(&folder).await, sqlite_pool(&folder).await);
    put(&store, "alice", None, 1).await;
    for change in ["generation = 2", "record = 'hunter2'", "generation = 1", "record = X'FFFE'"] {
        let update = sqlx::AssertSqlSafe(format!("UPDATE tower_oauth_records SET {change}"));
        sqlx::raw_sql(update).execute(&pool).await.unwrap();
        let error = store.load(&"alice".into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}
