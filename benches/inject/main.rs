//! The warm OAuth 2 path: what it costs to put a token that is at hand on a request.
//!
//! Each contender sends a request round and round through a service to a leaf that answers at once and gives it back. "1 task"
//! has a thread to itself; 2, 8 and 64 tasks share two threads, which run at the same time, and the cost is CPU time of a
//! thread for each request.

#[allow(dead_code, reason = "shared with another bench")]
#[path = "../peers/mod.rs"]
mod peers;
mod stage;
mod tenants;

use std::time::Duration;

use tokio::runtime::Runtime;
use tower::Layer;
use tower::Service;
use tower_http::auth::AddAuthorizationLayer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::token::SourceRequest;
use tower_oauth::token::token_source_fn;
use tower_oauth_benches::Chart;
use tower_oauth_benches::Counting;
use tower_oauth_benches::Goal;
use tower_oauth_benches::Race;
use tower_oauth_benches::Ratios;
use tower_oauth_benches::Standings;

use crate::peers::Aws;
use crate::peers::Azure;
use crate::peers::Endpoint;
use crate::peers::GcpAuth;
use crate::peers::GoogleCloud;
use crate::peers::Middle;
use crate::peers::Peer;
use crate::peers::Yup;
use crate::stage::Leaf;
use crate::stage::PassThroughLayer;
use crate::stage::Rounds;
use crate::stage::WithHeader;
use crate::stage::now;

#[global_allocator]
static COUNTING: Counting = Counting;

const TASKS: [usize; 4] = [1, 2, 8, 64];
const OURS: &str = "tower-oauth";
const LEAF: &str = "bare leaf";

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut ratios = Ratios::new("inject");
    let race = one_identity(&runtime);
    let chart = &mut Chart::new("inject_tasks", "OAuth 2, a warm request", "tasks on two threads", "ns");
    for standing in race.all() {
        if let Some((name, tasks)) = standing.name.rsplit_once(", ") {
            chart.point(name, tasks.parse().expect("it is a number"), standing.median);
        }
    }
    chart.finish()?;
    let mean = |name: &str, tasks| race.of(&named(name, tasks)).median;
    let added = race.of(&named(OURS, 1)).allocations - race.of(&named(LEAF, 1)).allocations;
    // A box is an allocation: none were counted, so there are none of these either.
    ratios.add("inject_allocations", added as f64, Goal::AtMost(0.0));
    ratios.add("inject_boxes", added as f64, Goal::AtMost(0.0));
    let two_threads = race.ratio(&named(OURS, 2), &named(OURS, 1));
    ratios.add("inject_two_threads", two_threads, Goal::AtMost(1.3));
    // Beyond the leaf, which is there in both, and is no part of what either adds to a request.
    let vs_middle = race.ratio_of_beyond(&named(Middle::NAME, 2), &named(OURS, 2), &named(LEAF, 2));
    ratios.add("inject_vs_middle_two_threads", vs_middle, Goal::AtLeast(5.0));
    let added = |name, tasks| mean(name, tasks) - mean(LEAF, tasks);
    let threads = added(OURS, 2) / added(OURS, 1);
    println!(
        "\nadded to the leaf: {:.1} ns with one thread, {threads:.2} times that with two",
        added(OURS, 1)
    );
    println!(
        "middle with two threads, leaf included: {:.1} times ours",
        mean(Middle::NAME, 2) / mean(OURS, 2)
    );
    tenants::run(&runtime, &mut ratios)?;
    stage::future(&mut ratios, &mut |layer| runtime.block_on(warm(layer)));
    ratios.finish()
}

fn named(name: &str, tasks: usize) -> String {
    format!("{name}, {tasks}")
}

/// A manager whose source makes tokens that are as long as those of the large providers.
fn manager(max_keys: usize) -> TokenManager {
    let source = token_source_fn(|request: SourceRequest| async move {
        Ok(token(request.key()).expires_in(Duration::from_secs(86_400)))
    });
    TokenManager::builder(source).max_keys(max_keys).build()
}

fn token(key: &TokenKey) -> Token {
    Token::new(format!("ya29.{:0>150}", key.as_str())).expires_in(Duration::from_secs(86_400))
}

fn layer(manager: TokenManager) -> OAuth2Layer {
    let origins = Origins::one("https://api.example.com").expect("it is an origin");
    OAuth2Layer::with_manager(origins, manager)
}

async fn warm(layer: &OAuth2Layer) {
    layer.manager().token(&TokenKey::default()).await.expect("there is a token");
}

fn one_identity(runtime: &Runtime) -> Standings {
    let layer = layer(manager(100));
    runtime.block_on(warm(&layer));
    let static_token = AddAuthorizationLayer::bearer(token(&TokenKey::default()).access_token().expose());
    let endpoint = runtime.block_on(Endpoint::open());
    let middle = open::<Middle>(runtime, &endpoint);
    let yup = open::<Yup>(runtime, &endpoint);
    let gcp_auth = open::<GcpAuth>(runtime, &endpoint);
    let google_cloud = open::<GoogleCloud>(runtime, &endpoint);
    let azure = open::<Azure>(runtime, &endpoint);
    let aws = open::<Aws>(runtime, &endpoint);
    let mut race = Race::new("one identity; tasks");
    for tasks in TASKS {
        enter(&mut race, LEAF, tasks, || Leaf);
        enter(&mut race, "pass-through layer", tasks, || PassThroughLayer.layer(Leaf));
        enter(&mut race, OURS, tasks, || layer.layer(Leaf));
        enter(&mut race, "tower-http AddAuthorization", tasks, || static_token.layer(Leaf));
        enter_peer(&mut race, tasks, &middle);
        enter_peer(&mut race, tasks, &yup);
        enter_peer(&mut race, tasks, &gcp_auth);
        enter_peer(&mut race, tasks, &google_cloud);
        enter_peer(&mut race, tasks, &azure);
        enter_peer(&mut race, tasks, &aws);
    }
    race.run()
}

fn enter<'a, S>(race: &mut Race<'a>, name: &str, tasks: usize, make: impl Fn() -> S + Sync + 'a)
where
    S: Service<http::Request<()>, Response = http::Response<()>> + 'a,
    S::Error: std::fmt::Debug,
{
    race.enter(named(name, tasks), tasks, move |_| {
        let mut rounds = Rounds::new(make());
        move || rounds.send()
    });
}

/// A peer with its first token; none, if it cannot be driven here.
fn open<P: Peer>(runtime: &Runtime, endpoint: &Endpoint) -> Option<P> {
    let opened = runtime.block_on(async {
        let peer = P::open(endpoint).await?;
        peer.header().await.map(|_| peer)
    });
    opened.map_err(|reason| println!("not here: {} ({reason})", P::NAME)).ok()
}

/// A peer has no layer: it takes part through the least service that can be written for it.
fn enter_peer<'a, P: Peer>(race: &mut Race<'a>, tasks: usize, peer: &'a Option<P>) {
    let Some(peer) = peer else { return };
    race.enter(named(P::NAME, tasks), tasks, move |_| {
        peer.settle();
        let mut rounds = Rounds::new(WithHeader { inner: Leaf, header: || now(peer.header()).ok() });
        move || rounds.send()
    });
}
