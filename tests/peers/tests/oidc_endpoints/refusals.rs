//! Clients that prove themselves wrongly are refused, and told so in a way that helps.

use http::StatusCode;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Secret;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::Assertion;
use tower_oauth::endpoint::PrivateKey;
use tower_oauth::endpoint::SigningAlgorithm;
use tower_oauth::token::TokenTypeHint;

use crate::PROVIDER;
use crate::authentication::SECRET;
use crate::authentication::key;
use crate::code;
use crate::known;

/// What comes of a token request.
async fn refusal(what: &str, auth: ClientAuth, certificate: Option<&str>) -> Error {
    let server = known(auth, certificate).await;
    let grant = ClientCredentials::at(server.token_endpoint().expect("a token endpoint"));
    let manager = TokenManager::builder(grant).build();
    manager.token(&TokenKey::default()).await.err().unwrap_or_else(|| panic!("{what}: accepted"))
}

/// Keys that nobody knows.
fn unknown_key(file: &str) -> PrivateKey {
    let path = tower_oauth_peers::process::repository().join("tests/vectors/keys").join(file);
    PrivateKey::from_pem(std::fs::read(path).expect("a file")).expect("a key")
}

#[tokio::test]
async fn a_wrong_proof_is_an_invalid_client_at_every_endpoint() {
    let pss = || unknown_key("rsa2048-a.pem").with_algorithm(SigningAlgorithm::Ps256).expect("an algorithm");
    let stranger = "https://stranger.test";
    let rows = [
        ("basic: secret", ClientAuth::basic("cc", "wrong"), None),
        ("basic: client", ClientAuth::basic("nobody", "wrong"), None),
        ("post: secret", ClientAuth::post("cc-post", "wrong"), None),
        ("none for a client with a secret", ClientAuth::none("cc"), None),
        (
            "secret JWT: secret",
            ClientAuth::secret_jwt("cc-secret-jwt", "another secret of more than 32 bytes"),
            None,
        ),
        (
            "secret JWT: audience",
            ClientAuth::secret_jwt("cc-secret-jwt", SECRET).assertion_audience(stranger),
            None,
        ),
        (
            "RS256: key",
            ClientAuth::private_key_jwt("cc-rsa", unknown_key("rsa2048-a.pem").with_key_id("rsa")),
            None,
        ),
        ("PS256: key", ClientAuth::private_key_jwt("cc-rsa-pss", pss().with_key_id("rsa-pss")), None),
        ("ES256: key", ClientAuth::private_key_jwt("cc-ec", unknown_key("p256.pem").with_key_id("ec")), None),
        ("EdDSA: key", ClientAuth::private_key_jwt("cc-ed25519", unknown_key("ed25519.pem")), None),
        (
            "ES256: audience",
            ClientAuth::private_key_jwt("cc-ec", key("client-ec.pem")).assertion_audience(stranger),
            None,
        ),
        (
            "RS256 for a client of PS256",
            ClientAuth::private_key_jwt("cc-rsa-pss", key("client-rsa.pem")),
            None,
        ),
        ("TLS: no certificate", ClientAuth::tls("cc-mtls"), None),
        ("TLS: another certificate", ClientAuth::tls("cc-mtls"), Some("self-signed-client")),
        ("TLS, self-signed: no certificate", ClientAuth::tls("cc-mtls-self-signed"), None),
        (
            "TLS, self-signed: another certificate",
            ClientAuth::tls("cc-mtls-self-signed"),
            Some("mtls-client"),
        ),
    ];
    for (what, auth, certificate) in rows {
        let error = refusal(what, auth.clone(), certificate).await;
        assert_eq!((error.kind(), code(&error)), (ErrorKind::Refused, "invalid_client"), "{what}: {error}");
        assert!(error.is_configuration() && !error.is_transient(), "{what}");
        assert!(error.status().is_some_and(|status| status.is_client_error()), "{what}");

        let server = known(auth, certificate).await;
        let introspection = server.introspection_endpoint().expect("an endpoint");
        let error = introspection.introspect(&Secret::new("some-token")).await.expect_err("a refusal");
        assert_eq!(code(&error), "invalid_client", "{what}");
        let revocation = server.revocation_endpoint().expect("an endpoint");
        let token = Secret::new("some-token");
        let error = revocation.revoke(&token, TokenTypeHint::AccessToken).await.expect_err("a refusal");
        assert_eq!(code(&error), "invalid_client", "{what}");
    }
}

#[tokio::test]
async fn raw_basic_is_refused_where_the_secret_needs_encoding() {
    let error = refusal("raw", ClientAuth::basic_raw("cc", "cc-secret:with%special +chars"), None).await;
    assert_eq!(error.status(), Some(StatusCode::BAD_REQUEST), "{error}");
    let text = format!("{error} {error:?}");
    assert!(!text.contains("cc-secret"), "{text}");
}

#[tokio::test]
async fn an_assertion_that_has_ended_is_refused_and_each_request_gets_a_new_one() {
    // The server takes each only once, so two tokens are two assertions.
    let auth = ClientAuth::private_key_jwt("cc-ec", key("client-ec.pem"));
    let server = known(auth, None).await;
    let grant = ClientCredentials::at(server.token_endpoint().expect("a token endpoint"));
    let manager = TokenManager::builder(grant).build();
    let first = manager.token(&TokenKey::default()).await.expect("a token");
    let second = manager.refresh(&TokenKey::default()).await.expect("another token");
    assert_ne!(first.access_token(), second.access_token());

    let past = PastClock;
    let assertion = Assertion::signed_by(key("client-ec.pem")).clock(past);
    let error = refusal("an old assertion", ClientAuth::signed_assertion("cc-ec", assertion), None).await;
    assert_eq!(code(&error), "invalid_client", "{error}");
}

/// An hour behind.
#[derive(Debug)]
struct PastClock;

impl tower_oauth::Clock for PastClock {
    fn now(&self) -> std::time::SystemTime {
        std::time::SystemTime::now() - std::time::Duration::from_secs(3600)
    }
}

#[tokio::test]
async fn without_the_alias_for_mutual_tls_the_certificate_is_not_seen() {
    // What happens to those who take `token_endpoint` from the metadata and have a certificate.
    let url = PROVIDER.token_endpoint();
    let http = crate::http(Some("mtls-client"));
    let grant = ClientCredentials::new(&url, ClientAuth::tls("cc-mtls"), http).expect("a grant");
    let manager = TokenManager::builder(grant).build();
    let error = manager.token(&TokenKey::default()).await.expect_err("a refusal");
    assert_eq!(code(&error), "invalid_client");
}
