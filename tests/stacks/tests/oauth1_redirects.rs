//! The OAuth 1 layer on either side of tower-http's redirects and tower's retries.

use std::future::Ready;
use std::future::ready;
use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http_body_util::Full;
use tower::BoxError;
use tower::Service;
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower::retry::Policy;
use tower::retry::RetryLayer;
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_oauth::Credentials;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth1Layer;
use tower_oauth::Origins;
use tower_oauth::oauth1::Plaintext;

type Body = Full<Bytes>;

/// The URI of each request, and its `Authorization`.
type Log = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// A service that answers as `answer` says, and notes what each request carried.
fn noting(
    answer: impl Fn(&str, usize) -> Response<Body> + Clone + Send + 'static,
) -> (
    impl Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + 'static,
    Log,
) {
    let log = Log::default();
    let seen = Arc::clone(&log);
    let service = tower::service_fn(move |request: Request<Body>| {
        let uri = request.uri().to_string();
        let authorization =
            request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        let mut seen = seen.lock().unwrap();
        seen.push((uri.clone(), authorization));
        let response = answer(&uri, seen.len());
        async move { Ok::<_, BoxError>(response) }
    });
    (service, log)
}

/// Redirects `…/start` to `target`.
fn redirecting(target: &'static str) -> impl Fn(&str, usize) -> Response<Body> + Clone + Send + 'static {
    move |uri, _| {
        let builder = Response::builder();
        let builder =
            if uri.ends_with("/start") { builder.status(302).header("location", target) } else { builder };
        builder.body(Body::default()).unwrap()
    }
}

fn layer() -> OAuth1Layer {
    let credentials = Credentials::new("client", "client-secret").token("token", "token-secret");
    OAuth1Layer::new(Origins::one("https://api.test").unwrap(), credentials)
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::default()).unwrap()
}

/// The value of one parameter of an `Authorization`.
fn parameter(authorization: &str, name: &str) -> String {
    let start = authorization.find(&format!("{name}=\"")).expect(name) + name.len() + 2;
    authorization[start..].split('"').next().unwrap().to_owned()
}

/// Nonce and signature of each request that was sent, all of which must have both.
fn signatures(log: &Log) -> Vec<(String, String)> {
    let log = log.lock().unwrap();
    let authorizations = log.iter().map(|(uri, authorization)| authorization.as_deref().expect(uri));
    authorizations
        .map(|value| (parameter(value, "oauth_nonce"), parameter(value, "oauth_signature")))
        .collect()
}

#[tokio::test]
async fn inside_of_redirects_every_hop_is_signed_anew() {
    let (inner, log) = noting(redirecting("https://api.test/end"));
    let service = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(layer()).service(inner);
    assert_eq!(service.oneshot(get("https://api.test/start")).await.unwrap().status(), 200);
    let signatures = signatures(&log);
    assert_eq!(signatures.len(), 2);
    assert_ne!(signatures[0].0, signatures[1].0);
    assert_ne!(signatures[0].1, signatures[1].1);
}

#[tokio::test]
async fn no_hop_to_another_origin_is_signed_and_no_plaintext_secret_goes_there() {
    let (inner, log) = noting(redirecting("https://evil.test/end"));
    let ours = layer().signature_method(Plaintext);
    let service = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(ours).service(inner);
    let error = service.oneshot(get("https://api.test/start")).await.unwrap_err();
    assert_eq!(Error::find(error.as_ref()).unwrap().kind(), ErrorKind::ForeignOrigin);
    assert_eq!(log.lock().unwrap().len(), 1);

    let (inner, log) = noting(redirecting("https://evil.test/end"));
    let ours = layer().signature_method(Plaintext).pass_foreign_unsigned();
    let service = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(ours).service(inner);
    service.oneshot(get("https://api.test/start")).await.unwrap();
    assert_eq!(log.lock().unwrap()[1], ("https://evil.test/end".to_owned(), None));
}

#[tokio::test]
async fn a_redirect_to_plain_http_gets_no_signature() {
    let (inner, log) = noting(redirecting("http://api.test/end"));
    let service = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(layer()).service(inner);
    let error = service.oneshot(get("https://api.test/start")).await.unwrap_err();
    assert_eq!(Error::find(error.as_ref()).unwrap().kind(), ErrorKind::ForeignOrigin);
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn outside_of_redirects_the_signature_of_the_first_hop_is_used_again_at_home_and_dropped_abroad() {
    // This is why the layer belongs inside: the second hop's signature is over the wrong URI.
    let (inner, log) = noting(redirecting("https://api.test/end"));
    let service = ServiceBuilder::new().layer(layer()).layer(FollowRedirectLayer::new()).service(inner);
    service.oneshot(get("https://api.test/start")).await.unwrap();
    let signatures = signatures(&log);
    assert_eq!(signatures[0], signatures[1]);

    let (inner, log) = noting(redirecting("https://evil.test/end"));
    let service = ServiceBuilder::new().layer(layer()).layer(FollowRedirectLayer::new()).service(inner);
    service.oneshot(get("https://api.test/start")).await.unwrap();
    assert_eq!(log.lock().unwrap()[1].1, None);
}

/// Sends a request once more after a 503.
#[derive(Clone)]
struct OnceMore(bool);

impl Policy<Request<Body>, Response<Body>, BoxError> for OnceMore {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Body>,
        result: &mut Result<Response<Body>, BoxError>,
    ) -> Option<Self::Future> {
        let again =
            result.as_ref().is_ok_and(|response| response.status() == StatusCode::SERVICE_UNAVAILABLE);
        (again && std::mem::take(&mut self.0)).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Some(request.clone())
    }
}

/// Answers the first request with 503.
fn failing_once(_: &str, number: usize) -> Response<Body> {
    Response::builder().status(if number == 1 { 503 } else { 200 }).body(Body::default()).unwrap()
}

#[tokio::test]
async fn inside_of_retries_every_attempt_is_signed_anew_and_outside_it_is_not() {
    let (inner, log) = noting(failing_once);
    let service = ServiceBuilder::new().layer(RetryLayer::new(OnceMore(true))).layer(layer()).service(inner);
    assert_eq!(service.oneshot(get("https://api.test/")).await.unwrap().status(), 200);
    let inside = signatures(&log);
    assert_eq!(inside.len(), 2);
    assert_ne!(inside[0].0, inside[1].0);

    let (inner, log) = noting(failing_once);
    let service = ServiceBuilder::new().layer(layer()).layer(RetryLayer::new(OnceMore(true))).service(inner);
    assert_eq!(service.oneshot(get("https://api.test/")).await.unwrap().status(), 200);
    // This is why the layer belongs inside: a server that remembers nonces refuses the second one.
    let outside = signatures(&log);
    assert_eq!(outside[0], outside[1]);
}
