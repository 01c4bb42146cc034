//! A provider in the place of others.

use std::io;

use http::Request;
use http::StatusCode;
use http_body_util::BodyExt;
use http_body_util::Full;
use serde_json::Value;
use tower::ServiceExt;
use tower_oauth::provider;
use tower_oauth::testing::Body;
use tower_oauth::testing::Provider;
use tower_oauth::testing::StandIn;

use crate::get;
use crate::post_form;

fn at(url: &str, endpoint: &str) -> StandIn {
    StandIn::new(&Provider::new()).at(url, endpoint)
}

async fn status(there: &StandIn, url: &str) -> StatusCode {
    let request = Request::get(url).body(Body::default()).unwrap();
    there.clone().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn an_address_that_nobody_stands_in_for_cannot_be_reached() {
    let there = at("https://api.test/v1", "/resource");
    for url in
        ["https://api.test/", "https://api.test/v10", "http://api.test/v1", "https://api.test:8443/v1", "/v1"]
    {
        let request = Request::get(url).body(Body::default()).unwrap();
        let error = there.clone().oneshot(request).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{url}");
    }
    // A token is missing, so the endpoint answered.
    assert_eq!(status(&there, "https://api.test/v1").await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&there, "https://API.test:443/v1/a/b").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn of_several_addresses_the_longest_counts() {
    let there = at("https://api.test/oauth", "/resource").at("https://api.test/oauth/token", "/token");
    assert_eq!(status(&there, "https://api.test/oauth/token").await, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(status(&there, "https://api.test/oauth/tokens").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_signature_is_verified_for_the_address_that_was_signed() {
    let provider = Provider::new();
    let there = StandIn::new(&provider).at("https://api.test/1.1", "/oauth1/resource");
    let credentials =
        tower_oauth::Credentials::new("consumer-key", "consumer-secret").token("token", "token-secret");
    let mut request = Request::get("https://api.test/1.1/me").body(bytes::Bytes::new()).unwrap();
    tower_oauth::oauth1::Signer::new(credentials).sign(&mut request).unwrap();
    let (parts, body) = request.map(Full::new).into_parts();
    let elsewhere = Request::from_parts(parts.clone(), body.clone());
    let moved = StandIn::new(&provider).at("https://api.test/1.1/me", "/oauth1/resource/other");
    assert_eq!(there.oneshot(Request::from_parts(parts, body)).await.unwrap().status(), StatusCode::OK);
    // The same signature is known by then; what is verified is the address, wherever it leads.
    assert_eq!(moved.oneshot(elsewhere).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(provider.stats().oauth1.verified, 1);
    assert_eq!(provider.stats().oauth1.replayed_nonces, 1);
}

#[tokio::test]
async fn the_browser_ends_where_nobody_answers_and_the_issuer_is_the_presets() {
    let embedded = Provider::new();
    let ask = "response_type=code&client_id=test-client&state=s&redirect_uri=https://app.test/callback";
    let google = StandIn::<Body>::new(&embedded).preset(&provider::google());
    let visited = google.open(&format!("https://accounts.google.com/o/oauth2/v2/auth?{ask}")).await.unwrap();
    assert!(visited.url().starts_with("https://app.test/callback?code="), "{}", visited.url());
    assert!(visited.url().ends_with("&iss=https%3A%2F%2Faccounts.google.com"), "{}", visited.url());
    assert_eq!(visited.page(), None);

    // GitHub has no issuer, and names none.
    let github = StandIn::<Body>::new(&embedded).preset(&provider::github());
    let visited = github.open(&format!("https://github.com/login/oauth/authorize?{ask}")).await.unwrap();
    assert!(!visited.url().contains("iss="), "{}", visited.url());
    // A page without redirect is shown.
    let visited = github.open("https://github.com/login/oauth/authorize").await.unwrap();
    assert_eq!(visited.page(), Some("client_id is missing or unknown.\n"));
}

#[tokio::test]
async fn tokeninfo_tells_whoever_has_a_token_what_it_is_worth() {
    let provider = Provider::new();
    let token = provider.issue("test-client", "a").access_token;
    let there = StandIn::new(&provider).at("https://google.test/tokeninfo", "/tokeninfo");
    let ask = async |token: &str| {
        let url = format!("https://google.test/tokeninfo?access_token={token}");
        let answer = there.clone().oneshot(get(&url, None)).await.unwrap();
        let status = answer.status();
        (status, serde_json::from_slice::<Value>(&answer.collect().await.unwrap().to_bytes()).unwrap())
    };
    let (status, worth) = ask(token.expose()).await;
    assert_eq!(
        (status, worth["aud"].as_str(), worth["scope"].as_str()),
        (StatusCode::OK, Some("test-client"), Some("a"))
    );
    assert!(worth["expires_in"].as_str().is_some_and(|seconds| seconds.parse::<u64>().is_ok()), "{worth}");
    provider.revoke(token.expose());
    let (status, worth) = ask(token.expose()).await;
    assert_eq!((status, worth["error"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_token")));
}

#[tokio::test]
async fn a_client_with_a_certificate_needs_no_secret_and_is_not_public() {
    let provider = Provider::builder().tls_client("bank").public_client("app").build();
    let form = |client: &str| format!("grant_type=client_credentials&client_id={client}");
    let request = |client| post_form("http://localhost/token", None, &form(client));
    assert_eq!(crate::send(&provider, request("bank")).await.status, StatusCode::OK);
    assert_eq!(crate::send(&provider, request("app")).await.member("error"), "unauthorized_client");
}
