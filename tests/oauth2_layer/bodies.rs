//! What may be sent a second time.

use super::*;
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use tower_oauth::body::Buffered;
use tower_oauth::body::FromBytes;
use tower_oauth::body::Recording;
use tower_oauth::body::body_fn;

/// A service that refuses the first request, and answers with the body of the others.
fn echo<B>()
-> impl Service<Request<B>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone + Send + 'static
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let calls = Arc::new(AtomicUsize::new(0));
    tower::service_fn(move |request: Request<B>| {
        let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            let bytes = request.into_body().collect().await.map_err(Into::into)?.to_bytes();
            Ok(Response::builder().status(if first { 401 } else { 200 }).body(Body::from(bytes)).unwrap())
        }
    })
}

async fn answer(response: Result<Response<Body>, BoxError>) -> (u16, Bytes) {
    let response = response.unwrap();
    (response.status().as_u16(), response.into_body().collect().await.unwrap().to_bytes())
}

fn post(body: &'static str) -> Request<Body> {
    Request::post("https://api.test/").body(Body::from(body)).unwrap()
}

#[tokio::test]
async fn from_bytes_replays_empty_bodies_only() {
    let (layer, _) = counting_layer();
    let layer = layer.body_policy(FromBytes);
    let full = tower::Layer::layer(&layer, echo()).oneshot(post("order")).await;
    assert_eq!(answer(full).await, (401, Bytes::from("order")));
    let (layer, _) = counting_layer();
    let empty = tower::Layer::layer(&layer.body_policy(FromBytes), echo()).oneshot(post("")).await;
    assert_eq!(answer(empty).await, (200, Bytes::new()));
}

#[tokio::test]
async fn buffered_replays_bodies_whose_size_is_known_and_within_the_limit() {
    for (limit, expected) in [(5, 200), (4, 401)] {
        let (layer, _) = counting_layer();
        let layer = layer.body_policy(Buffered::new(limit));
        let response = tower::Layer::layer(&layer, echo()).oneshot(post("order")).await;
        assert_eq!(answer(response).await, (expected, Bytes::from("order")), "limit {limit}");
    }
}

/// A body of unknown length, made of two pieces, which counts how many were taken.
struct Stream(UnsyncBoxBody<Bytes, BoxError>);

impl From<Bytes> for Stream {
    fn from(bytes: Bytes) -> Self {
        Self(Body::from(bytes).map_err(Into::into).boxed_unsync())
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        std::pin::Pin::new(&mut self.0).poll_frame(context)
    }
}

fn stream(pieces: Vec<Result<http_body::Frame<Bytes>, BoxError>>) -> Request<Stream> {
    let body = StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync();
    Request::post("https://api.test/").body(Stream(body)).unwrap()
}

fn piece(text: &'static str) -> Result<http_body::Frame<Bytes>, BoxError> {
    Ok(http_body::Frame::data(Bytes::from_static(text.as_bytes())))
}

#[tokio::test]
async fn a_stream_of_unknown_length_is_neither_read_nor_replayed() {
    let (layer, _) = counting_layer();
    let service = tower::Layer::layer(&layer.body_policy(Buffered::new(1_000)), echo());
    let response = service.oneshot(stream(vec![piece("one "), piece("two")])).await;
    assert_eq!(answer(response).await, (401, Bytes::from("one two")));
}

#[tokio::test]
async fn a_closure_may_know_how_to_duplicate_a_body() {
    let (layer, _) = counting_layer();
    let policy = body_fn(Body::new, |body: &Body| Some(body.clone()));
    let response = tower::Layer::layer(&layer.body_policy(policy), echo()).oneshot(post("order")).await;
    assert_eq!(answer(response).await, (200, Bytes::from("order")));
}

#[tokio::test]
async fn a_body_without_from_bytes_passes_a_layer_that_leaves_it_alone() {
    let (layer, _) = counting_layer();
    let body: UnsyncBoxBody<Bytes, BoxError> = Body::from("x").map_err(Into::into).boxed_unsync();
    let request = Request::post("https://api.test/").body(body).unwrap();
    let response = tower::Layer::layer(&layer, echo()).oneshot(request).await;
    assert_eq!(answer(response).await.0, 401);
}

type Unsync = UnsyncBoxBody<Bytes, BoxError>;

/// A body of unknown length without `From<Bytes>`, made of these pieces.
fn unsync(pieces: Vec<Result<http_body::Frame<Bytes>, BoxError>>) -> Request<Unsync> {
    let body = StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync();
    Request::post("https://api.test/").body(body).unwrap()
}

fn recording() -> Recording<Unsync> {
    Recording::new(Unsync::new)
}

#[tokio::test]
async fn a_recorded_stream_is_sent_again_cold_and_warm() {
    for is_warm in [false, true] {
        let (layer, made) = counting_layer();
        if is_warm {
            layer.manager().token(&tower_oauth::TokenKey::default()).await.unwrap();
        }
        let service = tower::Layer::layer(&layer.body_policy(recording()), echo());
        let response = service.oneshot(unsync(vec![piece("one "), piece("two")])).await;
        assert_eq!(answer(response).await, (200, Bytes::from("one two")));
        assert_eq!(made.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn a_recorded_stream_that_was_refused_in_its_middle_goes_on() {
    let (sender, receiver) = open_stream();
    let (layer, _) = counting_layer();
    let calls = Arc::new(AtomicUsize::new(0));
    let inner = tower::service_fn(move |request: Request<Unsync>| {
        let is_first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        let sender = sender.clone();
        async move {
            let mut body = request.into_body();
            // As over a connection: the answer comes while the stream is still open.
            let mut seen = body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
            if is_first {
                return Ok::<_, BoxError>(status(401));
            }
            sender.send("two").unwrap();
            drop(sender);
            seen.extend(body.frame().await.unwrap().unwrap().into_data().unwrap());
            Ok(Response::new(Body::from(seen)))
        }
    });
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|text| (piece(text), receiver))
    });
    let request = Request::post("https://api.test/").body(StreamBody::new(stream).boxed_unsync()).unwrap();
    let response = tower::Layer::layer(&layer.body_policy(recording()), inner).oneshot(request).await;
    assert_eq!(answer(response).await, (200, Bytes::from("one two")));
}

/// A stream in which the first piece is already, and which stays open.
fn open_stream()
-> (tokio::sync::mpsc::UnboundedSender<&'static str>, tokio::sync::mpsc::UnboundedReceiver<&'static str>) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    sender.send("one ").unwrap();
    (sender, receiver)
}

#[tokio::test]
async fn a_recorded_stream_beyond_the_limit_is_delivered_with_its_refusal() {
    let (layer, made) = counting_layer();
    let service = tower::Layer::layer(&layer.body_policy(recording().limit(6)), echo());
    let response = service.clone().oneshot(unsync(vec![piece("one "), piece("two")])).await;
    assert_eq!(answer(response).await, (401, Bytes::from("one two")));
    let response = service.oneshot(unsync(vec![piece("one "), piece("two")])).await;
    assert_eq!(answer(response).await.0, 200);
    assert_eq!(made.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn recording_can_put_a_token_into_a_form_without_from_bytes() {
    let (layer, _) = counting_layer();
    let layer = layer.placement(tower_oauth::oauth2::Placement::form());
    let service = tower::Layer::layer(&layer.body_policy(recording()), echo());
    let mut request = unsync(vec![piece("a=1")]);
    let form = http::HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(http::header::CONTENT_TYPE, form);
    assert_eq!(answer(service.oneshot(request).await).await, (200, Bytes::from("a=1&access_token=token-2")));
}

/// A body that says how long it is, and then fails or brings trailers.
struct Odd(Vec<Result<http_body::Frame<Bytes>, BoxError>>);

impl From<Bytes> for Odd {
    fn from(bytes: Bytes) -> Self {
        Self(vec![Ok(http_body::Frame::data(bytes))])
    }
}

impl http_body::Body for Odd {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BoxError>>> {
        Poll::Ready((!self.0.is_empty()).then(|| self.0.remove(0)))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(10)
    }
}

#[tokio::test]
async fn a_body_that_fails_or_has_trailers_while_it_is_read_is_a_typed_error_and_nothing_is_sent() {
    let trailers = || Ok(http_body::Frame::trailers(http::HeaderMap::new()));
    let cases: [(Vec<_>, ErrorKind); 3] = [
        (vec![piece("12345"), Err("torn".into())], ErrorKind::BodyFailed),
        (vec![piece("1234567890"), trailers()], ErrorKind::BodyFailed),
        (vec![piece("1234567890"), piece("1")], ErrorKind::BodyTooLarge),
    ];
    for (pieces, expected) in cases {
        let (layer, _) = counting_layer();
        let (inner, sent) = scripted(|_| status(200));
        let request = Request::post("https://api.test/").body(Odd(pieces)).unwrap();
        let service = tower::Layer::layer(&layer.body_policy(Buffered::new(10)), inner);
        let error = service.oneshot(request).await.unwrap_err();
        assert_eq!(kind(&error), expected);
        assert!(sent.all().is_empty());
    }
}
