//! Prints the page that Prometheus would get from a program whose requests go through the layers.
//!
//! ```sh
//! cargo run -p tower-oauth-examples --bin metrics
//! ```
//!
//! Features of tower-oauth: `metrics`; `testing` for the embedded provider.
//!
//! It needs no configuration, talks to the embedded provider inside of this process, and ends by itself. With
//! `LISTEN=127.0.0.1:9000` it goes on and serves the page at `http://127.0.0.1:9000/metrics` until Ctrl-C.
//!
//! You will see a line for each thing that happens (a first token, forty requests, a renewal, a refusal, a server that is down, a
//! signature), then the page: what `docs/observability.md` has in its table, with buckets for times and ages. It fails when
//! something is missing on the page.

use std::env;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http_body_util::Full;
use metrics_exporter_prometheus::Matcher;
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tower::BoxError;
use tower::Layer;
use tower::ServiceExt;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Credentials;
use tower_oauth::OAuth1Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::TokenManager;
use tower_oauth::body::FromBytes;
use tower_oauth::testing::Fault;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;

const LIFETIME: Duration = Duration::from_secs(3_600);

/// Upper bounds of the buckets, in seconds: of what is waited for, and of the age of tokens.
const TIMES: &[f64] = &[0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0];
const AGES: &[f64] = &[60.0, 300.0, 900.0, 1_800.0, 3_600.0, 86_400.0];

/// What has to be on the page after the scenario.
const EXPECTED: &[&str] = &[
    r#"tower_oauth_refreshes_total{manager="orders",reason="first",outcome="refreshed"} 1"#,
    r#"tower_oauth_refreshes_total{manager="orders",reason="expired",outcome="refreshed"} 1"#,
    r#"tower_oauth_refreshes_total{manager="orders",reason="refused",outcome="refreshed"} 1"#,
    r#"tower_oauth_refused_total{manager="orders",protocol="oauth2",status="401"} 1"#,
    r#"tower_oauth_retries_total{manager="orders",protocol="oauth2",reason="token_refused"} 1"#,
    r#"tower_oauth_refresh_failures_total{manager="broken",error_kind="unexpected_status"} 1"#,
    r#"tower_oauth_signatures_total{method="HMAC-SHA1",placement="header"} 1"#,
    "tower_oauth_token_age_seconds_bucket",
    "tower_oauth_wait_duration_seconds_sum",
    "tower_oauth_store_operation_duration_seconds_count",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    // Without buckets, the exporter makes summaries, which cannot be added up over several processes.
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), TIMES)?
        .set_buckets_for_metric(Matcher::Full("tower_oauth_token_age_seconds".to_owned()), AGES)?
        .build_recorder();
    let page = recorder.handle();
    metrics::set_global_recorder(recorder)?;

    requests_with_tokens().await?;
    a_server_that_is_down().await?;
    a_signed_request().await?;

    let text = page.render();
    println!("\n{text}");
    for line in EXPECTED {
        if !text.contains(line) {
            return Err(format!("this is missing on the page: {line}").into());
        }
    }
    match env::var("LISTEN") {
        Ok(address) => serve(&address, page).await,
        Err(_) => Ok(()),
    }
}

async fn requests_with_tokens() -> Result<(), BoxError> {
    // One clock for both sides, so that an hour passes when we say so. Yours needs none of this.
    let clock = ManualClock::new();
    let provider =
        Provider::builder().test_clients().access_token_lifetime(LIFETIME).clock(clock.clone()).build();
    let auth = ClientAuth::basic("test-client", "test-secret");
    let grant = ClientCredentials::new("http://localhost/token", auth, provider.client())?;
    // The name is the label `manager`: one for each provider, not for each user.
    let manager = TokenManager::builder(grant).clock(clock.clone()).name("orders").build();
    let layer = OAuth2Layer::with_manager(Origins::one("http://localhost")?, manager).body_policy(FromBytes);
    let orders = layer.layer(provider.clone());
    let call = async || -> Result<(), BoxError> {
        let request = Request::get("http://localhost/resource").body(Full::<Bytes>::default())?;
        let status = orders.clone().oneshot(request).await?.status();
        if status == StatusCode::OK { Ok(()) } else { Err(format!("the API said {status}").into()) }
    };

    println!("The first request waits for a token; the next forty, a minute apart, have one.");
    for _ in 0..=40 {
        call().await?;
        clock.advance(Duration::from_secs(60));
    }
    println!("An hour later the token has expired: one request waits for another.");
    clock.advance(LIFETIME);
    call().await?;
    println!("It is revoked: the API refuses it, and the request is sent again with a new one.");
    provider.revoke_all_access_tokens();
    call().await
}

async fn a_server_that_is_down() -> Result<(), BoxError> {
    println!("A token endpoint is down: one attempt, as it was asked for, and the request fails.");
    let provider = Provider::new();
    provider.inject(Fault::new().on("/token").status(StatusCode::SERVICE_UNAVAILABLE).times(1));
    let auth = ClientAuth::basic("test-client", "test-secret");
    let grant = ClientCredentials::new("http://localhost/token", auth, provider.client())?;
    let manager = TokenManager::builder(grant).attempts(1).name("broken").build();
    let layer = OAuth2Layer::with_manager(Origins::one("http://localhost")?, manager);
    let request = Request::get("http://localhost/resource").body(Full::<Bytes>::default())?;
    match layer.layer(provider).oneshot(request).await {
        Ok(_) => Err("it was to fail".into()),
        Err(error) => {
            println!("  {error}");
            Ok(())
        }
    }
}

async fn a_signed_request() -> Result<(), BoxError> {
    println!("OAuth 1: a request is signed.");
    let credentials = Credentials::new("consumer-key", "consumer-secret").token("token", "token-secret");
    let layer = OAuth1Layer::new(Origins::one("http://localhost")?, credentials);
    let request = Request::get("http://localhost/oauth1/resource").body(Full::<Bytes>::default())?;
    layer.layer(Provider::new()).oneshot(request).await?;
    Ok(())
}

async fn serve(address: &str, page: PrometheusHandle) -> Result<(), BoxError> {
    let listener = TcpListener::bind(address).await?;
    println!("The page is at http://{}/metrics until Ctrl-C.", listener.local_addr()?);
    let app = Router::new().route(
        "/metrics",
        get(move || {
            let page = page.clone();
            async move {
                // Keeps the memory of histograms bounded; a program with a listener of its own does so every few seconds.
                page.run_upkeep();
                page.render()
            }
        }),
    );
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    Ok(axum::serve(listener, app).with_graceful_shutdown(stop).await?)
}
