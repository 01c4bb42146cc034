//! A proxy for many tenants: whoever calls `/{tenant}/…` with that tenant's key is forwarded to one upstream, with that tenant's
//! OAuth 2 token, which is renewed in time. For a service that is to use an API without ever holding its tokens.
//!
//! ```sh
//! cargo run -p tower-oauth-examples --bin axum_proxy               # until Ctrl-C, with an embedded provider as the upstream
//! cargo run -p tower-oauth-examples --bin axum_proxy -- --check    # calls itself, sends itself a SIGTERM, and ends
//! ```
//!
//! Features of tower-oauth: `client` and `file`, and `testing` for the embedded provider.
//!
//! | what | how |
//! |---|---|
//! | who may call | `Authorization: Bearer <key of the tenant>`; the key goes no further |
//! | where to | below `UPSTREAM`, whatever callers ask for |
//! | bodies | stream in both directions; a request's has at most 16 MiB |
//! | headers | those of a connection, cookies, `Forwarded` and its like, and every credential end here |
//! | at once | 256 requests; the next one gets a 503 |
//! | a refused token | renewed, and the request sent once more if it has no body |
//! | when something fails | 401, 502 or 504 with fixed text; what happened is in the log |
//! | `GET /health` | 200 |
//! | SIGTERM, Ctrl-C | no new connections; those that are open may end within 30 s, and so may renewals |
//!
//! | variable | what |
//! |---|---|
//! | `UPSTREAM` | such as `https://api.example.com/v1`; without it, the embedded provider |
//! | `TOKEN_URL`, `CLIENT_ID`, `CLIENT_SECRET` | where tokens are renewed, and as whom |
//! | `TENANTS` | a file such as `{"alice": {"key": "…", "refresh_token": "…"}}` |
//! | `TOKENS` | a file for the tokens; without it, they are in memory, and a refresh token that was replaced is lost at the end |
//! | `PORT` | of 127.0.0.1; 8081 without it |
//!
//! TLS for callers is the work of what stands before the proxy.

mod app;
mod check;
mod forwarding;

use std::collections::HashMap;
use std::env::{self, VarError, var};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::Request;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::signal;
use tokio::sync::{Semaphore, watch};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder};
use tower_oauth::adapter::RequestBody;
use tower_oauth::body::FromBytes;
use tower_oauth::grant::RefreshToken;
use tower_oauth::store::{FileStore, MemoryStore};
use tower_oauth::testing::{Provider, Served};
use tower_oauth::token::BoxTokenStore;
use tower_oauth::{ClientAuth, OAuth2Layer, Origins, Secret, Token, TokenKey, TokenManager};

use app::Proxy;
use forwarding::Upstream;

/// How long open requests may take to end.
const GRACE: Duration = Duration::from_secs(30);
const AT_ONCE: usize = 256;
const BODY_LIMIT: usize = 16 * 1024 * 1024;

struct Settings {
    upstream: Upstream,
    token_url: String,
    auth: ClientAuth,
    tenants: HashMap<String, Tenant>,
    store: BoxTokenStore,
}

#[derive(Deserialize)]
struct Tenant {
    key: String,
    refresh_token: String,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    if env::args().any(|argument| argument == "--check") {
        return check::check().await;
    }
    let (settings, embedded) = match var("UPSTREAM") {
        Ok(url) => (settings_of_environment(&url)?, None),
        Err(_) => {
            let provider = Provider::new();
            let (settings, served) = embedded(&provider).await?;
            (settings, Some(served))
        }
    };
    let port = var("PORT").ok().map_or(Ok(8081), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    println!("{origin} forwards to {}. Ctrl-C ends it.", settings.upstream.origin());
    if embedded.is_some() {
        println!("UPSTREAM is not set: this is the embedded provider. Try");
        println!("  curl -H 'Authorization: Bearer key-of-alice' {origin}/alice/orders");
    }
    serve(settings, listener, asked_to_stop()?).await
}

/// Serves until `stop` is ready, and what is open has ended.
async fn serve(
    settings: Settings,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), BoxError> {
    let (proxy, manager) = proxy(settings).await?;
    let (stopping, mut stopped) = watch::channel(false);
    let mut late = stopped.clone();
    tokio::spawn(async move {
        stop.await;
        stopping.send_replace(true);
    });
    let server = axum::serve(listener, app::router(proxy)).with_graceful_shutdown(async move {
        let _ = stopped.wait_for(|stop| *stop).await;
        println!("Stopping: no new connections.");
    });
    let too_late = async {
        let _ = late.wait_for(|stop| *stop).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = server.into_future() => ended?,
        () = too_late => println!("Some requests did not end in time."),
    }
    // A renewal that is on its way brings a refresh token that must be stored.
    let left = manager.shutdown(GRACE).await;
    println!("Stopped; {left} renewals were left.");
    Ok(())
}

/// The layered client, and what the handler needs besides.
async fn proxy(settings: Settings) -> Result<(Proxy, TokenManager), BoxError> {
    let http = tower_oauth::client();
    // The token client is one of its own: never the stack that waits for the token.
    let grant = RefreshToken::new(&settings.token_url, settings.auth, http.clone())?;
    let manager =
        TokenManager::builder(grant).store(settings.store).wait_timeout(Duration::from_secs(10)).build();
    for (name, tenant) in &settings.tenants {
        let key = TokenKey::new(name.as_str());
        // What the store has is newer than the file of tenants.
        if !manager.authorized(&key).await? {
            let login = Token::new("none-yet")
                .with_expires_at(SystemTime::UNIX_EPOCH)
                .with_refresh_token(tenant.refresh_token.as_str());
            manager.put(&key, login).await?;
        }
    }
    let layer = OAuth2Layer::with_manager(Origins::one(&settings.upstream.origin())?, manager.clone())
        .key_per_request()
        .body_policy(FromBytes);
    let client = ServiceBuilder::new()
        .layer(layer)
        .map_request(|request: Request| request.map(RequestBody::new))
        .map_response(|response: axum::http::Response<_>| response.map(Body::new))
        .service(http);
    let keys = settings.tenants.into_iter().map(|(name, tenant)| (name, Secret::from(tenant.key))).collect();
    let proxy = Proxy {
        client: BoxCloneSyncService::new(client),
        upstream: settings.upstream,
        keys: Arc::new(keys),
        permits: Arc::new(Semaphore::new(AT_ONCE)),
        body_limit: BODY_LIMIT,
    };
    Ok((proxy, manager))
}

/// Becomes ready with SIGTERM or Ctrl-C, which it watches from this moment on.
fn asked_to_stop() -> Result<impl Future<Output = ()> + Send + 'static, BoxError> {
    #[cfg(unix)]
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = signal::ctrl_c() => (),
            _ = terminate.recv() => (),
        }
        #[cfg(not(unix))]
        let _ = signal::ctrl_c().await;
    })
}

/// Two tenants of a provider on a port of this machine.
async fn embedded(provider: &Provider) -> Result<(Settings, Served), BoxError> {
    let served = provider.serve().await?;
    let tenant = |name: &str| {
        // As if somebody had logged in for them.
        let login = provider.issue("test-client", &format!("orders:{name}"));
        let refresh_token = login.refresh_token.expose().to_owned();
        (name.to_owned(), Tenant { key: format!("key-of-{name}"), refresh_token })
    };
    let settings = Settings {
        upstream: Upstream::parse(&served.url("/resource"))?,
        token_url: served.url("/token"),
        auth: ClientAuth::basic("test-client", "test-secret"),
        tenants: ["alice", "bob"].map(tenant).into(),
        store: BoxTokenStore::new(MemoryStore::new()),
    };
    Ok((settings, served))
}

fn settings_of_environment(upstream: &str) -> Result<Settings, BoxError> {
    let setting = |name: &str| var(name).map_err(|_| format!("UPSTREAM is set, and {name} is not"));
    let tenants = setting("TENANTS")?;
    let tenants = std::fs::read_to_string(&tenants).map_err(|error| format!("{tenants}: {error}"))?;
    Ok(Settings {
        upstream: Upstream::parse(upstream)?,
        token_url: setting("TOKEN_URL")?,
        auth: ClientAuth::basic(setting("CLIENT_ID")?, setting("CLIENT_SECRET")?),
        tenants: serde_json::from_str(&tenants).map_err(|error| format!("TENANTS: {error}"))?,
        store: match var("TOKENS") {
            Ok(path) => BoxTokenStore::new(FileStore::new(path)),
            Err(VarError::NotPresent) => BoxTokenStore::new(MemoryStore::new()),
            Err(error) => return Err(format!("TOKENS: {error}").into()),
        },
    })
}
