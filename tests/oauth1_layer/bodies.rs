//! What is read of bodies, and what is sent in their place.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::Context;
use std::task::Poll;

use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http::header::CONTENT_TYPE;
use http_body::Body;
use http_body::Frame;
use http_body_util::BodyExt;
use tower::Layer;
use tower::Service;
use tower::ServiceExt;
use tower_oauth::body::Untouched;
use tower_oauth::body::body_fn;
use tower_oauth::oauth1::BodyHash;
use tower_oauth::oauth1::HmacSha256;
use tower_oauth::oauth1::Message;
use tower_oauth::oauth1::Placement;
use tower_oauth::oauth1::SharedSecrets;
use tower_oauth::oauth1::SignatureMethod;
use tower_oauth::oauth1::Signer;
use tower_oauth::oauth1::SigningKey;

use super::*;

const LIMIT: usize = 16;

async fn bytes_of(request: Request<Full<Bytes>>) -> Bytes {
    request.into_body().collect().await.unwrap().to_bytes()
}

fn with_type(mut request: Request<Full<Bytes>>, content_type: &'static str) -> Request<Full<Bytes>> {
    request.headers_mut().insert(CONTENT_TYPE, content_type.parse().unwrap());
    request
}

#[tokio::test]
async fn a_form_is_signed_and_sent_byte_for_byte() {
    let body = "a=%7e+b&&c;d=%zz&=";
    for content_type in
        ["application/x-www-form-urlencoded", "Application/X-WWW-Form-URLencoded ; charset=UTF-8"]
    {
        let sent = sent_by(pinned(), with_type(form(body), content_type)).await.unwrap();
        assert_eq!(sent.headers()[CONTENT_TYPE], content_type);
        let other = sent_by(pinned(), with_type(form("a=%7f+b&&c;d=%zz&="), content_type)).await.unwrap();
        assert_ne!(parameter(&sent, "oauth_signature"), parameter(&other, "oauth_signature"));
        assert_eq!(bytes_of(sent).await, body);
    }
}

#[tokio::test]
async fn a_body_that_is_no_form_is_not_signed() {
    let sent = sent_by(pinned(), with_type(form("a=1&oauth_token=x"), "text/plain")).await.unwrap();
    let other = sent_by(pinned(), with_type(form("b=2"), "application/json")).await.unwrap();
    assert_eq!(authorization(&sent), authorization(&other));
    assert_eq!(bytes_of(sent).await, "a=1&oauth_token=x");
}

/// A body that fails when it is polled, and has no size, no `From<Bytes>` and no `Sync`.
struct Stream(std::cell::Cell<Option<Trouble>>);

#[derive(Clone, Copy)]
enum Trouble {
    Broken,
    Endless,
    Trailers,
}

impl Stream {
    fn new(trouble: Trouble) -> Self {
        Self(std::cell::Cell::new(Some(trouble)))
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Poll::Ready(match self.0.get() {
            Some(Trouble::Broken) => Some(Err(std::io::Error::other("cut off"))),
            Some(Trouble::Endless) => Some(Ok(Frame::data(Bytes::from_static(b"a=1&")))),
            Some(Trouble::Trailers) => {
                self.0.set(None);
                Some(Ok(Frame::trailers(HeaderMap::new())))
            }
            None => None,
        })
    }
}

fn streamed(trouble: Trouble, content_type: &str) -> Request<Stream> {
    let request = Request::post("https://api.test/").header(CONTENT_TYPE, content_type);
    request.body(Stream::new(trouble)).unwrap()
}

/// A service that must not be called.
fn unreached<B>()
-> impl Service<Request<B>, Response = Response<()>, Error = Infallible, Future: Send> + Clone {
    tower::service_fn(|_: Request<B>| async { panic!("the request was sent") })
}

#[tokio::test]
async fn streams_pass_untouched() {
    // The body fails as soon as it is polled.
    let service = tower::service_fn(|request: Request<Stream>| async move {
        assert!(request.headers().contains_key(AUTHORIZATION));
        assert!(matches!(request.into_body().0.get(), Some(Trouble::Broken)));
        Ok::<_, Infallible>(Response::new(()))
    });
    for content_type in ["application/json", "multipart/form-data; boundary=x"] {
        let service = layer().body_policy(Untouched).layer(service);
        service.oneshot(streamed(Trouble::Broken, content_type)).await.unwrap();
    }
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_not_sent() {
    let form = "application/x-www-form-urlencoded";
    let rebuild = body_fn(|_| Stream::new(Trouble::Broken), |_| None);
    for (trouble, expected) in [
        (Trouble::Broken, ErrorKind::BodyFailed),
        (Trouble::Trailers, ErrorKind::BodyFailed),
        (Trouble::Endless, ErrorKind::BodyTooLarge),
    ] {
        let service = layer().body_policy(rebuild.clone()).form_limit(LIMIT).layer(unreached());
        let error = service.oneshot(streamed(trouble, form)).await.unwrap_err();
        assert_eq!(Error::find(error.as_ref()).unwrap().kind(), expected);
    }
    let service = layer().body_policy(Untouched).layer(unreached());
    let error = service.oneshot(streamed(Trouble::Broken, form)).await.unwrap_err();
    assert_eq!(Error::find(error.as_ref()).unwrap().kind(), ErrorKind::BodyUnreadable);
}

#[tokio::test]
async fn the_cause_of_a_broken_body_can_be_found() {
    let rebuild = body_fn(|_| Stream::new(Trouble::Broken), |_| None);
    let service = layer().body_policy(rebuild).layer(unreached());
    let error =
        service.oneshot(streamed(Trouble::Broken, "application/x-www-form-urlencoded")).await.unwrap_err();
    let cause = std::error::Error::source(&*error).unwrap();
    assert_eq!(cause.to_string(), "cut off");
}

/// A body that ends when it is told to.
struct Gate(Option<tokio::sync::oneshot::Receiver<Bytes>>);

impl Body for Gate {
    type Data = Bytes;
    type Error = tokio::sync::oneshot::error::RecvError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Some(gate) = &mut self.0 else { return Poll::Ready(None) };
        let result = std::task::ready!(Pin::new(gate).poll(context));
        self.0 = None;
        Poll::Ready(Some(result.map(Frame::data)))
    }
}

#[tokio::test]
async fn while_a_form_arrives_the_service_that_is_ready_waits_with_it() {
    let (service, mut handle) = mock::pair::<Request<Gate>, Response<()>>();
    let mut service = layer().body_policy(body_fn(|_| Gate(None), |_| None)).layer(service);
    let gated = || {
        let (open, gate) = tokio::sync::oneshot::channel();
        let request =
            Request::post("https://api.test/").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        (open, request.body(Gate(Some(gate))).unwrap())
    };
    handle.allow(2);
    let (open, request) = gated();
    // The mock panics if a service is called that was not polled to readiness.
    service.ready().await.unwrap();
    let mut slow = tokio_test::task::spawn(service.call(request));
    assert_pending!(slow.poll());

    // A second request overtakes it.
    service.ready().await.unwrap();
    let request = Request::get("https://api.test/quick").body(Gate(None)).unwrap();
    let _quick = service.call(request);
    assert_eq!(handle.next_request().await.unwrap().0.uri().path(), "/quick");

    open.send(Bytes::from("a=1")).unwrap();
    assert!(slow.is_woken());
    assert_pending!(slow.poll());
    let (sent, answer) = handle.next_request().await.unwrap();
    assert!(sent.headers().contains_key(AUTHORIZATION));
    answer.send_response(Response::new(()));
    assert_ready_ok!(slow.poll());
}

/// A body that knows its length, comes in pieces with pauses, and may not be moved while it is read.
struct Pieces(Mutex<VecDeque<Option<&'static str>>>, PhantomPinned);

impl Pieces {
    fn new(pieces: impl IntoIterator<Item = Option<&'static str>>) -> Self {
        Self(Mutex::new(pieces.into_iter().collect()), PhantomPinned)
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.0.lock().unwrap().pop_front() {
            Some(Some(piece)) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(piece.as_bytes()))))),
            Some(None) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        let pieces = self.0.lock().unwrap();
        http_body::SizeHint::with_exact(pieces.iter().flatten().map(|piece| piece.len() as u64).sum())
    }
}

#[tokio::test]
async fn a_form_of_known_length_is_read_to_its_end_wherever_it_pauses() {
    let whole = sent_by(pinned(), form("a=1&b=2&c=3")).await.unwrap();
    for pieces in [
        vec![Some("a=1&b=2&c=3")],
        vec![Some("a=1&"), Some("b=2&c=3")],
        vec![None, Some("a=1&b=2&c=3")],
        vec![Some("a=1&b"), None, Some("=2&"), None, None, Some("c=3")],
        vec![Some("a=1&b=2&c=3"), None],
    ] {
        let service = tower::service_fn(|request: Request<Pieces>| async {
            let authorization = authorization(&request).to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(Response::new((authorization, body)))
        });
        let policy = body_fn(
            |bytes: Bytes| {
                assert_eq!(bytes, "a=1&b=2&c=3");
                Pieces::new([Some("a=1&b=2&c=3")])
            },
            |_| None,
        );
        for layer in [pinned(), pinned().without_skew_correction()] {
            let request = form("").map(|_| Pieces::new(pieces.clone()));
            let response = layer.body_policy(policy.clone()).layer(service).oneshot(request).await.unwrap();
            let (signature, body) = response.into_body();
            assert_eq!((&*signature, &*body), (authorization(&whole), &b"a=1&b=2&c=3"[..]), "{pieces:?}");
        }
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_while_its_form_arrives_is_not_sent() {
    let (service, mut handle) = mock::pair::<Request<Gate>, Response<()>>();
    let mut service = layer().body_policy(body_fn(|_| Gate(None), |_| None)).layer(service);
    let (_open, gate) = tokio::sync::oneshot::channel();
    let request =
        Request::post("https://api.test/").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    service.ready().await.unwrap();
    let mut response = tokio_test::task::spawn(service.call(request.body(Gate(Some(gate))).unwrap()));
    assert_pending!(response.poll());
    drop((response, service));
    assert!(handle.next_request().await.is_none());
}

#[tokio::test]
async fn the_limit_is_the_longest_form_that_is_read() {
    assert!(sent_by(layer().form_limit(LIMIT), form("a=34567890123456")).await.is_ok());
    let (kind, message) = refused_by(layer().form_limit(LIMIT), form("a=345678901234567")).await;
    assert_eq!(kind, ErrorKind::BodyTooLarge);
    assert!(message.contains("16 bytes"), "{message}");
    // It is not for bodies that are not read.
    let request = with_type(form("a=345678901234567"), "text/plain");
    assert!(sent_by(layer().form_limit(LIMIT), request).await.is_ok());
}

#[tokio::test]
async fn form_placement_appends_to_the_form_and_corrects_its_length() {
    let layer = || pinned().placement(Placement::Form);
    for (body, length) in [("a=%7e+1&", true), ("", false)] {
        let mut request = form(body);
        if length {
            request.headers_mut().insert(CONTENT_LENGTH, body.len().into());
        }
        let sent = sent_by(layer(), request).await.unwrap();
        assert!(!sent.headers().contains_key(AUTHORIZATION));
        let declared = sent.headers().get(CONTENT_LENGTH).cloned();
        let sent = bytes_of(sent).await;
        let start =
            if body.is_empty() { "oauth_consumer_key=client&".to_owned() } else { format!("{body}&oauth_") };
        assert!(sent.starts_with(start.as_bytes()), "{sent:?}");
        assert_eq!(declared, length.then(|| sent.len().into()));
    }
}

#[tokio::test]
async fn form_placement_needs_a_form() {
    let layer = || layer().placement(Placement::Form);
    let (kind, message) = refused_by(layer(), get("https://api.test/")).await;
    assert_eq!(kind, ErrorKind::NotAForm);
    assert!(message.contains("no `Content-Type`"), "{message}");
    let (kind, message) = refused_by(layer(), with_type(form("{}"), "application/json")).await;
    assert_eq!(kind, ErrorKind::NotAForm);
    assert!(message.contains("`application/json`"), "{message}");
}

#[tokio::test]
async fn query_placement_appends_to_the_query_and_leaves_the_rest() {
    for (uri, start) in [
        ("https://api.test/a?b=%7e+1", "https://api.test/a?b=%7e+1&oauth_consumer_key=client&"),
        ("https://api.test/a?", "https://api.test/a?oauth_consumer_key=client&"),
        ("https://api.test", "https://api.test/?oauth_consumer_key=client&"),
        ("/a", "/a?oauth_consumer_key=client&"),
    ] {
        let request = get(uri);
        let sent = sent_by(pinned().placement(Placement::Query), request).await.unwrap();
        assert!(sent.uri().to_string().starts_with(start), "{}", sent.uri());
    }
}

#[tokio::test]
async fn an_authorization_that_came_in_goes_no_further_wherever_the_signature_goes() {
    for placement in [Placement::Header, Placement::Query, Placement::Form] {
        // One that is signed at once, and one whose body is read first.
        for request in [get("https://api.test/"), form("a=1")] {
            let is_form = request.method() == http::Method::POST;
            if placement == Placement::Form && !is_form {
                continue;
            }
            let mut request = request;
            request.headers_mut().append(AUTHORIZATION, "Basic inbound".parse().unwrap());
            request.headers_mut().append(AUTHORIZATION, "Bearer inbound".parse().unwrap());
            let sent = sent_by(layer().placement(placement), request).await.unwrap();
            let sent: Vec<_> = sent.headers().get_all(AUTHORIZATION).iter().collect();
            assert_eq!(sent.len(), usize::from(placement == Placement::Header), "{placement:?}");
            assert!(!sent.iter().any(|value| value.to_str().unwrap().contains("inbound")), "{placement:?}");
        }
    }
}

#[test]
fn a_signer_without_a_layer_removes_it_too() {
    let signer = Signer::new(credentials()).placement(Placement::Query);
    let request = Request::get("https://api.test/").header(AUTHORIZATION, "Basic inbound");
    let mut request = request.body(Bytes::new()).unwrap();
    signer.sign(&mut request).unwrap();
    assert!(!request.headers().contains_key(AUTHORIZATION));
}

#[tokio::test]
async fn a_uri_that_would_be_too_long_is_an_error() {
    let request = get(&format!("https://api.test/?a={}", "x".repeat(65_400)));
    assert!(sent_by(layer(), request).await.is_ok());
    let request = get(&format!("https://api.test/?a={}", "x".repeat(65_400)));
    assert_eq!(refused_by(layer().placement(Placement::Query), request).await.0, ErrorKind::Signature);
}

#[tokio::test]
async fn a_body_hash_is_sent_as_asked() {
    let hash_of_json = "RBNvo1WzZ4oRRq0W9%2BhknpT7T8If536DEMBg9hyq%2F4o%3D";
    let hash_of_nothing = "47DEQpj8HBSa%2B%2FTImW%2B5JCeuQeRkm5NMpJWZG3hSuFU%3D";
    let json = || with_type(form("{}"), "application/json");
    let nothing = || get("https://api.test/");
    let hash = async |body_hash, request| {
        let sent = sent_by(layer().signature_method(HmacSha256).body_hash(body_hash), request).await.unwrap();
        let hash = parameter(&sent, "oauth_body_hash").map(str::to_owned);
        (hash, bytes_of(sent).await)
    };
    assert_eq!(hash(BodyHash::Never, json()).await, (None, Bytes::from("{}")));
    assert_eq!(hash(BodyHash::NonForms, json()).await, (Some(hash_of_json.to_owned()), Bytes::from("{}")));
    assert_eq!(hash(BodyHash::NonForms, form("{}")).await.0, None);
    assert_eq!(hash(BodyHash::NonForms, nothing()).await.0, None);
    assert_eq!(hash(BodyHash::Always, form("{}")).await.0, Some(hash_of_json.to_owned()));
    assert_eq!(hash(BodyHash::Always, nothing()).await.0, Some(hash_of_nothing.to_owned()));
}

#[tokio::test]
async fn a_body_that_is_hashed_is_within_the_limit_too() {
    let request = with_type(form("a=345678901234567"), "text/plain");
    let layer = layer().body_hash(BodyHash::NonForms).form_limit(LIMIT);
    assert_eq!(refused_by(layer, request).await.0, ErrorKind::BodyTooLarge);
}

/// A method that signs the body, and fails without one.
struct OfBody;

impl SignatureMethod for OfBody {
    fn name(&self) -> &str {
        "X-BODY"
    }

    fn key(&self, _: &SharedSecrets<'_>) -> SigningKey {
        SigningKey::new(|message: &Message<'_>, signature| {
            if message.body().is_empty() {
                return Err(std::io::Error::other("nothing to sign").into());
            }
            signature.extend_from_slice(message.body());
            Ok(())
        })
    }

    fn needs_body(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_method_that_asks_for_the_body_gets_it() {
    let request = with_type(form("<xml/>"), "text/xml");
    let sent = sent_by(layer().signature_method(OfBody), request).await.unwrap();
    assert_eq!(parameter(&sent, "oauth_signature"), Some("%3Cxml%2F%3E"));
    assert_eq!(parameter(&sent, "oauth_signature_method"), Some("X-BODY"));
    assert_eq!(bytes_of(sent).await, "<xml/>");
}

#[tokio::test]
async fn a_method_that_fails_says_why() {
    let error = sent_by(layer().signature_method(OfBody), get("https://api.test/")).await.unwrap_err();
    assert_eq!(Error::find(error.as_ref()).unwrap().kind(), ErrorKind::Signature);
    assert_eq!(std::error::Error::source(&*error).unwrap().to_string(), "nothing to sign");
}
