//! A web application whose users log in with OAuth 2: menu, login, profile, refresh by itself, refresh by hand, validate,
//! logout. Whoever knows the Flask examples of requests-oauthlib finds the same routes here.
//!
//! | route | what it does |
//! |---|---|
//! | `GET /` | the menu |
//! | `GET /login` | begins a login, and sends the browser to the provider |
//! | `GET /callback` | ends it |
//! | `GET /profile` | calls the API for the user; the layer puts the token on the request, and renews it in time |
//! | `POST /automatic_refresh` | declares the token refused, and calls the API: there is another one |
//! | `POST /manual_refresh` | renews the token at once |
//! | `GET /validate` | asks the provider what the token is worth (RFC 7662) |
//! | `POST /logout` | revokes the login at the provider (RFC 7009), and forgets it |
//!
//! Features of tower-oauth: `client`, `testing`.
//!
//! `cargo run --example web_login` listens on http://127.0.0.1:8080 (or `PORT`), with `tower_oauth::testing::Provider` beside it.
//! `cargo run --example web_login -- --check` plays the browser too, from login to logout, and ends. A real provider is named by
//! the environment; register the redirect URI `http://127.0.0.1:8080/callback` there.
//!
//! | variable | what |
//! |---|---|
//! | `OAUTH2_CLIENT_ID`, `OAUTH2_CLIENT_SECRET` | the client's identifier and secret |
//! | `OAUTH2_AUTHORIZATION_URL`, `OAUTH2_TOKEN_URL` | the endpoints |
//! | `OAUTH2_PROFILE_URL` | what to get for the user, from an API that takes the token |
//! | `OAUTH2_INTROSPECTION_URL`, `OAUTH2_REVOCATION_URL` | further endpoints, if the provider has them |
//! | `OAUTH2_SCOPE` | what to ask for |
//! | `OAUTH2_RESOURCE` | the API that the token is for, if the provider wants to know (RFC 8707) |

mod app;
mod check;
mod pages;
mod sessions;

use std::env::var;

use tokio::net::TcpListener;
use tower::BoxError;
use tower_oauth::testing::{Provider, Served};

use app::Settings;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    if std::env::args().any(|argument| argument == "--check") {
        return demonstrate().await;
    }
    let (settings, served) = match var("OAUTH2_CLIENT_ID") {
        Ok(_) => (settings_of_environment()?, None),
        Err(_) => {
            println!("OAUTH2_CLIENT_ID is not set: this is the embedded provider.");
            let (settings, served) = embedded_provider().await?;
            (settings, Some(served))
        }
    };
    let port = var("PORT").ok().map_or(Ok(8080), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let router = app::router(settings, &origin)?;
    println!("Open {origin} in a browser. Ctrl-C ends it.");
    axum::serve(listener, router).await?;
    drop(served);
    Ok(())
}

/// Everything from login to logout, over HTTP, as a browser does it.
pub async fn demonstrate() -> Result<(), BoxError> {
    let (settings, _served) = embedded_provider().await?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let server = axum::serve(listener, app::router(settings, &origin)?).into_future();
    tokio::select! {
        ended = server => Err(format!("the server ended: {ended:?}").into()),
        checked = check::check(&origin) => checked,
    }
}

/// A provider on a port of this machine, with a page on which users approve.
async fn embedded_provider() -> Result<(Settings, Served), BoxError> {
    let served = Provider::builder().test_clients().login_page(true).build().serve().await?;
    let settings = Settings {
        client_id: "test-client".to_owned(),
        client_secret: "test-secret".into(),
        authorization_url: served.url("/authorize"),
        token_url: served.url("/token"),
        profile_url: served.url("/resource/profile"),
        introspection_url: Some(served.url("/introspect")),
        revocation_url: Some(served.url("/revoke")),
        scope: "profile".to_owned(),
        resource: None,
    };
    Ok((settings, served))
}

fn settings_of_environment() -> Result<Settings, BoxError> {
    let setting = |name: &str| {
        let name = format!("OAUTH2_{name}");
        var(&name).map_err(|_| format!("{name} is not set"))
    };
    Ok(Settings {
        client_id: setting("CLIENT_ID")?,
        client_secret: setting("CLIENT_SECRET")?.into(),
        authorization_url: setting("AUTHORIZATION_URL")?,
        token_url: setting("TOKEN_URL")?,
        profile_url: setting("PROFILE_URL")?,
        introspection_url: setting("INTROSPECTION_URL").ok(),
        revocation_url: setting("REVOCATION_URL").ok(),
        scope: setting("SCOPE").unwrap_or_default(),
        resource: setting("RESOURCE").ok(),
    })
}
