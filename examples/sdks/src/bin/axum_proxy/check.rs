//! Calls the proxy as its callers do, and says what is not as it should be.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::net::{TcpListener, TcpStream};
use tower::{BoxError, ServiceExt};
use tower_oauth::adapter::RequestBody;
use tower_oauth::testing::{Fault, Provider};

/// How long the tour may take.
const LONGEST: Duration = Duration::from_secs(60);

/// The whole tour, over HTTP.
pub async fn check() -> Result<(), BoxError> {
    let provider = Provider::new();
    let (settings, _served) = super::embedded(&provider).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(super::serve(settings, listener, super::asked_to_stop()?));
    let toured = tokio::time::timeout(LONGEST, tour(&provider, address)).await?;
    if toured.is_err() && server.is_finished() {
        return Err(format!("the proxy ended: {:?}", server.await?).into());
    }
    toured?;
    server.await??;
    println!("All is as it should be.");
    Ok(())
}

async fn tour(provider: &Provider, address: SocketAddr) -> Result<(), BoxError> {
    let origin = format!("http://{address}");
    let get = |path, key| call(&origin, Method::GET, path, key, RequestBody::default());

    println!("1. Health, and callers without the right key");
    expect(get("/health", "").await?, StatusCode::OK, "ok")?;
    expect(get("/alice/orders", "").await?, StatusCode::UNAUTHORIZED, "send the tenant's key")?;
    expect(get("/alice/orders", "key-of-bob").await?, StatusCode::UNAUTHORIZED, "send the tenant's key")?;
    expect(get("/nobody/orders", "key-of-bob").await?, StatusCode::UNAUTHORIZED, "send the tenant's key")?;
    expect(get("/alice/../x", "key-of-alice").await?, StatusCode::BAD_REQUEST, "the path is")?;
    right(provider.stats().resource.valid == 0, "none of this reached the upstream")?;

    println!("2. Each tenant has a token of its own");
    expect(get("/alice/orders", "key-of-alice").await?, StatusCode::OK, "orders:alice")?;
    expect(get("/bob/orders", "key-of-bob").await?, StatusCode::OK, "orders:bob")?;
    let stats = provider.stats();
    right(stats.refreshes == 2, "one renewal for each")?;
    let upstream_saw = |name| stats.requests.iter().any(|seen| seen.headers.contains_key(name));
    right(!upstream_saw(COOKIE.as_str()), "no cookie went along")?;

    println!("3. The tokens are revoked behind our back");
    provider.revoke_all_access_tokens();
    expect(get("/alice/orders", "key-of-alice").await?, StatusCode::OK, "orders:alice")?;
    right(provider.stats().resource.revoked == 1, "refused once, renewed, and sent again")?;

    println!("4. A body of a megabyte streams through; what was streamed cannot be sent again");
    let streamed = || {
        let chunks = (0..64).map(|_| Ok::<_, BoxError>(Bytes::from(vec![b'x'; 16 * 1024])));
        RequestBody::new(Body::from_stream(tokio_stream::iter(chunks)))
    };
    let post = |body| call(&origin, Method::POST, "/bob/upload", "key-of-bob", body);
    expect(post(streamed()).await?, StatusCode::BAD_GATEWAY, "refused the tenant's token")?;
    expect(post(streamed()).await?, StatusCode::OK, "\"body_length\":1048576")?;

    println!("5. The login of Alice ends");
    provider.revoke_all_access_tokens();
    let ended = Fault::new().on("/token").status(StatusCode::BAD_REQUEST);
    provider.inject(ended.body(r#"{"error":"invalid_grant"}"#));
    expect(
        get("/alice/orders", "key-of-alice").await?,
        StatusCode::BAD_GATEWAY,
        "refused the tenant's token",
    )?;
    expect(get("/alice/orders", "key-of-alice").await?, StatusCode::UNAUTHORIZED, "has to log in")?;

    println!("6. SIGTERM, while a request is under way");
    let hold = provider.hold("/resource/slow");
    let held = {
        let origin = origin.clone();
        tokio::spawn(async move {
            call(&origin, Method::GET, "/bob/slow", "key-of-bob", RequestBody::default()).await
        })
    };
    hold.until_waiting(1).await;
    let kill = Command::new("kill").args(["-TERM", &std::process::id().to_string()]).status()?;
    right(kill.success(), "the signal was sent")?;
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    right(!held.is_finished(), "new connections are refused, and the proxy waits for the old one")?;
    hold.release();
    expect(held.await??, StatusCode::OK, "orders:bob")?;
    Ok(())
}

/// Sends what a careless caller sends, a cookie included, over a connection of its own.
async fn call(
    origin: &str,
    method: Method,
    path: &str,
    key: &str,
    body: RequestBody,
) -> Result<(StatusCode, String), BoxError> {
    let what = format!("{method} {path}");
    let request =
        Request::builder().method(method).uri(format!("{origin}{path}")).header(COOKIE, "session=1");
    let request =
        if key.is_empty() { request } else { request.header(AUTHORIZATION, format!("Bearer {key}")) };
    let (head, body) = tower_oauth::client().oneshot(request.body(body)?).await?.into_parts();
    let text = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
    println!("   {what}: {} {}", head.status, text.trim_end());
    Ok((head.status, text))
}

fn expect((status, text): (StatusCode, String), wanted: StatusCode, words: &str) -> Result<(), BoxError> {
    let is_right = status == wanted && text.contains(words);
    if is_right { Ok(()) } else { Err(format!("that is not {wanted} with {words:?}").into()) }
}

fn right(is_so: bool, what: &str) -> Result<(), BoxError> {
    println!("   {}: {what}", if is_so { "right" } else { "WRONG" });
    if is_so { Ok(()) } else { Err(format!("this is not so: {what}").into()) }
}
