//! tonic: a generated gRPC client whose calls get tokens of OAuth 2, one message or streams of them, and are sent again when
//! the server says `UNAUTHENTICATED`.
//!
//! ```sh
//! cargo run -p tower-oauth-examples --bin tonic
//! ```
//!
//! Features of tower-oauth: `client`; `testing` for the embedded provider.
//!
//! Without configuration, the server is tonic's health service behind `tower_oauth::testing::Provider`, on a port of this
//! machine. With these variables it is a real one, which is asked for its health (`grpc.health.v1.Health`):
//!
//! | variable | what |
//! |---|---|
//! | `GRPC_URL` | the server, such as `https://grpc.example.com`; plain http only on this machine |
//! | `GRPC_SERVICE` | the service to ask for; by default the server as a whole |
//! | `TOKEN_URL`, `CLIENT_ID`, `CLIENT_SECRET` | where tokens come from |
//! | `SCOPE` | what they are to be good for; none by default |
//!
//! You will see calls that are answered, a token renewed when it has expired, one replaced when it was revoked, and a stream that
//! outlives its token.

use std::env;
use std::time::Duration;

use http::Request;
use http::Uri;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::transport::Endpoint;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::BoxError;
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::TokenManager;
use tower_oauth::adapter::RequestBody;
use tower_oauth::body::Recording;
use tower_oauth::client;
use tower_oauth::oauth2::Refusal;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;
use tower_oauth_examples::stand_in;
use tower_oauth_examples::stand_in::check;

const LIFETIME: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    match env::var("GRPC_URL") {
        Ok(url) => real(&url).await,
        Err(_) => embedded().await,
    }
}

/// The layer as gRPC needs it: what a refusal looks like, and how to send tonic's bodies again, which can neither be made
/// from bytes nor be read beforehand. Generated clients send relative URIs; they stand for the only origin.
fn tokens(origin: &str, manager: TokenManager) -> Result<OAuth2Layer<Recording<Body>>, BoxError> {
    let layer = OAuth2Layer::with_manager(Origins::one(origin)?, manager);
    Ok(layer.refusal(Refusal::grpc()).body_policy(Recording::new(Body::new)))
}

/// The real thing.
async fn real(url: &str) -> Result<(), BoxError> {
    let setting = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
    let auth = ClientAuth::basic(setting("CLIENT_ID")?, setting("CLIENT_SECRET")?.as_str());
    let mut grant = ClientCredentials::new(&setting("TOKEN_URL")?, auth, client())?;
    if let Ok(scope) = env::var("SCOPE") {
        grant = grant.scope(&scope);
    }
    let tokens = tokens(url, TokenManager::builder(grant).build())?;
    let service = env::var("GRPC_SERVICE").unwrap_or_default();
    let uri: Uri = url.parse()?;
    if uri.scheme_str() == Some("http") {
        // tonic's own channel. With tonic's TLS features it does https as well.
        let channel = Endpoint::from(uri).connect_lazy();
        return ask(HealthClient::new(ServiceBuilder::new().layer(tokens).service(channel)), service).await;
    }
    // Over TLS, the client of this crate agrees on HTTP/2 with the server. It needs absolute URIs.
    let http = client().map_request(|request: Request<Body>| request.map(RequestBody::new));
    ask(HealthClient::with_origin(ServiceBuilder::new().layer(tokens).service(http), uri), service).await
}

/// Asks once, and prints the answer.
async fn ask<S>(mut client: HealthClient<S>, service: String) -> Result<(), BoxError>
where
    S: GrpcService<
            Body,
            ResponseBody: http_body::Body<Data = bytes::Bytes, Error: Into<BoxError> + Send> + Send + 'static,
        >,
{
    let answer = client.check(HealthCheckRequest { service }).await?;
    println!("{:?}", answer.into_inner().status());
    Ok(())
}

/// Everything on this machine.
async fn embedded() -> Result<(), BoxError> {
    println!("GRPC_URL is not set: the server is on this machine, behind the embedded provider.");
    // One clock for both sides, so that ten minutes pass when we say so. Yours needs none of this.
    let clock = ManualClock::new();
    let provider =
        Provider::builder().test_clients().access_token_lifetime(LIFETIME).clock(clock.clone()).build();
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("orders", ServingStatus::Serving).await;
    let server = stand_in::serve(&provider, tonic::service::Routes::new(health).into_axum_router()).await?;

    let auth = ClientAuth::basic("test-client", "test-secret");
    let grant = ClientCredentials::new(&format!("{server}/token"), auth, client())?;
    let manager = TokenManager::builder(grant).clock(clock.clone()).build();
    let channel = Endpoint::from_shared(server.clone())?.connect_lazy();
    let service = ServiceBuilder::new().layer(tokens(&server, manager)?).service(channel);
    let mut client = HealthClient::new(service);
    let orders = || HealthCheckRequest { service: "orders".to_owned() };

    println!("\n1. A call: there is no token yet");
    println!("   Check: {:?}", client.check(orders()).await?.into_inner().status());
    check(provider.stats().token_requests == 1, "one token was asked for")?;

    println!("\n2. Ten minutes later");
    clock.advance(LIFETIME);
    println!("   Check: {:?}", client.check(orders()).await?.into_inner().status());
    check(provider.stats().token_requests == 2, "the token was renewed")?;
    check(provider.stats().resource.expired == 0, "the old one was not sent any more")?;

    println!("\n3. The token is revoked behind our back: the server says UNAUTHENTICATED");
    provider.revoke_all_access_tokens();
    println!("   Check: {:?}", client.check(orders()).await?.into_inner().status());
    let stats = provider.stats();
    let is_so = stats.resource.revoked == 1 && stats.token_requests == 3;
    check(is_so, "the call was sent again with a new token")?;

    println!("\n4. The same with a stream, which outlives its token");
    provider.revoke_all_access_tokens();
    let mut states = client.watch(orders()).await?.into_inner();
    println!("   Watch: {:?}", states.message().await?.ok_or("the stream ended")?.status());
    clock.advance(LIFETIME);
    reporter.set_service_status("orders", ServingStatus::NotServing).await;
    println!("   Watch: {:?}", states.message().await?.ok_or("the stream ended")?.status());
    let stats = provider.stats();
    let is_so = stats.resource.revoked == 2 && stats.token_requests == 4;
    check(is_so, "it was sent again with a new token, and the server looked at it only in the beginning")?;

    println!("\nAll is as it should be.");
    Ok(())
}
