//! hyper-util's client with a layer around it: over TLS, HTTP/1.1 or HTTP/2. Prints what it does, and fails when anything is not as
//! it should be.
//!
//! `cargo run --example hyper_client`
//!
//! Features of tower-oauth: `client`, and `testing` for the embedded provider. A program of your own needs hyper-util, hyper-rustls,
//! rustls and webpki-roots in the place of `client`, whose `tower_oauth::client()` is the same in one line.
//!
//! Without anything else, the API is `tower_oauth::testing::Provider`, on a port of this machine: you will see a token that is
//! fetched, renewed and refused, and a signature. With these variables it is a real one, which is called once:
//!
//! | variable | what |
//! |---|---|
//! | `API_URL` | what to get |
//! | `TOKEN_URL`, `CLIENT_ID`, `CLIENT_SECRET`, `SCOPE` | OAuth 2, by client credentials |
//! | `CONSUMER_KEY`, `CONSUMER_SECRET`, `TOKEN`, `TOKEN_SECRET` | or OAuth 1.0a; without the last two it is two-legged |

use std::env::var;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
use tower_oauth::body::Buffered;
use tower_oauth::testing::{ManualClock, Provider};
use tower_oauth::{
    ClientAuth, ClientCredentials, Credentials, OAuth1Layer, OAuth2Layer, Origins, TokenManager,
};

const LIFETIME: Duration = Duration::from_secs(600);

type Body = Full<Bytes>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    match var("API_URL") {
        Ok(url) => real(&url).await,
        Err(_) => embedded().await,
    }
}

/// A client that keeps connections, and trusts Mozilla's list of authorities.
fn http() -> Result<Client<HttpsConnector<HttpConnector>, Body>, BoxError> {
    let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    // The cryptography is named, because rustls panics when a program has two and it must choose.
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions().build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// The API of the environment.
async fn real(url: &str) -> Result<(), BoxError> {
    let http = http()?;
    let setting = |name: &str| var(name).map_err(|_| format!("API_URL is set, and {name} is not"));
    let uri: Uri = url.parse()?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("API_URL is not an absolute URL".into());
    };
    let origins = Origins::one(&format!("{scheme}://{authority}"))?;
    if let Ok(key) = var("CONSUMER_KEY") {
        let mut credentials = Credentials::new(key, setting("CONSUMER_SECRET")?);
        if let Ok(token) = var("TOKEN") {
            credentials = credentials.token(token, setting("TOKEN_SECRET")?);
        }
        let api = ServiceBuilder::new().layer(OAuth1Layer::new(origins, credentials)).service(http);
        return get(&api, url).await.map(|_| ());
    }
    let auth = ClientAuth::basic(setting("CLIENT_ID")?, setting("CLIENT_SECRET")?);
    let grant = ClientCredentials::new(&setting("TOKEN_URL")?, auth, http.clone())?
        .scope(&var("SCOPE").unwrap_or_default());
    let api = ServiceBuilder::new().layer(OAuth2Layer::new(origins, grant)).service(http);
    get(&api, url).await.map(|_| ())
}

/// Everything on this machine.
async fn embedded() -> Result<(), BoxError> {
    // One clock for both sides, so that ten minutes pass when we say so. Yours needs none of this.
    let clock = ManualClock::new();
    let provider =
        Provider::builder().test_clients().access_token_lifetime(LIFETIME).clock(clock.clone()).build();
    let served = provider.serve().await?;
    let origins = Origins::one(&served.origin())?;
    let http = http()?;

    // The grant has the client itself, and never the stack that waits for its token.
    let auth = ClientAuth::basic("test-client", "test-secret");
    let grant = ClientCredentials::new(&served.url("/token"), auth, http.clone())?.scope("orders:read");
    let manager = TokenManager::builder(grant).clock(clock.clone()).build();
    let layer = OAuth2Layer::with_manager(origins.clone(), manager).body_policy(Buffered::default());
    let orders = ServiceBuilder::new().layer(layer).service(http.clone());
    let url = served.url("/resource/orders");

    println!("1. The first request waits for a token");
    get(&orders, &url).await?;
    check(provider.stats().token_requests == 1, "one token was fetched")?;

    println!("2. It expires, and is renewed before the next request goes out");
    clock.advance(LIFETIME);
    get(&orders, &url).await?;
    let stats = provider.stats();
    check(stats.token_requests == 2 && stats.resource.expired == 0, "no request came with the old one")?;

    println!("3. It is revoked: the request is refused, and sent once more");
    provider.revoke_all_access_tokens();
    get(&orders, &url).await?;
    let stats = provider.stats();
    check(stats.resource.revoked == 1 && stats.resource.valid == 3, "refused once, then accepted")?;

    println!("4. OAuth 1.0a, over the same client");
    let credentials = Credentials::new("consumer-key", "consumer-secret").token("token", "token-secret");
    let layer = OAuth1Layer::new(origins, credentials).clock(clock);
    let timeline = ServiceBuilder::new().layer(layer).service(http);
    get(&timeline, &served.url("/oauth1/resource?q=caf%C3%A9")).await?;
    check(provider.stats().oauth1.verified == 1, "the provider verified the signature")?;

    println!("All is as it should be.");
    Ok(())
}

/// Gets `url` and prints the answer. Fails unless it is a success.
async fn get<S, R>(api: &S, url: &str) -> Result<StatusCode, BoxError>
where
    S: Service<Request<Body>, Response = Response<R>, Error = BoxError> + Clone,
    R: http_body::Body<Error: Into<BoxError>>,
{
    let (head, body) = api.clone().oneshot(Request::get(url).body(Body::default())?).await?.into_parts();
    let body = body.collect().await.map_err(Into::into)?.to_bytes();
    println!("   GET {url}\n   {:?} {} {}", head.version, head.status, String::from_utf8_lossy(&body));
    if head.status.is_success() { Ok(head.status) } else { Err("that is no success".into()) }
}

fn check(is_so: bool, what: &str) -> Result<(), BoxError> {
    println!("   {} {what}", if is_so { "right:" } else { "WRONG:" });
    if is_so { Ok(()) } else { Err(format!("this is not so: {what}").into()) }
}
