//! kube with tokens of OAuth 2 in place of what is in the kubeconfig: for a cluster behind an authorization server, whose tokens
//! a service gets with client credentials.
//!
//! ```sh
//! cargo run -p tower-oauth-examples --bin kube
//! ```
//!
//! Features of tower-oauth: `client`; `testing` for the embedded provider.
//!
//! Without configuration, the cluster is a few answers of an API server behind `tower_oauth::testing::Provider`, on a port
//! of this machine. With these variables it is a real one:
//!
//! | variable | what |
//! |---|---|
//! | `KUBE_API_URL` | the API server, such as `https://cluster.example.com:6443`; without it, the cluster of your kubeconfig, with its certificates, where `TOKEN_URL` is set |
//! | `TOKEN_URL`, `CLIENT_ID`, `CLIENT_SECRET` | where tokens come from |
//! | `SCOPE` | what they are to be good for; none by default |
//!
//! You will see pods, a watch that begins with a refused token, and how often tokens were asked for. Of a real cluster you
//! will see the pods of the default namespace.

use std::env;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::Client;
use kube::Config;
use kube::ResourceExt;
use kube::api::ListParams;
use kube::api::WatchEvent;
use kube::api::WatchParams;
use kube::client::ClientBuilder;
use kube::config::AuthInfo;
use serde_json::json;
use tower::BoxError;
use tower::buffer::BufferLayer;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::TokenManager;
use tower_oauth::body::Buffered;
use tower_oauth::client;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;
use tower_oauth_examples::stand_in;
use tower_oauth_examples::stand_in::check;

const LIFETIME: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    match env::var("TOKEN_URL") {
        Ok(token_url) => cluster(&token_url).await,
        Err(_) => embedded().await,
    }
}

/// kube's own stack, with the layer around it. What kube makes of a `Config` is not `Clone`, and a layer asks for that: the
/// buffer between the two is.
fn connect(mut config: Config, manager: TokenManager) -> Result<Client, BoxError> {
    // The layer's token takes its place.
    config.auth_info = AuthInfo::default();
    // The layer sees `/api/v1/pods` and the like, before kube puts the cluster's URL in front; this is what they stand for.
    let url = &config.cluster_url;
    let authority = url.authority().ok_or("the cluster's URL has no host")?;
    let cluster = Origins::one(&format!("{}://{authority}", url.scheme_str().unwrap_or("https")))?;
    let tokens = OAuth2Layer::with_manager(cluster, manager).body_policy(Buffered::default());
    Ok(ClientBuilder::try_from(config)?.with_layer(&BufferLayer::new(1024)).with_layer(&tokens).build())
}

/// The real thing.
async fn cluster(token_url: &str) -> Result<(), BoxError> {
    let setting = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
    let config = match env::var("KUBE_API_URL") {
        Ok(url) => Config::new(url.parse()?),
        Err(_) => Config::infer().await?,
    };
    let auth = ClientAuth::basic(setting("CLIENT_ID")?, setting("CLIENT_SECRET")?.as_str());
    let mut grant = ClientCredentials::new(token_url, auth, client())?;
    if let Ok(scope) = env::var("SCOPE") {
        grant = grant.scope(&scope);
    }
    println!("The cluster is {}", config.cluster_url);
    let client = connect(config, TokenManager::builder(grant).build())?;
    for pod in Api::<Pod>::default_namespaced(client).list(&ListParams::default()).await? {
        println!("{}", pod.name_any());
    }
    Ok(())
}

/// Everything on this machine.
async fn embedded() -> Result<(), BoxError> {
    println!("TOKEN_URL is not set: the cluster is a stand-in behind the embedded provider.");
    // One clock for both sides, so that ten minutes pass when we say so. Yours needs none of this.
    let clock = ManualClock::new();
    let server =
        Provider::builder().test_clients().access_token_lifetime(LIFETIME).clock(clock.clone()).build();
    let api = stand_in::serve(&server, few_answers()).await?;

    let auth = ClientAuth::basic("test-client", "test-secret");
    let grant = ClientCredentials::new(&format!("{api}/token"), auth, client())?;
    let manager = TokenManager::builder(grant).clock(clock.clone()).build();
    let client = connect(Config::new(api.parse()?), manager)?;
    let pods = Api::<Pod>::default_namespaced(client);

    println!("\n1. The pods");
    for pod in pods.list(&ListParams::default()).await? {
        println!("   {}", pod.name_any());
    }
    check(server.stats().token_requests == 1, "one token was asked for")?;

    println!("\n2. Ten minutes later, twenty lists at once");
    clock.advance(LIFETIME);
    let parameters = ListParams::default();
    let lists = futures_util::future::try_join_all((0..20).map(|_| pods.list(&parameters))).await?;
    check(lists.iter().all(|list| list.items.len() == 1), "all of them were answered")?;
    check(server.stats().token_requests == 2, "one token was asked for")?;
    check(server.stats().resource.expired == 0, "the old one was not sent any more")?;

    println!("\n3. The token is revoked behind our back, and a watch begins");
    server.revoke_all_access_tokens();
    let mut events = pods.watch(&WatchParams::default(), "0").await?.boxed();
    while let Some(event) = events.next().await {
        if let WatchEvent::Added(pod) = event? {
            println!("   added: {}", pod.name_any());
        }
    }
    let stats = server.stats();
    let is_so = stats.resource.revoked == 1 && stats.token_requests == 3;
    check(is_so, "it was refused, and sent again with a new token")?;

    println!("\nAll is as it should be.");
    Ok(())
}

/// A list of pods, and a watch that ends at once.
fn few_answers() -> Router {
    let metadata = json!({ "name": "web-0", "resourceVersion": "1" });
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata });
    let list = json!({ "apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [&pod] }).to_string();
    let watch = format!("{}\n", json!({ "type": "ADDED", "object": pod }));
    let pods = move |request: Request| async move {
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        ([("content-type", "application/json")], if is_watch { watch } else { list })
    };
    Router::new().route("/api/v1/namespaces/default/pods", get(pods))
}
