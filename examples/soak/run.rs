//! The soak itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep};
use tower::BoxError;
use tower_oauth::testing::Provider;

use super::arguments::Arguments;
use super::client::{LANES, Tally, World};
use super::clock::SoakClock;
use super::dice::Dice;
use super::judge::{Judge, LIFETIME};
use super::server::Server;
use super::verdict::Verdict;

/// The longest pause between two revocations, with 64 clients.
const REVOCATIONS: Duration = Duration::from_millis(40);
const PROGRESS: Duration = Duration::from_secs(5);
/// How long the last requests may take.
const GRACE: Duration = Duration::from_secs(40);

/// Gives the last line, and whether all promises were kept.
pub fn run(arguments: &Arguments) -> Result<(String, bool), BoxError> {
    eprintln!(
        "soak: {} clients, {} requests each at a time, for {} s; --seed {}",
        arguments.clients, LANES, arguments.seconds, arguments.seed
    );
    let dice = Dice::new(arguments.seed);
    let clock = SoakClock::new();
    let provider =
        Provider::builder().test_clients().access_token_lifetime(LIFETIME).clock(clock.clone()).build();
    let server = Server::new(provider.clone(), clock.clone(), dice.fork(u64::MAX));

    // The other side has threads of its own, as if it were another process.
    let (theirs, ours) = (runtime(1)?, runtime(2)?);
    let origin = theirs.block_on(server.listen())?;
    let world = World {
        origin,
        clock,
        judge: Arc::clone(&server.judge),
        tally: Arc::default(),
        sabotage: arguments.sabotage,
        stop: Arc::default(),
    };
    ours.block_on(drive(arguments, &world, &provider, &dice))?;
    let verdict = Verdict::new(arguments, world.judge.counts(), &world.tally, provider.stats());
    for broken in verdict.broken() {
        eprintln!("soak: {broken}");
    }
    Ok((verdict.line(), verdict.broken().is_empty()))
}

fn runtime(threads: usize) -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}

async fn drive(
    arguments: &Arguments,
    world: &World,
    provider: &Provider,
    dice: &Dice,
) -> Result<(), BoxError> {
    let clients = world.clients(arguments.clients, provider).await?;
    let mut lanes = JoinSet::new();
    for (number, client) in clients.iter().flat_map(|client| std::iter::repeat_n(client, LANES)).enumerate() {
        lanes.spawn(client.clone().drive(dice.fork(number as u64)));
    }
    let revoking =
        tokio::spawn(revoke(world.clone(), provider.clone(), arguments.clients, dice.fork(1 << 32)));

    let began = Instant::now();
    let end = began + Duration::from_secs(arguments.seconds);
    let mut progress = interval_at(began + PROGRESS, PROGRESS);
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(end) => break,
            _ = progress.tick() => report(arguments, &world.judge, &world.tally, began),
        }
    }
    world.stop.store(true, Ordering::Relaxed);
    revoking.abort();
    let ended = async { while lanes.join_next().await.is_some() {} };
    tokio::time::timeout(GRACE, ended).await.map_err(|_| "the last requests do not come to an end".into())
}

/// Revokes the tokens of clients at random, behind their backs.
async fn revoke(world: World, provider: Provider, clients: usize, mut dice: Dice) {
    let longest = REVOCATIONS.mul_f64(64.0 / clients as f64);
    loop {
        sleep(dice.up_to(longest)).await;
        // Now and then, the next one is caught on its way.
        let times = if dice.once_in(8) { 2 } else { 1 };
        let client = dice.below(clients);
        for _ in 0..times {
            if let Some(token) = world.judge.revoke(client, world.clock.elapsed()) {
                provider.revoke(&token);
            }
            if times > 1 {
                sleep(dice.up_to(Duration::from_millis(60))).await;
            }
        }
    }
}

fn report(arguments: &Arguments, judge: &Judge, tally: &Tally, began: Instant) {
    let counts = judge.counts();
    eprintln!(
        "soak: {} of {} s: {} requests, {} tokens, {} revocations, {} refused, {} refused twice, {} errors",
        began.elapsed().as_secs(),
        arguments.seconds,
        counts.requests,
        counts.tokens,
        counts.revocations,
        counts.refused,
        tally.refused_twice.load(Ordering::Relaxed),
        tally.errors.load(Ordering::Relaxed),
    );
}
