//! Calls an API with reqwest: written as reqwest's users write requests, with a token of OAuth 2 or a signature of OAuth 1 put
//! on each of them by a layer.
//!
//! ```sh
//! cargo run -p tower-oauth-examples --bin reqwest
//! ```
//!
//! Features of tower-oauth: `reqwest`; `testing` for the embedded provider. TLS is reqwest's: for https, switch on one of its
//! features (`reqwest = { version = "0.13", features = ["rustls"] }`).
//!
//! Without configuration, it talks to the embedded provider on a port of this machine. With these variables it talks to a
//! real API, and sends one GET:
//!
//! | variable | what |
//! |---|---|
//! | `API_URL` | what to get, such as `https://api.example.com/orders` |
//! | `TOKEN_URL`, `CLIENT_ID`, `CLIENT_SECRET` | OAuth 2 with client credentials |
//! | `SCOPE` | the scope to ask for; none by default |
//! | `CONSUMER_KEY`, `CONSUMER_SECRET`, `TOKEN`, `TOKEN_SECRET` | OAuth 1.0a in its place |
//!
//! You will see each URL as it was written and as it was sent, and the status of each answer; a token fetched, renewed when
//! it has expired, and renewed again when it was revoked; and a signature that is right for the URL that reqwest really sends.

use std::env;
use std::time::Duration;

use http::Response;
use reqwest::Body;
use serde_json::json;
use tower::BoxError;
use tower::Service;
use tower::ServiceExt;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Credentials;
use tower_oauth::OAuth1Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::TokenManager;
use tower_oauth::adapter::NormalizeUri;
use tower_oauth::adapter::Reqwest;
use tower_oauth::body::Buffered;
use tower_oauth::oauth1::OAuth1;
use tower_oauth::oauth2::OAuth2;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;

const LIFETIME: Duration = Duration::from_secs(600);

/// reqwest's client inside of a layer. The names of the types are needed where they are kept in a struct of yours.
type WithTokens = NormalizeUri<OAuth2<Reqwest, Buffered>>;
type WithSignatures = NormalizeUri<OAuth1<Reqwest>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    // Timeouts, proxies, TLS: as ever. Redirects are off, because a layer has to see every hop.
    let http = Reqwest::new(reqwest::Client::builder().timeout(Duration::from_secs(30)))?;
    match env::var("API_URL") {
        Ok(url) => real(http, &url).await,
        Err(_) => embedded(http).await,
    }
}

async fn real(http: Reqwest, url: &str) -> Result<(), BoxError> {
    // The origin of the API: scheme, host and port.
    let origins = Origins::one(&reqwest::Url::parse(url)?.origin().ascii_serialization())?;
    let get = http.get_ref().get(url);
    let response = if env::var("CONSUMER_KEY").is_ok() {
        let credentials = Credentials::new(variable("CONSUMER_KEY")?, variable("CONSUMER_SECRET")?)
            .token(variable("TOKEN")?, variable("TOKEN_SECRET")?);
        let api: WithSignatures = http.clone().layered(OAuth1Layer::new(origins, credentials));
        send(&api, get).await?
    } else {
        let auth = ClientAuth::basic(variable("CLIENT_ID")?, variable("CLIENT_SECRET")?);
        let grant = ClientCredentials::new(&variable("TOKEN_URL")?, auth, http.clone())?;
        let grant = match env::var("SCOPE") {
            Ok(scope) => grant.scope(&scope),
            Err(_) => grant,
        };
        let api: WithTokens =
            http.clone().layered(OAuth2Layer::new(origins, grant).body_policy(Buffered::default()));
        send(&api, get).await?
    };
    println!("{}", response.text().await?);
    Ok(())
}

async fn embedded(http: Reqwest) -> Result<(), BoxError> {
    // One clock for both sides, so that ten minutes pass when we say so.
    let clock = ManualClock::new();
    let provider =
        Provider::builder().test_clients().access_token_lifetime(LIFETIME).clock(clock.clone()).build();
    let served = provider.serve().await?;
    let origins = Origins::one(&served.origin())?;

    println!("OAuth 2");
    let auth = ClientAuth::basic("test-client", "test-secret");
    let grant = ClientCredentials::new(&served.url("/token"), auth, http.clone())?;
    let manager = TokenManager::builder(grant).clock(clock.clone()).build();
    // A refused request is sent again where its body is short enough to be kept.
    let layer = OAuth2Layer::with_manager(origins.clone(), manager).body_policy(Buffered::default());
    let orders: WithTokens = http.clone().layered(layer);

    // Requests are made with the client, and sent with the stack.
    let create = || http.get_ref().post(served.url("/resource/orders")).json(&json!({ "article": "tea" }));
    send(&orders, create()).await?;
    clock.advance(LIFETIME);
    send(&orders, create()).await?;
    provider.revoke_all_access_tokens();
    send(&orders, create()).await?;
    let stats = provider.stats();
    println!(
        "   tokens asked for: {}; requests that were refused: {}",
        stats.token_requests, stats.resource.revoked
    );
    check(stats.token_requests == 3 && stats.resource.valid == 3 && stats.resource.revoked == 1)?;

    println!("OAuth 1.0a");
    let credentials = Credentials::new("consumer-key", "consumer-secret").token("token", "token-secret");
    let timeline: WithSignatures = http.clone().layered(OAuth1Layer::new(origins, credentials).clock(clock));
    for path in ["/oauth1/resource", "/a/../oauth1/resource/{id}", "/%2e%2e/oauth1/resource?q='x'"] {
        // `http::Request` writes URLs down as they are; reqwest would rewrite them after they are signed.
        println!("   written {path}");
        let request = http::Request::get(served.url(path)).body(Body::default())?;
        let response = reqwest::Response::from(timeline.clone().oneshot(request).await?);
        println!("   sent    {}   {}", response.url().path(), response.status());
    }
    check(provider.stats().oauth1.verified == 3)?;
    println!("All is as it should be.");
    Ok(())
}

/// Sends a request of reqwest's through a stack, and gives a response of reqwest's.
async fn send<S>(service: &S, request: reqwest::RequestBuilder) -> Result<reqwest::Response, BoxError>
where
    S: Service<http::Request<Body>, Response = Response<Body>, Error = BoxError> + Clone,
{
    let request = http::Request::<Body>::try_from(request.build()?)?;
    println!("   {} {}", request.method(), request.uri().path());
    let response = reqwest::Response::from(service.clone().oneshot(request).await?);
    println!("   {}", response.status());
    Ok(response.error_for_status()?)
}

fn variable(name: &str) -> Result<String, BoxError> {
    env::var(name).map_err(|_| format!("the variable {name} is not set").into())
}

fn check(is_so: bool) -> Result<(), BoxError> {
    if is_so { Ok(()) } else { Err("that is not as it should be".into()) }
}
