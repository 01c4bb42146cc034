//! Gets an OAuth 1.0a access token in a terminal: asks for a request token, prints the URL to open, takes the verifier (or
//! the URL that the browser was sent to), and gets the access token.
//!
//! Features of tower-oauth: `client`, `testing`.
//!
//! `cargo run --example oauth1_three_legged` runs against `tower_oauth::testing::Provider`, on a port of this machine, and
//! plays the user too. A real provider is named by the environment:
//!
//! | variable | what |
//! |---|---|
//! | `OAUTH1_CLIENT`, `OAUTH1_SECRET` | the client's identifier ("consumer key", "API key") and secret |
//! | `OAUTH1_REQUEST_TOKEN_URL`, `OAUTH1_AUTHORIZATION_URL`, `OAUTH1_ACCESS_TOKEN_URL` | the endpoints |
//! | `OAUTH1_CALLBACK` | the callback that the provider knows, if it does not show verifiers |
//! | `OAUTH1_ACCESS_TOKEN_METHOD` | `GET` for providers that want it there; `POST` by default |
//! | `OAUTH1_RESOURCE_URL` | something to get with the access token in the end |
//! | `OAUTH1_SHOW` | `1` prints the access token and its secret |
//!
//! There need be no server at the callback: the URL to paste is in the browser's address bar all the same.
//!
//! Tumblr, as its API documentation (github.com/tumblr/docs) has it: HMAC-SHA1 in the header, a `User-Agent` on every request
//! (the client used here sends one), the access token by `GET`. Not checked: whether it shows verifiers; give the callback of
//! the application that was registered at https://www.tumblr.com/oauth/apps.
//!
//! ```text
//! OAUTH1_REQUEST_TOKEN_URL=https://www.tumblr.com/oauth/request_token
//! OAUTH1_AUTHORIZATION_URL=https://www.tumblr.com/oauth/authorize
//! OAUTH1_ACCESS_TOKEN_URL=https://www.tumblr.com/oauth/access_token OAUTH1_ACCESS_TOKEN_METHOD=GET
//! OAUTH1_RESOURCE_URL=https://api.tumblr.com/v2/user/info
//! ```
//!
//! Bitbucket Cloud, as Atlassian's documentation had it in 2013 (HMAC-SHA1 or PLAINTEXT, the callback is required). Its
//! present documentation knows OAuth 2 only. Not checked: whether these endpoints still answer.
//!
//! ```text
//! OAUTH1_REQUEST_TOKEN_URL=https://bitbucket.org/api/1.0/oauth/request_token
//! OAUTH1_AUTHORIZATION_URL=https://bitbucket.org/api/1.0/oauth/authenticate
//! OAUTH1_ACCESS_TOKEN_URL=https://bitbucket.org/api/1.0/oauth/access_token OAUTH1_CALLBACK=http://localhost/
//! OAUTH1_RESOURCE_URL=https://api.bitbucket.org/2.0/user
//! ```

use std::env::var;
use std::io::{BufRead, stdin};

use http::{Method, Request};
use http_body_util::BodyExt;
use tower::{BoxError, ServiceBuilder, ServiceExt};
use tower_oauth::adapter::{Client, RequestBody};
use tower_oauth::oauth1::flow::{Endpoints, Flow, Step, Verifier};
use tower_oauth::testing::Provider;
use tower_oauth::{OAuth1Layer, Origins};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // Any tower service that takes HTTP requests will do.
    let http = tower_oauth::client();
    if var("OAUTH1_CLIENT").is_ok() {
        let [client, secret, request_token, authorization, access_token] =
            ["CLIENT", "SECRET", "REQUEST_TOKEN_URL", "AUTHORIZATION_URL", "ACCESS_TOKEN_URL"].map(setting);
        let endpoints = Endpoints::new(&request_token?, &authorization?, &access_token?)?;
        let mut flow = Flow::new(client?, secret?, endpoints, http.clone());
        if let Ok(callback) = setting("CALLBACK") {
            flow = flow.callback(callback);
        }
        if let Ok(method) = setting("ACCESS_TOKEN_METHOD") {
            flow = flow.http_method(Step::AccessToken, Method::from_bytes(method.as_bytes())?);
        }
        return log_in(&flow, http, false, setting("RESOURCE_URL").ok()).await;
    }
    println!("OAUTH1_CLIENT is not set: this is the embedded provider, and its user approves of everything.");
    let served = Provider::new().serve().await?;
    let endpoint = |name: &str| served.url(&format!("/oauth1/{name}"));
    let endpoints = Endpoints::new(&endpoint("initiate"), &endpoint("authorize"), &endpoint("token"))?;
    let flow = Flow::new("consumer-key", "consumer-secret", endpoints, http.clone());
    log_in(&flow, http, true, Some(endpoint("resource"))).await
}

/// The three legs, and a request with what they brought.
async fn log_in(
    flow: &Flow,
    http: Client,
    plays_user: bool,
    resource: Option<String>,
) -> Result<(), BoxError> {
    let request_token = flow.fetch_request_token().await?;
    let url = flow.authorization_url(&request_token, &[])?;
    println!("\nOpen this, and approve:\n  {url}");
    println!("\nThe verifier that you see then, or the URL that your browser is sent to:");
    let answer = if plays_user { approve(http.clone(), &url).await? } else { read_line()? };
    // What has parameters is the URL, which has to be about this login; else it is the verifier.
    let verifier = match answer.trim() {
        url if url.contains("oauth_") || url.contains("denied=") => {
            flow.parse_authorization_response(&request_token, url)?.into()
        }
        word => Verifier::from(word),
    };
    let access_token = flow.fetch_access_token(&request_token, verifier).await?;

    println!("\nThere is an access token. What else the provider said:");
    access_token.extras().for_each(|(name, value)| println!("  {name}: {value}"));
    if setting("SHOW").is_ok_and(|show| show == "1") {
        println!("  {}\n  {}", access_token.token().expose(), access_token.token_secret().expose());
    }
    let Some(resource) = resource else { return Ok(()) };
    let uri: http::Uri = resource.parse()?;
    let origin = format!("{}://{}", uri.scheme_str().unwrap_or_default(), uri.authority().ok_or("no host")?);
    let layer = OAuth1Layer::new(Origins::one(&origin)?, flow.authorized(&access_token));
    let api = ServiceBuilder::new().layer(layer).service(http);
    let (answer, body) = api.oneshot(Request::get(uri).body(RequestBody::default())?).await?.into_parts();
    println!("\nGET {resource}: {}", answer.status);
    println!("{}", String::from_utf8_lossy(&body.collect().await?.to_bytes()));
    if answer.status.is_success() { Ok(()) } else { Err("the access token was not accepted".into()) }
}

/// What the user does with a browser: opens the page, approves, and copies the verifier from it.
async fn approve(http: Client, url: &str) -> Result<String, BoxError> {
    let page = http.oneshot(Request::get(url).body(RequestBody::default())?).await?;
    let text = String::from_utf8(page.into_body().collect().await?.to_bytes().to_vec())?;
    println!("  {text}");
    Ok(text.rsplit(' ').next().unwrap_or_default().to_owned())
}

fn read_line() -> Result<String, BoxError> {
    Ok(stdin().lock().lines().next().ok_or("there was no answer")??)
}

fn setting(name: &str) -> Result<String, BoxError> {
    let name = format!("OAUTH1_{name}");
    var(&name).map_err(|_| format!("{name} is not set").into())
}
