//! Grants of users from their refresh to their end, and what the server says of tokens.

use http::StatusCode;
use serde_json::Value;
use tower::Layer;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::Secret;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::AuthorizationServer;
use tower_oauth::grant::RefreshToken;
use tower_oauth::store::MemoryStore;
use tower_oauth::token::TokenStore;
use tower_oauth::token::TokenTypeHint;
use tower_oauth_peers::oidc_provider::DIFFICULT_SECRET;
use tower_oauth_peers::passed::passed;

use crate::OPAQUE;
use crate::PROVIDER;
use crate::call_api;
use crate::code;
use crate::http;
use crate::known;
use crate::text;

#[tokio::test]
async fn a_grant_of_a_public_client_is_refreshed_rotated_and_ended() {
    let login = PROVIDER.log_in_natively().await;
    let server = known(ClientAuth::none("native"), None).await;
    refreshed_rotated_and_ended(login, server).await;
    passed("refresh_token", "none", "oidc-provider");
}

#[tokio::test]
async fn a_grant_of_a_confidential_client_is_refreshed_rotated_and_ended() {
    let login = PROVIDER.log_in().await;
    let server = known(ClientAuth::basic("web", "web-secret"), None).await;
    refreshed_rotated_and_ended(login, server).await;
    passed("refresh_token", "client_secret_basic", "oidc-provider");
}

async fn refreshed_rotated_and_ended(login: Value, server: AuthorizationServer) {
    let grant = RefreshToken::at(server.token_endpoint().expect("a token endpoint"));
    let revocation = server.revocation_endpoint().expect("a revocation endpoint");
    let store = MemoryStore::new();
    let manager = TokenManager::builder(grant).revocation(revocation).store(store.clone()).build();
    let key = TokenKey::new("alice");
    let token = Token::new(text(&login, "access_token")).with_refresh_token(text(&login, "refresh_token"));
    manager.put(&key, token).await.expect("a stored token");

    let stored = async || {
        let record = store.load(&key).await.expect("a store").expect("a record");
        record.refresh_token().expect("a refresh token").clone()
    };
    let first = stored().await;
    manager.refresh(&key).await.expect("a second token");
    let second = stored().await;
    manager.refresh(&key).await.expect("a third token");
    let third = stored().await;
    assert!(first != second && second != third, "the server rotates them");
    let origins = Origins::one(&PROVIDER.origin()).expect("an origin");
    let stack = OAuth2Layer::with_manager(origins, manager.clone()).key_per_request().layer(http(None));
    let with_key = tower::service_fn(move |mut request: http::Request<_>| {
        request.extensions_mut().insert(TokenKey::new("alice"));
        tower::ServiceExt::oneshot(stack.clone(), request)
    });
    let answer = call_api(with_key, &PROVIDER.origin()).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!(answer.json()["sub"], "alice");

    manager.revoke(&key).await.expect("an end");
    assert!(manager.token(&key).await.is_err());
    // At the server too: the refresh token is no good in anybody's hands.
    let other =
        TokenManager::builder(RefreshToken::at(server.token_endpoint().expect("a token endpoint"))).build();
    let stolen = Token::new("over").with_refresh_token(third);
    other.put(&key, stolen).await.expect("a stored token");
    let error = other.refresh(&key).await.expect_err("a refusal");
    assert_eq!((error.kind(), code(&error)), (ErrorKind::ReauthorizationRequired, "invalid_grant"));
}

#[tokio::test]
async fn a_resource_server_asks_about_the_tokens_of_others() {
    let server = known(ClientAuth::basic("cc", DIFFICULT_SECRET), None).await;
    let grant = ClientCredentials::at(server.token_endpoint().expect("a token endpoint")).resource(OPAQUE);
    let token = TokenManager::builder(grant).build().token(&TokenKey::default()).await.expect("a token");

    let resource = known(ClientAuth::basic("resource-server", "resource-server-secret"), None).await;
    let introspection = resource.introspection_endpoint().expect("an introspection endpoint");
    let answer = introspection.introspect(token.access_token()).await.expect("an answer");
    assert!(answer.is_active());
    assert_eq!((answer.client_id(), answer.token_type()), (Some("cc"), Some("Bearer")));

    let unknown = introspection.introspect(&Secret::new("nobody-knows-this")).await.expect("an answer");
    assert!(!unknown.is_active());
}

#[tokio::test]
async fn a_token_that_the_server_does_not_know_counts_as_ended() {
    let server = known(ClientAuth::basic("cc", DIFFICULT_SECRET), None).await;
    let revocation = server.revocation_endpoint().expect("a revocation endpoint");
    for hint in [TokenTypeHint::AccessToken, TokenTypeHint::RefreshToken] {
        revocation.revoke(&Secret::new("nobody-knows-this"), hint).await.expect("an end");
    }
}

#[tokio::test]
async fn a_jwt_cannot_be_ended_at_this_server_and_the_error_says_so() {
    let server = known(ClientAuth::basic("cc", DIFFICULT_SECRET), None).await;
    let grant = ClientCredentials::at(server.token_endpoint().expect("a token endpoint")).resource("urn:api");
    let token = TokenManager::builder(grant).build().token(&TokenKey::default()).await.expect("a token");
    let revocation = server.revocation_endpoint().expect("a revocation endpoint");
    let error =
        revocation.revoke(token.access_token(), TokenTypeHint::AccessToken).await.expect_err("a refusal");
    assert_eq!((error.kind(), code(&error)), (ErrorKind::UnsupportedTokenType, "unsupported_token_type"));
    let introspection = server.introspection_endpoint().expect("an introspection endpoint");
    let error = introspection.introspect(token.access_token()).await.expect_err("a refusal");
    assert_eq!(code(&error), "unsupported_token_type");
}
