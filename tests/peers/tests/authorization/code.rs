//! The authorization code grant with PKCE, pushed or not, in every way in which the answer can come back.

use tower_oauth::ErrorKind;
use tower_oauth::TokenManager;
use tower_oauth::grant::AuthorizationCode;
use tower_oauth::grant::AuthorizationResponse;
use tower_oauth::grant::PendingAuthorization;
use tower_oauth::grant::ResponseMode;
use tower_oauth::loopback::Receiver;
use tower_oauth_peers::browser;
use tower_oauth_peers::browser::Ending;
use tower_oauth_peers::passed::passed;

use crate::PROVIDER;
use crate::RESOURCE;
use crate::native;
use crate::server;
use crate::subject_at_api;
use crate::user;
use crate::web;

const CALLBACK: &str = "http://127.0.0.1:1/callback";

/// The client `web`, which asks for a refresh token too.
async fn flow() -> AuthorizationCode {
    AuthorizationCode::with_server(&server(web()).await)
        .expect("endpoints")
        .redirect_uri(CALLBACK)
        .scope("openid offline_access read")
        .parameter("prompt", "consent")
        .expect("a parameter")
}

#[tokio::test]
async fn from_the_url_to_the_resource_and_on_with_rotating_refresh_tokens() {
    let flow = flow().await;
    let manager = TokenManager::builder(flow.clone()).build();
    let (url, pending) = flow.request().resource(RESOURCE).random_nonce().build().expect("a URL");
    let session = pending.to_json();

    let callback = browser::open(&PROVIDER.origin(), &url).await.url();
    let pending = PendingAuthorization::from_json(session.expose()).expect("the same login");
    flow.log_in(&manager, &user(), pending, callback).await.expect("a token");
    let http = tower_oauth::client();
    assert_eq!(subject_at_api(http.clone(), &manager).await, "alice");
    for _ in 0..3 {
        manager.refresh(&user()).await.expect("another token");
    }
    assert_eq!(subject_at_api(http, &manager).await, "alice");
    passed("authorization code, PKCE", "client_secret_basic", "oidc-provider");
}

#[tokio::test]
async fn a_native_application_receives_the_browser_on_a_port_of_this_machine() {
    let receiver = Receiver::bind().await.expect("a port");
    let flow = AuthorizationCode::with_server(&server(native()).await)
        .expect("endpoints")
        .redirect_uri(receiver.redirect_uri())
        .scope("openid read");
    let (url, pending) = flow.request().resource(RESOURCE).build().expect("a URL");
    let browser = tokio::spawn(async move {
        let back = browser::open(&PROVIDER.origin(), &url).await.url();
        let (origin, _) = back.split_once("/callback").expect("the redirect URI");
        browser::open(origin, &back).await
    });
    let grant = receiver.receive(pending).await.expect("a code");
    assert_eq!(grant.parameter("iss"), Some(&*PROVIDER.origin()));
    let manager = TokenManager::builder(flow.clone()).build();
    manager.put(&user(), flow.redeem(grant).await.expect("a token")).await.expect("a place");
    assert_eq!(subject_at_api(tower_oauth::client(), &manager).await, "alice");
    let Ending::Page(page) = browser.await.expect("a browser") else { panic!("no page") };
    assert!(String::from_utf8_lossy(&page.body).contains("You are logged in"));
    passed("authorization code, PKCE", "none", "oidc-provider");
}

#[tokio::test]
async fn a_pushed_request_is_asked_about_by_a_short_url() {
    let server = server(web()).await;
    let flow = flow().await;
    let pushed_requests = server.pushed_authorization_request_endpoint().expect("an endpoint");
    let pushed = pushed_requests.push(flow.request().resource(RESOURCE)).await.expect("a request_uri");
    assert!(pushed.expires_in().as_secs() > 0);
    let url = pushed.url().expect("a fresh URL").to_owned();
    let query = url.split_once('?').expect("a query").1;
    assert_eq!(query.split('&').count(), 2, "{url}");

    let callback = browser::open(&PROVIDER.origin(), &url).await.url();
    let manager = TokenManager::builder(flow.clone()).build();
    flow.log_in(&manager, &user(), pushed.into_pending(), callback).await.expect("a token");
    assert_eq!(subject_at_api(tower_oauth::client(), &manager).await, "alice");
    passed("authorization code, PKCE, pushed", "client_secret_basic", "oidc-provider");
}

#[tokio::test]
async fn a_pushed_request_that_the_server_does_not_like_is_refused_before_the_browser_sees_it() {
    let flow = flow().await.redirect_uri("https://elsewhere.test/callback");
    let pushed_requests = server(web()).await.pushed_authorization_request_endpoint().expect("an endpoint");
    let error = pushed_requests.push(flow.request()).await.expect_err("the redirect URI is not registered");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(error.server().map(|server| server.code()), Some("invalid_request"), "{error}");
}

#[tokio::test]
async fn the_answer_comes_in_a_fragment_or_in_a_form_where_that_is_asked_for() {
    let flow = flow().await;
    let (url, pending) = flow.request().response_mode(ResponseMode::Fragment).build().expect("a URL");
    let callback = browser::open(&PROVIDER.origin(), &url).await.url();
    assert!(callback.contains("callback#"), "{callback}");
    flow.exchange(pending, callback).await.expect("a token");

    let (url, pending) = flow.request().response_mode(ResponseMode::FormPost).build().expect("a URL");
    let Ending::Page(page) = browser::open(&PROVIDER.origin(), &url).await else { panic!("no page") };
    let page = String::from_utf8(page.body.to_vec()).expect("text");
    assert!(page.contains(&format!("action=\"{CALLBACK}\"")), "{page}");
    let form = AuthorizationResponse::from_form(hidden_inputs(&page));
    flow.exchange(pending, form).await.expect("a token");
}

#[tokio::test]
async fn an_answer_from_another_issuer_is_refused() {
    let flow = flow().await.require_issuer("https://honest.test");
    let (url, pending) = flow.request().build().expect("a URL");
    let callback = browser::open(&PROVIDER.origin(), &url).await.url();
    let error = flow.exchange(pending, callback).await.expect_err("another issuer");
    assert_eq!(error.kind(), ErrorKind::IssuerMismatch);
}

#[tokio::test]
async fn refusals_of_the_server_are_typed() {
    let flow =
        AuthorizationCode::with_server(&server(web()).await).expect("endpoints").redirect_uri(CALLBACK);
    for (name, value, code) in
        [("prompt", "none", "login_required"), ("request", "no JWT", "invalid_request_object")]
    {
        let request = flow.request().scope("openid").parameter(name, value).expect("a parameter");
        let (url, pending) = request.build().expect("a URL");
        let callback = browser::open(&PROVIDER.origin(), &url).await.url();
        let error = flow.exchange(pending, callback).await.expect_err("a refusal");
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert_eq!(error.server().map(|server| server.code()), Some(code), "{error}");
    }
}

#[tokio::test]
async fn a_code_is_good_once_and_with_its_own_verifier_only() {
    let flow = flow().await;
    let (url, _) = flow.request().state("the same").build().expect("a URL");
    let (_, other) = flow.request().state("the same").build().expect("a URL");
    let callback = browser::open(&PROVIDER.origin(), &url).await.url();
    let error = flow.exchange(other, callback).await.expect_err("another verifier");
    assert_eq!(error.server().map(|server| server.code()), Some("invalid_grant"));
}

/// The hidden inputs of a page, as the form that a browser makes of them.
fn hidden_inputs(page: &str) -> String {
    let attribute = |tag: &str, name: &str| -> Option<String> {
        let value = tag.split_once(&format!("{name}=\""))?.1.split('"').next()?;
        Some(value.replace("&amp;", "&"))
    };
    let inputs = page.split("<input").skip(1).filter_map(|tag| {
        let tag = tag.split('>').next()?;
        // What is in there needs no escape but that of the issuer's URL.
        let value = attribute(tag, "value")?.replace(':', "%3A").replace('/', "%2F");
        Some(format!("{}={value}", attribute(tag, "name")?))
    });
    inputs.collect::<Vec<_>>().join("&")
}
