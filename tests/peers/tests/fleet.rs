//! Eight processes on one store, against oidc-provider: it rotates refresh tokens, and ends the login of one that it sees
//! twice.
//!
//! `PEER_GENERATIONS` says how often all of them need a new token; the processes are killed in the second half of the tests.

use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::PoisonError;

use tower_oauth_peers::fleet::Verdict;
use tower_oauth_peers::fleet::run_fleet;
use tower_oauth_peers::oidc_provider::OidcProvider;

static PROVIDER: LazyLock<OidcProvider> = LazyLock::new(OidcProvider::start);

#[test]
fn a_fleet_on_a_file_makes_one_token_request_for_each_generation() {
    one_request_for_each_generation("file");
}

#[test]
fn a_fleet_on_sqlite_makes_one_token_request_for_each_generation() {
    one_request_for_each_generation("sqlite");
}

#[test]
fn a_fleet_on_postgres_makes_one_token_request_for_each_generation() {
    one_request_for_each_generation("postgres");
}

#[test]
fn a_fleet_on_redis_makes_one_token_request_for_each_generation() {
    one_request_for_each_generation("redis");
}

#[test]
fn a_fleet_on_a_file_survives_that_processes_are_killed() {
    survives_kills("file");
}

#[test]
fn a_fleet_on_sqlite_survives_that_processes_are_killed() {
    survives_kills("sqlite");
}

#[test]
fn a_fleet_on_postgres_survives_that_processes_are_killed() {
    survives_kills("postgres");
}

#[test]
fn a_fleet_on_redis_survives_that_processes_are_killed() {
    survives_kills("redis");
}

#[test]
fn a_fleet_whose_leases_mean_nothing_is_found_out() {
    let verdict = run_fleet(&["--store", "file", "--generations", "20", "--sabotage", "lease"]);
    assert_eq!(verdict.code, Some(1), "{verdict:?}");
    assert!(verdict.count("token_requests") > verdict.count("generations"), "{verdict:?}");
}

#[test]
fn a_fleet_that_cannot_be_run_as_asked_says_so() {
    for arguments in [
        &["--store", "papyrus"][..],
        &["--store", "file", "--processes", "0"],
        &["--processes", "8"],
        &["--store", "file", "--issuer", "https://auth.example.com"],
        &["--store", "file", "--issuer", "http://127.0.0.1:1"],
    ] {
        assert_eq!(run_fleet(arguments).code, Some(2), "{arguments:?}");
    }
}

fn one_request_for_each_generation(store: &str) {
    let generations = generations(10);
    let (verdict, counted) = run(&["--store", store, "--generations", &generations.to_string()]);
    verdict.assert_ok();
    assert_eq!(verdict.count("processes"), 8);
    assert_eq!(verdict.count("token_requests"), generations);
    // The server counts the login as well, and the last one, which shows that the login is still good.
    assert_eq!(counted, Counted { token_requests: generations + 2, grants_revoked: 0 });
}

fn survives_kills(store: &str) {
    let generations = generations(6);
    let (verdict, counted) = run(&["--store", store, "--generations", &generations.to_string(), "--kill"]);
    verdict.assert_ok();
    let (requests, kills, lost) =
        (verdict.count("token_requests"), verdict.count("kills"), verdict.count("logins_lost"));
    assert!(kills > 0 && requests <= generations + kills, "{verdict:?}");
    assert!(lost <= kills, "{verdict:?}");
    assert_eq!(counted.grants_revoked, lost, "{verdict:?}");
    assert_eq!(counted.token_requests, requests + verdict.count("logins") + 1, "{verdict:?}");
}

/// What the server itself counted meanwhile.
#[derive(Debug, PartialEq)]
struct Counted {
    token_requests: u64,
    grants_revoked: u64,
}

/// Runs a fleet against oidc-provider.
fn run(arguments: &[&str]) -> (Verdict, Counted) {
    // All are the same client there, so they are counted one after the other.
    static COUNTING: Mutex<()> = Mutex::new(());
    let _counting = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let count = || {
        runtime
            .block_on(async { (PROVIDER.token_requests("web").await, PROVIDER.hits("grant revoked").await) })
    };
    let before = count();
    let (issuer, api) = (PROVIDER.origin(), PROVIDER.api());
    let verdict = run_fleet(&[arguments, &["--issuer", &issuer, "--api", &api]].concat());
    let after = count();
    (verdict, Counted { token_requests: after.0 - before.0, grants_revoked: after.1 - before.1 })
}

fn generations(otherwise: u64) -> u64 {
    match std::env::var("PEER_GENERATIONS") {
        Ok(number) => number.parse().expect("PEER_GENERATIONS is a number"),
        Err(_) => otherwise,
    }
}
