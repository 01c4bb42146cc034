//! What happens when a server refuses a token.

use super::*;
use tower_oauth::TokenKey;
use tower_oauth::body::FromBytes;
use tower_oauth::oauth2::Refusal;

#[tokio::test]
async fn with_untouched_bodies_the_refusal_is_delivered_and_the_next_request_is_right() {
    let (layer, _) = counting_layer();
    let (inner, sent) = scripted(|number| status(if number == 1 { 401 } else { 200 }));
    let service = tower::Layer::layer(&layer, inner);
    assert_eq!(service.clone().oneshot(get("https://api.test/")).await.unwrap().status(), 401);
    assert_eq!(service.oneshot(get("https://api.test/")).await.unwrap().status(), 200);
    assert_eq!(sent.tokens(), ["Bearer token-1", "Bearer token-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_can_be_replayed_is_sent_once_more_cold_and_warm() {
    let (layer, _) = counting_layer();
    // Odd requests are refused: the first is sent on the cold path, the third on the warm one.
    let (inner, sent) = scripted(|number| status(if number % 2 == 1 { 401 } else { 200 }));
    let service = tower::Layer::layer(&layer.body_policy(FromBytes), inner);
    for _ in 0..2 {
        assert_eq!(service.clone().oneshot(get("https://api.test/")).await.unwrap().status(), 200);
    }
    assert_eq!(sent.tokens(), ["Bearer token-1", "Bearer token-2", "Bearer token-2", "Bearer token-3"]);
}

#[tokio::test(start_paused = true)]
async fn a_second_refusal_is_delivered_and_that_token_is_not_sent_again() {
    let (layer, made) = counting_layer();
    let (inner, sent) = scripted(|number| status(if number <= 2 { 401 } else { 200 }));
    let service = tower::Layer::layer(&layer.body_policy(FromBytes), inner);
    assert_eq!(service.clone().oneshot(get("https://api.test/")).await.unwrap().status(), 401);
    assert_eq!(made.load(Ordering::SeqCst), 2);
    assert_eq!(service.oneshot(get("https://api.test/")).await.unwrap().status(), 200);
    assert_eq!(sent.tokens(), ["Bearer token-1", "Bearer token-2", "Bearer token-3"]);
}

#[tokio::test]
async fn late_refusals_of_an_old_token_cause_no_refresh() {
    let (layer, made) = counting_layer();
    let layer = layer.body_policy(FromBytes);
    let (mut service, mut handle) = mock::spawn_layer(layer);
    handle.allow(100);
    // Ten requests go out with token-1 before any is answered.
    let mut responses = Vec::new();
    let mut senders = Vec::new();
    for _ in 0..10 {
        assert_ready_ok!(service.poll_ready());
        responses.push(tokio::spawn(service.call(get("https://api.test/"))));
        let (request, sender) = handle.next_request().await.unwrap();
        assert_eq!(authorization(&request), Some("Bearer token-1"));
        senders.push(sender);
    }
    for sender in senders {
        sender.send_response(status(401));
        let (request, sender) = handle.next_request().await.unwrap();
        assert_eq!(authorization(&request), Some("Bearer token-2"));
        sender.send_response(status(200));
    }
    for response in responses {
        assert_eq!(response.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(made.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_refusal_is_delivered_as_it_came_when_there_is_no_other_token() {
    use http_body_util::BodyExt;
    let source = tower_oauth::grant::StaticToken::new("only");
    let layer = OAuth2Layer::new(Origins::one("https://api.test").unwrap(), source).body_policy(FromBytes);
    let (inner, sent) = scripted(|_| status(401));
    let service = tower::Layer::layer(&layer, inner);
    let response = service.clone().oneshot(get("https://api.test/")).await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "what the server says");
    // From now on, the token is known to be refused.
    let error = service.oneshot(get("https://api.test/")).await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::ReauthorizationRequired);
    assert_eq!(sent.tokens(), ["Bearer only"]);
}

#[tokio::test]
async fn other_statuses_are_no_refusals() {
    let (layer, made) = counting_layer();
    let (inner, _) = scripted(|number| status([403, 407, 500, 302][number - 1]));
    let service = tower::Layer::layer(&layer.body_policy(FromBytes), inner);
    for expected in [403, 407, 500, 302] {
        assert_eq!(service.clone().oneshot(get("https://api.test/")).await.unwrap().status(), expected);
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_grpc_refusal_comes_with_status_200() {
    let (layer, _) = counting_layer();
    let (inner, sent) = scripted(|number| {
        let code = if number == 1 { "16" } else { "0" };
        Response::builder().header("grpc-status", code).body(Body::default()).unwrap()
    });
    let layer = layer.refusal(Refusal::grpc()).body_policy(FromBytes);
    let response = tower::Layer::layer(&layer, inner).oneshot(get("https://api.test/")).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "0");
    assert_eq!(sent.tokens(), ["Bearer token-1", "Bearer token-2"]);
}

#[tokio::test]
async fn a_closure_may_decide_what_is_a_refusal() {
    let (layer, _) = counting_layer();
    let (inner, sent) = scripted(|number| status(if number == 1 { 440 } else { 200 }));
    let layer = layer.refusal(Refusal::when(|status, _| status == 440)).body_policy(FromBytes);
    tower::Layer::layer(&layer, inner).oneshot(get("https://api.test/")).await.unwrap();
    assert_eq!(sent.tokens(), ["Bearer token-1", "Bearer token-2"]);
}

#[tokio::test]
async fn a_refusal_under_one_key_does_not_touch_another() {
    let source = token_source_fn(|request: tower_oauth::token::SourceRequest| async move {
        Ok(Token::new(format!("{}-{:?}", request.key(), request.reason())))
    });
    let manager = TokenManager::builder(source).build();
    let layer =
        OAuth2Layer::with_manager(Origins::one("https://api.test").unwrap(), manager).key_per_request();
    let (inner, sent) = scripted(|number| status(if number == 3 { 401 } else { 200 }));
    let service = tower::Layer::layer(&layer, inner);
    for key in ["a", "b", "a", "b", "a"] {
        let mut request = get("https://api.test/");
        request.extensions_mut().insert(TokenKey::new(key));
        service.clone().oneshot(request).await.unwrap();
    }
    let expected =
        ["a-First", "b-First", "a-First", "b-First", "a-Refused"].map(|name| format!("Bearer {name}"));
    assert_eq!(sent.tokens(), expected);
}

#[tokio::test]
async fn a_refused_response_is_read_to_its_end_before_the_request_is_sent_again() {
    let read = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&read);
    let inner = tower::service_fn(move |request: Request<Body>| {
        let refused = authorization(&request) == Some("Bearer token-1");
        let count = Arc::clone(&count);
        let chunks = futures_util::stream::iter(0..10).map(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok::<_, BoxError>(http_body::Frame::data(Bytes::from_static(b"chunk")))
        });
        use futures_util::StreamExt;
        let response = Response::builder().status(if refused { 401 } else { 200 });
        let body = http_body_util::StreamBody::new(chunks);
        async move { Ok::<_, BoxError>(response.body(body).unwrap()) }
    });
    let (layer, _) = counting_layer();
    let service = tower::Layer::layer(&layer.body_policy(FromBytes), inner);
    assert_eq!(service.oneshot(get("https://api.test/")).await.unwrap().status(), 200);
    assert_eq!(read.load(Ordering::SeqCst), 10);
}
