//! The whole way, with a provider that verifies every signature by itself.

use std::time::Duration;
use std::time::SystemTime;

use http::Request;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;
use tower::Layer;
use tower::ServiceExt;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth1Layer;
use tower_oauth::Origins;
use tower_oauth::error::ServerError;
use tower_oauth::oauth1::HmacSha1;
use tower_oauth::oauth1::HmacSha256;
use tower_oauth::oauth1::HmacSha512;
use tower_oauth::oauth1::Placement;
use tower_oauth::oauth1::Plaintext;
use tower_oauth::oauth1::SignatureMethod;
use tower_oauth::oauth1::flow::Flow;
use tower_oauth::oauth1::flow::RequestToken;
use tower_oauth::oauth1::flow::Step;
use tower_oauth::testing::Body;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;

use super::flow_at;
use super::kind;
use super::request_token;

const CALLBACK: &str = "https://client.example.com/callback?session=7";

/// Opens a page as the resource owner's browser: where it is sent, or what it shows.
async fn open(provider: &Provider, url: &str) -> String {
    let page = provider.clone().oneshot(Request::get(url).body(Body::default()).unwrap()).await.unwrap();
    if let Some(location) = page.headers().get(header::LOCATION) {
        return location.to_str().unwrap().to_owned();
    }
    let text = page.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(text.to_vec()).unwrap()
}

/// The verifier that the provider shows.
async fn shown(provider: &Provider, flow: &Flow, login: &RequestToken) -> String {
    let page = open(provider, &flow.authorization_url(login, &[]).unwrap()).await;
    page.strip_prefix("The verifier is: ").unwrap().trim().to_owned()
}

/// All legs, and a request with what they brought.
async fn log_in(provider: &Provider, flow: &Flow) {
    let login = flow.fetch_request_token().await.unwrap();
    let callback = open(provider, &flow.authorization_url(&login, &[("theme", "dark")]).unwrap()).await;
    let response = flow.parse_authorization_response(&login, &callback).unwrap();
    assert_eq!(response.parameter("session"), Some("7"));
    let token = flow.fetch_access_token(&login, &response).await.unwrap();

    let layer = OAuth1Layer::new(Origins::one("http://localhost").unwrap(), flow.authorized(&token));
    let request = Request::get("http://localhost/oauth1/resource").body(Body::default()).unwrap();
    let answer = layer.layer(provider.client()).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn every_method_passes_in_every_placement() {
    async fn pass(method: impl SignatureMethod + Clone) {
        for placement in [Placement::Header, Placement::Query, Placement::Form] {
            let provider = Provider::new();
            let flow = flow_at(&provider)
                .signature_method(method.clone())
                .callback(CALLBACK)
                .placement(Step::RequestToken, placement)
                .placement(Step::AccessToken, placement)
                .realm("photos")
                .unwrap();
            log_in(&provider, &flow).await;
            assert_eq!(provider.stats().oauth1.verified, 3, "{} {placement:?}", method.name());
        }
    }
    pass(HmacSha1).await;
    pass(HmacSha256).await;
    pass(HmacSha512).await;
    pass(Plaintext).await;
}

#[tokio::test]
async fn the_placement_of_one_step_is_not_that_of_the_other() {
    let provider = Provider::new();
    let flow = flow_at(&provider).callback(CALLBACK).placement(Step::AccessToken, Placement::Form);
    log_in(&provider, &flow).await;
}

#[tokio::test]
async fn extra_parameters_are_covered_by_the_signature() {
    let provider = Provider::new();
    let mut flow = flow_at(&provider).callback(CALLBACK);
    for (step, name) in [
        (Step::RequestToken, "scope"),
        (Step::RequestToken, "scope"),
        (Step::RequestToken, "oauth_language"),
        (Step::AccessToken, "xoauth_lang"),
    ] {
        flow = flow.parameter(step, name, "read & write+é").unwrap();
    }
    log_in(&provider, &flow).await;
    assert_eq!(provider.stats().oauth1.wrong_signatures, 0);
}

#[tokio::test]
async fn without_a_callback_the_resource_owner_brings_the_verifier() {
    let provider = Provider::new();
    let flow = flow_at(&provider);
    let login = flow.fetch_request_token().await.unwrap();
    let verifier = shown(&provider, &flow, &login).await;
    assert!(flow.fetch_access_token(&login, verifier).await.is_ok());
}

#[tokio::test]
async fn a_login_goes_on_in_another_process() {
    let provider = Provider::new();
    let kept = {
        let flow = flow_at(&provider);
        let login = flow.fetch_request_token().await.unwrap();
        login.to_json()
    };
    let flow = flow_at(&provider);
    let login = RequestToken::from_json(kept.expose()).unwrap();
    let verifier = shown(&provider, &flow, &login).await;
    assert!(flow.fetch_access_token(&login, verifier).await.is_ok());
}

#[tokio::test]
async fn logins_at_the_same_time_do_not_mix() {
    let provider = Provider::new();
    let flow = flow_at(&provider).callback(CALLBACK);
    let (alice, bob) = tokio::join!(flow.fetch_request_token(), flow.fetch_request_token());
    let (alice, bob) = (alice.unwrap(), bob.unwrap());
    let callback = open(&provider, &flow.authorization_url(&alice, &[]).unwrap()).await;

    assert_eq!(kind(flow.parse_authorization_response(&bob, &callback)), ErrorKind::TokenMismatch);
    let response = flow.parse_authorization_response(&alice, &callback).unwrap();
    assert_eq!(kind(flow.fetch_access_token(&bob, &response).await), ErrorKind::Refused);
    assert!(flow.fetch_access_token(&alice, &response).await.is_ok());
}

#[tokio::test]
async fn a_refusal_carries_the_providers_own_words() {
    let provider = Provider::new();
    let flow = flow_at(&provider);
    let login = flow.fetch_request_token().await.unwrap();

    let too_early = flow.fetch_access_token(&login, "1234").await.unwrap_err();
    assert_eq!(too_early.server().map(ServerError::code), Some("permission_unknown"));
    assert_eq!(too_early.status(), Some(StatusCode::UNAUTHORIZED));
    assert_eq!(too_early.endpoint(), Some("http://localhost/oauth1/token"));

    let verifier = shown(&provider, &flow, &login).await;
    let wrong = flow.fetch_access_token(&login, "1234").await.unwrap_err();
    assert_eq!(wrong.server().map(ServerError::code), Some("verifier_invalid"));
    assert_eq!(wrong.server().and_then(ServerError::error_description), Some("the verifier is another one"));

    flow.fetch_access_token(&login, verifier.clone()).await.unwrap();
    let again = flow.fetch_access_token(&login, verifier).await.unwrap_err();
    assert_eq!(again.server().map(ServerError::code), Some("token_used"));
    assert!(again.to_string().contains("begin again with a new request token"), "{again}");

    let unknown = flow.fetch_access_token(&request_token("made-up", "s"), "1234").await.unwrap_err();
    assert_eq!(unknown.server().map(ServerError::code), Some("token_rejected"));
}

#[tokio::test]
async fn a_wrong_secret_shows_the_base_string_that_the_provider_expected_and_no_secret() {
    let provider = Provider::new();
    let flow = Flow::new("consumer-key", "hunter2", super::endpoints(), provider.client());
    let error = flow.fetch_request_token().await.unwrap_err();
    assert_eq!(error.server().map(ServerError::code), Some("signature_invalid"));
    let message = error.to_string();
    assert!(message.contains("POST&http%3A%2F%2Flocalhost%2Foauth1%2Finitiate"), "{message}");
    assert!(message.contains("check the client secret") && !message.contains("hunter2"), "{message}");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told_which_times_are_right() {
    let clock = ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
    let provider = Provider::builder().test_clients().clock(clock.clone()).build();
    let error = flow_at(&provider).fetch_request_token().await.unwrap_err();
    assert_eq!(error.server().map(ServerError::code), Some("timestamp_refused"));
    let advice = error.server().and_then(ServerError::error_description).unwrap_or_default();
    assert!(advice.contains("acceptable are 999700 to 1000300"), "{advice}");

    assert!(flow_at(&provider).clock(clock).fetch_request_token().await.is_ok());
}

#[tokio::test]
async fn every_request_has_a_nonce_of_its_own() {
    let provider = Provider::new();
    let flow = flow_at(&provider);
    flow.fetch_request_token().await.unwrap();
    flow.fetch_request_token().await.unwrap();

    let stuck = flow.nonce_fn(|| "always-the-same".to_owned());
    stuck.fetch_request_token().await.unwrap();
    let replayed = stuck.fetch_request_token().await.unwrap_err();
    assert_eq!(replayed.server().map(ServerError::code), Some("nonce_used"));
}

#[tokio::test]
async fn the_legs_pass_over_a_real_connection() {
    let provider = Provider::new();
    let served = provider.serve().await.unwrap();
    let endpoints = super::at(&served.origin());
    let flow = Flow::new("consumer-key", "consumer-secret", endpoints, tower_oauth::client());
    let login = flow.fetch_request_token().await.unwrap();
    let verifier = shown(&provider, &flow, &login).await;
    assert!(flow.fetch_access_token(&login, verifier).await.is_ok());
    let requests = provider.stats().requests;
    let posted: Vec<_> = requests.iter().filter(|request| request.method == http::Method::POST).collect();
    // Some servers refuse a POST that does not say so (411).
    assert!(posted.len() == 2 && posted.iter().all(|request| request.headers["content-length"] == "0"));
}
