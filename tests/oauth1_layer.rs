//! The OAuth 1 layer, poll by poll, around services that a test plays itself.
#![cfg(feature = "oauth1")]

#[path = "oauth1_layer/bodies.rs"]
mod bodies;
#[path = "oauth1_layer/guards.rs"]
mod guards;
#[path = "oauth1_layer/signer.rs"]
mod signer;

use std::collections::HashSet;
use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::header::AUTHORIZATION;
use http_body_util::Full;
use tokio_test::assert_pending;
use tokio_test::assert_ready_err;
use tokio_test::assert_ready_ok;
use tower::BoxError;
use tower_oauth::Clock;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Origins;
use tower_oauth::body::FromBytes;
use tower_oauth::oauth1::Credentials;
use tower_oauth::oauth1::OAuth1;
use tower_oauth::oauth1::OAuth1Layer;
use tower_test::mock;

/// A service that a test plays, behind the layer.
type Played<B> = mock::Spawn<OAuth1<mock::Mock<Request<B>, Response<()>>>>;
type Handle<B> = mock::Handle<Request<B>, Response<()>>;

fn credentials() -> Credentials {
    Credentials::new("client", "client secret").token("token", "token secret")
}

/// A layer for `https://api.test`.
fn layer() -> OAuth1Layer {
    OAuth1Layer::new(Origins::one("https://api.test").unwrap(), credentials())
}

/// A layer whose nonce and time are always the same.
fn pinned() -> OAuth1Layer {
    struct Fixed;
    impl Clock for Fixed {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
        }
    }
    layer().clock(Fixed).nonce_fn(|| "nonce".to_owned())
}

fn get(uri: &str) -> Request<Full<Bytes>> {
    Request::get(uri).body(Full::default()).unwrap()
}

fn form(body: &'static str) -> Request<Full<Bytes>> {
    let request =
        Request::post("https://api.test/form").header("content-type", "application/x-www-form-urlencoded");
    request.body(Full::from(body)).unwrap()
}

fn played(layer: OAuth1Layer) -> (Played<Full<Bytes>>, Handle<Full<Bytes>>) {
    mock::spawn_layer::<_, _, OAuth1Layer<FromBytes>>(layer)
}

/// Sends a request through the layer to a service that takes it, and gives back what the service got.
async fn sent_by(
    layer: OAuth1Layer,
    request: Request<Full<Bytes>>,
) -> Result<Request<Full<Bytes>>, BoxError> {
    let (mut service, mut handle) = played(layer);
    assert_ready_ok!(service.poll_ready());
    let mut response = tokio_test::task::spawn(service.call(request));
    match response.poll() {
        std::task::Poll::Ready(result) => {
            assert!(result.is_err(), "nobody answered");
            drop(service);
            assert!(handle.next_request().await.is_none(), "something was sent");
            result.map(|_| get("https://api.test/"))
        }
        std::task::Poll::Pending => {
            let (request, answer) = handle.next_request().await.unwrap();
            answer.send_response(Response::new(()));
            assert_ready_ok!(response.poll());
            Ok(request)
        }
    }
}

/// The kind of the error for a request of which nothing was sent.
async fn refused_by(layer: OAuth1Layer, request: Request<Full<Bytes>>) -> (ErrorKind, String) {
    let error = sent_by(layer, request).await.unwrap_err();
    let error = Error::find(error.as_ref()).unwrap();
    (error.kind(), error.to_string())
}

fn authorization<B>(request: &Request<B>) -> &str {
    request.headers()[AUTHORIZATION].to_str().unwrap()
}

/// A parameter of the `Authorization` header, still escaped.
fn parameter<'a, B>(request: &'a Request<B>, name: &str) -> Option<&'a str> {
    let parameters = authorization(request).strip_prefix("OAuth ").unwrap().split(", ");
    let mut pairs = parameters.filter_map(|parameter| parameter.split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value.trim_matches('"'))
}

#[test]
fn the_layer_is_ready_when_the_service_is() {
    let (mut service, mut handle) = played(layer());
    handle.allow(0);
    assert_pending!(service.poll_ready());
    handle.allow(1);
    assert!(service.is_woken());
    assert_ready_ok!(service.poll_ready());
}

#[tokio::test]
async fn a_request_without_a_form_is_sent_at_once() {
    let (mut service, mut handle) = played(layer());
    assert_ready_ok!(service.poll_ready());
    // Nobody polls it.
    let _response = service.call(get("https://api.test/a?b=c"));
    let (request, _) = handle.next_request().await.unwrap();
    assert_eq!(request.uri(), "https://api.test/a?b=c");
    assert!(authorization(&request).starts_with("OAuth oauth_consumer_key=\"client\", "));
}

#[tokio::test]
async fn the_service_that_is_ready_travels_with_a_form() {
    let (mut service, mut handle) = played(layer());
    handle.allow(2);
    assert_ready_ok!(service.poll_ready());
    // The mock panics if a service is called that was not polled to readiness: the future must have taken this one.
    let mut first = tokio_test::task::spawn(service.call(form("a=1")));
    assert_pending!(first.poll());
    let (request, answer) = handle.next_request().await.unwrap();
    assert!(request.headers().contains_key(AUTHORIZATION));

    // What stayed behind becomes ready again by itself.
    assert_ready_ok!(service.poll_ready());
    let mut second = tokio_test::task::spawn(service.call(get("https://api.test/")));
    assert_pending!(second.poll());
    assert!(handle.next_request().await.is_some());
    answer.send_response(Response::new(()));
    assert_ready_ok!(first.poll());
}

#[tokio::test]
async fn errors_of_the_service_come_out_as_they_were() {
    for request in [get("https://api.test/"), form("a=1")] {
        let (mut service, mut handle) = played(layer());
        assert_ready_ok!(service.poll_ready());
        let mut response = tokio_test::task::spawn(service.call(request));
        assert_pending!(response.poll());
        let (_, answer) = handle.next_request().await.unwrap();
        answer.send_error(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        let error = assert_ready_err!(response.poll());
        let error = error.downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn an_error_of_readiness_comes_out_as_it_was() {
    let (mut service, mut handle) = played(layer());
    handle.send_error(std::io::Error::other("broken"));
    let error = assert_ready_err!(service.poll_ready());
    // The mock boxes what it is given once more.
    let chain = std::iter::successors(Some(&*error as &dyn std::error::Error), |error| error.source());
    assert!(chain.map(ToString::to_string).any(|message| message.contains("broken")));
}

#[tokio::test]
async fn every_request_has_a_nonce_of_its_own() {
    let layer = layer();
    let mut nonces = HashSet::new();
    for request in [get("https://api.test/"), get("https://api.test/"), form("a=1"), form("a=1")] {
        let sent = sent_by(layer.clone(), request).await.unwrap();
        nonces.insert(parameter(&sent, "oauth_nonce").unwrap().to_owned());
    }
    assert_eq!(nonces.len(), 4);
}

#[tokio::test]
async fn the_timestamp_is_the_time_of_the_clock() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let sent = sent_by(layer(), get("https://api.test/")).await.unwrap();
    let timestamp: u64 = parameter(&sent, "oauth_timestamp").unwrap().parse().unwrap();
    assert!((now..now + 60).contains(&timestamp));
    let sent = sent_by(pinned(), get("https://api.test/")).await.unwrap();
    assert_eq!(parameter(&sent, "oauth_timestamp"), Some("1700000000"));
}

#[tokio::test]
async fn the_header_is_marked_sensitive() {
    for request in [get("https://api.test/"), form("a=1")] {
        let sent = sent_by(layer(), request).await.unwrap();
        assert!(sent.headers()[AUTHORIZATION].is_sensitive());
        assert!(!format!("{sent:?}").contains("oauth_token"));
    }
}

#[test]
fn nothing_secret_is_printed() {
    let (service, _handle) = mock::pair::<Request<Full<Bytes>>, Response<()>>();
    let layer = layer();
    let shown = format!("{layer:?} {:?}", tower::Layer::layer(&layer, Wrapped(service)));
    assert!(shown.contains("client") && shown.contains("https://api.test"));
    assert!(!shown.contains("client secret") && !shown.contains("token secret"), "{shown}");

    #[derive(Clone)]
    struct Wrapped(#[expect(dead_code)] mock::Mock<Request<Full<Bytes>>, Response<()>>);
    impl std::fmt::Debug for Wrapped {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("Wrapped")
        }
    }
}

#[test]
fn layer_and_service_can_be_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    let layer = layer();
    shared(&layer);
    shared(&tower::Layer::layer(&layer, ()));
}
