//! octocrab with the user tokens of a GitHub App: they live for eight hours, and each renewal brings a new refresh token. The
//! layer renews them while octocrab is in use, and octocrab knows nothing of it.
//!
//! ```sh
//! cargo run -p tower-oauth-examples --bin octocrab
//! ```
//!
//! Features of tower-oauth: `client`; `testing` for the embedded provider.
//!
//! Without configuration, GitHub is `tower_oauth::testing::Provider` with a few answers of GitHub's API, on a port of this
//! machine. With these variables it is the real GitHub:
//!
//! | variable | what |
//! |---|---|
//! | `GITHUB_CLIENT_ID` | the client ID of a GitHub App whose user tokens expire |
//! | `GITHUB_CLIENT_SECRET` | its secret, which renewals need |
//! | `GITHUB_REFRESH_TOKEN` | a refresh token of a user; without one you log in with the device flow, which the app must allow |
//!
//! You will see a login, an issue that is opened, and tokens that expire or are revoked, each replaced once. From the real
//! GitHub you will see a code to enter in a browser (unless there is a refresh token), and who you are.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::routing::get;
use axum::routing::post;
use http::Request;
use http::header::USER_AGENT;
use octocrab::AuthState;
use octocrab::OctoBody;
use octocrab::Octocrab;
use octocrab::OctocrabBuilder;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use tower::BoxError;
use tower::ServiceExt;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::adapter::RequestBody;
use tower_oauth::body::Buffered;
use tower_oauth::client;
use tower_oauth::grant::RefreshToken;
use tower_oauth::provider;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;
use tower_oauth_examples::stand_in;
use tower_oauth_examples::stand_in::check;

const EIGHT_HOURS: Duration = Duration::from_secs(8 * 3600);

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    title: String,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    match env::var("GITHUB_CLIENT_ID") {
        Ok(client_id) => github(&client_id).await,
        Err(_) => embedded().await,
    }
}

/// octocrab over a stack with the layer in it. What is added later is further out.
fn octocrab(api: &str, manager: TokenManager) -> Result<Octocrab, BoxError> {
    let http = client().map_request(|request: Request<OctoBody>| request.map(RequestBody::new));
    // A request whose token is refused is sent again, with its body.
    let tokens = OAuth2Layer::with_manager(Origins::one(api)?, manager).body_policy(Buffered::default());
    // GitHub wants to know who calls.
    let agent = ExtraHeadersLayer::new(Arc::new(vec![(USER_AGENT, "tower-oauth-example".parse()?)]));
    let built = OctocrabBuilder::new_empty()
        .with_service(http)
        .with_layer(&tokens)
        .with_layer(&BaseUriLayer::new(api.parse()?))
        .with_layer(&agent)
        .with_auth(AuthState::None)
        .build();
    built.map_err(|never| match never {})
}

/// The real thing.
async fn github(client_id: &str) -> Result<(), BoxError> {
    let github = provider::github();
    let secret = env::var("GITHUB_CLIENT_SECRET").map_err(|_| "GITHUB_CLIENT_SECRET is not set")?;
    let endpoint = github.token_endpoint(client_id, secret.as_str(), client())?;
    let token = match env::var("GITHUB_REFRESH_TOKEN") {
        // Its access token is not known, and counts as expired.
        Ok(refresh_token) => {
            Token::new("unknown").expires_in(Duration::ZERO).with_refresh_token(refresh_token.as_str())
        }
        Err(_) => {
            let devices = github.public_token_endpoint(client_id, client())?;
            let pending = github.device_authorization(devices)?.start().await?;
            println!("Open {} and enter the code {}", pending.verification_uri(), pending.user_code());
            pending.wait().await?
        }
    };
    // A program that starts more than once keeps its tokens in a store: `.store(FileStore::new(…)?)`, feature `file`. The
    // refresh token above is spent by its first use.
    let manager = TokenManager::builder(RefreshToken::at(endpoint)).build();
    manager.put(&TokenKey::default(), token).await?;
    let octocrab = octocrab("https://api.github.com", manager)?;
    let user: User = octocrab.get("/user", None::<&()>).await?;
    println!("You are {}.", user.login);
    Ok(())
}

/// Everything on this machine.
async fn embedded() -> Result<(), BoxError> {
    println!("GITHUB_CLIENT_ID is not set: GitHub is the embedded provider.");
    // One clock for both sides, so that eight hours pass when we say so. Yours needs none of this.
    let clock = ManualClock::new();
    let server =
        Provider::builder().test_clients().access_token_lifetime(EIGHT_HOURS).clock(clock.clone()).build();
    let open =
        |Json(issue): Json<Value>| async move { Json(json!({ "number": 7, "title": issue["title"] })) };
    let api = Router::new()
        .route("/user", get(async || Json(json!({ "login": "octocat" }))))
        .route("/repos/octocat/hello/issues", post(open));
    let api = stand_in::serve(&server, api).await?;

    // What is known of GitHub, with its endpoint here.
    let mut github = provider::github();
    github.token_url = format!("{api}/token").into();
    let endpoint = github.token_endpoint("test-client", "test-secret", client())?;
    let manager = TokenManager::builder(RefreshToken::at(endpoint)).clock(clock.clone()).build();
    // As if a user had just logged in.
    let login = server.issue("test-client", "");
    let token = Token::new(login.access_token)
        .with_expires_at(login.expires_at)
        .with_refresh_token(login.refresh_token);
    manager.put(&TokenKey::default(), token).await?;
    let octocrab = octocrab(&api, manager)?;

    println!("\n1. Who is it?");
    let user: User = octocrab.get("/user", None::<&()>).await?;
    println!("   GET /user: {}", user.login);
    check(server.stats().token_requests == 0, "the token of the login was good for it")?;

    println!("\n2. Eight hours later, twenty calls at once");
    clock.advance(EIGHT_HOURS);
    let calls = (0..20).map(|_| octocrab.get::<User, _, _>("/user", None::<&()>));
    let users = futures_util::future::try_join_all(calls).await?;
    check(users.len() == 20, "all of them were answered")?;
    check(server.stats().refreshes == 1, "the token was renewed once")?;
    check(server.stats().resource.expired == 0, "the old one was not sent any more")?;

    println!("\n3. The token is revoked behind our back, and an issue is opened");
    server.revoke_all_access_tokens();
    let issue = json!({ "title": "It does not start" });
    let issue: Issue = octocrab.post("/repos/octocat/hello/issues", Some(&issue)).await?;
    println!("   POST /repos/octocat/hello/issues: #{} {}", issue.number, issue.title);
    let stats = server.stats();
    check(
        stats.resource.revoked == 1 && stats.refreshes == 2,
        "it was refused, and sent again with a new token",
    )?;

    println!("\nAll is as it should be.");
    Ok(())
}
