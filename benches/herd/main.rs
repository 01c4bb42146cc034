//! A herd: many callers, released at once on a token that has expired. How often is the token endpoint asked, and how long
//! after its answer does the last caller go on?
//!
//! The callers are tasks on a runtime with two worker threads. The token endpoint is a server on this machine that takes its
//! time; a caller of ours goes through the real layer, and a peer's asks for the header.
//!
//! Some peers renew their token by a task of their own, ahead of time. Theirs expires because the token endpoint is slow: the
//! renewal is on its way when the callers come. Callers who get an error instead of a header are counted; the last release is that
//! of those who got one.

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
use tokio::runtime::Runtime;
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

use crate::peers::Aws;
use crate::peers::Azure;
use crate::peers::Endpoint;
use crate::peers::GcpAuth;
use crate::peers::GoogleCloud;
use crate::peers::Middle;
use crate::peers::Peer;
use crate::peers::Renewal;
use crate::peers::Yup;

/// How long the token endpoint takes.
const DELAY: Duration = Duration::from_millis(100);
/// How long a token lives that is going to expire.
const LIFETIME: Duration = Duration::from_secs(1);
/// How long it is waited for that.
const UNTIL_EXPIRED: Duration = Duration::from_millis(1_200);
/// How often it is done; the median counts.
const ROUNDS: usize = 5;

/// What a herd did.
struct Stampede {
    /// Of the token endpoint, until the last caller was done.
    requests: u64,
    /// From the token endpoint's first answer until the last caller had a header; none, if nobody got one.
    release: Option<Duration>,
    /// Callers who got an error.
    failed: usize,
    /// One of the errors.
    error: Option<String>,
}

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut ratios = Ratios::new("herd");
    println!(
        "{:<26} {:>8} {:>16} {:>16} {:>24}",
        "", "callers", "token requests", "callers failed", "last release after, ms"
    );
    for callers in [1_000, 10_000] {
        let ours = runtime.block_on(ours(callers)).expect("ours can be driven");
        assert_eq!(ours.failed, 0, "{:?}", ours.error);
        if callers == 10_000 {
            ratios.add("herd_token_requests_10000", ours.requests as f64, Goal::AtMost(1.0));
        }
        tell("tower-oauth", callers, Ok(ours));
        peer::<Azure>(&runtime, callers);
        peer::<Aws>(&runtime, callers);
        peer::<GcpAuth>(&runtime, callers);
        peer::<GoogleCloud>(&runtime, callers);
        peer::<Middle>(&runtime, callers);
        if callers == 1_000 {
            peer::<Yup>(&runtime, callers);
        }
    }
    println!(
        "not here: yup-oauth2 with 10000 callers (a connection for each caller is more file descriptors than most machines allow)"
    );
    ratios.finish()
}

fn peer<P: Peer>(runtime: &Runtime, callers: usize) {
    tell(P::NAME, callers, runtime.block_on(theirs::<P>(callers)));
}

fn tell(name: &str, callers: usize, herd: Result<Stampede, String>) {
    match herd {
        Ok(Stampede { requests, release, failed, error }) => {
            let release = release
                .map_or_else(|| "-".to_owned(), |release| format!("{:.2}", release.as_secs_f64() * 1e3));
            println!("{name:<26} {callers:>8} {requests:>16} {failed:>16} {release:>24}");
            if let Some(error) = error {
                println!("  they failed with: {error}");
            }
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
        stampede(&endpoint, Renewal::OnDemand, callers, move || {
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
        stampede(&endpoint, P::RENEWAL, callers, move || {
            let peer = Arc::clone(&peer);
            async move { peer.header().await.map(drop) }
        })
        .await
    })
    .await
}

/// The medians of some rounds, each of which begins with a token that does not live long.
async fn rounds(
    endpoint: &Endpoint,
    round: impl AsyncFn() -> Result<Stampede, String>,
) -> Result<Stampede, String> {
    let mut all = Vec::new();
    for _ in 0..ROUNDS {
        endpoint.begin(LIFETIME, Duration::ZERO);
        all.push(round().await?);
    }
    all.sort_by_key(|stampede| stampede.release);
    let requests = all.iter().map(|stampede| stampede.requests).max().unwrap_or(0);
    let failed = all.iter().map(|stampede| stampede.failed).max().unwrap_or(0);
    let error = all.iter_mut().find_map(|stampede| stampede.error.take());
    let release = all.get(all.len() / 2).and_then(|stampede| stampede.release);
    Ok(Stampede { requests, release, failed, error })
}

/// Lets a token expire, then lets all callers go at once.
async fn stampede<F>(
    endpoint: &Endpoint,
    renewal: Renewal,
    callers: usize,
    call: impl Fn() -> F,
) -> Result<Stampede, String>
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
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
    // Here the clock on the wall is what is measured. From now on tokens live for long.
    let long = Duration::from_secs(86_400);
    match renewal {
        Renewal::OnDemand => {
            tokio::time::sleep(UNTIL_EXPIRED).await;
            endpoint.begin(long, DELAY);
        }
        Renewal::Background => {
            endpoint.begin(long, UNTIL_EXPIRED + DELAY);
            tokio::time::sleep(UNTIL_EXPIRED).await;
        }
    }
    gate.notify_waiters();
    let (mut last, mut failed, mut error) = (None, 0, None);
    for task in tasks {
        match task.await.map_err(|error| error.to_string())? {
            Ok(released) => last = last.max(Some(released)),
            Err(reason) => {
                failed += 1;
                error = Some(reason);
            }
        }
    }
    let release = match (last, endpoint.first_answer()) {
        (Some(last), Some(answered)) => Some(last.saturating_duration_since(answered)),
        (Some(_), None) => return Err("nobody waited for the token endpoint".to_owned()),
        (None, _) => None,
    };
    Ok(Stampede { requests: endpoint.requests(), release, failed, error })
}
