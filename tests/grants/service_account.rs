//! Service accounts and client assertions, against the embedded provider, which verifies them.

use std::time::Duration;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use http_body_util::Full;
use serde_json::Value;
use tower::ServiceExt;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Error;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::Assertion;
use tower_oauth::endpoint::PrivateKey;
use tower_oauth::endpoint::SecretKey;
use tower_oauth::endpoint::SigningAlgorithm;
use tower_oauth::grant::SelfSignedJwt;
use tower_oauth::grant::ServiceAccount;
use tower_oauth::grant::ServiceAccountKey;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;
use tower_oauth::testing::service_account;
use tower_oauth::token::AccessScope;
use tower_oauth::token::TokenSource;

use crate::Played;

const TOKEN_URI: &str = "http://localhost/token";
const P256: &str = include_str!("../vectors/keys/p256.pem");
const P256_PUBLIC: &str = include_str!("../vectors/keys/p256.pub.pem");
const P384: &str = include_str!("../vectors/keys/p384.pem");
const P384_PUBLIC: &str = include_str!("../vectors/keys/p384.pub.pem");
const ED25519: &str = include_str!("../vectors/keys/ed25519.pem");
const ED25519_PUBLIC: &str = include_str!("../vectors/keys/ed25519.pub.pem");
const RSA: &str = include_str!("../vectors/keys/rsa2048-a.pem");
const RSA_PUBLIC: &str = include_str!("../vectors/keys/rsa2048-a.pub.pem");

fn key() -> ServiceAccountKey {
    ServiceAccountKey::from_json(service_account(TOKEN_URI)).unwrap()
}

async fn get(source: impl TokenSource) -> Result<Token, Error> {
    TokenManager::builder(source).build().token(&TokenKey::default()).await
}

/// Who the provider says that the token is for: client, user, scope.
async fn owner(provider: &Provider, token: &Token) -> Value {
    let request = Request::get("http://localhost/resource")
        .header("authorization", format!("Bearer {}", token.access_token().expose()))
        .body(Full::<Bytes>::default())
        .unwrap();
    let answer = provider.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn an_account_gets_a_token_for_itself() {
    let provider = Provider::new();
    let grant = ServiceAccount::new(key(), provider.client()).unwrap().scope("orders:read");
    let owner = owner(&provider, &get(grant).await.unwrap()).await;
    assert_eq!(owner["client_id"], "test-robot@example.com");
    assert_eq!(owner["scope"], "orders:read");
    assert!(owner["user"].is_null());
}

#[tokio::test]
async fn an_account_acts_for_a_user_of_a_domain_that_delegated_its_authority() {
    let provider = Provider::new();
    let grant =
        ServiceAccount::new(key(), provider.client()).unwrap().scope("mail").subject("ann@example.com");
    assert_eq!(owner(&provider, &get(grant).await.unwrap()).await["user"], "ann@example.com");
}

#[tokio::test]
async fn the_assertion_is_as_google_wants_it() {
    let played = Played::token();
    let file = service_account("https://oauth2.test/token");
    let key = ServiceAccountKey::from_json(file).unwrap();
    let grant = ServiceAccount::new(key, played.http()).unwrap().scope("b a").claim("target_audience", "t");
    get(grant).await.unwrap();
    let seen = played.last();
    let names: Vec<_> = seen.form.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["grant_type", "assertion"]);
    assert!(!seen.headers.contains_key("authorization"));
    let assertion = seen.value("assertion").unwrap();
    let (header, claims) = (part(assertion, 0), part(assertion, 1));
    assert_eq!(header, serde_json::json!({ "alg": "RS256", "typ": "JWT", "kid": "test-key" }));
    assert_eq!(claims["iss"], "test-robot@example.com");
    assert_eq!(claims["aud"], "https://oauth2.test/token");
    assert_eq!((&claims["scope"], &claims["target_audience"]), (&"a b".into(), &"t".into()));
    assert_eq!(claims.get("sub"), None);
}

#[tokio::test]
async fn a_request_for_another_scope_gets_an_assertion_for_it() {
    let provider = Provider::new();
    let grant = ServiceAccount::new(key(), provider.client()).unwrap().scope("all");
    let manager = TokenManager::builder(grant).build();
    let narrow = AccessScope::new().scope("orders:read");
    let token = manager.token_for(&TokenKey::default(), &narrow).await.unwrap();
    assert_eq!(owner(&provider, &token).await["scope"], "orders:read");
}

#[tokio::test]
async fn an_account_whose_clock_is_wrong_is_refused_and_told_so() {
    let provider = Provider::new();
    let long_ago = ManualClock::at(SystemTime::now() - Duration::from_secs(7200));
    let grant = ServiceAccount::new(key(), provider.client()).unwrap().clock(long_ago);
    let error = get(grant).await.unwrap_err();
    assert_eq!(error.server().map(|server| server.code()), Some("invalid_grant"));
    assert!(error.to_string().contains("expired"), "{error}");
}

#[tokio::test]
async fn an_account_that_the_provider_does_not_know_is_refused() {
    let provider = Provider::builder().build();
    let error = get(ServiceAccount::new(key(), provider.client()).unwrap()).await.unwrap_err();
    assert_eq!(error.server().map(|server| server.code()), Some("invalid_grant"));
}

#[tokio::test]
async fn a_jwt_of_the_account_itself_is_an_access_token_for_an_hour() {
    let clock = ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let source =
        SelfSignedJwt::of_service_account(&key()).audience("https://pubsub.test/").clock(clock.clone());
    let manager = TokenManager::builder(source).clock(clock.clone()).build();
    let token = manager.token(&TokenKey::default()).await.unwrap();
    let jwt = token.access_token().expose();
    assert_eq!(part(jwt, 0)["kid"], "test-key");
    let claims = part(jwt, 1);
    assert_eq!((&claims["iss"], &claims["sub"]), (&claims["sub"], &"test-robot@example.com".into()));
    assert_eq!(claims["aud"], "https://pubsub.test/");
    assert_eq!((&claims["iat"], &claims["exp"]), (&1_700_000_000.into(), &1_700_003_600.into()));
    assert_eq!(claims.get("scope"), None);
    // It is signed again before it ends.
    clock.advance(Duration::from_secs(3600));
    let next = manager.token(&TokenKey::default()).await.unwrap();
    assert_eq!(part(next.access_token().expose(), 1)["exp"], 1_700_007_200);
}

#[tokio::test]
async fn a_jwt_as_access_token_can_be_for_scopes_instead() {
    let token = get(SelfSignedJwt::of_service_account(&key()).scope("b a")).await.unwrap();
    let claims = part(token.access_token().expose(), 1);
    assert_eq!((claims.get("aud"), &claims["scope"]), (None, &"a b".into()));
}

#[tokio::test]
async fn a_client_proves_itself_with_every_kind_of_key_and_every_algorithm() {
    use SigningAlgorithm::*;
    let keys = [
        (RSA, RSA_PUBLIC, &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512][..]),
        (P256, P256_PUBLIC, &[Es256]),
        (P384, P384_PUBLIC, &[Es384]),
        (ED25519, ED25519_PUBLIC, &[EdDsa]),
    ];
    for (private, public, algorithms) in keys {
        let provider = Provider::builder().key_client("robot", public).build();
        for algorithm in algorithms {
            let key = PrivateKey::from_pem(private).unwrap().with_algorithm(*algorithm).unwrap();
            let auth = ClientAuth::private_key_jwt("robot", key);
            let token = get(ClientCredentials::new(TOKEN_URI, auth, provider.client()).unwrap()).await;
            assert!(token.is_ok(), "{algorithm}: {token:?}");
        }
    }
}

#[tokio::test]
async fn a_client_proves_itself_with_its_secret_without_sending_it() {
    let provider = Provider::new();
    for algorithm in [SigningAlgorithm::Hs256, SigningAlgorithm::Hs384, SigningAlgorithm::Hs512] {
        let auth = |secret: &str| {
            let key = SecretKey::new(secret).with_algorithm(algorithm).unwrap();
            ClientAuth::secret_jwt("test-client", key).assertion_audience("http://localhost")
        };
        let ask = |auth| get(ClientCredentials::new(TOKEN_URI, auth, provider.client()).unwrap());
        assert!(ask(auth("test-secret")).await.is_ok());
        assert!(ask(auth("another-secret")).await.unwrap_err().is_configuration());
    }
}

#[tokio::test]
async fn an_assertion_for_somebody_else_or_made_twice_is_refused() {
    let provider = Provider::builder().key_client("robot", P256_PUBLIC).build();
    let assertion = || Assertion::signed_by(PrivateKey::from_pem(P256).unwrap());
    let ask = |assertion| {
        let auth = ClientAuth::signed_assertion("robot", assertion);
        get(ClientCredentials::new(TOKEN_URI, auth, provider.client()).unwrap())
    };
    assert!(ask(assertion()).await.is_ok());
    assert!(ask(assertion().audience("https://elsewhere.test")).await.unwrap_err().is_configuration());
    assert!(ask(assertion().subject("another")).await.unwrap_err().is_configuration());
    assert!(ask(assertion().claim("jti", "once")).await.is_ok());
    assert!(ask(assertion().claim("jti", "once")).await.unwrap_err().is_configuration());
}
