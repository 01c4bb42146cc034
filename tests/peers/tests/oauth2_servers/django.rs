//! django-oauth-toolkit: authorization codes with PKCE, refresh tokens that rotate, passwords.

use std::sync::LazyLock;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower_oauth::ClientAuth;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::TokenEndpoint;
use tower_oauth::grant::AuthorizationCode;
use tower_oauth::grant::CodeChallengeMethod;
use tower_oauth::grant::Password;
use tower_oauth::grant::PendingAuthorization;
use tower_oauth_peers::http_client::http_client;
use tower_oauth_peers::oauth2_servers::agree;
use tower_oauth_peers::oauth2_servers::django;
use tower_oauth_peers::oauth2_servers::whose;
use tower_oauth_peers::passed::passed;
use tower_oauth_peers::process::Peer;

static PEER: LazyLock<Peer> = LazyLock::new(django);

const SECRET: &str = "django s3cret+%:é";
const CALLBACK: &str = "http://127.0.0.1:54321/callback";

fn at(auth: ClientAuth) -> TokenEndpoint {
    // With the slash: without it, there is nothing.
    TokenEndpoint::new(&format!("{}/o/token/", PEER.origin()), auth, http_client()).unwrap()
}

fn flow(auth: ClientAuth) -> AuthorizationCode {
    AuthorizationCode::at(&format!("{}/o/authorize/", PEER.origin()), at(auth))
        .unwrap()
        .redirect_uri(CALLBACK)
        .issuer(PEER.origin())
        .scope("read")
}

async fn log_in(flow: &AuthorizationCode) -> TokenManager {
    let manager = TokenManager::builder(flow.clone()).build();
    let (url, pending) = flow.request().build().unwrap();
    let callback = agree(&url).await;
    flow.log_in(&manager, &TokenKey::default(), pending, callback).await.unwrap();
    manager
}

#[tokio::test]
async fn somebody_logs_in_with_pkce_and_the_token_is_renewed_through_each_rotation() {
    let cases = [
        ("none", "app", ClientAuth::none("app")),
        ("client_secret_post", "web", ClientAuth::post("web", SECRET)),
        ("client_secret_basic", "web", ClientAuth::basic("web", SECRET)),
    ];
    for (method, client, auth) in cases {
        let manager = log_in(&flow(auth)).await;
        let mut last = manager.token(&TokenKey::default()).await.unwrap();
        for _ in 0..3 {
            let whose = whose(&PEER, last.access_token().expose()).await;
            assert_eq!((&whose["client"], &whose["user"]), (&client.into(), &"ann".into()));
            assert_eq!(whose["scope"], "read");
            let next = manager.refresh(&TokenKey::default()).await.unwrap();
            assert_ne!(next.access_token(), last.access_token());
            last = next;
        }
        passed("authorization code + PKCE, then refresh token", method, PEER.name());
    }
}

#[tokio::test]
async fn the_plain_challenge_will_do_where_it_is_asked_for() {
    let flow = flow(ClientAuth::none("app")).code_challenge_method(CodeChallengeMethod::Plain);
    let manager = log_in(&flow).await;
    let token = manager.token(&TokenKey::default()).await.unwrap();
    assert_eq!(whose(&PEER, token.access_token().expose()).await["user"], "ann");
}

#[tokio::test]
async fn requests_through_the_layer_reach_the_api() {
    let manager = log_in(&flow(ClientAuth::none("app"))).await;
    let api = ServiceBuilder::new()
        .layer(OAuth2Layer::with_manager(Origins::one(&PEER.origin()).unwrap(), manager))
        .service(http_client());
    let request = Request::get(format!("{}/api", PEER.origin())).body(Full::<Bytes>::default()).unwrap();
    assert_eq!(api.oneshot(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_code_of_another_login_or_used_twice_is_refused() {
    let flow = flow(ClientAuth::none("app"));
    let manager = TokenManager::builder(flow.clone()).build();
    let (url, pending) = flow.request().build().unwrap();
    let (_, other) = flow.request().build().unwrap();
    let callback = agree(&url).await;
    let key = TokenKey::default();
    assert!(flow.log_in(&manager, &key, other, callback.clone()).await.is_err());
    let again = PendingAuthorization::from_json(pending.to_json().expose()).unwrap();
    flow.log_in(&manager, &key, pending, callback.clone()).await.unwrap();
    let error = flow.log_in(&manager, &key, again, callback).await.unwrap_err();
    assert_eq!(error.server().map(|server| server.code()), Some("invalid_grant"), "{error}");
}

#[tokio::test]
async fn a_password_begins_what_refresh_tokens_continue_and_a_wrong_one_is_refused() {
    let grant =
        |password: &str| Password::at(at(ClientAuth::basic("old", SECRET)), "ann", password).scope("read");
    let manager = TokenManager::builder(grant("ann's password")).build();
    for _ in 0..3 {
        let token = manager.refresh(&TokenKey::default()).await.unwrap();
        assert_eq!(whose(&PEER, token.access_token().expose()).await["client"], "old");
    }
    passed("password, then refresh token", "client_secret_basic", PEER.name());
    let wrong = TokenManager::builder(grant("wrong")).build();
    let error = wrong.token(&TokenKey::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReauthorizationRequired, "{error}");
}
