//! Every store keeps the rules.

use tower_oauth::store::KeyringStore;
use tower_oauth::store::MemoryStore;
use tower_oauth::testing::store_conformance::Conformance;
use tower_oauth::testing::store_conformance::check;

use crate::encrypted;
use crate::file_store;
use crate::postgres_store;
use crate::redis_store;
use crate::sqlite_store;
use crate::unique;

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    let store = MemoryStore::new();
    Conformance::of(|| async { store.clone() }).without_leases().check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn file() {
    let folder = tempfile::tempdir().unwrap();
    check(|| file_store(&folder)).await.unwrap();
}

#[tokio::test]
async fn file_on_a_runtime_with_one_thread() {
    let folder = tempfile::tempdir().unwrap();
    check(|| file_store(&folder)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_store_that_is_cloned() {
    let folder = tempfile::tempdir().unwrap();
    let store = file_store(&folder).await;
    check(|| async { store.clone() }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    check(|| sqlite_store(&folder)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres() {
    let schema = unique("conformance");
    check(|| postgres_store(&schema)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn redis() {
    check(redis_store).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    check(|| async { encrypted(file_store(&folder).await) }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_in_redis() {
    check(|| async { encrypted(redis_store().await) }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_twice() {
    let store = MemoryStore::new();
    let open = || async { encrypted(encrypted(store.clone())) };
    Conformance::of(open).without_leases().check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keyring() {
    let keyring: std::sync::Arc<keyring_core::CredentialStore> = keyring_core::mock::Store::new().unwrap();
    let open = || async { KeyringStore::new(keyring.clone(), "tower-oauth") };
    Conformance::of(open).without_leases().check().await.unwrap();
}
