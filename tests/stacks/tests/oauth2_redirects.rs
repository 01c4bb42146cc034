//! The OAuth 2 layer on either side of tower-http's redirects.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::header::AUTHORIZATION;
use http_body_util::Full;
use tower::BoxError;
use tower::Service;
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::token::token_source_fn;

type Body = Full<Bytes>;

fn manager() -> TokenManager {
    let made = AtomicUsize::new(0);
    TokenManager::builder(token_source_fn(move |_| {
        let number = made.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok(Token::new(format!("token-{number}"))) }
    }))
    .build()
}

fn layer() -> OAuth2Layer {
    OAuth2Layer::with_manager(Origins::one("https://api.test").unwrap(), manager())
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::default()).unwrap()
}

fn kind(error: &BoxError) -> ErrorKind {
    Error::find(error.as_ref()).expect("an error of this crate").kind()
}

/// The URI of each request, and its `Authorization`.
type Log = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// Answers `https://api.test/start` with a redirect to `target`, and notes what each request carried.
fn redirecting(
    target: &'static str,
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
        seen.lock().unwrap().push((uri.clone(), authorization));
        let response = if uri.ends_with("/start") {
            Response::builder().status(302).header("location", target).body(Body::default()).unwrap()
        } else {
            Response::default()
        };
        async move { Ok::<_, BoxError>(response) }
    });
    (service, log)
}

#[tokio::test]
async fn inside_of_redirects_every_hop_is_authorized_at_home_and_none_abroad() {
    let (inner, log) = redirecting("https://api.test/end");
    let ours = layer();
    let service = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(ours).service(inner);
    assert_eq!(service.oneshot(get("https://api.test/start")).await.unwrap().status(), 200);
    let tokens: Vec<_> = log.lock().unwrap().iter().map(|(_, token)| token.clone()).collect();
    assert_eq!(tokens, vec![Some("Bearer token-1".to_owned()); 2]);

    let (inner, log) = redirecting("https://evil.test/end");
    let ours = layer();
    let service = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(ours).service(inner);
    let error = service.oneshot(get("https://api.test/start")).await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::ForeignOrigin);
    assert_eq!(log.lock().unwrap().len(), 1);

    let (inner, log) = redirecting("https://evil.test/end");
    let ours = layer().pass_foreign_unsigned();
    let service = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(ours).service(inner);
    service.oneshot(get("https://api.test/start")).await.unwrap();
    assert_eq!(log.lock().unwrap()[1], ("https://evil.test/end".to_owned(), None));
}

#[tokio::test]
async fn outside_of_redirects_the_token_does_not_follow_to_another_host() {
    let (inner, log) = redirecting("https://evil.test/end");
    let ours = layer();
    let service = ServiceBuilder::new().layer(ours).layer(FollowRedirectLayer::new()).service(inner);
    service.oneshot(get("https://api.test/start")).await.unwrap();
    assert_eq!(log.lock().unwrap()[1], ("https://evil.test/end".to_owned(), None));
}

#[tokio::test]
async fn a_tenant_that_a_redirect_layer_drops_fails_closed() {
    // tower-http leaves a request's extensions behind when a redirect leads to another origin.
    let (inner, log) = redirecting("https://other.test/end");
    let origins = Origins::several(["https://api.test", "https://other.test"]).unwrap();
    let ours = OAuth2Layer::with_manager(origins, manager()).key_per_request();
    let service = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(ours).service(inner);
    let mut request = get("https://api.test/start");
    request.extensions_mut().insert(TokenKey::new("tenant"));
    let error = service.oneshot(request).await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::MissingTokenKey);
    assert_eq!(log.lock().unwrap().len(), 1);
}
