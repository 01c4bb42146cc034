//! The shortest way of a request: warm, with a service that sent some before.

use super::*;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;
use tower_oauth::Clock;
use tower_oauth::TokenKey;
use tower_oauth::body::FromBytes;
use tower_oauth::oauth2::InsufficientScope;
use tower_oauth::oauth2::Refusal;
use tower_oauth::token::AccessScope;
use tower_oauth::token::SourceRequest;

/// A layer whose only identity has its token already.
async fn warm_layer() -> (OAuth2Layer, Arc<AtomicUsize>) {
    let (layer, made) = counting_layer();
    layer.manager().token(&TokenKey::default()).await.unwrap();
    (layer, made)
}

async fn send<S>(service: &mut S, request: Request<Body>) -> Result<Response<Body>, BoxError>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError>,
{
    service.ready().await?.call(request).await
}

#[tokio::test]
async fn a_service_that_is_used_again_and_again_notices_a_refusal() {
    let (layer, _) = warm_layer().await;
    let (inner, sent) = scripted(|number| status(if number == 3 { 401 } else { 200 }));
    let mut service = tower::Layer::layer(&layer, inner);
    for expected in [200, 200, 401, 200] {
        assert_eq!(send(&mut service, get("https://api.test/")).await.unwrap().status(), expected);
    }
    assert_eq!(sent.tokens(), ["Bearer token-1", "Bearer token-1", "Bearer token-1", "Bearer token-2"]);
}

/// The tokens that one service sends, when all that can become of a token happens to it elsewhere, one after the other.
async fn sent_between_changes(
    layer: OAuth2Layer,
    key: TokenKey,
    request: impl Fn() -> Request<Body>,
) -> Vec<String> {
    let (inner, sent) = scripted(|_| status(200));
    let mut service = tower::Layer::layer(&layer, inner);
    let manager = layer.manager().clone();
    send(&mut service, request()).await.unwrap();
    manager.put(&key, Token::new("login")).await.unwrap();
    send(&mut service, request()).await.unwrap();
    manager.invalidate(&key, &Token::new("login"));
    send(&mut service, request()).await.unwrap();
    manager.refresh(&key).await.unwrap();
    send(&mut service, request()).await.unwrap();
    manager.forget(&key).await.unwrap();
    send(&mut service, request()).await.unwrap();
    sent.tokens()
}

#[tokio::test]
async fn a_service_notices_what_became_of_the_token_elsewhere() {
    let (layer, _) = warm_layer().await;
    let sent = sent_between_changes(layer, TokenKey::default(), || get("https://api.test/")).await;
    let expected = ["Bearer token-1", "Bearer login", "Bearer token-2", "Bearer token-3", "Bearer token-4"];
    assert_eq!(sent, expected);
}

/// A clock that a test sets, in seconds since 1970.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicUsize>);

impl Clock for Hand {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst) as u64)
    }
}

/// A layer whose tokens `at-…` say when they were made, and are good for a thousand seconds.
fn timed_layer(clock: &Hand, is_renewed_by_hand: bool) -> OAuth2Layer {
    let made_at = clock.clone();
    let source = token_source_fn(move |_| {
        let token = Token::new(format!("at-{}", made_at.0.load(Ordering::SeqCst)));
        async move { Ok(token.expires_in(Duration::from_secs(1_000))) }
    });
    let builder = TokenManager::builder(source).clock(clock.clone());
    let builder = if is_renewed_by_hand { builder.refresh_by_hand() } else { builder };
    OAuth2Layer::with_manager(Origins::one("https://api.test").unwrap(), builder.build())
}

#[tokio::test]
async fn a_service_that_slept_does_not_send_a_token_that_has_ended() {
    let clock = Hand::default();
    let layer = timed_layer(&clock, false);
    let (inner, sent) = scripted(|_| status(200));
    let mut service = tower::Layer::layer(&layer, inner);
    for now in [0, 1, 2_000, 2_001] {
        clock.0.store(now, Ordering::SeqCst);
        send(&mut service, get("https://api.test/")).await.unwrap();
    }
    assert_eq!(sent.tokens(), ["Bearer at-0", "Bearer at-0", "Bearer at-2000", "Bearer at-2000"]);
}

#[tokio::test]
async fn a_token_that_is_renewed_by_hand_is_not_sent_beyond_its_end() {
    let clock = Hand::default();
    let layer = timed_layer(&clock, true);
    layer.manager().refresh(&TokenKey::default()).await.unwrap();
    let (inner, sent) = scripted(|_| status(200));
    let mut service = tower::Layer::layer(&layer, inner);
    for now in [0, 900] {
        clock.0.store(now, Ordering::SeqCst);
        send(&mut service, get("https://api.test/")).await.unwrap();
    }
    clock.0.store(1_000, Ordering::SeqCst);
    send(&mut service, get("https://api.test/")).await.unwrap_err();
    assert_eq!(sent.tokens(), ["Bearer at-0", "Bearer at-0"]);
}

/// The response to a request whose service was dropped when it had the request, and with it the `layer`.
async fn answered_late(layer: OAuth2Layer, answer: Response<Body>) -> Response<Body> {
    let (mut service, mut handle) = mock::spawn_layer(layer);
    handle.allow(1);
    assert_ready_ok!(service.poll_ready());
    let response = tokio::spawn(service.call(get("https://api.test/")));
    drop(service);
    let (_, send) = handle.next_request().await.unwrap();
    send.send_response(answer);
    response.await.unwrap().unwrap()
}

#[tokio::test]
async fn a_refusal_is_told_although_the_service_is_gone() {
    let (layer, _) = warm_layer().await;
    let manager = layer.manager().clone();
    assert_eq!(answered_late(layer, status(401)).await.status(), 401);
    assert!(manager.peek(&TokenKey::default()).is_none());
}

#[tokio::test]
async fn a_response_is_understood_although_the_manager_is_gone() {
    let (layer, _) = warm_layer().await;
    let challenge = r#"Bearer error="insufficient_scope", scope="orders:write""#;
    let answer = Response::builder().status(403).header("www-authenticate", challenge);
    let response = answered_late(layer, answer.body(Body::default()).unwrap()).await;
    let lack: &InsufficientScope = response.extensions().get().unwrap();
    assert_eq!(lack.scopes().collect::<Vec<_>>(), ["orders:write"]);
}

/// A layer with a key per request, whose tokens are named after their key and counted.
fn keyed_layer() -> OAuth2Layer {
    let count = Arc::new(AtomicUsize::new(0));
    let source = token_source_fn(move |request: SourceRequest| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        let name = request.key().as_str().to_owned();
        async move { Ok(Token::new(format!("{name}-{number}"))) }
    });
    let manager = TokenManager::builder(source).build();
    OAuth2Layer::with_manager(Origins::one("https://api.test").unwrap(), manager).key_per_request()
}

fn get_for(key: &str) -> Request<Body> {
    let mut request = get("https://api.test/");
    request.extensions_mut().insert(TokenKey::new(key));
    request
}

#[tokio::test]
async fn a_refusal_is_told_of_the_key_that_the_request_had() {
    let layer = keyed_layer();
    let (inner, sent) = scripted(|number| status(if number == 3 { 401 } else { 200 }));
    let mut service = tower::Layer::layer(&layer, inner);
    for key in ["a", "b", "a", "b", "a"] {
        send(&mut service, get_for(key)).await.unwrap();
    }
    assert_eq!(sent.tokens(), ["Bearer a-1", "Bearer b-2", "Bearer a-1", "Bearer b-2", "Bearer a-3"]);
}

#[tokio::test]
async fn a_refusal_is_told_of_the_key_and_the_scope_that_the_request_had() {
    let layer = keyed_layer();
    let (inner, sent) = scripted(|number| status(if number == 3 { 401 } else { 200 }));
    let mut service = tower::Layer::layer(&layer, inner);
    for scope in ["", "read", "read", "", "read"] {
        let mut request = get_for("a");
        request.extensions_mut().insert(AccessScope::new().scope(scope));
        send(&mut service, request).await.unwrap();
    }
    assert_eq!(sent.tokens(), ["Bearer a-1", "Bearer a-2", "Bearer a-2", "Bearer a-1", "Bearer a-3"]);
}

#[tokio::test]
async fn a_service_notices_what_became_of_the_token_of_a_key_elsewhere() {
    let sent = sent_between_changes(keyed_layer(), TokenKey::new("a"), || get_for("a")).await;
    assert_eq!(sent, ["Bearer a-1", "Bearer login", "Bearer a-2", "Bearer a-3", "Bearer a-4"]);
}

#[tokio::test]
async fn each_tenant_gets_its_own_token_from_one_service() {
    let layer = keyed_layer();
    let (inner, sent) = scripted(|_| status(200));
    let mut service = tower::Layer::layer(&layer, inner);
    for _ in 0..2 {
        for tenant in 0..50 {
            send(&mut service, get_for(&format!("tenant{tenant}"))).await.unwrap();
        }
    }
    let tokens = sent.tokens();
    for (first, second) in tokens[..50].iter().zip(&tokens[50..]) {
        assert_eq!(first, second);
    }
    for (tenant, token) in tokens[..50].iter().enumerate() {
        assert!(token.starts_with(&format!("Bearer tenant{tenant}-")), "{token}");
    }
}

#[tokio::test]
async fn whatever_is_set_on_the_layer_holds_for_a_service_that_is_used_again() {
    // The same three requests through layers of which each has one setting that is not the default.
    let scope = AccessScope::new().scope("read");
    let settings: [fn(OAuth2Layer) -> OAuth2Layer; 3] = [
        |layer| layer.keep_existing(),
        |layer| layer.refusal(Refusal::when(|status, _| status == 200)),
        |layer| {
            layer.protected_request(|parts, _| {
                parts.headers.insert("x-hook", http::HeaderValue::from_static("here"));
                Ok(())
            })
        },
    ];
    let mut outcomes = Vec::new();
    for set in settings {
        let (layer, _) = warm_layer().await;
        let (inner, sent) = scripted(|_| status(200));
        let mut service = tower::Layer::layer(&set(layer), inner);
        for _ in 0..2 {
            let mut request = get("https://api.test/");
            request.headers_mut().insert(AUTHORIZATION, http::HeaderValue::from_static("Basic abc"));
            send(&mut service, request).await.unwrap();
        }
        outcomes.push(sent.tokens().join(", "));
    }
    let expected =
        ["Basic abc, Basic abc", "Bearer token-1, Bearer token-2", "Bearer token-1, Bearer token-1"];
    assert_eq!(outcomes, expected);
    // A scope asks for a token of its own; and a body that can be sent again is sent again.
    let (layer, made) = warm_layer().await;
    let (inner, sent) = scripted(|number| status(if number == 2 { 401 } else { 200 }));
    let mut service = tower::Layer::layer(&layer.access_scope(scope).body_policy(FromBytes), inner);
    for _ in 0..2 {
        assert_eq!(send(&mut service, get("https://api.test/")).await.unwrap().status(), 200);
    }
    assert_eq!(sent.tokens(), ["Bearer token-2", "Bearer token-2", "Bearer token-3"]);
    assert_eq!(made.load(Ordering::SeqCst), 3);
}
