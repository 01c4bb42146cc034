//! tonic 0.14 over both layers: a generated client, one call that is unary and one that streams.
//!
//! Insertion point: `HealthClient::new(ServiceBuilder::new().layer(layer).service(channel))`, for any generated client.
//!
//! What it asks: a service for `Request<tonic::body::Body>` whose error goes into a `BoxError`; the client is `Clone` if the
//! service is. `tonic::transport::Channel` has all that our layer asks of it. tonic's body is neither `From<Bytes>` nor
//! `Clone`, so the body policy is `Recording`, which is also right for streams; `Untouched` (the default of `OAuth2Layer`) takes
//! it as well, and sends nothing again.

use axum::Router;
use http::Request;
use http::Uri;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::transport::Endpoint;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Serving;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::HealthReporter;
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::adapter::RequestBody;
use tower_oauth::body::Recording;
use tower_oauth::body::Untouched;
use tower_oauth::oauth2::OAuth2;
use tower_oauth::oauth2::Refusal;
use tower_oauth::token::token_source_fn;
use tower_oauth_stacks::guard;
use tower_oauth_stacks::guard::SIGNED;
use tower_oauth_stacks::guard::guarded;
use tower_oauth_stacks::guard::guarded_over_tls;
use tower_oauth_stacks::guard::guarded_with;
use tower_oauth_stacks::stage::LIFETIME;
use tower_oauth_stacks::stage::Stage;

type Client<P> = HealthClient<OAuth2<Channel, P>>;

/// tonic's health service, and what makes it say something else.
async fn health() -> (Router, HealthReporter) {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("orders", ServingStatus::Serving).await;
    (tonic::service::Routes::new(service).into_axum_router(), reporter)
}

async fn stage() -> Stage {
    guarded(health().await.0).await
}

fn channel(stage: &Stage) -> Channel {
    Endpoint::from_shared(stage.server.origin()).unwrap().connect_lazy()
}

fn client<P>(stage: &Stage, layer: OAuth2Layer<P>) -> Client<P>
where
    P: tower_oauth::body::BodyPolicy<Body> + tower_oauth::body::DrainPolicy<Body>,
{
    HealthClient::new(ServiceBuilder::new().layer(layer).service(channel(stage)))
}

fn orders() -> HealthCheckRequest {
    HealthCheckRequest { service: "orders".to_owned() }
}

async fn check<P>(client: &Client<P>) -> Result<Serving, Status>
where
    P: tower_oauth::body::BodyPolicy<Body> + tower_oauth::body::DrainPolicy<Body>,
{
    Ok(client.clone().check(orders()).await?.into_inner().status())
}

#[tokio::test]
async fn a_token_that_expires_in_mid_use_is_renewed_before_the_next_call() {
    let stage = stage().await;
    let client = client(&stage, stage.oauth2());
    assert_eq!(check(&client).await.unwrap(), Serving::Serving);
    stage.clock.advance(LIFETIME);
    let answers = futures_util::future::join_all((0..20).map(|_| check(&client))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == Serving::Serving));
    let stats = stage.provider.stats();
    assert_eq!((stats.resource.valid, stats.resource.expired, stats.token_requests), (21, 0, 2));
}

#[tokio::test]
async fn a_unary_call_that_is_refused_is_sent_again_with_a_new_token() {
    let stage = stage().await;
    let client = client(&stage, guard::grpc(&stage));
    check(&client).await.unwrap();
    stage.provider.revoke_all_access_tokens();
    assert_eq!(check(&client).await.unwrap(), Serving::Serving);
    let stats = stage.provider.stats();
    assert_eq!((stats.resource.valid, stats.resource.revoked, stats.token_requests), (2, 1, 2));
    let tokens = stage.server.authorizations("/grpc.health.v1.Health/Check");
    assert!(tokens[0] == tokens[1] && tokens[1] != tokens[2]);
}

#[tokio::test]
async fn a_streaming_call_that_is_refused_is_sent_again_and_goes_on_while_its_token_ends() {
    let (router, reporter) = health().await;
    let stage = guarded(router).await;
    let mut client = client(&stage, guard::grpc(&stage));
    check(&client).await.unwrap();
    stage.provider.revoke_all_access_tokens();
    let mut states = client.watch(orders()).await.unwrap().into_inner();
    assert_eq!(states.next().await.unwrap().unwrap().status(), Serving::Serving);
    assert_eq!(stage.provider.stats().token_requests, 2);

    // A server looks at the token when a call begins; what is open stays open.
    stage.clock.advance(LIFETIME);
    reporter.set_service_status("orders", ServingStatus::NotServing).await;
    assert_eq!(states.next().await.unwrap().unwrap().status(), Serving::NotServing);
    assert_eq!(stage.provider.stats().token_requests, 2);
}

#[tokio::test]
async fn without_a_body_policy_the_refusal_is_a_status_and_the_next_call_is_right() {
    let stage = stage().await;
    let client = client(&stage, stage.oauth2().refusal(Refusal::grpc()));
    check(&client).await.unwrap();
    stage.provider.revoke_all_access_tokens();
    let status = check(&client).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "the access token was revoked"));
    assert_eq!(check(&client).await.unwrap(), Serving::Serving);
    assert_eq!(stage.provider.stats().token_requests, 2);
}

#[tokio::test]
async fn a_layer_that_is_not_told_of_grpc_takes_a_refusal_for_an_answer() {
    let stage = stage().await;
    let client = client(&stage, stage.oauth2().body_policy(Recording::new(Body::new)));
    check(&client).await.unwrap();
    stage.provider.revoke_all_access_tokens();
    for _ in 0..2 {
        assert_eq!(check(&client).await.unwrap_err().code(), Code::Unauthenticated);
    }
    assert_eq!(stage.provider.stats().token_requests, 1);
}

#[tokio::test]
async fn a_refusal_in_the_trailers_is_not_seen_and_the_caller_can_say_that_it_was_one() {
    let (router, _) = health().await;
    let stage = guarded_with(router, guard::Status::Trailers).await;
    let layer = guard::grpc(&stage);
    let manager = layer.manager().clone();
    let client = client(&stage, layer);
    check(&client).await.unwrap();
    stage.provider.revoke_all_access_tokens();
    for _ in 0..2 {
        assert_eq!(check(&client).await.unwrap_err().code(), Code::Unauthenticated);
    }
    assert_eq!(stage.provider.stats().token_requests, 1);

    let key = TokenKey::default();
    manager.invalidate(&key, &manager.peek(&key).unwrap());
    assert_eq!(check(&client).await.unwrap(), Serving::Serving);
    assert_eq!(stage.provider.stats().token_requests, 2);
}

#[tokio::test]
async fn the_only_origin_stands_for_the_relative_uris_that_generated_clients_send() {
    let stage = stage().await;
    let two = Origins::several([stage.server.origin().as_str(), "https://other.example.com"]).unwrap();
    let layer = OAuth2Layer::with_manager(two, stage.manager());
    let service = ServiceBuilder::new().layer(layer).service(channel(&stage));

    let status = HealthClient::new(service.clone()).check(orders()).await.unwrap_err();
    assert_eq!(Error::find(&status).expect("an error of the layer").kind(), ErrorKind::RelativeUri);

    // Who has several origins says which one it is.
    let origin: Uri = stage.server.origin().parse().unwrap();
    let answer = HealthClient::with_origin(service, origin).check(orders()).await.unwrap();
    assert_eq!(answer.into_inner().status(), Serving::Serving);
}

#[tokio::test]
async fn the_client_of_this_crate_carries_calls_over_tls() {
    let stage = guarded_over_tls(health().await.0).await;
    let http = stage.client().map_request(|request: Request<Body>| request.map(RequestBody::new));
    let service = ServiceBuilder::new().layer(guard::grpc(&stage)).service(http);
    let mut client = HealthClient::with_origin(service, stage.server.origin().parse().unwrap());
    assert_eq!(client.check(orders()).await.unwrap().into_inner().status(), Serving::Serving);
    stage.provider.revoke_all_access_tokens();
    let mut states = client.watch(orders()).await.unwrap().into_inner();
    assert_eq!(states.next().await.unwrap().unwrap().status(), Serving::Serving);
    let stats = stage.provider.stats();
    assert_eq!((stats.resource.valid, stats.resource.revoked, stats.token_requests), (2, 1, 2));
}

#[tokio::test]
async fn each_call_can_name_its_tenant() {
    let stage = stage().await;
    let provider = stage.provider.clone();
    let source = token_source_fn(move |request| {
        let issued = provider.issue("test-client", request.key().as_str());
        async move { Ok(Token::new(issued.access_token).with_expires_at(issued.expires_at)) }
    });
    let manager = TokenManager::builder(source).clock(stage.clock.clone()).build();
    let mut client = client(&stage, OAuth2Layer::with_manager(stage.origins(), manager).key_per_request());
    for tenant in ["acme", "globex"] {
        let mut request = tonic::Request::new(orders());
        request.extensions_mut().insert(TokenKey::new(tenant));
        assert_eq!(client.check(request).await.unwrap().into_inner().status(), Serving::Serving);
    }
    let tokens = stage.server.authorizations("/grpc.health.v1.Health/Check");
    assert_ne!(tokens[0], tokens[1]);
    let status = client.check(orders()).await.unwrap_err();
    assert_eq!(Error::find(&status).expect("an error of the layer").kind(), ErrorKind::MissingTokenKey);
}

#[tokio::test]
async fn when_no_token_can_be_had_the_status_leads_to_the_error() {
    let stage = stage().await;
    let auth = tower_oauth::ClientAuth::basic("test-client", "wrong");
    let grant =
        tower_oauth::ClientCredentials::new(&stage.server.url("/token"), auth, stage.client()).unwrap();
    let client = client(&stage, OAuth2Layer::new(stage.origins(), grant));
    let status = check(&client).await.unwrap_err();
    let error = Error::find(&status).expect("an error of the layer");
    assert_eq!(error.server().unwrap().code(), "invalid_client");
    assert!(stage.server.seen("/grpc.health").is_empty());
}

#[tokio::test]
async fn oauth_1_signs_calls_to_the_only_origin() {
    let stage = stage().await;
    // A signature covers no gRPC message, so the layer has no use for the body.
    let layer = stage.oauth1().body_policy(Untouched);
    let service = ServiceBuilder::new().layer(layer).service(channel(&stage));
    let mut client = HealthClient::with_origin(service, Uri::from_static(SIGNED));
    assert_eq!(client.check(orders()).await.unwrap().into_inner().status(), Serving::Serving);
    let mut states = client.watch(orders()).await.unwrap().into_inner();
    assert_eq!(states.next().await.unwrap().unwrap().status(), Serving::Serving);
    assert_eq!(stage.provider.stats().oauth1.verified, 2);
}
