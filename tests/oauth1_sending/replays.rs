//! Which bodies are sent again, and how.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use tower::Layer;
use tower::Service;
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower_oauth::body::BodyPolicy;
use tower_oauth::body::Buffered;
use tower_oauth::body::FromBytes;
use tower_oauth::body::Untouched;
use tower_oauth::body::body_fn;
use tower_oauth::oauth1::BodyHash;
use tower_oauth::oauth1::Placement;

use super::*;

/// What a service got: URI, `Content-Length` and body of each request.
type Log = Arc<Mutex<Vec<(String, Option<String>, String)>>>;

/// A service that refuses the first timestamp, and notes what it gets.
fn refusing_once() -> (
    impl Service<Request<Body>, Response = Response<()>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static,
    Log,
) {
    let log = Log::default();
    let noted = Arc::clone(&log);
    let service = tower::service_fn(move |request: Request<Body>| {
        let log = Arc::clone(&noted);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let length = head.headers.get(CONTENT_LENGTH).map(|length| length.to_str().unwrap().to_owned());
            let mut log = log.lock().unwrap();
            log.push((head.uri.to_string(), length, String::from_utf8(body.to_vec()).unwrap()));
            Ok(if log.len() == 1 { refused(START + 600) } else { response(200) })
        }
    });
    (service, log)
}

/// The status of the response, and the bodies that the service got.
async fn bodies<P>(layer: OAuth1Layer<P>, request: Request<Body>) -> (u16, Vec<String>)
where
    P: BodyPolicy<Body>,
{
    let (service, log) = refusing_once();
    let response = layer.layer(service).oneshot(request).await.unwrap();
    let bodies = log.lock().unwrap().iter().map(|(_, _, body)| body.clone()).collect();
    (response.status().as_u16(), bodies)
}

#[tokio::test]
async fn a_form_is_sent_again_byte_for_byte() {
    let body = "a=%7e+b&&c;d=%zz&=";
    let untouched = (401, vec![]);
    assert_eq!(bodies(layer(), form(body)).await, (200, vec![body.to_owned(); 2]));
    assert_eq!(
        bodies(layer().placement(Placement::Query), form(body)).await,
        (200, vec![body.to_owned(); 2])
    );
    assert_ne!(bodies(layer().body_policy(Buffered::new(1)), form(body)).await, untouched);
}

#[tokio::test]
async fn parameters_in_a_form_are_new_and_not_added_to_the_old() {
    let mut request = form("a=1");
    request.headers_mut().insert(CONTENT_LENGTH, "3".parse().unwrap());
    let (service, log) = refusing_once();
    layer().placement(Placement::Form).layer(service).oneshot(request).await.unwrap();
    let log = log.lock().unwrap();
    let timestamps = [START, START + 600];
    assert_eq!(log.len(), 2);
    for ((_, length, body), timestamp) in log.iter().zip(timestamps) {
        assert!(body.starts_with("a=1&oauth_consumer_key=client&"), "{body}");
        assert!(body.contains(&format!("&oauth_timestamp={timestamp}&")), "{body}");
        assert_eq!(body.matches("oauth_signature=").count(), 1, "{body}");
        assert_eq!(length.as_deref(), Some(&*body.len().to_string()));
    }
}

#[tokio::test]
async fn parameters_in_the_query_are_new_and_not_added_to_the_old() {
    let (service, log) = refusing_once();
    layer().placement(Placement::Query).layer(service).oneshot(get("https://api.test/a?b=c")).await.unwrap();
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 2);
    for (uri, _, _) in log.iter() {
        assert!(uri.starts_with("https://api.test/a?b=c&oauth_consumer_key=client&"), "{uri}");
        assert_eq!(uri.matches("oauth_timestamp=").count(), 1, "{uri}");
    }
}

#[tokio::test]
async fn the_policy_decides_which_other_bodies_are_sent_again() {
    let once = |body: &str| (401, vec![body.to_owned()]);
    let twice = |body: &str| (200, vec![body.to_owned(); 2]);
    let json = || post("application/json", "{}");
    assert_eq!(bodies(layer(), json()).await, once("{}"));
    assert_eq!(bodies(layer(), post("application/json", "")).await, twice(""));
    assert_eq!(bodies(layer().body_policy(Untouched), get("/")).await, once(""));
    assert_eq!(bodies(layer().body_policy(Buffered::new(2)), json()).await, twice("{}"));
    assert_eq!(bodies(layer().body_policy(Buffered::new(1)), json()).await, once("{}"));
    let duplicating = body_fn(Body::from, |body: &Body| Some(body.clone()));
    assert_eq!(bodies(layer().body_policy(duplicating), json()).await, twice("{}"));
}

#[tokio::test]
async fn a_body_that_was_read_for_its_hash_is_sent_again() {
    let layer = layer().body_hash(BodyHash::NonForms);
    assert_eq!(bodies(layer, post("application/json", "{}")).await, (200, vec!["{}".to_owned(); 2]));
}

/// A body of which nobody may know anything.
struct Opaque;

impl http_body::Body for Opaque {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        panic!("the body was read")
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(1)
    }
}

impl From<Bytes> for Opaque {
    fn from(_: Bytes) -> Self {
        Self
    }
}

#[tokio::test]
async fn without_correction_no_body_is_read_to_send_it_again() {
    let service = tower::service_fn(|_: Request<Opaque>| async { Ok::<_, Infallible>(refused(START + 600)) });
    let layer = layer().body_policy(Buffered::default()).without_skew_correction();
    let response = layer.layer(service).oneshot(Request::post("/").body(Opaque).unwrap()).await.unwrap();
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn responses_may_have_any_body() {
    // Neither `Send` nor a body.
    let first = Arc::new(AtomicBool::new(true));
    let service = tower::service_fn(move |_: Request<Body>| {
        let answer = if first.swap(false, Ordering::SeqCst) { refused(START + 600) } else { response(200) };
        async move { Ok::<_, Infallible>(answer.map(|()| Rc::new("any"))) }
    });
    let response = layer().layer(service).oneshot(get("/")).await.unwrap();
    assert_eq!((response.status().as_u16(), **response.body()), (200, "any"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_takes_one_request_at_a_time_takes_both() {
    let (service, log) = refusing_once();
    let service = ServiceBuilder::new().layer(layer()).concurrency_limit(1).service(service);
    let response =
        tokio::time::timeout(Duration::from_secs(1), service.oneshot(get("/"))).await.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(log.lock().unwrap().len(), 2);
}

/// A service that can be changed, and that refuses every other timestamp.
#[derive(Clone)]
struct Named(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl Service<Request<Body>> for Named {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let mut names = self.1.lock().unwrap();
        names.push(self.0);
        let now = START + 600 * names.len() as u64;
        std::future::ready(Ok(if names.len() % 2 == 1 { refused(now) } else { response(200) }))
    }
}

#[tokio::test]
async fn a_service_that_was_changed_is_the_one_to_which_a_request_is_sent_again() {
    let names = Arc::default();
    let mut service = layer().layer(Named("before", Arc::clone(&names)));
    assert_eq!(service.ready().await.unwrap().call(get("/")).await.unwrap().status(), 200);
    service.get_mut().0 = "after";
    assert_eq!(service.clone().oneshot(get("/")).await.unwrap().status(), 200);
    assert_eq!(*names.lock().unwrap(), ["before", "before", "after", "after"]);
}

#[test]
fn the_default_policy_is_from_bytes() {
    fn of<P>(_: &OAuth1Layer<P>) -> &'static str {
        std::any::type_name::<P>()
    }
    assert_eq!(of(&layer()), std::any::type_name::<FromBytes>());
}
