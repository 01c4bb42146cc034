//! Many tenants, one of whom is picked at random for each request.

use std::collections::HashMap;
use std::sync::RwLock;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use tokio::runtime::Runtime;
use tower::Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::TokenKey;
use tower_oauth_benches::Chart;
use tower_oauth_benches::Contest;
use tower_oauth_benches::Goal;
use tower_oauth_benches::Ratios;

use crate::peers::Aws;
use crate::peers::Endpoint;
use crate::peers::Peer;
use crate::stage::Leaf;
use crate::stage::Rounds;
use crate::stage::now;
use crate::token;

const TENANTS: [usize; 5] = [1, 100, 10_000, 100_000, 1_000_000];
/// More would take more memory than a small machine has.
const MOST_OF_A_PEER: usize = 100_000;

/// As many tenants, with all that belongs to them.
struct Population {
    /// Those of the requests: of the same names as the layer's, and not the same in memory.
    keys: Vec<TokenKey>,
    layer: OAuth2Layer,
    /// What a program would keep that had to look after nothing: the header values in a vector.
    bare: Vec<HeaderValue>,
}

impl Population {
    async fn new(tenants: usize) -> Self {
        // Room for all, and for the layer's own key.
        let layer = crate::layer(crate::manager(tenants + 100)).key_per_request();
        let names = (0..tenants).map(|number| format!("tenant-{number}"));
        let keys: Vec<_> = names.map(TokenKey::new).collect();
        let mut bare = Vec::new();
        for key in &keys {
            let key = &TokenKey::new(key.as_str());
            let token = token(key);
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.access_token().expose()));
            value.iter_mut().for_each(|value| value.set_sensitive(true));
            bare.extend(value.ok());
            layer.manager().put(key, token).await.expect("it is stored");
        }
        Self { keys, layer, bare }
    }
}

/// Numbers below a bound, in an order that no cache foresees (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * bound as u128) >> 64) as usize
    }
}

pub(crate) fn run(runtime: &Runtime, ratios: &mut Ratios) -> std::io::Result<()> {
    let ours = |tenants: usize| format!("tower-oauth, {tenants}");
    let bare = |tenants: usize| format!("a bare vector, {tenants}");
    let populations: Vec<_> =
        TENANTS.into_iter().map(|tenants| runtime.block_on(Population::new(tenants))).collect();
    let mut contest = Contest::new("one thread; tenants");
    for (population, tenants) in populations.iter().zip(TENANTS) {
        contest.enter(
            bare(tenants),
            through(population, Leaf, |request, index| {
                request.headers_mut().insert(AUTHORIZATION, population.bare[index].clone());
            }),
        );
        contest.enter(ours(tenants), through(population, population.layer.layer(Leaf), |_, _| ()));
    }
    let standings = contest.run();
    let ten_thousand = standings.ratio(&ours(10_000), &ours(1));
    ratios.add("inject_10000_tenants", ten_thousand, Goal::AtMost(4.0));
    let million = standings.ratio(&ours(1_000_000), &bare(1_000_000));
    ratios.add("inject_1000000_tenants", million, Goal::AtMost(2.5));
    let mut chart = Chart::new("inject", "OAuth 2, a warm request with a key of its own", "tenants", "ns");
    for tenants in TENANTS {
        chart.point("tower-oauth", tenants as u64, standings.of(&ours(tenants)).median);
        chart.point("a bare vector of headers", tenants as u64, standings.of(&bare(tenants)).median);
    }
    peers(runtime, &populations, &mut chart);
    chart.finish()
}

/// The others, of whom only aws-smithy's cache has a place for each tenant; and what a program without any of them would do.
/// They run by themselves, so that what they need of the processor's caches is not taken from the ratios.
fn peers(runtime: &Runtime, populations: &[Population], chart: &mut Chart) {
    const MAP: &str = "a map behind a RwLock";
    let named = |name: &str, tenants: usize| format!("{name}, {tenants}");
    let maps: Vec<RwLock<HashMap<&TokenKey, HeaderValue>>> = populations
        .iter()
        .map(|population| RwLock::new(population.keys.iter().zip(population.bare.iter().cloned()).collect()))
        .collect();
    let endpoint = runtime.block_on(Endpoint::open());
    let few = populations.iter().filter(|population| population.keys.len() <= MOST_OF_A_PEER);
    let caches: Result<Vec<_>, String> = runtime.block_on(async {
        let mut caches = Vec::new();
        for population in few {
            let cache = Aws::with_tenants(&endpoint, population.keys.len())?;
            for tenant in 0..population.keys.len() {
                cache.header_of(tenant).await?;
            }
            caches.push(cache);
        }
        Ok(caches)
    });
    let caches = caches.unwrap_or_else(|reason| {
        println!("not here: {} by tenant ({reason})", Aws::NAME);
        Vec::new()
    });
    let mut contest = Contest::new("one thread; tenants; by others").rounds(101);
    for (population, map) in populations.iter().zip(&maps) {
        let look_up = |request: &mut http::Request<()>, index: usize| {
            let value = map.read().ok().and_then(|map| map.get(&population.keys[index]).cloned());
            request.headers_mut().insert(AUTHORIZATION, value.expect("it is there"));
        };
        contest.enter(named(MAP, population.keys.len()), through(population, Leaf, look_up));
    }
    for (population, cache) in populations.iter().zip(&caches) {
        cache.settle();
        let ask = |request: &mut http::Request<()>, index: usize| {
            let value = now(cache.header_of(index)).expect("it is warm");
            request.headers_mut().insert(AUTHORIZATION, value);
        };
        contest.enter(named(Aws::NAME, population.keys.len()), through(population, Leaf, ask));
    }
    for standing in contest.run().all() {
        if let Some((name, tenants)) = standing.name.rsplit_once(", ") {
            chart.point(name, tenants.parse().expect("it is a number"), standing.median);
        }
    }
}

/// Sends a request for one tenant after the other, whose key it carries, through a service.
fn through<'a, S>(
    population: &'a Population,
    service: S,
    prepare: impl Fn(&mut http::Request<()>, usize) + 'a,
) -> impl FnMut() + 'a
where
    S: tower::Service<http::Request<()>, Response = http::Response<()>> + 'a,
    S::Error: std::fmt::Debug,
{
    let mut rounds = Rounds::new(service);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    move || {
        let index = dice.below(population.keys.len());
        rounds.send_with(|request| {
            let key = population.keys[index].clone();
            // In place of the last one: its box is not measured.
            match request.extensions_mut().get_mut::<TokenKey>() {
                Some(place) => *place = key,
                None => drop(request.extensions_mut().insert(key)),
            }
            prepare(request, index);
        });
    }
}
