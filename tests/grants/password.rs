//! The name and the password of a user (RFC 6749 §4.3).

use std::time::Duration;

use tower_oauth::ClientAuth;
use tower_oauth::ErrorKind;
use tower_oauth::Secret;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::SecretSource;
use tower_oauth::grant::Password;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;

use crate::Played;

const LIFETIME: Duration = Duration::from_secs(600);

fn provider(clock: &ManualClock) -> Provider {
    Provider::builder().test_clients().access_token_lifetime(LIFETIME).clock(clock.clone()).build()
}

fn manager(provider: &Provider, clock: &ManualClock, password: impl Into<SecretSource>) -> TokenManager {
    let auth = ClientAuth::basic("test-client", "test-secret");
    let grant =
        Password::new("http://localhost/token", auth, provider.client(), "test-user", password).unwrap();
    TokenManager::builder(grant.scope("orders:read")).clock(clock.clone()).build()
}

#[tokio::test]
async fn the_password_is_sent_once_and_the_refresh_token_from_then_on() {
    let clock = ManualClock::new();
    let provider = provider(&clock);
    let manager = manager(&provider, &clock, "test-password");
    let key = TokenKey::default();
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(manager.token(&key).await.unwrap().access_token().clone());
        clock.advance(LIFETIME);
    }
    assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2]);
    let grants = provider.stats().grants;
    assert_eq!((grants.password, grants.refresh_token), (1, 2));
}

#[tokio::test]
async fn the_password_comes_again_when_the_refresh_token_has_died() {
    let clock = ManualClock::new();
    let provider = provider(&clock);
    let manager = manager(&provider, &clock, "test-password");
    let key = TokenKey::default();
    manager.token(&key).await.unwrap();
    provider.revoke_all_logins();
    clock.advance(LIFETIME);
    manager.token(&key).await.unwrap();
    clock.advance(LIFETIME);
    manager.token(&key).await.unwrap();
    // The new login has a refresh token of its own, which is used next.
    let grants = provider.stats().grants;
    assert_eq!((grants.password, grants.refresh_token), (2, 2));
}

#[tokio::test]
async fn a_wrong_password_is_not_sent_again_because_that_may_lock_the_account() {
    let clock = ManualClock::new();
    let provider = provider(&clock);
    let manager = manager(&provider, &clock, "wrong");
    let key = TokenKey::default();
    for _ in 0..3 {
        let error = manager.token(&key).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReauthorizationRequired);
        assert!(!error.to_string().contains("wrong"), "{error}");
        clock.advance(Duration::from_secs(3600));
    }
    assert_eq!(provider.stats().grants.password, 1);
}

#[tokio::test]
async fn the_password_can_be_asked_for_when_it_is_needed() {
    let clock = ManualClock::new();
    let provider = provider(&clock);
    let source = SecretSource::from_fn(|| async { Ok(Secret::new("test-password")) });
    let manager = manager(&provider, &clock, source);
    assert!(manager.token(&TokenKey::default()).await.is_ok());
}

#[tokio::test]
async fn name_password_and_scope_are_in_the_form_and_the_client_in_the_header() {
    let played = Played::token();
    let grant = Password::at(played.endpoint(), "jöhn & co", "p+w d=1").scope("a b").parameter("x", "y");
    TokenManager::builder(grant).build().token(&TokenKey::default()).await.unwrap();
    let seen = played.last();
    assert_eq!(seen.value("grant_type"), Some("password"));
    assert_eq!(seen.value("username"), Some("jöhn & co"));
    assert_eq!(seen.value("password"), Some("p+w d=1"));
    assert_eq!((seen.value("scope"), seen.value("x")), (Some("a b"), Some("y")));
    assert_eq!(seen.value("client_secret"), None);
    assert!(seen.headers["authorization"].to_str().unwrap().starts_with("Basic "));
}

#[tokio::test]
async fn a_password_that_the_server_echoes_is_taken_out_of_the_error() {
    let played =
        Played::new([(400, r#"{"error":"invalid_grant","error_description":"no user with hunter2secret"}"#)]);
    let grant = Password::at(played.endpoint(), "john", "hunter2secret");
    let error = TokenManager::builder(grant).build().token(&TokenKey::default()).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
}
