//! Calls an API that wants OAuth 1.0a and one that wants OAuth 2, prints what went over the wire, and fails when anything
//! is not as it should be. Both APIs are `tower_oauth::testing::Provider`, on a port of this machine.
//!
//! `cargo run --example quickstart`
//!
//! Features of tower-oauth: `testing`.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth::body::Buffered;
use tower_oauth::testing::{ManualClock, Provider, Stats};
use tower_oauth::{
    ClientAuth, ClientCredentials, Credentials, OAuth1Layer, OAuth2Layer, Origins, TokenManager,
};

const LIFETIME: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // The other side. One clock for both, so that ten minutes pass when we say so. Yours needs none of this.
    let clock = ManualClock::new();
    let provider =
        Provider::builder().test_clients().access_token_lifetime(LIFETIME).clock(clock.clone()).build();
    let served = provider.serve().await?;
    let origins = Origins::one(&served.origin())?;

    // Any tower service that takes HTTP requests will do; this is hyper-util's client.
    let http = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();

    println!("OAuth 1.0a: the layer signs every request.");
    let credentials = Credentials::new("consumer-key", "consumer-secret").token("token", "token-secret");
    let timeline = ServiceBuilder::new()
        .layer(OAuth1Layer::new(origins.clone(), credentials).clock(clock.clone()))
        .service(http.clone());

    println!("\n1. GET with a query");
    let url = served.url("/oauth1/resource?q=caf%C3%A9+cr%C3%A8me&page=2");
    call(&timeline, Request::get(url).body(Full::default())?).await?;
    check(seen(&provider).oauth1.verified == 1, "the provider verified the signature")?;

    println!("\n2. POST of a form, which the signature covers too");
    let form = Request::post(served.url("/oauth1/resource"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    call(&timeline, form.body(Full::from("status=Hello+Ladies+%2B+Gentlemen"))?).await?;
    check(seen(&provider).oauth1.verified == 1, "the provider verified the signature")?;

    println!("\nOAuth 2: the layer gets a token, puts it on every request, and renews it.");
    let auth = ClientAuth::basic("test-client", "test-secret");
    let grant = ClientCredentials::new(&served.url("/token"), auth, http.clone())?.scope("orders:read");
    let manager = TokenManager::builder(grant).clock(clock.clone()).build();
    let orders = ServiceBuilder::new()
        .layer(OAuth2Layer::with_manager(origins, manager).body_policy(Buffered::default()))
        .service(http);
    let list = || Request::get(served.url("/resource/orders")).body(Full::default());

    println!("\n3. The first request: there is no token yet");
    call(&orders, list()?).await?;
    check(seen(&provider).token_requests == 1, "one token was asked for")?;

    println!("\n4. A hundred requests at once, at the moment at which the token expires");
    clock.advance(LIFETIME);
    let calls =
        (0..100).map(|_| Ok(orders.clone().oneshot(list()?))).collect::<http::Result<JoinSet<_>>>()?;
    let answers = calls.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let stats = seen(&provider);
    check(
        answers.iter().all(|answer| answer.status() == StatusCode::OK),
        "all hundred were answered with 200 OK",
    )?;
    check(stats.token_requests == 1, "one token was asked for")?;
    check(stats.resource.valid == 100 && stats.resource.expired == 0, "all hundred came with the new token")?;

    println!("\n5. The token is revoked behind our back: the API refuses it, and the request is sent again");
    provider.revoke_all_access_tokens();
    call(&orders, list()?).await?;
    let stats = seen(&provider);
    check(stats.resource.revoked == 1 && stats.resource.valid == 1, "refused once, then accepted")?;
    check(stats.token_requests == 1, "one token was asked for")?;

    println!("\nAll is as it should be.");
    Ok(())
}

/// Sends a request through one of the two stacks, and prints both ends. Fails unless it is answered with 200.
async fn call<S, R>(service: &S, request: Request<Full<Bytes>>) -> Result<(), BoxError>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = BoxError> + Clone,
    R: http_body::Body<Error: Into<BoxError>>,
{
    println!("   we call   {} {}", request.method(), request.uri());
    let (answer, body) = service.clone().oneshot(request).await?.into_parts();
    let body = body.collect().await.map_err(Into::into)?.to_bytes();
    println!("   we get    {} {}", answer.status, String::from_utf8_lossy(&body));
    if answer.status == StatusCode::OK { Ok(()) } else { Err("that is not 200 OK".into()) }
}

/// Prints what the provider saw since the last time; it forgets the credentials itself.
fn seen(provider: &Provider) -> Stats {
    let stats = provider.stats();
    for request in stats.requests.iter().take(3) {
        let authorization = request.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let status = request.status.map(|status| status.to_string()).unwrap_or_default();
        println!("   it saw    {} {}, and answered {status}", request.method, request.path);
        println!("             authorization: {}", authorization.unwrap_or("none"));
    }
    if let more @ 1.. = stats.requests.len().saturating_sub(3) {
        println!("   it saw    … and {more} more like this");
    }
    provider.reset_stats();
    stats
}

fn check(is_so: bool, what: &str) -> Result<(), BoxError> {
    println!("   {}    {what}", if is_so { "right:" } else { "WRONG:" });
    if is_so { Ok(()) } else { Err(format!("this is not so: {what}").into()) }
}
