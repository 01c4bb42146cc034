//! A Google service account: its file, a token for a scope, a token for a user who delegated, and a JWT that needs no
//! server. Prints what it does, and fails when anything is not as it should be.
//!
//! `cargo run --example service_account`
//!
//! Features of tower-oauth: `client`, `jwt`, `testing`.
//!
//! Without anything else, both Google's token endpoint and its API are `tower_oauth::testing::Provider`, on a port of this
//! machine. With these variables it is the real Google:
//!
//! | variable | what |
//! |---|---|
//! | `GOOGLE_APPLICATION_CREDENTIALS` | the path of the account's file |
//! | `SCOPE` | what the token is to be good for; by default `https://www.googleapis.com/auth/cloud-platform.read-only` |
//! | `SUBJECT` | a user who delegated their authority to the account, if there is one |
//! | `API` | the URL that is then called; by default the one that says what a token is good for |

use std::env;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::BodyExt;
use tower::{BoxError, ServiceBuilder, ServiceExt};
use tower_oauth::adapter::RequestBody;
use tower_oauth::grant::{SelfSignedJwt, ServiceAccount, ServiceAccountKey};
use tower_oauth::testing::{ManualClock, Provider, Served, service_account};
use tower_oauth::{OAuth2Layer, Origins, TokenKey, TokenManager, client};

const GOOGLE_API: &str = "https://www.googleapis.com/oauth2/v3/tokeninfo";
const READ_ONLY: &str = "https://www.googleapis.com/auth/cloud-platform.read-only";
const LIFETIME: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    match env::var("GOOGLE_APPLICATION_CREDENTIALS") {
        Ok(path) => google(&path).await,
        Err(_) => embedded().await,
    }
}

/// Everything on this machine.
async fn embedded() -> Result<(), BoxError> {
    // One clock for both sides, so that ten minutes pass when we say so. Yours needs none of this.
    let clock = ManualClock::new();
    let provider =
        Provider::builder().test_clients().access_token_lifetime(LIFETIME).clock(clock.clone()).build();
    let served: Served = provider.serve().await?;
    let api = served.url("/resource/reports");
    let origins = Origins::one(&served.origin())?;

    println!("1. The file of the account is read");
    let key = ServiceAccountKey::from_json(service_account(&served.url("/token")))?;
    println!("   {key:?}");

    println!("\n2. Its key signs an assertion, which is traded for a token");
    let grant = ServiceAccount::new(key.clone(), client())?.scope("reports:read").clock(clock.clone());
    let manager = TokenManager::builder(grant).clock(clock.clone()).build();
    let reports =
        ServiceBuilder::new().layer(OAuth2Layer::with_manager(origins.clone(), manager)).service(client());
    let answer = call(&reports, &api).await?;
    check(answer.contains(r#""client_id":"test-robot@example.com""#), "the API knows the account")?;
    check(answer.contains(r#""scope":"reports:read""#), "and what it may do")?;

    println!("\n3. Ten minutes later the token has expired: another assertion gets another one");
    clock.advance(LIFETIME);
    call(&reports, &api).await?;
    check(provider.stats().token_requests == 2, "two tokens were asked for in all")?;

    println!("\n4. The same account acts for a user who delegated their authority to it");
    let grant = ServiceAccount::new(key.clone(), client())?.subject("ann@example.com").clock(clock.clone());
    let for_ann = ServiceBuilder::new()
        .layer(OAuth2Layer::with_manager(origins, TokenManager::builder(grant).clock(clock.clone()).build()))
        .service(client());
    let answer = call(&for_ann, &api).await?;
    check(answer.contains(r#""user":"ann@example.com""#), "the API takes it for the user")?;

    println!("\n5. A JWT that the account signs itself, and that no server has to be asked for");
    let source = SelfSignedJwt::of_service_account(&key).audience("https://pubsub.googleapis.com/");
    let token = TokenManager::builder(source).build().token(&TokenKey::default()).await?;
    let jwt = token.access_token().expose();
    println!("   {}… ({} characters)", jwt.split('.').next().unwrap_or_default(), jwt.len());
    check(jwt.split('.').count() == 3, "it has a header, claims and a signature")?;
    check(provider.stats().token_requests == 3, "nobody was asked for it")?;

    println!("\nAll is as it should be.");
    Ok(())
}

/// The real thing.
async fn google(path: &str) -> Result<(), BoxError> {
    let key = ServiceAccountKey::from_json(std::fs::read(path)?)?;
    let scope = env::var("SCOPE").unwrap_or_else(|_| READ_ONLY.to_owned());
    let api = env::var("API").unwrap_or_else(|_| GOOGLE_API.to_owned());
    println!("{key:?}\nasks for {scope}");
    let mut grant = ServiceAccount::new(key, client())?.scope(&scope);
    if let Ok(user) = env::var("SUBJECT") {
        println!("for {user}");
        grant = grant.subject(user);
    }
    let uri: Uri = api.parse()?;
    let (scheme, authority) = uri.scheme().zip(uri.authority()).ok_or("API is no absolute URL")?;
    let layer = OAuth2Layer::new(Origins::one(&format!("{scheme}://{authority}"))?, grant);
    call(&ServiceBuilder::new().layer(layer).service(client()), &api).await?;
    Ok(())
}

/// Gets `url`, and prints what came. Fails unless it is 200.
async fn call<S, R>(service: &S, url: &str) -> Result<String, BoxError>
where
    S: tower::Service<Request<RequestBody>, Response = http::Response<R>, Error = BoxError> + Clone,
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    println!("   we call   GET {url}");
    let request = Request::get(url).body(RequestBody::default())?;
    let (answer, body) = service.clone().oneshot(request).await?.into_parts();
    let body = body.collect().await.map_err(Into::into)?.to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    println!("   we get    {} {text}", answer.status);
    if answer.status == StatusCode::OK { Ok(text) } else { Err("that is not 200 OK".into()) }
}

fn check(is_so: bool, what: &str) -> Result<(), BoxError> {
    println!("   {}    {what}", if is_so { "right:" } else { "WRONG:" });
    if is_so { Ok(()) } else { Err(format!("this is not so: {what}").into()) }
}
