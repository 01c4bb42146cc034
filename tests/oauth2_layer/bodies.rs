//! What may be sent a second time.

use super::*;
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use tower_oauth::body::Buffered;
use tower_oauth::body::FromBytes;
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
