//! What is particular to PostgreSQL.

use futures_util::future::join_all;
use tower_oauth::ErrorKind;
use tower_oauth::store::PostgresStore;
use tower_oauth::token::TokenStore;

use crate::generation;
use crate::postgres_pool;
use crate::postgres_store;
use crate::put;
use crate::record;
use crate::unique;

#[tokio::test(flavor = "multi_thread")]
async fn many_may_migrate_at_once_and_again() {
    let schema = unique("migrate");
    let stores: Vec<_> = join_all((0..4).map(|_| postgres_store(&schema))).await;
    put(&stores[0], "alice", None, 1).await;
    stores[1].migrate().await.unwrap();
    assert_eq!(generation(&stores[2], "alice").await, Some(1));
}

#[tokio::test]
async fn tables_of_a_later_version_are_an_error_and_stay() {
    let schema = unique("later");
    let (store, pool) = (postgres_store(&schema).await, postgres_pool(&schema).await);
    sqlx::raw_sql("INSERT INTO tower_oauth_schema VALUES (99)").execute(&pool).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(error.to_string().contains("have version 99"), "{error}");
}

#[tokio::test]
async fn without_its_tables_it_says_so() {
    let store = PostgresStore::new(postgres_pool(&unique("empty")).await);
    let error = store.load(&"alice".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains(r#"relation "tower_oauth_records" does not exist"#), "{error}");
}

#[tokio::test]
async fn schemas_are_kept_apart() {
    let (one, other) = (postgres_store(&unique("apart")).await, postgres_store(&unique("apart")).await);
    put(&one, "alice", None, 1).await;
    assert_eq!(generation(&other, "alice").await, None);
}

#[tokio::test]
async fn what_the_database_quotes_of_a_row_is_in_no_error() {
    let schema = unique("quotes");
    let (store, pool) = (postgres_store(&schema).await, postgres_pool(&schema).await);
    let check = "ALTER TABLE tower_oauth_records ADD CHECK (generation > 1)";
    sqlx::raw_sql(check).execute(&pool).await.unwrap();
    let error = store.compare_and_swap(&"alice".into(), None, &record(1)).await.unwrap_err();
    assert!(error.to_string().contains("violates check constraint"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}
