//! Managers on encrypted grants.

use std::time::Duration;

use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::store::EncryptedStore;
use tower_oauth::store::EncryptionKey;
use tower_oauth::store::MemoryStore;
use tower_oauth::token::SourceRequest;
use tower_oauth::token::TokenStore;
use tower_oauth::token::token_source_fn;

use crate::encrypted;

/// A manager whose source begins anew when there is no grant.
fn manager(store: impl TokenStore) -> TokenManager {
    let source = token_source_fn(|request: SourceRequest| async move {
        let before = request.previous().and_then(|record| record.refresh_token());
        let next = before.map_or("begun anew".to_owned(), |before| format!("{}+", before.expose()));
        Ok(Token::new("access").expires_in(Duration::from_secs(3600)).with_refresh_token(next))
    });
    TokenManager::builder(source).store(store).build()
}

#[tokio::test]
async fn a_manager_that_cannot_decrypt_a_grant_uses_replaces_and_forgets_nothing() {
    let (inner, alice) = (MemoryStore::new(), TokenKey::new("alice"));
    let login = || Token::new("access").with_refresh_token("refresh");
    manager(encrypted(inner.clone())).put(&alice, login()).await.unwrap();
    let before = inner.load(&alice).await.unwrap();

    let wrong = EncryptedStore::new(inner.clone(), EncryptionKey::new("2024-07", [9; 32]).unwrap());
    for manager in [manager(inner.clone()), manager(wrong)] {
        for error in [
            manager.token(&alice).await.unwrap_err(),
            manager.put(&alice, login()).await.unwrap_err(),
            manager.forget(&alice).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Store, "{error}");
            assert!(error.to_string().contains("alice"), "{error}");
        }
        assert_eq!(inner.load(&alice).await.unwrap(), before);
    }

    let right = encrypted(inner);
    manager(right.clone()).refresh(&alice).await.unwrap();
    let record = right.load(&alice).await.unwrap().unwrap();
    assert_eq!(record.refresh_token().unwrap().expose(), "refresh+");
}
