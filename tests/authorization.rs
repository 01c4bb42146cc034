//! The authorization code grant, with and without pushed requests, from the URL to the resource.

use std::time::Duration;

use http::Request;
use http::Response;
use http::StatusCode;
use http::header::LOCATION;
use http_body_util::BodyExt;
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower_oauth::ClientAuth;
use tower_oauth::ConfigError;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::AuthorizationServer;
use tower_oauth::endpoint::PushedAuthorizationEndpoint;
use tower_oauth::endpoint::ServerMetadata;
use tower_oauth::endpoint::TokenEndpoint;
use tower_oauth::grant::AuthorizationCode;
use tower_oauth::grant::CodeChallengeMethod;
use tower_oauth::grant::Implicit;
use tower_oauth::grant::PendingAuthorization;
use tower_oauth::provider;
use tower_oauth::testing::Body;
use tower_oauth::testing::Fault;
use tower_oauth::testing::Provider;

const AUTHORIZE: &str = "http://localhost/authorize";
const TOKEN: &str = "http://localhost/token";
const CALLBACK: &str = "http://localhost:8080/callback?tab=1";

fn flow(provider: &Provider) -> AuthorizationCode {
    AuthorizationCode::new(AUTHORIZE, TOKEN, ClientAuth::none("test-app"), provider.client())
        .unwrap()
        .redirect_uri(CALLBACK)
        .require_issuer("http://localhost")
        .scope("orders:read")
}

async fn get(provider: &Provider, url: &str) -> Response<Body> {
    provider.clone().oneshot(Request::get(url).body(Body::default()).unwrap()).await.unwrap()
}

/// What the browser is sent back to.
async fn open(provider: &Provider, url: &str) -> String {
    let page = get(provider, url).await;
    assert_eq!(page.status(), StatusCode::FOUND);
    page.headers()[LOCATION].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn from_the_url_to_the_resource_through_a_session() {
    let provider = Provider::new();
    let flow = flow(&provider);
    let manager = TokenManager::builder(flow.clone()).build();
    let (url, pending) = flow.request().build().unwrap();
    let session = serde_json::to_string(&pending).unwrap();
    drop(pending);

    let callback = open(&provider, &url).await;
    assert!(callback.starts_with("http://localhost:8080/callback?tab=1&code="));
    let pending: PendingAuthorization = serde_json::from_str(&session).unwrap();
    let alice = TokenKey::new("alice");
    flow.log_in(&manager, &alice, pending, callback).await.unwrap();

    let layer = OAuth2Layer::with_manager(Origins::one("http://localhost").unwrap(), manager.clone())
        .key_per_request();
    let api = ServiceBuilder::new().layer(layer).service(provider.clone());
    let mut request = Request::get("http://localhost/resource").body(Body::default()).unwrap();
    request.extensions_mut().insert(alice.clone());
    assert_eq!(api.oneshot(request).await.unwrap().status(), StatusCode::OK);

    manager.refresh(&alice).await.unwrap();
    let stats = provider.stats();
    assert_eq!((stats.grants.authorization_code, stats.refreshes, stats.resource.valid), (1, 1, 1));
}

#[tokio::test]
async fn plain_and_no_pkce_work_where_they_are_asked_for() {
    let provider = Provider::new();
    let auth = || ClientAuth::post("test-client", "test-secret");
    let flow = || {
        AuthorizationCode::new(AUTHORIZE, TOKEN, auth(), provider.client()).unwrap().redirect_uri(CALLBACK)
    };
    for flow in [flow().code_challenge_method(CodeChallengeMethod::Plain), flow().without_pkce()] {
        let (url, pending) = flow.request().build().unwrap();
        let callback = open(&provider, &url).await;
        flow.exchange(pending, callback).await.unwrap();
    }
}

#[tokio::test]
async fn a_code_goes_to_the_server_once_whatever_happens() {
    let provider = Provider::new();
    let flow = flow(&provider);
    let refusals = [
        Fault::new().status(StatusCode::UNAUTHORIZED).body(r#"{"error":"invalid_client"}"#),
        Fault::new().status(StatusCode::BAD_REQUEST).body(r#"{"error":"invalid_grant"}"#),
        Fault::new().status(StatusCode::SERVICE_UNAVAILABLE),
        Fault::new().drop_connection().after_processing(),
    ];
    for refusal in refusals {
        let (url, pending) = flow.request().build().unwrap();
        let callback = open(&provider, &url).await;
        provider.reset_stats();
        provider.inject(refusal.on("/token"));
        flow.exchange(pending, callback).await.unwrap_err();
        assert_eq!(provider.stats().token_requests, 1);
    }
}

#[tokio::test]
async fn a_forged_answer_never_reaches_the_server() {
    let provider = Provider::new();
    let flow = flow(&provider);
    let (url, _) = flow.request().build().unwrap();
    let others = open(&provider, &url).await;
    let (_, mine) = flow.request().build().unwrap();
    assert!(!mine.is_answered_by(&others.as_str().into()));
    assert_eq!(flow.exchange(mine, &others).await.unwrap_err().kind(), ErrorKind::StateMismatch);

    let (url, pending) = flow.request().build().unwrap();
    let mixed_up =
        open(&provider, &url).await.replace("iss=http%3A%2F%2Flocalhost", "iss=http%3A%2F%2Fother");
    assert!(pending.is_answered_by(&mixed_up.as_str().into()));
    assert_eq!(flow.exchange(pending, mixed_up).await.unwrap_err().kind(), ErrorKind::IssuerMismatch);

    let (url, pending) = flow.request().build().unwrap();
    let stripped = open(&provider, &url).await.replace("&iss=http%3A%2F%2Flocalhost", "");
    assert_eq!(flow.exchange(pending, stripped).await.unwrap_err().kind(), ErrorKind::IssuerMismatch);
    assert_eq!(provider.stats().token_requests, 0);
}

#[tokio::test]
async fn another_verifier_than_that_of_the_url_is_of_no_use() {
    let provider = Provider::new();
    let flow = flow(&provider);
    let (url, _) = flow.request().state("same").build().unwrap();
    let (_, other) = flow.request().state("same").build().unwrap();
    let callback = open(&provider, &url).await;
    let error = flow.exchange(other, callback).await.unwrap_err();
    assert_eq!(error.server().unwrap().code(), "invalid_grant");
}

#[tokio::test]
async fn what_the_callback_says_besides_is_there_before_the_code_is_spent() {
    let provider = Provider::new();
    let flow = flow(&provider);
    let (url, pending) = flow.request().build().unwrap();
    let callback = open(&provider, &url).await + "&realmId=123146096291789";
    let grant = pending.complete(callback).unwrap();
    assert_eq!(grant.parameter("realmId"), Some("123146096291789"));
    assert_eq!(grant.parameter("tab"), Some("1"));
    assert!(!format!("{grant:?}").contains(grant.code().expose()));
    let token = flow.redeem(grant).await.unwrap();
    assert_eq!(token.scope(), Some(&["orders:read".to_owned()][..]));
}

#[tokio::test]
async fn a_user_who_refuses_on_the_page_is_a_typed_error() {
    let provider = Provider::builder().test_clients().login_page(true).build();
    let flow = flow(&provider);
    for (decision, expected) in [("approve", None), ("deny", Some(ErrorKind::AuthorizationDenied))] {
        let request = flow.request().scope("<b>");
        let (url, pending) = request.build().unwrap();
        let page = get(&provider, &url).await;
        assert_eq!(page.status(), StatusCode::OK);
        let page = page.into_body().collect().await.unwrap().to_bytes();
        let page = String::from_utf8(page.to_vec()).unwrap();
        assert!(page.contains("test-app") && page.contains("orders:read &lt;b&gt;"), "{page}");
        let form = format!("{}&decision={decision}", url.split_once('?').unwrap().1);
        let answer = Request::post(AUTHORIZE).header("content-type", "application/x-www-form-urlencoded");
        let answer =
            provider.clone().oneshot(answer.body(http_body_util::Full::<bytes::Bytes>::from(form)).unwrap());
        let callback = answer.await.unwrap().headers()[LOCATION].to_str().unwrap().to_owned();
        let outcome = flow.exchange(pending, callback).await;
        assert_eq!(outcome.err().map(|error| error.kind()), expected);
    }
}

#[tokio::test]
async fn a_pushed_request_leaves_a_short_url_that_is_good_once() {
    let provider = Provider::new();
    let auth = ClientAuth::basic("test-client", "test-secret");
    let endpoint = TokenEndpoint::new(TOKEN, auth, provider.client()).unwrap();
    let pushed_requests = PushedAuthorizationEndpoint::beside(&endpoint, "http://localhost/par").unwrap();
    let authorize = "http://localhost/authorize?tenant=7";
    let flow = AuthorizationCode::at(authorize, endpoint).unwrap().redirect_uri(CALLBACK).scope("a b");

    let request = flow.request().parameter("prompt", "consent").unwrap().resource("x:1").resource("x:2");
    let pushed = pushed_requests.push(request).await.unwrap();
    let url = pushed.url().unwrap().to_owned();
    assert!(!format!("{pushed:?}").contains("request_uri:"));
    let reference = url
        .strip_prefix(
            "http://localhost/authorize?tenant=7&client_id=test-client&request_uri=urn%3Aietf%3Aparams%3A",
        )
        .unwrap();
    assert!(!reference.contains('&'));
    let callback = open(&provider, &url).await;
    assert_eq!(get(&provider, &url).await.status(), StatusCode::BAD_REQUEST);
    let token = flow.exchange(pushed.into_pending(), callback).await.unwrap();
    assert_eq!(token.scope().unwrap(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_pushed_request_gives_no_url_once_it_has_expired() {
    let provider = Provider::new();
    let endpoint = || {
        PushedAuthorizationEndpoint::new(
            "http://localhost/par",
            ClientAuth::none("test-app"),
            provider.client(),
        )
    };
    let pushed = endpoint().unwrap().push(flow(&provider).request()).await.unwrap();
    assert_eq!(pushed.expires_in(), Duration::from_secs(60));
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(pushed.url().is_ok());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(pushed.url().unwrap_err().kind(), ErrorKind::AuthorizationExpired);
    assert!(pushed.pending().redirect_uri().is_some());
}

#[tokio::test]
async fn a_pushed_request_that_is_refused_is_a_typed_error() {
    let provider = Provider::new();
    let endpoint =
        |auth| PushedAuthorizationEndpoint::new("http://localhost/par", auth, provider.client()).unwrap();
    let push = |auth| {
        let (endpoint, request) = (endpoint(auth), flow(&provider).request());
        async move { endpoint.push(request).await.unwrap_err() }
    };
    let error = push(ClientAuth::post("test-client", "wrong")).await;
    assert!(error.is_configuration());
    assert_eq!(error.endpoint(), Some("http://localhost/par"));
    for unusable in ["{}", r#"{"request_uri":""}"#, r#"{"request_uri":7}"#, "", "<html>"] {
        provider.inject(Fault::new().on("/par").status(StatusCode::CREATED).body(unusable));
        assert_eq!(push(ClientAuth::none("test-app")).await.kind(), ErrorKind::UnusableResponse);
    }
    let plain = AuthorizationCode::new(
        "http://auth.test/authorize",
        TOKEN,
        ClientAuth::none("test-app"),
        provider.client(),
    );
    let error = endpoint(ClientAuth::none("test-app")).push(plain.unwrap().request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InsecureScheme);
}

#[tokio::test]
async fn an_implicit_login_brings_a_token_in_the_fragment() {
    let provider = Provider::new();
    let flow = Implicit::new(AUTHORIZE, "test-app")
        .unwrap()
        .redirect_uri("http://localhost:8080/callback")
        .issuer("http://localhost")
        .scope("orders:read");
    let (url, pending) = flow.request().build().unwrap();
    assert!(!url.contains("code_challenge"));
    let callback = open(&provider, &url).await;
    let token = flow.token_from_fragment(pending, &callback).unwrap();
    let request = Request::get("http://localhost/resource")
        .header("authorization", format!("Bearer {}", token.access_token().expose()));
    let answer = provider.clone().oneshot(request.body(Body::default()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);

    let (_, pending) = flow.request().build().unwrap();
    assert_eq!(flow.token_from_fragment(pending, callback).unwrap_err().kind(), ErrorKind::StateMismatch);
}

#[test]
fn what_a_server_says_of_itself_is_used() {
    let provider = Provider::new();
    let server = |iss_is_named: bool| {
        let metadata = ServerMetadata::new("http://localhost")
            .with("authorization_endpoint", AUTHORIZE)
            .with("token_endpoint", TOKEN)
            .with("authorization_response_iss_parameter_supported", iss_is_named);
        AuthorizationServer::new(metadata, ClientAuth::none("id"), provider.client())
    };
    for (iss_is_named, expected) in [(true, Err(ErrorKind::IssuerMismatch)), (false, Ok(()))] {
        let flow = AuthorizationCode::with_server(&server(iss_is_named)).unwrap();
        let (_, pending) = flow.request().state("xyz").build().unwrap();
        let outcome = pending.complete("/callback?code=1&state=xyz");
        assert_eq!(outcome.map(drop).map_err(|error| error.kind()), expected);
    }
    let silent = ServerMetadata::new("http://localhost").with("token_endpoint", TOKEN);
    let silent = AuthorizationServer::new(silent, ClientAuth::none("id"), provider.client());
    let missing = AuthorizationCode::with_server(&silent).unwrap_err();
    assert!(matches!(missing, ConfigError::MissingEndpoint { name: "authorization_endpoint", .. }));
    let missing = silent.pushed_authorization_request_endpoint().unwrap_err();
    assert!(matches!(missing, ConfigError::MissingEndpoint { .. }));
}

#[test]
fn what_is_known_of_a_provider_goes_into_its_url() {
    let http = Provider::new().client();
    let url = |provider: &provider::Provider, secret: &'static str| {
        let endpoint = provider.token_endpoint("the client", secret, http.clone()).unwrap();
        let flow = provider.authorization_code(endpoint).unwrap().redirect_uri("RuName").scope("a b");
        flow.request().state("xyz").build().unwrap().0
    };
    let google = url(&provider::google(), "s");
    assert!(
        google.contains("access_type=offline") && google.contains("code_challenge_method=S256"),
        "{google}"
    );
    let tiktok = url(&provider::tiktok(), "s");
    assert!(tiktok.contains("client_key=the+client") && tiktok.contains("scope=a%2Cb"), "{tiktok}");
    assert!(url(&provider::slack(), "s").contains("scope=a%2Cb"));
    assert!(url(&provider::ebay(), "s").contains("redirect_uri=RuName&scope=a+b"));

    let github = provider::github();
    let endpoint = github.public_token_endpoint("id", http.clone()).unwrap();
    assert!(github.device_authorization(endpoint.clone()).is_ok());
    let mut silent = github;
    (silent.authorization_url, silent.device_authorization_url) = (None, None);
    let missing = silent.authorization_code(endpoint.clone()).unwrap_err();
    assert!(matches!(missing, ConfigError::MissingEndpoint { name: "authorization_endpoint", .. }));
    assert!(silent.device_authorization(endpoint).is_err());
}

#[test]
fn plain_http_is_refused_except_to_this_machine() {
    let provider = Provider::new();
    let flow = |url| AuthorizationCode::new(url, TOKEN, ClientAuth::none("id"), provider.client()).unwrap();
    assert!(flow("http://[::1]:1/a").request().build().is_ok());
    let error = flow("http://auth.test/a").request().build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InsecureScheme);
    assert!(flow("http://auth.test/a").dangerously_allow_http().request().build().is_ok());
}
