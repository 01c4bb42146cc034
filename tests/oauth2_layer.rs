//! The OAuth 2 layer, poll by poll, around services that a test plays itself.

#[path = "oauth2_layer/bodies.rs"]
mod bodies;
#[path = "oauth2_layer/express.rs"]
mod express;
#[path = "oauth2_layer/guards.rs"]
mod guards;
#[path = "oauth2_layer/hooks.rs"]
mod hooks;
#[path = "oauth2_layer/insufficiency.rs"]
mod insufficiency;
#[path = "oauth2_layer/placements.rs"]
mod placements;
#[path = "oauth2_layer/refusals.rs"]
mod refusals;
#[path = "oauth2_layer/stacks.rs"]
mod stacks;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Poll;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::header::AUTHORIZATION;
use http_body_util::Full;
use tokio::sync::Semaphore;
use tokio_test::assert_pending;
use tokio_test::assert_ready;
use tokio_test::assert_ready_ok;
use tower::BoxError;
use tower::Service;
use tower::ServiceExt;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::Token;
use tower_oauth::TokenManager;
use tower_oauth::oauth2::ForceRefresh;
use tower_oauth::oauth2::WithToken;
use tower_oauth::oauth2::WithoutToken;
use tower_oauth::token::token_source_fn;
use tower_test::mock;

type Body = Full<Bytes>;

/// A manager whose tokens are `token-1`, `token-2` …, and the count of those it made.
fn counting_manager() -> (TokenManager, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let source = token_source_fn(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok(Token::new(format!("token-{number}"))) }
    });
    (TokenManager::builder(source).build(), made)
}

/// A layer for `https://api.test` with the tokens of [`counting_manager`].
fn counting_layer() -> (OAuth2Layer, Arc<AtomicUsize>) {
    let (manager, made) = counting_manager();
    (OAuth2Layer::with_manager(Origins::one("https://api.test").unwrap(), manager), made)
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::default()).unwrap()
}

fn authorization<B>(request: &Request<B>) -> Option<&str> {
    let mut values = request.headers().get_all(AUTHORIZATION).iter();
    let value = values.next().map(|value| value.to_str().unwrap());
    assert!(values.next().is_none(), "more than one Authorization");
    value
}

fn kind(error: &BoxError) -> ErrorKind {
    Error::find(error.as_ref()).expect("an error of this crate").kind()
}

/// A service that answers with what `answer` makes of each request, and remembers the `Authorization` of each.
fn scripted<B: Send + 'static>(
    answer: impl Fn(usize) -> Response<Body> + Clone + Send + 'static,
) -> (
    impl Service<Request<B>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone + Send + 'static,
    Sent,
) {
    let sent = Sent::default();
    let log = sent.clone();
    let service = tower::service_fn(move |request: Request<B>| {
        let number = log.push(authorization(&request));
        let response = answer(number);
        async move { Ok::<_, BoxError>(response) }
    });
    (service, sent)
}

/// The `Authorization` values that a service saw.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<Option<String>>>>);

impl Sent {
    fn push(&self, authorization: Option<&str>) -> usize {
        let mut sent = self.0.lock().unwrap();
        sent.push(authorization.map(str::to_owned));
        sent.len()
    }

    fn all(&self) -> Vec<Option<String>> {
        self.0.lock().unwrap().clone()
    }

    fn tokens(&self) -> Vec<String> {
        self.all().into_iter().map(|value| value.expect("a request without Authorization")).collect()
    }
}

fn status(code: u16) -> Response<Body> {
    Response::builder().status(code).body(Body::from("what the server says")).unwrap()
}

#[tokio::test]
async fn a_request_gets_the_token_and_a_sensitive_header() {
    let (layer, _) = counting_layer();
    let (mut service, mut handle) = mock::spawn_layer(layer);
    handle.allow(1);
    assert_ready_ok!(service.poll_ready());
    let response = tokio::spawn(service.call(get("https://api.test/orders")));
    let (request, send) = handle.next_request().await.unwrap();
    assert_eq!(authorization(&request), Some("Bearer token-1"));
    assert!(request.headers()[AUTHORIZATION].is_sensitive());
    send.send_response(status(200));
    assert_eq!(response.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_service_that_is_not_ready_is_waited_for() {
    let (layer, _) = counting_layer();
    let (mut service, mut handle) = mock::spawn_layer::<Request<Body>, Response<Body>, _>(layer);
    handle.allow(0);
    assert_pending!(service.poll_ready());
    handle.allow(1);
    assert_ready_ok!(service.poll_ready());
}

#[tokio::test]
async fn an_error_of_readiness_passes_through_as_it_is() {
    let (layer, _) = counting_layer();
    let (mut service, mut handle) = mock::spawn_layer::<Request<Body>, Response<Body>, _>(layer);
    handle.send_error(std::io::Error::other("broken"));
    let error = match assert_ready!(service.poll_ready()) {
        Ok(()) => panic!("ready"),
        Err(error) => error,
    };
    assert!(Error::find(error.as_ref()).is_none());
}

#[tokio::test]
async fn an_error_of_the_inner_service_stays_downcastable() {
    #[derive(Debug)]
    struct Inner;
    impl std::fmt::Display for Inner {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("inner")
        }
    }
    impl std::error::Error for Inner {}

    let (layer, _) = counting_layer();
    let service = tower::ServiceBuilder::new()
        .layer(layer)
        .service(tower::service_fn(|_: Request<Body>| async { Err::<Response<Body>, _>(Inner) }));
    // Cold, then warm: two different paths.
    for _ in 0..2 {
        let error = service.clone().oneshot(get("https://api.test/")).await.unwrap_err();
        assert!(error.is::<Inner>());
    }
}

/// Counts how often it became ready, and panics when it is called without.
struct Strict {
    ready: bool,
    permits: Arc<Semaphore>,
    calls: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        // As with tower's own limits, readiness is not cloned.
        Self { ready: false, permits: Arc::clone(&self.permits), calls: Arc::clone(&self.calls) }
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Self::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without being ready");
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok(status(if call == 1 { 401 } else { 200 })))
    }
}

#[tokio::test]
async fn the_ready_service_travels_with_a_request_that_waits_and_a_resend_becomes_ready_anew() {
    let calls = Arc::new(AtomicUsize::new(0));
    let strict = Strict { ready: false, permits: Arc::new(Semaphore::new(1)), calls: Arc::clone(&calls) };
    let (layer, made) = counting_layer();
    let mut service =
        tower::ServiceBuilder::new().layer(layer.body_policy(tower_oauth::body::FromBytes)).service(strict);
    // Cold, warm and refused, warm.
    for _ in 0..3 {
        let response = service.ready().await.unwrap().call(get("https://api.test/")).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 4);
    assert_eq!(made.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_warm_request_reaches_the_inner_service_within_call() {
    let (layer, _) = counting_layer();
    layer.manager().token(&Default::default()).await.unwrap();
    let (mut service, mut handle) = mock::spawn_layer(layer);
    handle.allow(1);
    assert_ready_ok!(service.poll_ready());
    let response: tower_oauth::oauth2::ResponseFuture<_, _, _> = service.call(get("https://api.test/"));
    let mut next = tokio_test::task::spawn(handle.next_request());
    let (request, send) = assert_ready!(next.poll()).unwrap();
    assert_eq!(authorization(&request), Some("Bearer token-1"));
    let mut response = tokio_test::task::spawn(response);
    assert_pending!(response.poll());
    send.send_response(status(204));
    assert_eq!(assert_ready_ok!(response.poll()).status(), 204);
}

#[tokio::test]
async fn what_is_not_the_header_is_left_as_it_came() {
    let (layer, _) = counting_layer();
    let (mut service, mut handle) = mock::spawn_layer(layer);
    for _ in 0..2 {
        handle.allow(1);
        assert_ready_ok!(service.poll_ready());
        let request = Request::post("https://api.test/%7Ea/../b?c=%zz&&d#e")
            .version(http::Version::HTTP_2)
            .header("x-one", "1")
            .header("x-one", "2")
            .extension(7_u8)
            .body(Body::from("body"))
            .unwrap();
        let response = tokio::spawn(service.call(request));
        let (request, send) = handle.next_request().await.unwrap();
        assert_eq!(request.method(), http::Method::POST);
        assert_eq!(request.uri(), "https://api.test/%7Ea/../b?c=%zz&&d");
        assert_eq!(request.version(), http::Version::HTTP_2);
        assert_eq!(request.headers().get_all("x-one").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(request.extensions().get::<u8>(), Some(&7));
        use http_body_util::BodyExt;
        assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "body");
        send.send_response(status(200));
        response.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_authorization_that_is_there_is_replaced_unless_it_is_to_be_kept() {
    let (layer, _) = counting_layer();
    let (inner, sent) = scripted(|_| status(200));
    let request = || {
        let mut request = get("https://api.test/");
        request.headers_mut().append(AUTHORIZATION, "Basic inbound".parse().unwrap());
        request.headers_mut().append(AUTHORIZATION, "Basic twice".parse().unwrap());
        request
    };
    tower::Layer::layer(&layer, inner.clone()).oneshot(request()).await.unwrap();
    assert_eq!(sent.tokens(), ["Bearer token-1"]);
    let mut kept = request();
    kept.headers_mut().insert(AUTHORIZATION, "Basic inbound".parse().unwrap());
    tower::Layer::layer(&layer.keep_existing(), inner).oneshot(kept).await.unwrap();
    assert_eq!(sent.tokens()[1], "Basic inbound");
}

#[tokio::test]
async fn a_request_may_wish_for_no_token_another_token_or_a_new_one() {
    let (layer, made) = counting_layer();
    let (inner, sent) = scripted(|_| status(200));
    let service = tower::Layer::layer(&layer, inner);

    let mut without = get("https://api.test/");
    without.extensions_mut().insert(WithoutToken);
    service.clone().oneshot(without).await.unwrap();

    let mut with = get("https://api.test/");
    with.extensions_mut().insert(WithToken::new(&Token::new("mine")).unwrap());
    service.clone().oneshot(with).await.unwrap();
    assert_eq!(made.load(Ordering::SeqCst), 0);

    service.clone().oneshot(get("https://api.test/")).await.unwrap();
    let mut fresh = get("https://api.test/");
    fresh.extensions_mut().insert(ForceRefresh);
    service.oneshot(fresh).await.unwrap();

    let expected = [None, Some("Bearer mine"), Some("Bearer token-1"), Some("Bearer token-2")];
    assert_eq!(sent.all(), expected.map(|value| value.map(str::to_owned)));
}

#[tokio::test]
async fn a_request_without_the_layer_is_authorized_in_the_same_way() {
    let (layer, _) = counting_layer();
    let (mut parts, ()) = Request::get("https://api.test/").body(()).unwrap().into_parts();
    layer.authorize(&mut parts).await.unwrap();
    assert_eq!(parts.headers[AUTHORIZATION], "Bearer token-1");
    let (mut foreign, ()) = Request::get("https://other.test/").body(()).unwrap().into_parts();
    assert_eq!(layer.authorize(&mut foreign).await.unwrap_err().kind(), ErrorKind::ForeignOrigin);
    assert!(foreign.headers.is_empty());
}

#[tokio::test]
async fn a_token_that_cannot_be_had_fails_the_request_and_nothing_is_sent() {
    let source = token_source_fn(|_| async { Err(Error::transient(std::io::Error::other("down"))) });
    let layer = OAuth2Layer::new(Origins::one("https://api.test").unwrap(), source);
    let (inner, sent) = scripted(|_| status(200));
    let error = tower::Layer::layer(&layer, inner).oneshot(get("https://api.test/")).await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::Source);
    assert!(sent.all().is_empty());
}

#[test]
fn services_and_futures_are_send_and_services_are_sync() {
    fn send_sync<T: Send + Sync + Clone + 'static>(_: &T) {}
    fn send<T: Send + 'static>(_: &T) {}
    let (layer, _) = counting_layer();
    let inner = tower::service_fn(|_: Request<Body>| async { Ok::<_, BoxError>(status(200)) });
    let mut service = tower::Layer::layer(&layer, inner);
    send_sync(&layer);
    send_sync(&service);
    send(&service.call(get("/")));
    let placed = layer
        .placement(tower_oauth::oauth2::Placement::form())
        .protected_request(|_, _| Ok(()))
        .body_policy(tower_oauth::body::FromBytes);
    let mut service = tower::Layer::layer(&placed, inner);
    send_sync(&placed);
    send_sync(&service);
    send(&service.call(get("/")));
    fn borrowing<T: Send>(_: &T) {}
    borrowing(&placed.authorize(&mut Request::new(()).into_parts().0));
}
