//! The token manager through its public API: a token server and a store that a test scripts, a clock that it moves.
//!
//! `token_manager/README.md` says for each fault which test shows what becomes of it.

#![cfg(feature = "oauth2")]

#[path = "token_manager/attempts.rs"]
mod attempts;
#[path = "token_manager/by_hand.rs"]
mod by_hand;
#[path = "token_manager/cancellation.rs"]
mod cancellation;
#[cfg(feature = "client")]
#[path = "token_manager/connections.rs"]
mod connections;
#[path = "token_manager/endings.rs"]
mod endings;
#[path = "token_manager/expiry.rs"]
mod expiry;
#[path = "token_manager/failures.rs"]
mod failures;
#[path = "token_manager/fleet.rs"]
mod fleet;
#[path = "token_manager/keys.rs"]
mod keys;
#[path = "token_manager/logins.rs"]
mod logins;
#[path = "token_manager/lost_answers.rs"]
mod lost_answers;
#[path = "token_manager/persistence.rs"]
mod persistence;
#[path = "token_manager/readers.rs"]
mod readers;
#[path = "token_manager/refusals.rs"]
mod refusals;
#[path = "token_manager/runtimes.rs"]
mod runtimes;
#[path = "token_manager/server.rs"]
mod server;
#[path = "token_manager/store.rs"]
mod store;

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::SystemTime;

use tokio::time::Instant;
use tower_oauth::Clock;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::token::Event;
use tower_oauth::token::TokenManagerBuilder;

use crate::server::Server;
use crate::store::Store;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Past the moment at which a token of an hour is renewed: 75 % of its life, with the chance of [`World::builder`].
const SOFT: Duration = Duration::from_secs(2701);

/// The time of day: goes on with the runtime's (paused) time, and jumps as a test says.
#[derive(Clone)]
struct TestClock(Arc<(Instant, Mutex<SystemTime>)>);

impl TestClock {
    fn new() -> Self {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Self(Arc::new((Instant::now(), Mutex::new(start))))
    }

    /// What a suspended machine sees on its return: timers stood still, the time of day went on.
    fn forward(&self, by: Duration) {
        *self.0.1.lock().unwrap() += by;
    }

    fn back(&self, by: Duration) {
        *self.0.1.lock().unwrap() -= by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        *self.0.1.lock().unwrap() + self.0.0.elapsed()
    }
}

/// One token server, one store, one clock, and the events that managers tell of.
#[derive(Clone)]
struct World {
    server: Server,
    store: Store,
    clock: TestClock,
    events: Arc<Mutex<Vec<Event>>>,
}

impl World {
    fn new() -> Self {
        Self { server: Server::new(), store: Store::new(), clock: TestClock::new(), events: Arc::default() }
    }

    /// Chance is one half: a token of an hour is renewed after 2700 s, and the first pause is 100 ms.
    fn builder(&self) -> TokenManagerBuilder {
        let events = Arc::clone(&self.events);
        TokenManager::builder(self.server.clone())
            .store(self.store.clone())
            .clock(self.clock.clone())
            .chance(|| 0.5)
            .on_event(move |event| events.lock().unwrap().push(event.clone()))
    }

    fn manager(&self) -> TokenManager {
        self.builder().build()
    }

    /// A manager that has a login: `login`, which lives for an hour, and its refresh token.
    async fn logged_in(&self) -> TokenManager {
        let manager = self.manager();
        manager.put(&key(), self.server.login(&key())).await.unwrap();
        manager
    }

    /// Names of the events so far, without those of logins.
    fn events(&self) -> Vec<&'static str> {
        let told: Vec<_> = self.events.lock().unwrap().iter().map(Event::name).collect();
        told.into_iter().filter(|name| *name != "logged_in").collect()
    }
}

fn key() -> TokenKey {
    TokenKey::new("alice")
}

fn text(token: &Token) -> &str {
    token.access_token().expose()
}

/// The text of a token that had to come.
fn given(result: Result<Token, Error>) -> String {
    text(&result.unwrap()).to_owned()
}

/// The kind of an error that had to come.
fn refused(result: Result<Token, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// Lets every task run until it waits for something.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn the_table_of_faults_names_tests_that_exist() {
    let table = include_str!("token_manager/README.md");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut faults = Vec::new();
    for row in table.lines().filter(|row| row.starts_with("| ") && !row.starts_with("| |")) {
        let mut columns = row.split(" | ");
        faults.push(columns.next().unwrap().trim_start_matches("| ").parse::<usize>().unwrap());
        let mut file = String::new();
        for quoted in columns.nth(1).unwrap().split('`').skip(1).step_by(2) {
            if quoted.contains(".rs") {
                let path =
                    if quoted.starts_with("src/") { quoted.to_owned() } else { format!("tests/{quoted}") };
                file = std::fs::read_to_string(root.join(&path))
                    .unwrap_or_else(|_| panic!("there is no {path}"));
            } else if !quoted.starts_with("cargo") {
                assert!(file.contains(&format!("fn {quoted}()")), "there is no test {quoted}");
            }
        }
    }
    assert_eq!(faults, (1..=33).filter(|fault| *fault != 31).collect::<Vec<_>>());
}
