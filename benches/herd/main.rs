//! A herd: many callers, released at once on a token that has expired. How often is the token endpoint asked, and how long
//! after its answer does the last caller go on?
//!
//! The callers are tasks on a runtime with two worker threads. The token endpoint is a server on this machine that takes its
//! time; a caller of ours goes through the real layer, and a peer's asks for the header.

#[allow(dead_code, reason = "shared with another bench")]
#[path = "../peers/mod.rs"]
mod peers;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use http::Request;
use http::Response;
use tokio::sync::Barrier;
use tokio::sync::Notify;
use tower::Layer;
use tower::ServiceExt;
use tower::service_fn;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::TokenKey;
use tower_oauth_benches::Goal;
use tower_oauth_benches::Ratios;

use crate::peers::Azure;
use crate::peers::Endpoint;
use crate::peers::GcpAuth;
use crate::peers::GoogleCloud;
use crate::peers::Peer;
use crate::peers::Yup;

/// How long the token endpoint takes.
const DELAY: Duration = Duration::from_millis(100);
/// How often it is done; the median counts.
const ROUNDS: usize = 5;

/// What a herd did.
struct Stampede {
    requests: u64,
    release: Duration,
}

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut ratios = Ratios::new("herd");
    println!("{:<24} {:>8} {:>16} {:>24}", "", "callers", "token requests", "last release after, ms");
    for callers in [1_000, 10_000] {
        let ours = runtime.block_on(ours(callers)).expect("ours can be driven");
        if callers == 10_000 {
            ratios.add("herd_token_requests_10000", ours.requests as f64, Goal::AtMost(1.0));
        }
        tell("tower-oauth", callers, Ok(ours));
        tell(Azure::NAME, callers, runtime.block_on(theirs::<Azure>(callers)));
        tell(GcpAuth::NAME, callers, runtime.block_on(theirs::<GcpAuth>(callers)));
        tell(GoogleCloud::NAME, callers, runtime.block_on(theirs::<GoogleCloud>(callers)));
        if callers == 1_000 {
            tell(Yup::NAME, callers, runtime.block_on(theirs::<Yup>(callers)));
        }
    }
    println!("not here: yup-oauth2 with 10000 callers (a connection for each is more than this machine has)");
    println!(
        "not here: middle (its callers do not wait: a task renews the token, and they get an error meanwhile)"
    );
    for (name, reason) in peers::ABSENT {
        println!("not here: {name} ({reason})");
    }
    ratios.finish()
}

fn tell(name: &str, callers: usize, herd: Result<Stampede, String>) {
    match herd {
        Ok(Stampede { requests, release }) => {
            println!("{name:<24} {callers:>8} {requests:>16} {:>24.2}", release.as_secs_f64() * 1e3);
        }
        Err(reason) => println!("not here: {name} with {callers} callers ({reason})"),
    }
}

async fn ours(callers: usize) -> Result<Stampede, String> {
    let endpoint = Endpoint::open().await;
    rounds(&endpoint, async || {
        let auth = ClientAuth::basic("client", "secret");
        let grant = ClientCredentials::new(&endpoint.url(), auth, tower_oauth::client());
        let grant = grant.map_err(|error| error.to_string())?;
        let origins = Origins::one("https://api.example.com").map_err(|error| error.to_string())?;
        let layer = OAuth2Layer::new(origins, grant);
        layer.manager().token(&TokenKey::default()).await.map_err(|error| error.to_string())?;
        let leaf = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
        let service = layer.layer(leaf);
        stampede(&endpoint, callers, move || {
            let service = service.clone();
            async move {
                let mut request = Request::new(());
                *request.uri_mut() = http::Uri::from_static("https://api.example.com/");
                service.oneshot(request).await.map(drop).map_err(|error| error.to_string())
            }
        })
        .await
    })
    .await
}

async fn theirs<P: Peer>(callers: usize) -> Result<Stampede, String> {
    let endpoint = Endpoint::open().await;
    rounds(&endpoint, async || {
        let peer = Arc::new(P::open(&endpoint).await?);
        peer.header().await?;
        stampede(&endpoint, callers, move || {
            let peer = Arc::clone(&peer);
            async move { peer.header().await.map(drop) }
        })
        .await
    })
    .await
}

/// The medians of some rounds, each of which begins with a token that lives for a second.
async fn rounds(
    endpoint: &Endpoint,
    round: impl AsyncFn() -> Result<Stampede, String>,
) -> Result<Stampede, String> {
    let mut all = Vec::new();
    for _ in 0..ROUNDS {
        endpoint.begin(Duration::from_secs(1), Duration::ZERO);
        all.push(round().await?);
    }
    all.sort_by_key(|stampede| stampede.release);
    let requests = all.iter().map(|stampede| stampede.requests).max().unwrap_or(0);
    let release = all.get(all.len() / 2).map_or(Duration::ZERO, |stampede| stampede.release);
    Ok(Stampede { requests, release })
}

/// Lets a token expire, then lets all callers go at once.
async fn stampede<F>(endpoint: &Endpoint, callers: usize, call: impl Fn() -> F) -> Result<Stampede, String>
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    // Here the clock on the wall is what is measured.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    endpoint.begin(Duration::from_secs(86_400), DELAY);
    let ready = Arc::new(Barrier::new(callers + 1));
    let gate = Arc::new(Notify::new());
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (ready, gate, call) = (Arc::clone(&ready), Arc::clone(&gate), call());
            tokio::spawn(async move {
                let opened = gate.notified();
                let mut opened = std::pin::pin!(opened);
                // Registered before it says that it is ready.
                opened.as_mut().enable();
                ready.wait().await;
                opened.await;
                let outcome = call.await;
                outcome.map(|()| Instant::now())
            })
        })
        .collect();
    ready.wait().await;
    gate.notify_waiters();
    let mut last = None;
    for task in tasks {
        last = last.max(Some(task.await.map_err(|error| error.to_string())??));
    }
    let answered = endpoint.first_answer().ok_or("the token endpoint was not asked")?;
    let release = last.unwrap_or(answered).saturating_duration_since(answered);
    Ok(Stampede { requests: endpoint.requests(), release })
}
