//! What the OAuth 1 layer does around signing: many users, clocks that are wrong, and what a provider says of a refusal.
#![cfg(feature = "oauth1")]

#[path = "oauth1_sending/clocks.rs"]
mod clocks;
#[path = "oauth1_sending/keys_never_mix.rs"]
mod keys_never_mix;
#[path = "oauth1_sending/many_users.rs"]
mod many_users;
#[path = "oauth1_sending/problems.rs"]
mod problems;
#[path = "oauth1_sending/provider.rs"]
mod provider;
#[path = "oauth1_sending/replays.rs"]
mod replays;

use std::future::Future;
use std::task::Poll;
use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::header::AUTHORIZATION;
use http_body_util::Full;
use tokio_test::assert_pending;
use tokio_test::assert_ready_ok;
use tower::BoxError;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Origins;
use tower_oauth::oauth1::Credentials;
use tower_oauth::oauth1::OAuth1;
use tower_oauth::oauth1::OAuth1Layer;
use tower_oauth::testing::ManualClock;
use tower_test::mock;

type Body = Full<Bytes>;
type Mock = mock::Mock<Request<Body>, Response<()>>;
type Handle = mock::Handle<Request<Body>, Response<()>>;
type Played<P> = mock::Spawn<OAuth1<Mock, P>>;
type Answer = mock::SendResponse<Response<()>>;

/// The time of the client's clock, in seconds since 1970.
const START: u64 = 1_700_000_000;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn clock() -> ManualClock {
    ManualClock::at(at(START))
}

fn origins() -> Origins {
    Origins::one("https://api.test").unwrap()
}

/// A layer for `https://api.test`, whose clock stands.
fn layer() -> OAuth1Layer {
    let credentials = Credentials::new("client", "client secret").token("token", "token secret");
    OAuth1Layer::new(origins(), credentials).clock(clock())
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::default()).unwrap()
}

fn post(content_type: &str, body: &'static str) -> Request<Body> {
    Request::post("https://api.test/a").header("content-type", content_type).body(Body::from(body)).unwrap()
}

fn form(body: &'static str) -> Request<Body> {
    post("application/x-www-form-urlencoded", body)
}

fn played<P>(layer: OAuth1Layer<P>) -> (Played<P>, Handle)
where
    OAuth1Layer<P>: tower::Layer<Mock, Service = OAuth1<Mock, P>>,
{
    mock::spawn_layer(layer)
}

fn response(status: u16) -> Response<()> {
    Response::builder().status(status).body(()).unwrap()
}

fn with_problem(status: u16, problem: &str) -> Response<()> {
    let mut response = response(status);
    let challenge = HeaderValue::try_from(format!("OAuth realm=\"x\", oauth_problem=\"{problem}\"")).unwrap();
    response.headers_mut().insert("www-authenticate", challenge);
    response
}

/// A response that refuses a timestamp and says what time it is.
fn refused(now: u64) -> Response<()> {
    with_date(with_problem(401, "timestamp_refused"), now)
}

fn with_date(mut response: Response<()>, now: u64) -> Response<()> {
    response.headers_mut().insert("date", httpdate::fmt_http_date(at(now)).parse().unwrap());
    response
}

/// A parameter of the `Authorization` header, still escaped.
fn parameter<'a>(request: &'a Request<Body>, name: &str) -> &'a str {
    let authorization = request.headers()[AUTHORIZATION].to_str().unwrap();
    let mut pairs =
        authorization.strip_prefix("OAuth ").unwrap().split(", ").filter_map(|pair| pair.split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value.trim_matches('"')).unwrap()
}

fn timestamp(request: &Request<Body>) -> u64 {
    parameter(request, "oauth_timestamp").parse().unwrap()
}

/// The next request of which nobody knows yet whether it is there.
async fn next(handle: &mut Handle) -> (Request<Body>, Answer) {
    handle.next_request().await.unwrap()
}

/// That no request has arrived.
fn assert_nothing_sent(handle: &mut Handle) {
    assert!(handle.poll_request().is_pending(), "something was sent");
}

fn kind_of(error: &BoxError) -> ErrorKind {
    Error::find(error.as_ref()).unwrap().kind()
}

/// The outcome of a future that is ready.
fn now<F: Future>(future: F) -> F::Output {
    match tokio_test::task::spawn(future).poll() {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("not ready"),
    }
}
