//! Logs somebody in from a terminal: prints the URL to open, waits on a port of this machine until the browser comes back
//! (RFC 8252), exchanges the code, and calls an API with the token.
//!
//! Features of tower-oauth: `client`, `loopback`, `testing`.
//!
//! `cargo run --example authorization_code` runs against `tower_oauth::testing::Provider`, on
//! a port of this machine, and plays the browser too. With `-- --browser` the provider has a page with two buttons, and it waits
//! for a browser of yours. A real provider is named by the environment:
//!
//! | variable | what |
//! |---|---|
//! | `OAUTH2_CLIENT_ID` | the client's identifier |
//! | `OAUTH2_CLIENT_SECRET` | its secret; leave it out for a public client |
//! | `OAUTH2_AUTHORIZATION_URL`, `OAUTH2_TOKEN_URL` | the endpoints; or `OAUTH2_ISSUER`, which says them itself (RFC 8414) |
//! | `OAUTH2_SCOPE` | what to ask for |
//! | `OAUTH2_PORT` | the port of the redirect URI, for providers that have to know it |
//! | `OAUTH2_LOCALHOST` | `1` makes the redirect URI `http://localhost:…` instead of `http://127.0.0.1:…` |
//! | `OAUTH2_RESOURCE_URL` | something to get with the token in the end |

use std::env::var;
use std::io::Write;

use http::Request;
use http_body_util::BodyExt;
use tower::{BoxError, ServiceBuilder, ServiceExt};
use tower_oauth::adapter::{Client, RequestBody};
use tower_oauth::endpoint::{AuthorizationServer, Discovery};
use tower_oauth::grant::AuthorizationCode;
use tower_oauth::loopback::Receiver;
use tower_oauth::testing::Provider;
use tower_oauth::{ClientAuth, OAuth2Layer, Origins, TokenKey, TokenManager};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let http = tower_oauth::client();
    let mut terminal = std::io::stdout();
    if var("OAUTH2_CLIENT_ID").is_ok() {
        let flow = flow_of_environment(&http).await?;
        let mut receiver = Receiver::builder().application("the example");
        if let Ok(port) = var("OAUTH2_PORT") {
            receiver = receiver.port(port.parse()?);
        }
        if var("OAUTH2_LOCALHOST").is_ok_and(|on| on == "1") {
            receiver = receiver.localhost();
        }
        let login = Login { flow, receiver: receiver.bind().await?, http, plays_browser: false };
        return login.run(var("OAUTH2_RESOURCE_URL").ok(), &mut terminal).await;
    }
    let waits_for_browser = std::env::args().any(|argument| argument == "--browser");
    demonstrate(http, !waits_for_browser, &mut terminal).await
}

/// The whole login against the embedded provider.
pub async fn demonstrate(http: Client, plays_browser: bool, out: &mut impl Write) -> Result<(), BoxError> {
    writeln!(out, "OAUTH2_CLIENT_ID is not set: this is the embedded provider.")?;
    let served = Provider::builder().test_clients().login_page(!plays_browser).build().serve().await?;
    let auth = ClientAuth::none("test-app");
    let flow = AuthorizationCode::new(&served.url("/authorize"), &served.url("/token"), auth, http.clone())?
        .require_issuer(served.origin())
        .scope("orders:read");
    let receiver = Receiver::builder().application("the example").bind().await?;
    let login = Login { flow, receiver, http, plays_browser };
    login.run(Some(served.url("/resource")), out).await
}

/// A login that is about to happen.
pub struct Login {
    /// The client, without a redirect URI.
    pub flow: AuthorizationCode,
    /// Where the browser will come back to.
    pub receiver: Receiver,
    /// The HTTP client for everything.
    pub http: Client,
    /// Whether to play the browser, for a provider that approves by itself.
    pub plays_browser: bool,
}

impl Login {
    /// Logs in, and gets `resource` with the token.
    pub async fn run(self, resource: Option<String>, out: &mut impl Write) -> Result<(), BoxError> {
        let flow = self.flow.redirect_uri(self.receiver.redirect_uri());
        let manager = TokenManager::builder(flow.clone()).build();
        let user = TokenKey::new("the user of this terminal");

        let (url, pending) = flow.request().build()?;
        writeln!(out, "\nOpen this in a browser, and log in:\n  {url}\n")?;
        let browser = self.plays_browser.then(|| tokio::spawn(play_browser(self.http.clone(), url)));
        let grant = self.receiver.receive(pending).await?;
        // From here on the manager renews it.
        manager.put(&user, flow.redeem(grant).await?).await?;
        if let Some(browser) = browser {
            writeln!(out, "The browser shows: {}", browser.await??)?;
        }

        let token = manager.token(&user).await?;
        writeln!(out, "There is a token of type {}.", token.token_type())?;
        writeln!(out, "  scope: {}", token.scope().unwrap_or_default().join(" "))?;
        if let Some(Ok(left)) = token.expires_at().map(|end| end.duration_since(std::time::SystemTime::now()))
        {
            writeln!(out, "  good for {} seconds", left.as_secs())?;
        }
        let Some(resource) = resource else { return Ok(()) };
        let uri: http::Uri = resource.parse()?;
        let authority = uri.authority().ok_or("the resource has no host")?;
        let origin = format!("{}://{authority}", uri.scheme_str().unwrap_or_default());
        let layer = OAuth2Layer::with_manager(Origins::one(&origin)?, manager).key_per_request();
        let api = ServiceBuilder::new().layer(layer).service(self.http);
        let mut request = Request::get(uri).body(RequestBody::default())?;
        request.extensions_mut().insert(user);
        let (answer, body) = api.oneshot(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        writeln!(out, "\nGET {resource}: {}\n{}", answer.status, String::from_utf8_lossy(&body))?;
        if answer.status.is_success() { Ok(()) } else { Err("the token was not accepted".into()) }
    }
}

/// What a browser does with a provider that approves at once: follows its redirect. Gives the title of the page in the end.
async fn play_browser(http: Client, url: String) -> Result<String, BoxError> {
    let answer = http.clone().oneshot(Request::get(url).body(RequestBody::default())?).await?;
    let back = answer.headers().get("location").ok_or("the provider did not redirect")?.to_str()?.to_owned();
    let page = http.oneshot(Request::get(back).body(RequestBody::default())?).await?;
    let page = String::from_utf8(page.into_body().collect().await?.to_bytes().to_vec())?;
    let title = page.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
    Ok(title.ok_or("the page has no title")?.to_owned())
}

/// The client that the environment describes.
async fn flow_of_environment(http: &Client) -> Result<AuthorizationCode, BoxError> {
    let client = setting("CLIENT_ID")?;
    let auth = match setting("CLIENT_SECRET") {
        Ok(secret) => ClientAuth::basic(client, secret),
        Err(_) => ClientAuth::none(client),
    };
    let flow = match setting("ISSUER") {
        Ok(issuer) => {
            let metadata = Discovery::new(&issuer, http.clone())?.discover().await?;
            AuthorizationCode::with_server(&AuthorizationServer::new(metadata, auth, http.clone()))?
        }
        Err(_) => {
            let (authorize, token) = (setting("AUTHORIZATION_URL")?, setting("TOKEN_URL")?);
            AuthorizationCode::new(&authorize, &token, auth, http.clone())?
        }
    };
    Ok(flow.scope(&setting("SCOPE").unwrap_or_default()))
}

fn setting(name: &str) -> Result<String, BoxError> {
    let name = format!("OAUTH2_{name}");
    var(&name).map_err(|_| format!("{name} is not set").into())
}
