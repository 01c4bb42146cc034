//! kube 5 over both layers.
//!
//! Insertion points: `Client::new(service, namespace)` with a stack of one's own, in which `config.base_uri_layer()` is
//! outermost; or `ClientBuilder::try_from(config)?.with_layer(&layer).build()` over kube's own stack.
//!
//! What it asks: a service for `Request<kube::client::Body>` that is `Send + 'static`, whose error goes into a `BoxError`; it puts a
//! buffer around it. What `try_from` makes is a `BoxService`, which is not `Clone`, and our layer asks for `Clone`: put a
//! `BufferLayer` between the two.

use axum::Json;
use axum::Router;
use axum::routing::get;
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::Client;
use kube::Config;
use kube::api::ListParams;
use kube::api::PostParams;
use kube::api::WatchEvent;
use kube::api::WatchParams;
use kube::client::Body;
use kube::client::ClientBuilder;
use kube::client::ConfigExt;
use serde_json::Value;
use serde_json::json;
use tokio_stream::StreamExt;
use tower::ServiceBuilder;
use tower::buffer::BufferLayer;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::body::Buffered;
use tower_oauth::body::body_fn;
use tower_oauth_stacks::guard::SIGNED;
use tower_oauth_stacks::guard::guarded;
use tower_oauth_stacks::stage::LIFETIME;
use tower_oauth_stacks::stage::Stage;

const PODS: &str = "/api/v1/namespaces/default/pods";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A little of an API server: a list, a watch, and something to create.
async fn cluster() -> Stage {
    let pod =
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web-0", "resourceVersion": "1" } });
    let list = json!({ "apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [&pod] }).to_string();
    let watch = format!("{}\n", json!({ "type": "ADDED", "object": pod }));
    let pods = move |request: http::Request<axum::body::Body>| async move {
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        ([("content-type", "application/json")], if is_watch { watch } else { list })
    };
    let create = async |Json(map): Json<Value>| Json(map);
    guarded(Router::new().route(PODS, get(pods)).route(MAPS, axum::routing::post(create))).await
}

fn config(stage: &Stage) -> Config {
    Config::new(stage.server.origin().parse().unwrap())
}

/// A stack of one's own.
fn own(stage: &Stage, layer: OAuth2Layer<Buffered>) -> Client {
    let config = config(stage);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(layer)
        .service(Http::builder(TokioExecutor::new()).build_http::<Body>());
    Client::new(service, config.default_namespace)
}

/// kube's stack with a layer around it.
fn built(stage: &Stage, layer: OAuth2Layer<Buffered>) -> Client {
    ClientBuilder::try_from(config(stage))
        .unwrap()
        .with_layer(&BufferLayer::new(1024))
        .with_layer(&layer)
        .build()
}

/// Both ways in, each with a stage of its own.
async fn both() -> [(Client, Stage); 2] {
    let layer = |stage: &Stage| stage.oauth2().body_policy(Buffered::default());
    let (one, two) = (cluster().await, cluster().await);
    [(own(&one, layer(&one)), one), (built(&two, layer(&two)), two)]
}

async fn names(client: &Client) -> kube::Result<Vec<String>> {
    let pods = Api::<Pod>::default_namespaced(client.clone()).list(&ListParams::default()).await?;
    Ok(pods.items.into_iter().map(|pod| pod.metadata.name.unwrap()).collect())
}

async fn create(client: &Client) -> kube::Result<ConfigMap> {
    let map =
        serde_json::from_value(json!({ "metadata": { "name": "settings" }, "data": { "a": "1" } })).unwrap();
    Api::default_namespaced(client.clone()).create(&PostParams::default(), &map).await
}

#[tokio::test]
async fn a_token_that_expires_in_mid_use_is_renewed_before_the_next_call() {
    for (client, stage) in both().await {
        assert_eq!(names(&client).await.unwrap(), ["web-0"]);
        stage.clock.advance(LIFETIME);
        let answers = futures_util::future::join_all((0..20).map(|_| names(&client))).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == ["web-0"]));
        let stats = stage.provider.stats();
        assert_eq!((stats.resource.valid, stats.resource.expired, stats.token_requests), (21, 0, 2));
    }
}

#[tokio::test]
async fn a_refused_request_is_sent_again_with_its_body_and_a_new_token() {
    for (client, stage) in both().await {
        create(&client).await.unwrap();
        stage.provider.revoke_all_access_tokens();
        let map = create(&client).await.unwrap();
        assert_eq!(map.data.unwrap()["a"], "1");
        let stats = stage.provider.stats();
        assert_eq!((stats.resource.valid, stats.resource.revoked, stats.token_requests), (2, 1, 2));
        let tokens = stage.server.authorizations(MAPS);
        assert!(tokens[0] == tokens[1] && tokens[1] != tokens[2]);
    }
}

#[tokio::test]
async fn a_refused_watch_begins_with_a_new_token() {
    for (client, stage) in both().await {
        names(&client).await.unwrap();
        stage.provider.revoke_all_access_tokens();
        let pods = Api::<Pod>::default_namespaced(client);
        let mut events = Box::pin(pods.watch(&WatchParams::default(), "0").await.unwrap());
        let Some(Ok(WatchEvent::Added(pod))) = events.next().await else { panic!("no pod was added") };
        assert_eq!(pod.metadata.name.as_deref(), Some("web-0"));
        assert_eq!(stage.provider.stats().token_requests, 2);
    }
}

#[tokio::test]
async fn kubes_own_way_to_copy_a_body_serves_as_a_policy_too() {
    let stage = cluster().await;
    let config = config(&stage);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(stage.oauth2().body_policy(body_fn(Body::from, Body::try_clone)))
        .service(Http::builder(TokioExecutor::new()).build_http::<Body>());
    let client = Client::new(service, "default");
    create(&client).await.unwrap();
    stage.provider.revoke_all_access_tokens();
    assert_eq!(create(&client).await.unwrap().data.unwrap()["a"], "1");
    assert_eq!(stage.provider.stats().token_requests, 2);
}

#[tokio::test]
async fn without_a_body_policy_the_refusal_is_an_error_of_kube_and_the_next_call_is_right() {
    let stage = cluster().await;
    let client = ClientBuilder::try_from(config(&stage))
        .unwrap()
        .with_layer(&BufferLayer::new(1024))
        .with_layer(&stage.oauth2())
        .build();
    names(&client).await.unwrap();
    stage.provider.revoke_all_access_tokens();
    // A cluster's own refusal is a `Status` with code 401; the provider's is something else, which kube shows as well.
    assert!(matches!(names(&client).await.unwrap_err(), kube::Error::Api(_)));
    assert_eq!(names(&client).await.unwrap(), ["web-0"]);
    let stats = stage.provider.stats();
    assert_eq!((stats.resource.valid, stats.resource.revoked, stats.token_requests), (2, 1, 2));
}

#[tokio::test]
async fn around_kubes_stack_the_only_origin_stands_for_relative_uris() {
    let stage = cluster().await;
    let two = Origins::several([stage.server.origin().as_str(), "https://other.example.com"]).unwrap();
    let layer = OAuth2Layer::with_manager(two, stage.manager()).body_policy(Buffered::default());
    let kube::Error::Service(error) = names(&built(&stage, layer.clone())).await.unwrap_err() else {
        panic!("no error of the service")
    };
    assert_eq!(Error::find(error.as_ref()).expect("an error of the layer").kind(), ErrorKind::RelativeUri);
    // In a stack of one's own the base URI is there before the layer looks.
    assert_eq!(names(&own(&stage, layer)).await.unwrap(), ["web-0"]);
}

#[tokio::test]
async fn oauth_1_signs_what_kube_sends_with_the_path_of_the_cluster_and_the_query() {
    let stage = cluster().await;
    let config = Config::new(stage.server.url(SIGNED).parse().unwrap());
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(stage.oauth1())
        .service(Http::builder(TokioExecutor::new()).build_http::<Body>());
    let client = Client::new(service, config.default_namespace);
    let pods = Api::<Pod>::default_namespaced(client.clone());
    let some = ListParams::default().labels("app in (web, worker)").limit(5);
    assert_eq!(pods.list(&some).await.unwrap().items.len(), 1);
    create(&client).await.unwrap();
    assert_eq!(stage.provider.stats().oauth1.verified, 2);
}
