//! Logs somebody in on another device (RFC 8628): shows a code, waits until it was approved, and calls an API with the token.
//!
//! Features of tower-oauth: `client`, `testing`.
//!
//! `cargo run --example device_code` runs against `tower_oauth::testing::Provider`, on a port of this
//! machine, and plays the user too. With `-- --browser` it waits for a browser of yours. A real provider is named by the
//! environment:
//!
//! | variable | what |
//! |---|---|
//! | `OAUTH2_CLIENT_ID` | the client's identifier |
//! | `OAUTH2_CLIENT_SECRET` | its secret; leave it out for a public client |
//! | `OAUTH2_DEVICE_AUTHORIZATION_URL`, `OAUTH2_TOKEN_URL` | the endpoints |
//! | `OAUTH2_SCOPE` | what to ask for |
//! | `OAUTH2_RESOURCE_URL` | something to get with the token in the end |
//!
//! GitHub, as its documentation has it: an app with the device flow switched on, and
//!
//! ```text
//! OAUTH2_DEVICE_AUTHORIZATION_URL=https://github.com/login/device/code
//! OAUTH2_TOKEN_URL=https://github.com/login/oauth/access_token
//! OAUTH2_RESOURCE_URL=https://api.github.com/user
//! ```

use std::env::var;
use std::io::Write;
use std::time::Duration;

use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use tower::{BoxError, ServiceBuilder, ServiceExt};
use tower_oauth::adapter::{Client, RequestBody};
use tower_oauth::grant::{DeviceAuthorization, DeviceProgress};
use tower_oauth::testing::Provider;
use tower_oauth::{ClientAuth, OAuth2Layer, Origins, TokenKey, TokenManager};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let http = tower_oauth::client();
    let mut terminal = std::io::stdout();
    if var("OAUTH2_CLIENT_ID").is_err() {
        let waits_for_browser = std::env::args().any(|argument| argument == "--browser");
        return demonstrate(http, !waits_for_browser, &mut terminal).await;
    }
    let [client, codes, token] = ["CLIENT_ID", "DEVICE_AUTHORIZATION_URL", "TOKEN_URL"].map(setting);
    let auth = match setting("CLIENT_SECRET") {
        Ok(secret) => ClientAuth::basic(client?, secret),
        Err(_) => ClientAuth::none(client?),
    };
    let flow = DeviceAuthorization::new(&codes?, &token?, auth, http.clone())?
        .scope(&setting("SCOPE").unwrap_or_default());
    log_in(&flow, http, false, setting("RESOURCE_URL").ok(), &mut terminal).await
}

/// The whole login against the embedded provider.
pub async fn demonstrate(
    http: Client,
    plays_user: bool,
    out: &mut (impl Write + Send),
) -> Result<(), BoxError> {
    writeln!(out, "OAUTH2_CLIENT_ID is not set: this is the embedded provider.")?;
    let provider = Provider::builder().test_clients().device_interval(Duration::from_secs(1)).build();
    let served = provider.serve().await?;
    let (codes, token) = (served.url("/device_authorization"), served.url("/token"));
    let auth = ClientAuth::none("test-app");
    let flow = DeviceAuthorization::new(&codes, &token, auth, http.clone())?.scope("orders:read");
    log_in(&flow, http, plays_user, Some(served.url("/resource")), out).await
}

/// Logs in, and gets `resource` with the token.
async fn log_in(
    flow: &DeviceAuthorization,
    http: Client,
    plays_user: bool,
    resource: Option<String>,
    out: &mut (impl Write + Send),
) -> Result<(), BoxError> {
    let pending = flow.start().await?;
    writeln!(out, "\nOpen {}\nand enter the code {}\n", pending.verification_uri(), pending.user_code())?;
    if let Some(complete) = pending.verification_uri_complete() {
        writeln!(out, "or open {complete}\nand compare the code.\n")?;
    }
    if plays_user {
        approve(http.clone(), pending.verification_uri(), pending.user_code()).await?;
        writeln!(out, "The user has approved, on another device.")?;
    }
    let progress = |progress: &DeviceProgress| {
        // What cannot be written is no reason to stop.
        let _ = match progress {
            DeviceProgress::Waiting { pause, .. } => writeln!(out, "waiting; next question in {pause:?}"),
            DeviceProgress::SlowedDown { pause, .. } => writeln!(out, "asked to slow down, to {pause:?}"),
            DeviceProgress::RetryingAfterError { error, pause, .. } => {
                writeln!(out, "{error}; next question in {pause:?}")
            }
            other => writeln!(out, "{other:?}"),
        };
    };
    let token = pending.wait_with(progress).await?;

    // From here on the manager renews it.
    let manager = TokenManager::builder(flow.clone()).build();
    manager.put(&TokenKey::default(), token).await?;
    writeln!(out, "There is a token.")?;
    let Some(resource) = resource else { return Ok(()) };
    let uri: http::Uri = resource.parse()?;
    let authority = uri.authority().ok_or("the resource has no host")?;
    let origin = format!("{}://{authority}", uri.scheme_str().unwrap_or_default());
    let layer = OAuth2Layer::with_manager(Origins::one(&origin)?, manager);
    let api = ServiceBuilder::new().layer(layer).service(http);
    let (answer, body) = api.oneshot(Request::get(uri).body(RequestBody::default())?).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    writeln!(out, "\nGET {resource}: {}\n{}", answer.status, String::from_utf8_lossy(&body))?;
    if answer.status.is_success() { Ok(()) } else { Err("the token was not accepted".into()) }
}

/// What the user does with a browser: enters the code, and approves.
async fn approve(http: Client, url: &str, user_code: &str) -> Result<(), BoxError> {
    let form = format!("user_code={user_code}&decision=approve");
    let request = Request::post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = http.oneshot(request.body(RequestBody::from(bytes::Bytes::from(form)))?).await?;
    if answer.status().is_success() { Ok(()) } else { Err(format!("{}", answer.status()).into()) }
}

fn setting(name: &str) -> Result<String, BoxError> {
    let name = format!("OAUTH2_{name}");
    var(&name).map_err(|_| format!("{name} is not set").into())
}
