//! Authlib's server: service accounts, clients that sign assertions, secrets, passwords.

use std::sync::LazyLock;
use std::time::Duration;

use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::ErrorKind;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::Assertion;
use tower_oauth::endpoint::PrivateKey;
use tower_oauth::endpoint::TokenEndpoint;
use tower_oauth::grant::JwtBearer;
use tower_oauth::grant::Password;
use tower_oauth::grant::ServiceAccount;
use tower_oauth::grant::ServiceAccountKey;
use tower_oauth_peers::http_client::http_client;
use tower_oauth_peers::oauth2_servers::authlib;
use tower_oauth_peers::oauth2_servers::service_account_file;
use tower_oauth_peers::oauth2_servers::vector_key;
use tower_oauth_peers::oauth2_servers::whose;
use tower_oauth_peers::passed::passed;
use tower_oauth_peers::process::Peer;

use crate::get;

static PEER: LazyLock<Peer> = LazyLock::new(authlib);

/// Of the clients `basic` and `post`.
const SECRET: &str = "s3cret é+%";
const SHARED_SECRET: &str = "a secret of 32 bytes, as HS256 wants it";

fn token_endpoint() -> String {
    format!("{}/token", PEER.origin())
}

fn account() -> ServiceAccountKey {
    ServiceAccountKey::from_json(service_account_file(&token_endpoint())).unwrap()
}

fn at(auth: ClientAuth) -> TokenEndpoint {
    TokenEndpoint::new(&token_endpoint(), auth, http_client()).unwrap()
}

fn key(name: &str) -> PrivateKey {
    PrivateKey::from_pem(vector_key(name)).unwrap()
}

#[tokio::test]
async fn a_service_account_gets_a_token_with_its_file() {
    let grant = ServiceAccount::new(account(), http_client()).unwrap().scope("read");
    let token = get(grant).await.unwrap();
    assert_eq!(token.scope(), Some(&["read".to_owned()][..]));
    let whose = whose(&PEER, token.access_token().expose()).await;
    assert_eq!((&whose["client"], &whose["scope"]), (&"robot@project.iam.example".into(), &"read".into()));
    assert!(whose["user"].is_null());
    passed("JWT bearer (service account)", "omitted", PEER.name());
}

#[tokio::test]
async fn a_service_account_acts_for_the_user_who_delegated_and_for_no_other() {
    let grant = || ServiceAccount::new(account(), http_client()).unwrap().scope("write");
    let token = get(grant().subject("ann@example.com")).await.unwrap();
    assert_eq!(whose(&PEER, token.access_token().expose()).await["user"], "ann@example.com");
    let error = get(grant().subject("bob@example.com")).await.unwrap_err();
    assert_eq!(error.server().map(|server| server.code()), Some("invalid_grant"));
}

#[tokio::test]
async fn an_assertion_signed_here_is_traded_without_any_file() {
    let assertion = Assertion::signed_by(key("rsa2048-a.pem")).issuer("robot@project.iam.example");
    let token = get(JwtBearer::at(at(ClientAuth::omitted()), assertion)).await.unwrap();
    assert_eq!(whose(&PEER, token.access_token().expose()).await["client"], "robot@project.iam.example");
    passed("JWT bearer", "omitted", PEER.name());
}

#[tokio::test]
async fn assertions_with_a_wrong_key_end_or_audience_are_refused() {
    let good = || Assertion::signed_by(key("rsa2048-a.pem")).issuer("robot@project.iam.example");
    let wrong = [
        Assertion::signed_by(key("p256.pem")).issuer("robot@project.iam.example"),
        good().claim("exp", 1_000_000_000),
        good().audience("https://elsewhere.example/token"),
        good().issuer("nobody@project.iam.example"),
    ];
    for assertion in wrong {
        let error = get(JwtBearer::at(at(ClientAuth::omitted()), assertion)).await.unwrap_err();
        assert_eq!(error.server().map(|server| server.code()), Some("invalid_grant"), "{error}");
    }
}

#[tokio::test]
async fn clients_prove_themselves_with_assertions() {
    let cases = [
        ("client_secret_jwt HS256", "secret-jwt", ClientAuth::secret_jwt("secret-jwt", SHARED_SECRET)),
        ("private_key_jwt RS256", "rsa-jwt", ClientAuth::private_key_jwt("rsa-jwt", key("rsa2048-a.pem"))),
        ("private_key_jwt ES256", "ec-jwt", ClientAuth::private_key_jwt("ec-jwt", key("p256.pem"))),
    ];
    for (method, client, auth) in cases {
        for auth in [auth.clone(), auth.assertion_audience(PEER.origin())] {
            let manager = TokenManager::builder(ClientCredentials::at(at(auth)).scope("read")).build();
            for _ in 0..2 {
                // The second assertion has an identifier of its own, or it would be refused.
                let token = manager.refresh(&TokenKey::default()).await.unwrap();
                assert_eq!(whose(&PEER, token.access_token().expose()).await["client"], client);
            }
        }
        passed("client credentials", method, PEER.name());
    }
}

#[tokio::test]
async fn clients_with_a_wrong_key_or_secret_are_refused() {
    let used = Assertion::signed_by(key("rsa2048-a.pem")).claim("jti", "used before");
    assert!(
        get(ClientCredentials::at(at(ClientAuth::signed_assertion("rsa-jwt", used.clone())))).await.is_ok()
    );
    let wrong = [
        ClientAuth::secret_jwt("secret-jwt", "another secret of 32 bytes, which is wrong"),
        ClientAuth::private_key_jwt("rsa-jwt", key("p256.pem")),
        ClientAuth::signed_assertion("rsa-jwt", used),
        ClientAuth::private_key_jwt("nobody", key("rsa2048-a.pem")),
        ClientAuth::private_key_jwt("rsa-jwt", key("rsa2048-a.pem"))
            .assertion_audience("https://elsewhere.example"),
        ClientAuth::basic("basic", "wrong"),
        ClientAuth::none("basic"),
    ];
    for auth in wrong {
        let error = get(ClientCredentials::at(at(auth.clone()))).await.unwrap_err();
        assert!(error.is_configuration(), "{auth:?}: {error}");
        assert!(!error.to_string().contains("eyJ"), "{error}");
    }
}

#[tokio::test]
async fn secrets_with_odd_characters_get_through_in_the_form_and_in_raw_basic() {
    let cases = [
        ("client_secret_post", "post", ClientAuth::post("post", SECRET)),
        ("client_secret_basic, raw", "basic", ClientAuth::basic_raw("basic", SECRET)),
    ];
    for (method, client, auth) in cases {
        let token = get(ClientCredentials::at(at(auth))).await.unwrap();
        assert_eq!(whose(&PEER, token.access_token().expose()).await["client"], client);
        passed("client credentials", method, PEER.name());
    }
    // Authlib does not decode the `+` that a space becomes.
    let error = get(ClientCredentials::at(at(ClientAuth::basic("basic", SECRET)))).await.unwrap_err();
    assert!(error.is_configuration());
}

#[tokio::test]
async fn a_password_begins_what_refresh_tokens_continue() {
    let grant = Password::at(at(ClientAuth::post("post", SECRET)), "ann", "ann's password").scope("read");
    let manager = TokenManager::builder(grant).build();
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let token = manager.refresh(&TokenKey::default()).await.unwrap();
        assert_eq!(whose(&PEER, token.access_token().expose()).await["user"], "ann");
        tokens.push(token.access_token().clone());
    }
    assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2]);
    passed("password, then refresh token", "client_secret_post", PEER.name());
}

#[tokio::test]
async fn a_wrong_password_needs_another_login() {
    let grant = Password::at(at(ClientAuth::post("post", SECRET)), "ann", "wrong");
    let manager = TokenManager::builder(grant).back_off(Duration::ZERO, Duration::ZERO).build();
    for _ in 0..2 {
        let error = manager.token(&TokenKey::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReauthorizationRequired, "{error}");
    }
}
