//! Under and over other layers.

use super::*;
use std::time::Duration;
use tower::ServiceBuilder;
use tower_oauth::body::FromBytes;

#[tokio::test]
async fn buffer_timeout_and_limits_may_stand_on_either_side() {
    let (layer, made) = counting_layer();
    let layer = layer.body_policy(FromBytes);
    let (inner, sent) = scripted(|number| status(if number == 2 { 401 } else { 200 }));
    let service = ServiceBuilder::new()
        .buffer(4)
        .concurrency_limit(2)
        .timeout(Duration::from_secs(60))
        .layer(layer)
        .timeout(Duration::from_secs(60))
        .buffer(4)
        .concurrency_limit(1)
        .service(inner);
    for _ in 0..3 {
        assert_eq!(service.clone().oneshot(get("https://api.test/")).await.unwrap().status(), 200);
    }
    assert_eq!(sent.tokens().len(), 4);
    assert_eq!(made.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_client_behind_the_same_limit_does_not_deadlock_the_layer() {
    // The source uses the very service that the layer wraps, with room for one request at a time.
    let limited = ServiceBuilder::new()
        .concurrency_limit(1)
        .service(tower::service_fn(|_: Request<Body>| async { Ok::<_, BoxError>(status(200)) }));
    let client = limited.clone();
    let source = token_source_fn(move |_| {
        let client = client.clone();
        async move {
            client.oneshot(get("https://auth.test/")).await.map_err(Error::transient)?;
            Ok(Token::new("t"))
        }
    });
    let manager = TokenManager::builder(source).refresh_deadline(Duration::from_millis(100)).build();
    let layer = OAuth2Layer::with_manager(Origins::one("https://api.test").unwrap(), manager);
    let service = ServiceBuilder::new().layer(layer).service(limited);
    // The ready service holds the only permit while the token is fetched: a typed error, not a hang.
    let error = service.oneshot(get("https://api.test/")).await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::Timeout);
}

#[tokio::test]
async fn a_token_client_that_goes_through_its_own_layer_is_an_error_and_not_a_deadlock() {
    type Client = tower::util::BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;
    let itself: Arc<std::sync::OnceLock<Client>> = Arc::default();
    let client = Arc::clone(&itself);
    let source = token_source_fn(move |_| {
        let client = client.get().unwrap().clone();
        async move {
            let response = client.oneshot(get("https://api.test/token")).await;
            response.map_err(|error| Error::find(error.as_ref()).cloned().unwrap())?;
            Ok(Token::new("t"))
        }
    });
    let layer = OAuth2Layer::new(Origins::one("https://api.test").unwrap(), source);
    let (inner, sent) = scripted(|_| status(200));
    let service = Client::new(ServiceBuilder::new().layer(layer).service(inner));
    itself.set(service.clone()).ok().unwrap();
    let error = service.oneshot(get("https://api.test/")).await.unwrap_err();
    assert_eq!(kind(&error), ErrorKind::Reentrant);
    assert!(sent.all().is_empty());
}
