//! What is sent, and where in the request it stands.

use http::Method;
use http::header;
use http::uri::Authority;
use http::uri::Scheme;
use tower::ServiceBuilder;
use tower_oauth::ConfigError;
use tower_oauth::ErrorKind;
use tower_oauth::oauth1::BaseStringUri;
use tower_oauth::oauth1::Placement;
use tower_oauth::oauth1::flow::AccessToken;
use tower_oauth::oauth1::flow::Endpoints;
use tower_oauth::oauth1::flow::Flow;
use tower_oauth::oauth1::flow::Step;
use tower_oauth::testing::Body;
use tower_oauth::testing::Provider;

use super::Script;
use super::Seen;
use super::TOKENS;
use super::flow_with;
use super::request_token;

const FORM: &str = "application/x-www-form-urlencoded";

/// The request of the first leg.
async fn first(set: impl FnOnce(Flow) -> Flow) -> Seen {
    let script = Script::ok(TOKENS);
    set(flow_with(&script)).fetch_request_token().await.unwrap();
    script.only()
}

/// The request of the third leg.
async fn third(set: impl FnOnce(Flow) -> Flow) -> Seen {
    let script = Script::ok(TOKENS);
    let flow = set(flow_with(&script));
    flow.fetch_access_token(&request_token("temporary", "hush"), "1234").await.unwrap();
    script.only()
}

#[tokio::test]
async fn the_first_leg_has_a_callback_and_the_third_a_token_and_a_verifier() {
    let seen = first(|flow| flow).await;
    assert_eq!((&seen.method, seen.uri.path(), seen.uri.query()), (&Method::POST, "/oauth1/initiate", None));
    assert_eq!(seen.parameter("oauth_callback").as_deref(), Some("oob"));
    assert_eq!((seen.parameter("oauth_token"), seen.parameter("oauth_verifier")), (None, None));
    assert_eq!(seen.parameter("oauth_version").as_deref(), Some("1.0"));

    let seen = third(|flow| flow).await;
    assert_eq!((&seen.method, seen.uri.path()), (&Method::POST, "/oauth1/token"));
    assert_eq!(seen.parameter("oauth_callback"), None);
    assert_eq!(seen.parameter("oauth_token").as_deref(), Some("temporary"));
    assert_eq!(seen.parameter("oauth_verifier").as_deref(), Some("1234"));
    assert!(!seen.authorization().contains("hush"));
}

#[tokio::test]
async fn the_callback_may_be_a_url_or_left_out() {
    let seen = first(|flow| flow.callback("https://client.example.com/cb?a=b")).await;
    let expected = "https%3A%2F%2Fclient.example.com%2Fcb%3Fa%3Db";
    assert_eq!(seen.parameter("oauth_callback").as_deref(), Some(expected));
    assert_eq!(first(Flow::omit_callback).await.parameter("oauth_callback"), None);
}

#[tokio::test]
async fn realm_version_and_parameters_are_as_they_were_set() {
    let set = |flow: Flow| {
        let flow = flow.realms(["photos", "videos"]).unwrap().omit_version();
        let flow = flow.parameter(Step::RequestToken, "oauth_language", "de").unwrap();
        // A protocol parameter has one value: the last.
        flow.parameter(Step::RequestToken, "oauth_language", "fr").unwrap()
    };
    let seen = first(set).await;
    assert!(seen.authorization().starts_with(r#"OAuth realm="photos videos", oauth_"#), "{seen:?}");
    assert_eq!(seen.parameter("oauth_version"), None);
    assert_eq!(seen.authorization().matches("oauth_language").count(), 1);
    assert_eq!(seen.parameter("oauth_language").as_deref(), Some("fr"));
    let seen = third(set).await;
    assert!(seen.authorization().starts_with(r#"OAuth realm="photos videos", oauth_"#), "{seen:?}");
    assert_eq!(seen.parameter("oauth_language"), None);
}

#[tokio::test]
async fn extra_parameters_are_in_the_form_of_a_post_and_in_the_query_of_a_get() {
    let scoped = |flow: Flow| flow.parameter(Step::RequestToken, "scope", "a b+c").unwrap();
    let seen = first(scoped).await;
    assert_eq!((seen.body.as_str(), seen.uri.query()), ("scope=a%20b%2Bc", None));
    assert_eq!(seen.headers[header::CONTENT_TYPE], FORM);

    let seen = first(|flow| scoped(flow).http_method(Step::RequestToken, Method::GET)).await;
    assert_eq!((&seen.method, seen.body.as_str()), (&Method::GET, ""));
    assert_eq!(seen.uri.query(), Some("scope=a%20b%2Bc"));
    assert_eq!(
        (seen.headers.get(header::CONTENT_TYPE), seen.headers.get(header::CONTENT_LENGTH)),
        (None, None)
    );
}

#[tokio::test]
async fn placements_leave_the_other_places_alone() {
    let seen = first(|flow| flow.placement(Step::RequestToken, Placement::Query)).await;
    assert_eq!((seen.authorization(), seen.body.as_str()), ("", ""));
    assert!(seen.uri.query().unwrap().contains("oauth_signature="));

    for method in [Method::POST, Method::GET] {
        let seen = first(|flow| {
            flow.placement(Step::RequestToken, Placement::Form).http_method(Step::RequestToken, method)
        })
        .await;
        assert_eq!((seen.authorization(), seen.uri.query()), ("", None));
        assert!(seen.body.contains("oauth_signature=") && seen.headers[header::CONTENT_TYPE] == FORM);
    }
}

#[tokio::test]
async fn an_endpoint_keeps_its_query() {
    let endpoints = Endpoints::new(
        "http://localhost/initiate?scope=x%2Fy",
        "http://localhost/authorize?theme=dark#top",
        "http://localhost/token",
    )
    .unwrap();
    let script = Script::ok(TOKENS);
    let flow = Flow::new("consumer-key", "consumer-secret", endpoints, script.service())
        .http_method(Step::RequestToken, Method::GET)
        .parameter(Step::RequestToken, "a", "b")
        .unwrap();
    let login = flow.fetch_request_token().await.unwrap();
    assert_eq!(script.only().uri.query(), Some("scope=x%2Fy&a=b"));
    assert_eq!(
        flow.authorization_url(&login, &[("perms", "write & delete")]).unwrap(),
        "http://localhost/authorize?theme=dark&oauth_token=t0k&perms=write%20%26%20delete"
    );
}

#[tokio::test]
async fn a_server_behind_a_proxy_can_be_signed_for() {
    let provider = Provider::new();
    let inner = provider.client();
    let proxied = ServiceBuilder::new()
        .map_request(|mut request: http::Request<Body>| {
            let path = request.uri().path().to_owned();
            *request.uri_mut() = format!("https://provider.example.com{path}").parse().unwrap();
            request
        })
        .service(inner);
    let flow = Flow::new("consumer-key", "consumer-secret", super::endpoints(), proxied);
    assert_eq!(super::kind(flow.fetch_request_token().await), ErrorKind::Refused);

    let seen =
        BaseStringUri::new().scheme(Scheme::HTTPS).authority(Authority::from_static("provider.example.com"));
    assert!(flow.base_string_uri(seen).fetch_request_token().await.is_ok());
}

#[tokio::test]
async fn xauth_sends_the_password_in_the_form_of_a_post_whatever_was_set() {
    let script = Script::ok("oauth_token=t&oauth_token_secret=s&user_id=7&screen_name=bob&x_auth_expires=0");
    let flow = flow_with(&script).http_method(Step::AccessToken, Method::GET);
    let token = flow.fetch_access_token_with_xauth("bob@example.com", "hunter2 &").await.unwrap();
    assert_eq!(token.extra("screen_name").and_then(|name| name.as_str()), Some("bob"));
    let seen = script.only();
    assert_eq!((&seen.method, seen.uri.query()), (&Method::POST, None));
    assert_eq!(
        seen.body,
        "x_auth_mode=client_auth&x_auth_password=hunter2%20%26&x_auth_username=bob%40example.com"
    );
    assert_eq!((seen.parameter("oauth_token"), seen.parameter("oauth_callback")), (None, None));
}

#[tokio::test]
async fn a_renewal_sends_the_session_handle_with_the_old_token() {
    let script = Script::ok(TOKENS);
    let old = AccessToken::new("old", "hush").with_session_handle("h&ndle");
    flow_with(&script).renew_access_token(&old).await.unwrap();
    let seen = script.only();
    assert_eq!(seen.parameter("oauth_session_handle").as_deref(), Some("h%26ndle"));
    assert_eq!(seen.parameter("oauth_token").as_deref(), Some("old"));
    assert_eq!((seen.parameter("oauth_verifier"), seen.body.as_str()), (None, ""));
}

/// The resource of the embedded provider in the place of the endpoint: it says what it verified, which is no token.
#[tokio::test]
async fn xauth_and_renewals_are_signed_as_any_request() {
    let provider = Provider::new();
    let endpoints = Endpoints::access_token_only("http://localhost/oauth1/resource").unwrap();
    let flow = Flow::new("consumer-key", "consumer-secret", endpoints, provider.client());

    let echoed = flow.fetch_access_token_with_xauth("bob", "hunter2").await.unwrap_err();
    assert_eq!(provider.stats().oauth1.verified, 1, "{echoed}");
    assert!(echoed.to_string().contains(r#"["x_auth_password","[redacted]"]"#), "{echoed}");

    let old = AccessToken::new("token", "token-secret").with_session_handle("handle");
    let echoed = flow.renew_access_token(&old).await.unwrap_err();
    assert_eq!(provider.stats().oauth1.verified, 2, "{echoed}");
}

#[test]
fn what_cannot_be_sent_is_refused_when_it_is_set() {
    let flow = || flow_with(&Script::new([]));
    for name in ["oauth_callback", "oauth_verifier", "oauth_token", "oauth_nonce"] {
        let error = flow().parameter(Step::AccessToken, name, "x").unwrap_err();
        assert!(matches!(error, ConfigError::InvalidParameter { .. }), "{name}");
    }
    assert!(matches!(flow().realm("a\nb"), Err(ConfigError::InvalidParameter { .. })));
    for url in ["/initiate", "ftp://localhost/", "https://user:password@localhost/", ""] {
        let endpoints = Endpoints::new("https://localhost/", url, "https://localhost/");
        assert!(matches!(endpoints, Err(ConfigError::InvalidEndpoint { .. })), "{url}");
        let endpoints = Endpoints::access_token_only(url);
        assert!(matches!(endpoints, Err(ConfigError::InvalidEndpoint { .. })), "{url}");
    }
}
