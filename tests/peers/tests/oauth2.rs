//! `OAuth2Layer` and `TokenManager` against oidc-provider.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use http::Method;
use http::Request;
use http::StatusCode;
use http_body_util::Full;
use tokio::task::JoinSet;
use tower::BoxError;
use tower::Layer;
use tower::Service;
use tower::ServiceExt;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Clock;
use tower_oauth::Error;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::body::FromBytes;
use tower_oauth::grant::RefreshToken;
use tower_oauth_peers::http_client::Answer;
use tower_oauth_peers::http_client::http_client;
use tower_oauth_peers::oidc_provider::DIFFICULT_SECRET;
use tower_oauth_peers::oidc_provider::OidcProvider;

static PROVIDER: LazyLock<OidcProvider> = LazyLock::new(OidcProvider::start);

#[tokio::test]
async fn a_difficult_secret_passes_in_basic() {
    let layer = OAuth2Layer::new(origins(), credentials(ClientAuth::basic("cc", DIFFICULT_SECRET)));
    let answer = get(layer.layer(http_client()), &PROVIDER.api()).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!(answer.json()["client_id"], "cc");
}

#[tokio::test]
async fn a_difficult_secret_passes_in_the_form() {
    let layer = OAuth2Layer::new(origins(), credentials(ClientAuth::post("cc-post", DIFFICULT_SECRET)));
    let answer = get(layer.layer(http_client()), &PROVIDER.api()).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!(answer.json()["client_id"], "cc-post");
}

#[tokio::test]
async fn the_wanted_scope_is_the_granted_scope() {
    let source = credentials(ClientAuth::basic("cc", DIFFICULT_SECRET)).scope("read");
    let layer = OAuth2Layer::new(origins(), source);
    let answer = get(layer.layer(http_client()), &format!("{}?scope=read", PROVIDER.api())).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!(answer.json()["scope"], "read");
}

#[tokio::test]
async fn a_wrong_secret_is_an_error_that_says_so() {
    let layer = OAuth2Layer::new(origins(), credentials(ClientAuth::basic("cc-refused", "wrong")));
    let error = try_get(layer.layer(http_client()), &PROVIDER.api()).await.expect_err("a wrong secret");
    let error = Error::find(&*error).expect("an error of tower-oauth");
    assert_eq!(error.server().expect("an error of the server").code(), "invalid_client");
    assert_eq!(error.status(), Some(StatusCode::UNAUTHORIZED));
    assert!(error.is_configuration(), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_callers_make_one_token_request() {
    // The server keeps this client waiting, so that all callers are there before the token is.
    let layer = OAuth2Layer::new(origins(), credentials(ClientAuth::basic("cc-slow", DIFFICULT_SECRET)));
    let service = layer.layer(http_client());
    let mut callers = JoinSet::new();
    for _ in 0..500 {
        let service = service.clone();
        callers.spawn(async move { get(service, &PROVIDER.api()).await.status });
    }
    let statuses = callers.join_all().await;
    assert_eq!(statuses, vec![StatusCode::OK; 500]);
    assert_eq!(PROVIDER.token_requests("cc-slow").await, 1);
}

#[tokio::test]
async fn an_expired_token_is_renewed_before_the_request_is_sent() {
    let clock = HandClock::default();
    let source = credentials(ClientAuth::basic("cc-expiring", DIFFICULT_SECRET));
    let manager = TokenManager::builder(source).clock(clock.clone()).build();
    let service = OAuth2Layer::with_manager(origins(), manager.clone()).layer(http_client());

    let first = get(service.clone(), &PROVIDER.api()).await;
    let again = get(service.clone(), &PROVIDER.api()).await;
    assert_eq!(token_id(&first), token_id(&again));
    assert_eq!(PROVIDER.token_requests("cc-expiring").await, 1);

    clock.advance(Duration::from_secs(60));
    let renewed = get(service, &PROVIDER.api()).await;
    assert_ne!(token_id(&first), token_id(&renewed));
    assert_eq!(PROVIDER.token_requests("cc-expiring").await, 2);
}

#[tokio::test]
async fn a_revoked_token_costs_one_refresh_and_one_more_request() {
    let (manager, layer) = opaque_tokens("cc-revoked");
    let service = layer.body_policy(FromBytes).layer(http_client());
    let url = format!("{}/api/revoked", PROVIDER.origin());
    assert_eq!(get(service.clone(), &url).await.status, StatusCode::OK);

    revoke_current(&manager, "cc-revoked").await;
    assert_eq!(get(service, &url).await.status, StatusCode::OK);
    assert_eq!(PROVIDER.token_requests("cc-revoked").await, 2);
    // The first, the refused one, and the one that was sent again.
    assert_eq!(PROVIDER.hits("GET /api/revoked").await, 3);
}

#[tokio::test]
async fn where_nothing_may_be_sent_twice_the_401_is_delivered_and_the_next_request_is_right() {
    let (manager, layer) = opaque_tokens("cc-revoked-once");
    let service = layer.layer(http_client());
    assert_eq!(get(service.clone(), &PROVIDER.api()).await.status, StatusCode::OK);

    revoke_current(&manager, "cc-revoked-once").await;
    let refused = get(service.clone(), &PROVIDER.api()).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.headers.contains_key("www-authenticate"));
    assert_eq!(get(service, &PROVIDER.api()).await.status, StatusCode::OK);
    assert_eq!(PROVIDER.token_requests("cc-revoked-once").await, 2);
}

/// The server kills a grant whose old refresh token is presented again, so every lost or repeated rotation shows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotating_refresh_token_is_spent_once_each_time_however_many_callers_wait() {
    let clock = HandClock::default();
    let auth = ClientAuth::basic("web", "web-secret");
    let source = RefreshToken::new(&PROVIDER.token_endpoint(), auth, http_client()).expect("a grant");
    let manager = TokenManager::builder(source).clock(clock.clone()).build();
    let service = OAuth2Layer::with_manager(origins(), manager.clone()).layer(http_client());

    let login = PROVIDER.log_in().await;
    let text = |name: &str| login[name].as_str().expect("a token").to_owned();
    let token = Token::new(text("access_token"))
        .expires_in(Duration::from_secs(60))
        .with_refresh_token(text("refresh_token"));
    manager.put(&TokenKey::default(), token).await.expect("a stored token");

    let before = PROVIDER.token_requests("web").await;
    for round in 1..=5 {
        clock.advance(Duration::from_secs(60));
        let mut callers = JoinSet::new();
        for _ in 0..20 {
            let service = service.clone();
            callers.spawn(async move { get(service, &PROVIDER.api()).await });
        }
        for answer in callers.join_all().await {
            assert_eq!(answer.status, StatusCode::OK, "round {round}: {:?}", answer.body);
            assert_eq!(answer.json()["sub"], "alice");
        }
        assert_eq!(PROVIDER.token_requests("web").await, before + round);
    }
}

/// A clock that is moved by hand.
#[derive(Clone, Debug)]
struct HandClock(Arc<Mutex<SystemTime>>);

impl Default for HandClock {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(SystemTime::now())))
    }
}

impl HandClock {
    fn advance(&self, by: Duration) {
        *self.0.lock().expect("a clock") += by;
    }
}

impl Clock for HandClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().expect("a clock")
    }
}

fn origins() -> Origins {
    Origins::one(&PROVIDER.origin()).expect("an origin")
}

fn credentials(auth: ClientAuth) -> ClientCredentials {
    ClientCredentials::new(&PROVIDER.token_endpoint(), auth, http_client()).expect("a grant")
}

/// A manager of opaque tokens, which the server can revoke, and a layer on top of it.
fn opaque_tokens(client: &str) -> (TokenManager, OAuth2Layer) {
    let source = credentials(ClientAuth::basic(client, DIFFICULT_SECRET)).resource("urn:opaque");
    let manager = TokenManager::builder(source).build();
    (manager.clone(), OAuth2Layer::with_manager(origins(), manager))
}

async fn revoke_current(manager: &TokenManager, client: &str) {
    let token = manager.peek(&TokenKey::default()).expect("a token");
    PROVIDER.revoke(client, token.access_token().expose()).await;
}

/// The identifier of the access token with which the resource was reached.
fn token_id(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    answer.json()["jti"].as_str().expect("an identifier").to_owned()
}

async fn get<S, R>(service: S, url: &str) -> Answer
where
    S: Service<Request<Full<Bytes>>, Response = http::Response<R>, Error = BoxError>,
    R: http_body::Body<Data = Bytes>,
    R::Error: std::fmt::Debug,
{
    try_get(service, url).await.unwrap_or_else(|error| panic!("{url}: {error:?}"))
}

async fn try_get<S, R>(service: S, url: &str) -> Result<Answer, BoxError>
where
    S: Service<Request<Full<Bytes>>, Response = http::Response<R>, Error = BoxError>,
    R: http_body::Body<Data = Bytes>,
    R::Error: std::fmt::Debug,
{
    let request = Request::builder().method(Method::GET).uri(url).body(Full::default()).expect("a request");
    Ok(Answer::read(service.oneshot(request).await?).await)
}
