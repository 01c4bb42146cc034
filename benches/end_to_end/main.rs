//! What a credential costs of a whole request: a client and a server on this machine, 64 connections, bare and with each layer.
//!
//! Everything runs in this process, on two threads. Contenders take turns, and a ratio is the median of the ratios of the rounds;
//! here it is requests per second of the wall's clock, because that is what a user gets, with CPU time per request beside it.

mod contender;
mod server;

use std::time::Duration;
use std::time::Instant;

use tokio::task::JoinSet;
use tower_oauth_benches::Goal;
use tower_oauth_benches::Ratios;
use tower_oauth_benches::process_time;

use crate::contender::Contender;
use crate::server::Server;

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 31;
/// Requests of one connection in a turn.
const REQUESTS: usize = 60;

struct Turn {
    wall: Duration,
    cpu: Duration,
}

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut ratios = Ratios::new("end_to_end");
    for version in [http::Version::HTTP_11, http::Version::HTTP_2] {
        let name = if version == http::Version::HTTP_11 { "http1" } else { "http2" };
        let rounds = runtime.block_on(measure(version));
        print(name, &rounds);
        let speed = |contender: &str| {
            let mut speeds: Vec<f64> =
                rounds.iter().map(|round| seconds(round, "bare") / seconds(round, contender)).collect();
            speeds.sort_by(f64::total_cmp);
            speeds[speeds.len() / 2]
        };
        ratios.add(format!("end_to_end_oauth1_{name}"), speed("OAuth 1"), Goal::AtLeast(0.93));
        ratios.add(format!("end_to_end_oauth2_{name}"), speed("OAuth 2"), Goal::AtLeast(0.93));
    }
    ratios.finish()
}

type Round = Vec<(&'static str, Turn)>;

fn seconds(round: &Round, name: &str) -> f64 {
    let turn = round.iter().find(|(other, _)| *other == name).map(|(_, turn)| turn);
    turn.unwrap_or_else(|| panic!("nobody called {name} took part")).wall.as_secs_f64()
}

async fn measure(version: http::Version) -> Vec<Round> {
    let server = Server::start().await;
    let contenders = Contender::all(version, &server.origin);
    for contender in &contenders {
        // Connections, the first token, and the code itself are warm after this.
        turn(contender).await;
        let expected = CONNECTIONS * REQUESTS;
        let seen = server.take();
        assert_eq!(seen.requests, expected, "{}", contender.name);
        let credentials = if contender.is_bare() { 0 } else { expected };
        assert_eq!(seen.credentials, credentials, "{}", contender.name);
    }
    let mut rounds = Vec::new();
    for number in 0..ROUNDS {
        let mut round = Round::new();
        for place in 0..contenders.len() {
            let contender = &contenders[(place + number) % contenders.len()];
            round.push((contender.name, turn(contender).await));
        }
        rounds.push(round);
    }
    rounds
}

/// All connections send all their requests, each one after the other.
async fn turn(contender: &Contender) -> Turn {
    let (wall, cpu) = (Instant::now(), process_time());
    let tasks: JoinSet<()> = contender.connections.iter().map(|connection| connection(REQUESTS)).collect();
    tasks.join_all().await;
    Turn { wall: wall.elapsed(), cpu: process_time() - cpu }
}

fn print(name: &str, rounds: &[Round]) {
    println!("\n{name:<30} {:>14} {:>16}", "requests/s", "CPU µs/request");
    let requests = (CONNECTIONS * REQUESTS) as f64;
    let mut names: Vec<&str> = rounds[0].iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    for contender in names {
        let median = |of: &dyn Fn(&Turn) -> f64| {
            let turns = rounds.iter().flatten().filter(|(other, _)| *other == contender);
            let mut values: Vec<f64> = turns.map(|(_, turn)| of(turn)).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let speed = median(&|turn| requests / turn.wall.as_secs_f64());
        let cpu = median(&|turn| turn.cpu.as_secs_f64() * 1e6 / requests);
        println!("  {contender:<28} {speed:>14.0} {cpu:>16.1}");
    }
}
