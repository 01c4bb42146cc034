//! The layer against the embedded provider, which verifies every signature.

use http::header::DATE;
use tower::Layer;
use tower::ServiceExt;
use tower_oauth::TokenKey;
use tower_oauth::oauth1::OAuthProblem;
use tower_oauth::oauth1::Placement;
use tower_oauth::oauth1::credential_source_fn;
use tower_oauth::testing::Fault;
use tower_oauth::testing::Provider;

use super::*;

const TEN_MINUTES: Duration = Duration::from_secs(600);

fn credentials() -> Credentials {
    Credentials::new("consumer-key", "consumer-secret").token("token", "token-secret")
}

fn local(credentials: Credentials) -> OAuth1Layer {
    OAuth1Layer::new(Origins::one("http://localhost").unwrap(), credentials).clock(clock())
}

fn resource() -> Request<Body> {
    get("http://localhost/oauth1/resource?a=b")
}

fn resource_form() -> Request<Body> {
    let mut request = form("a=1");
    *request.uri_mut() = "http://localhost/oauth1/resource".parse().unwrap();
    request
}

#[tokio::test]
async fn a_provider_whose_clock_is_ten_minutes_off_is_understood() {
    for now in [at(START) + TEN_MINUTES, at(START) - TEN_MINUTES] {
        let providers_clock = ManualClock::at(now);
        for placement in [Placement::Header, Placement::Query, Placement::Form] {
            let provider = Provider::builder().test_clients().clock(providers_clock.clone()).build();
            let service = local(credentials()).placement(placement).layer(provider.clone());
            for _ in 0..3 {
                assert_eq!(service.clone().oneshot(resource_form()).await.unwrap().status(), 200);
            }
            let counts = provider.stats().oauth1;
            assert_eq!((counts.stale_timestamps, counts.verified), (1, 3));
            assert_eq!((counts.replayed_nonces, counts.wrong_signatures, counts.refused), (0, 0, 0));
        }
    }
}

#[tokio::test]
async fn a_providers_clock_that_moves_later_is_followed() {
    let providers_clock = ManualClock::at(at(START));
    let provider = Provider::builder().test_clients().clock(providers_clock.clone()).build();
    let service = local(credentials()).layer(provider.clone());
    for moved in 0..3 {
        assert_eq!(service.clone().oneshot(resource()).await.unwrap().status(), 200, "{moved}");
        providers_clock.advance(TEN_MINUTES);
    }
    assert_eq!(provider.stats().oauth1.stale_timestamps, 2);
}

#[tokio::test]
async fn a_provider_that_gives_no_reason_is_understood_by_its_date() {
    let now = at(START) + TEN_MINUTES;
    let provider = Provider::builder().test_clients().clock(ManualClock::at(now)).build();
    // Refused without a word.
    let date = httpdate::fmt_http_date(now).parse().unwrap();
    provider.inject(Fault::new().status(http::StatusCode::UNAUTHORIZED).header(DATE, date));
    let response = local(credentials()).layer(provider.clone()).oneshot(resource()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(provider.stats().requests.len(), 2);
}

#[tokio::test]
async fn a_refusal_for_another_reason_is_delivered_with_it() {
    let now = at(START) + TEN_MINUTES;
    let provider = Provider::builder().test_clients().clock(ManualClock::at(now)).build();
    let wrong = Credentials::new("consumer-key", "consumer-secret").token("token", "another secret");
    let response = local(wrong).layer(provider.clone()).oneshot(resource()).await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.extensions().get().map(OAuthProblem::code), Some("signature_invalid"));
    // One for the clock, one for the signature.
    assert_eq!(provider.stats().requests.len(), 2);
}

#[tokio::test]
async fn a_token_that_the_provider_does_not_know_is_looked_up_again() {
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&asked);
    // The user logs in again between the two requests.
    let source = credential_source_fn(move |_: TokenKey| {
        let is_first = counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        let old = Credentials::new("consumer-key", "consumer-secret").token("revoked", "secret");
        async move { Ok(if is_first { old } else { credentials() }) }
    });
    let provider = Provider::new();
    let layer = OAuth1Layer::per_request(Origins::one("http://localhost").unwrap(), source);
    let service = layer.layer(provider);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let mut request = resource();
        request.extensions_mut().insert(TokenKey::new("alice"));
        statuses.push(service.clone().oneshot(request).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [401, 200, 200]);
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 2);
}
