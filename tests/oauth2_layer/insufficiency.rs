//! A token that is good, and not good enough.

use super::*;
use http::header::WWW_AUTHENTICATE;
use http_body_util::BodyExt;
use std::time::Duration;
use tower_oauth::body::FromBytes;
use tower_oauth::oauth2::InsufficientAuthentication;
use tower_oauth::oauth2::InsufficientScope;
use tower_oauth::oauth2::Refusal;
use tower_oauth::token::AccessScope;

const SCOPE: &str =
    r#"Basic realm="a, b", Bearer error="insufficient_scope", scope="orders:read orders:write""#;
const STEP_UP: &str =
    r#"Bearer error="insufficient_user_authentication", acr_values="urn:strong urn:any", max_age="300""#;

fn challenge(code: u16, challenge: &'static str) -> Response<Body> {
    let mut response = status(code);
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
    response
}

#[tokio::test]
async fn insufficient_scope_is_delivered_with_the_scope_asked_for_and_renews_nothing() {
    for refusal in [Refusal::unauthorized(), Refusal::challenged(), Refusal::invalid_token(), Refusal::grpc()]
    {
        for code in [403, 401] {
            let (layer, made) = counting_layer();
            let (inner, sent) = scripted(move |_| challenge(code, SCOPE));
            let layer = layer.refusal(refusal.clone()).body_policy(FromBytes);
            let service = tower::Layer::layer(&layer, inner);
            // Cold, then warm.
            for _ in 0..2 {
                let response = service.clone().oneshot(get("https://api.test/")).await.unwrap();
                assert_eq!(response.status(), code);
                let lack = response.extensions().get::<InsufficientScope>().unwrap();
                assert_eq!(lack.scopes().collect::<Vec<_>>(), ["orders:read", "orders:write"]);
                assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "what the server says");
            }
            assert_eq!(sent.tokens(), ["Bearer token-1", "Bearer token-1"]);
            assert_eq!(made.load(Ordering::SeqCst), 1, "{refusal:?}");
        }
    }
}

#[tokio::test]
async fn a_stronger_login_is_asked_for_in_the_same_way() {
    let (layer, made) = counting_layer();
    let (inner, _) = scripted(|_| challenge(401, STEP_UP));
    let service = tower::Layer::layer(&layer.clone().body_policy(FromBytes), inner.clone());
    let response = service.oneshot(get("https://api.test/")).await.unwrap();
    let lack = response.extensions().get::<InsufficientAuthentication>().unwrap();
    assert_eq!(lack.acr_values().collect::<Vec<_>>(), ["urn:strong", "urn:any"]);
    assert_eq!(lack.max_age(), Some(Duration::from_secs(300)));
    assert!(response.extensions().get::<InsufficientScope>().is_none());

    let service = tower::Layer::layer(&layer.insufficiency_is_error(), inner);
    let error = service.oneshot(get("https://api.test/")).await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::InsufficientAuthentication);
    assert_eq!(
        InsufficientAuthentication::find(error.as_ref()).unwrap().max_age(),
        Some(Duration::from_secs(300))
    );
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn it_can_be_a_typed_error_on_every_path() {
    // The first request is cold, the second is warm, the third is refused and then sent again.
    let (layer, made) = counting_layer();
    let (inner, _) = scripted(|number| if number == 3 { status(401) } else { challenge(403, SCOPE) });
    let layer = layer.insufficiency_is_error().body_policy(FromBytes);
    let service = tower::Layer::layer(&layer, inner);
    for _ in 0..3 {
        let error = service.clone().oneshot(get("https://api.test/")).await.unwrap_err();
        let ours = Error::find(error.as_ref()).unwrap();
        assert_eq!(ours.kind(), ErrorKind::InsufficientScope);
        assert_eq!(ours.status().map(|status| status.as_u16()), Some(403));
        assert!(!ours.is_transient() && !ours.needs_reauthorization());
        assert!(ours.to_string().contains("`orders:read orders:write`"), "{ours}");
        let lack = InsufficientScope::find(error.as_ref()).unwrap();
        assert_eq!(lack.scopes().count(), 2);
    }
    assert_eq!(made.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_request_can_be_repeated_with_the_scope_asked_for() {
    let source = token_source_fn(|request: tower_oauth::token::SourceRequest| async move {
        Ok(Token::new(request.scope().scopes().collect::<Vec<_>>().join("+")))
    });
    let read = AccessScope::new().scope("orders:read");
    let layer =
        OAuth2Layer::new(Origins::one("https://api.test").unwrap(), source).access_scope(read.clone());
    let inner = tower::service_fn(|request: Request<Body>| async move {
        let is_wide = authorization(&request) == Some("Bearer orders:read+orders:write");
        Ok::<_, BoxError>(if is_wide { status(200) } else { challenge(403, SCOPE) })
    });
    let service = tower::Layer::layer(&layer, inner);
    let response = service.clone().oneshot(get("https://api.test/")).await.unwrap();
    let lack = response.extensions().get::<InsufficientScope>().unwrap();
    let mut again = get("https://api.test/");
    again.extensions_mut().insert(lack.access_scope(&read));
    assert_eq!(service.oneshot(again).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_given_token_may_lack_something_too() {
    let (layer, _) = counting_layer();
    let (inner, _) = scripted(|_| challenge(403, SCOPE));
    let mut request = get("https://api.test/");
    request.extensions_mut().insert(WithToken::new(&Token::new("mine")).unwrap());
    let response = tower::Layer::layer(&layer, inner).oneshot(request).await.unwrap();
    assert!(response.extensions().get::<InsufficientScope>().is_some());
}

#[tokio::test]
async fn a_closure_may_still_call_it_a_refusal() {
    let (layer, made) = counting_layer();
    let (inner, _) = scripted(|number| if number == 1 { challenge(403, SCOPE) } else { status(200) });
    let layer = layer.refusal(Refusal::when(|status, _| status == 403)).body_policy(FromBytes);
    assert_eq!(
        tower::Layer::layer(&layer, inner).oneshot(get("https://api.test/")).await.unwrap().status(),
        200
    );
    assert_eq!(made.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_refusal_may_have_to_name_the_token() {
    let cases = [
        (Refusal::invalid_token(), "Bearer error=\"invalid_token\"", true),
        (Refusal::invalid_token(), "Bearer realm=\"api\"", false),
        (Refusal::challenged(), "Bearer realm=\"api\"", true),
        (Refusal::challenged(), "Basic realm=\"gateway\"", false),
    ];
    for (refusal, says, is_refused) in cases {
        let (layer, made) = counting_layer();
        let (inner, _) = scripted(move |number| if number == 1 { challenge(401, says) } else { status(200) });
        let layer = layer.refusal(refusal).body_policy(FromBytes);
        let response = tower::Layer::layer(&layer, inner).oneshot(get("https://api.test/")).await.unwrap();
        assert_eq!(response.status(), if is_refused { 200 } else { 401 }, "{says}");
        assert_eq!(made.load(Ordering::SeqCst), if is_refused { 2 } else { 1 }, "{says}");
    }
}
