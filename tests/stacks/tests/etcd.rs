//! etcd-client 0.21 (feature `raw-channel`) over the OAuth 2 layer, against a real etcd behind a proxy that wants a token, as an
//! API gateway does. (OAuth 1 is left out: no gateway for etcd asks for it, and the layer would go to the same place.)
//!
//! Insertion point: `Client::from_channel(Channel::Custom(BoxCloneSyncService::new(service)), None)`.
//!
//! What it asks: a service for `Request<tonic::body::Body>` with `Response<tonic::body::Body>`, `Clone + Send + Sync + 'static`,
//! with a future that is `Send` and whose error is exactly `BoxError`, which is that of our layers. Body policy: `Recording`, as for tonic.

use std::future::Future;
use std::time::Duration;

use etcd_client::Channel;
use etcd_client::Client;
use etcd_client::EventType;
use etcd_client::WatchOptions;
use tonic::Code;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tower::ServiceBuilder;
use tower::util::BoxCloneSyncService;
use tower_oauth::OAuth2Layer;
use tower_oauth::body::BodyPolicy;
use tower_oauth::body::DrainPolicy;
use tower_oauth::oauth2::Refusal;
use tower_oauth_stacks::etcd::Etcd;
use tower_oauth_stacks::guard;
use tower_oauth_stacks::guard::guarded;
use tower_oauth_stacks::stage::LIFETIME;
use tower_oauth_stacks::stage::Stage;

async fn start() -> (Etcd, Stage) {
    let etcd = Etcd::start().await;
    let stage = guarded(etcd.proxy()).await;
    (etcd, stage)
}

async fn client<P>(stage: &Stage, layer: OAuth2Layer<P>) -> Client
where
    P: BodyPolicy<Body> + DrainPolicy<Body>,
{
    let channel = Endpoint::from_shared(stage.server.origin()).unwrap().connect_lazy();
    let service = ServiceBuilder::new().layer(layer).service(channel);
    Client::from_channel(Channel::Custom(BoxCloneSyncService::new(service)), None).await.unwrap()
}

/// A call that hangs is a failure that says so.
async fn soon<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), call).await.expect("the call hangs")
}

/// The status of an error of etcd-client.
fn code(error: &etcd_client::Error) -> Code {
    match error {
        etcd_client::Error::GRpcStatus(status) => status.code(),
        other => panic!("no status: {other}"),
    }
}

#[tokio::test]
async fn a_token_that_expires_in_mid_use_is_renewed_before_the_next_call() {
    let (_etcd, stage) = start().await;
    let mut client = client(&stage, guard::grpc(&stage)).await;
    soon(client.put("name", "Ada", None)).await.unwrap();
    stage.clock.advance(LIFETIME);
    let answer = soon(client.get("name", None)).await.unwrap();
    assert_eq!(answer.kvs()[0].value_str().unwrap(), "Ada");
    let stats = stage.provider.stats();
    assert_eq!((stats.resource.valid, stats.resource.expired, stats.token_requests), (2, 0, 2));
}

#[tokio::test]
async fn a_put_that_is_refused_is_sent_again_and_put_once() {
    let (_etcd, stage) = start().await;
    let mut client = client(&stage, guard::grpc(&stage)).await;
    soon(client.put("name", "Ada", None)).await.unwrap();
    stage.provider.revoke_all_access_tokens();
    soon(client.put("name", "Grace", None)).await.unwrap();
    let answer = soon(client.get("name", None)).await.unwrap();
    assert_eq!((answer.kvs()[0].value_str().unwrap(), answer.kvs()[0].version()), ("Grace", 2));
    let stats = stage.provider.stats();
    assert_eq!((stats.resource.valid, stats.resource.revoked, stats.token_requests), (3, 1, 2));
}

#[tokio::test]
async fn a_watch_that_is_refused_begins_again_and_outlives_its_token() {
    let (_etcd, stage) = start().await;
    let mut client = client(&stage, guard::grpc(&stage)).await;
    soon(client.put("name", "Ada", None)).await.unwrap();
    stage.provider.revoke_all_access_tokens();
    // Streams both ways: the request is still open when it is refused.
    let mut watch = soon(client.watch("name", None)).await.unwrap();
    assert!(soon(watch.message()).await.unwrap().unwrap().created());
    assert_eq!(stage.provider.stats().token_requests, 2);

    stage.clock.advance(LIFETIME);
    soon(client.put("name", "Grace", None)).await.unwrap();
    let answer = soon(watch.message()).await.unwrap().unwrap();
    let event = &answer.events()[0];
    assert_eq!((event.event_type(), event.kv().unwrap().value_str().unwrap()), (EventType::Put, "Grace"));
    // What the request goes on with still reaches the server: another key on the same stream.
    soon(watch.watch("other", Some(WatchOptions::new()))).await.unwrap();
    assert!(soon(watch.message()).await.unwrap().unwrap().created());
    let stats = stage.provider.stats();
    assert_eq!((stats.resource.revoked, stats.resource.expired, stats.token_requests), (1, 0, 3));
}

#[tokio::test]
async fn a_lease_is_kept_alive_on_a_stream_that_was_refused_at_first() {
    let (_etcd, stage) = start().await;
    let mut client = client(&stage, guard::grpc(&stage)).await;
    let lease = soon(client.lease_grant(60, None)).await.unwrap().id();
    stage.provider.revoke_all_access_tokens();
    let (mut keeper, mut answers) = soon(client.lease_keep_alive(lease)).await.unwrap();
    for _ in 0..3 {
        soon(keeper.keep_alive()).await.unwrap();
        assert_eq!(soon(answers.message()).await.unwrap().unwrap().ttl(), 60);
    }
    let stats = stage.provider.stats();
    assert_eq!((stats.resource.revoked, stats.token_requests), (1, 2));
}

#[tokio::test]
async fn without_a_body_policy_the_refusal_is_a_status_and_the_next_call_is_right() {
    let (_etcd, stage) = start().await;
    let mut client = client(&stage, stage.oauth2().refusal(Refusal::grpc())).await;
    soon(client.put("name", "Ada", None)).await.unwrap();
    stage.provider.revoke_all_access_tokens();
    assert_eq!(code(&soon(client.put("name", "Grace", None)).await.unwrap_err()), Code::Unauthenticated);
    let answer = soon(client.get("name", None)).await.unwrap();
    assert_eq!(answer.kvs()[0].value_str().unwrap(), "Ada");
    assert_eq!(stage.provider.stats().token_requests, 2);
}

#[tokio::test]
async fn nothing_reaches_etcd_without_a_token() {
    let (_etcd, stage) = start().await;
    let channel = Endpoint::from_shared(stage.server.origin()).unwrap().connect_lazy();
    let bare = Channel::Custom(BoxCloneSyncService::new(
        ServiceBuilder::new().map_err(tower::BoxError::from).service(channel),
    ));
    let mut client = Client::from_channel(bare, None).await.unwrap();
    let error = soon(client.put("name", "Ada", None)).await.unwrap_err();
    assert_eq!(code(&error), Code::Unauthenticated);
}
