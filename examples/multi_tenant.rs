//! One service that calls an API for many tenants, each with a token of its own: the tenant is a `TokenKey` in the extensions of
//! each request, and the tokens are in a store. Prints what it does, and fails when anything is not as it should be.
//!
//! ```sh
//! cargo run --example multi_tenant                                                          # tokens in memory
//! TOKENS=/tmp/tokens.json cargo run --features file --example multi_tenant                  # in a file
//! REDIS_URL=redis://127.0.0.1/ cargo run --features redis --example multi_tenant            # in Redis
//! ```
//!
//! Features of tower-oauth: `client`, and `testing` for the embedded provider. The stores have their own: `file`, `redis`.
//!
//! Without `API_URL`, the API is `tower_oauth::testing::Provider`, on a port of this machine: you will see a hundred tenants that
//! are served at once, one renewal for each, requests that fail because nobody can tell whose they are, and a second manager
//! (another process, or this one after its restart) that finds the tokens in the store.
//!
//! | variable | what |
//! |---|---|
//! | `API_URL` | what to get, for each tenant once |
//! | `TOKEN_URL`, `CLIENT_ID`, `CLIENT_SECRET` | where tokens are renewed, and as whom |
//! | `LOGINS` | the tenants and their refresh tokens: `alice=…,bob=…`. What the store has of a tenant is newer |
//! | `TOKENS` | a file for the tokens |
//! | `REDIS_URL` | a Redis for the tokens |

use std::env::var;
use std::time::SystemTime;

use http::{Request, StatusCode, Uri};
use http_body_util::BodyExt;
use tokio::task::JoinSet;
use tower::{BoxError, ServiceBuilder, ServiceExt};
use tower_oauth::adapter::{Client, RequestBody};
use tower_oauth::body::Buffered;
use tower_oauth::grant::RefreshToken;
use tower_oauth::oauth2::OAuth2;
use tower_oauth::store::MemoryStore;
use tower_oauth::testing::Provider;
use tower_oauth::token::BoxTokenStore;
use tower_oauth::{ClientAuth, Error, ErrorKind, OAuth2Layer, Origins, Token, TokenKey, TokenManager};

const TENANTS: usize = 100;

type Api = OAuth2<Client, Buffered>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let store = store().await?;
    match var("API_URL") {
        Ok(url) => real(&url, store).await,
        Err(_) => embedded(store).await,
    }
}

/// Where the tokens are kept, as the environment says.
async fn store() -> Result<BoxTokenStore, BoxError> {
    match (var("REDIS_URL"), var("TOKENS")) {
        (Ok(url), _) => redis_store(&url).await,
        (_, Ok(path)) => file_store(&path),
        _ => {
            println!("The tokens are in memory: neither REDIS_URL nor TOKENS is set.");
            Ok(BoxTokenStore::new(MemoryStore::new()))
        }
    }
}

#[cfg(feature = "redis")]
async fn redis_store(url: &str) -> Result<BoxTokenStore, BoxError> {
    println!("The tokens are in Redis.");
    let connection = redis::aio::ConnectionManager::new(redis::Client::open(url)?).await?;
    Ok(BoxTokenStore::new(tower_oauth::store::RedisStore::new(connection).prefix("multi-tenant:")))
}

#[cfg(not(feature = "redis"))]
async fn redis_store(_: &str) -> Result<BoxTokenStore, BoxError> {
    Err("REDIS_URL is set, and this was built without it: add --features redis".into())
}

#[cfg(feature = "file")]
fn file_store(path: &str) -> Result<BoxTokenStore, BoxError> {
    println!("The tokens are in {path}.");
    Ok(BoxTokenStore::new(tower_oauth::store::FileStore::new(path)))
}

#[cfg(not(feature = "file"))]
fn file_store(_: &str) -> Result<BoxTokenStore, BoxError> {
    Err("TOKENS is set, and this was built without it: add --features file".into())
}

/// What every process of such a service has: one manager, one stack, one store.
fn stack(
    origin: &str,
    token_url: &str,
    auth: ClientAuth,
    store: BoxTokenStore,
) -> Result<(Api, TokenManager), BoxError> {
    let http = tower_oauth::client();
    let manager =
        TokenManager::builder(RefreshToken::new(token_url, auth, http.clone())?).store(store).build();
    let layer = OAuth2Layer::with_manager(Origins::one(origin)?, manager.clone())
        .key_per_request()
        .body_policy(Buffered::default());
    Ok((ServiceBuilder::new().layer(layer).service(http), manager))
}

/// A login of which only the refresh token is known.
fn login(refresh_token: &str) -> Token {
    Token::new("none-yet").with_expires_at(SystemTime::UNIX_EPOCH).with_refresh_token(refresh_token)
}

/// Gets `url` for a tenant, or for nobody.
async fn get(api: Api, url: &str, tenant: Option<TokenKey>) -> Result<(StatusCode, String), BoxError> {
    let mut request = Request::get(url).body(RequestBody::default())?;
    if let Some(tenant) = tenant {
        request.extensions_mut().insert(tenant);
    }
    let (head, body) = api.oneshot(request).await?.into_parts();
    Ok((head.status, String::from_utf8_lossy(&body.collect().await?.to_bytes()).into_owned()))
}

/// The API of the environment.
async fn real(url: &str, store: BoxTokenStore) -> Result<(), BoxError> {
    let setting = |name: &str| var(name).map_err(|_| format!("API_URL is set, and {name} is not"));
    let uri: Uri = url.parse()?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("API_URL is not an absolute URL".into());
    };
    let auth = ClientAuth::basic(setting("CLIENT_ID")?, setting("CLIENT_SECRET")?);
    let (api, manager) = stack(&format!("{scheme}://{authority}"), &setting("TOKEN_URL")?, auth, store)?;
    let mut failed = false;
    for login_of in setting("LOGINS")?.split(',') {
        let (name, refresh_token) = login_of.split_once('=').ok_or("LOGINS is not like alice=…,bob=…")?;
        let tenant = TokenKey::new(name.trim());
        if !manager.authorized(&tenant).await? {
            manager.put(&tenant, login(refresh_token.trim())).await?;
        }
        match get(api.clone(), url, Some(tenant.clone())).await {
            Ok((status, text)) => {
                println!("{tenant}: {status} {text}");
                failed |= !status.is_success();
            }
            Err(error) => {
                println!("{tenant}: {error}");
                failed = true;
            }
        }
    }
    // A refresh token that came a moment ago must be in the store before this process ends.
    manager.shutdown(std::time::Duration::from_secs(10)).await;
    if failed { Err("not every tenant was served".into()) } else { Ok(()) }
}

/// Everything on this machine, but for the store that was chosen.
async fn embedded(store: BoxTokenStore) -> Result<(), BoxError> {
    let provider = Provider::new();
    let served = provider.serve().await?;
    let (origin, url) = (served.origin(), served.url("/resource/orders"));
    let auth = || ClientAuth::basic("test-client", "test-secret");
    let (api, manager) = stack(&origin, &served.url("/token"), auth(), store.clone())?;

    println!("1. {TENANTS} tenants log in");
    for number in 0..TENANTS {
        // As if somebody had: a code would be redeemed here.
        let issued = provider.issue("test-client", &format!("orders:tenant-{number}"));
        manager.put(&TokenKey::new(format!("tenant-{number}")), login(issued.refresh_token.expose())).await?;
    }

    println!("2. Four requests for each of them, at once");
    serve_all(&api, &url).await?;
    check(provider.stats().refreshes == TENANTS as u64, "one renewal for each tenant")?;
    check(provider.stats().resource.valid == 4 * TENANTS as u64, "each came with the token of its tenant")?;

    println!("3. A request of nobody, and one of somebody who never logged in");
    for (tenant, kind) in
        [(None, ErrorKind::MissingTokenKey), (Some(TokenKey::new("tenant-unknown")), ErrorKind::NoToken)]
    {
        let error = get(api.clone(), &url, tenant).await.map(|_| ()).err().ok_or("that was answered")?;
        println!("   {error}");
        check(Error::find(&*error).map(Error::kind) == Some(kind), "it was not sent")?;
    }

    println!("4. One tenant's token is revoked: that tenant gets another one, and nobody else");
    let tenant = TokenKey::new("tenant-7");
    let token = manager.peek(&tenant).ok_or("there is no token of tenant-7")?;
    provider.revoke(token.access_token().expose());
    let (status, text) = get(api.clone(), &url, Some(tenant)).await?;
    println!("   {status} {text}");
    check(status == StatusCode::OK && provider.stats().refreshes == TENANTS as u64 + 1, "one more renewal")?;

    println!("5. Another process starts, with the same store");
    manager.shutdown(std::time::Duration::from_secs(10)).await;
    let (api, _manager) = stack(&origin, &served.url("/token"), auth(), store)?;
    serve_all(&api, &url).await?;
    check(provider.stats().refreshes == TENANTS as u64 + 1, "it found every token there")?;

    println!("All is as it should be.");
    Ok(())
}

/// Four requests for every tenant at once; fails unless each is answered with what belongs to its tenant.
async fn serve_all(api: &Api, url: &str) -> Result<(), BoxError> {
    let mut calls = JoinSet::new();
    for number in (0..TENANTS).flat_map(|number| [number; 4]) {
        let (api, url) = (api.clone(), url.to_owned());
        calls.spawn(async move {
            let (status, text) = get(api, &url, Some(TokenKey::new(format!("tenant-{number}")))).await?;
            let is_right = status == StatusCode::OK && text.contains(&format!("\"orders:tenant-{number}\""));
            if is_right { Ok(()) } else { Err(format!("tenant-{number} got {status} {text}").into()) }
        });
    }
    calls.join_all().await.into_iter().collect::<Result<(), BoxError>>()
}

fn check(is_so: bool, what: &str) -> Result<(), BoxError> {
    println!("   {} {what}", if is_so { "right:" } else { "WRONG:" });
    if is_so { Ok(()) } else { Err(format!("this is not so: {what}").into()) }
}
