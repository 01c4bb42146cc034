//! A server that goes away in the middle and comes back: valid tokens keep flowing, and nothing is lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use redis::aio::ConnectionManager;
use sqlx::postgres::PgPoolOptions;
use tokio::task::block_in_place;
use tokio::time::sleep;
use tower_oauth::Error;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::store::PostgresStore;
use tower_oauth::store::RedisStore;
use tower_oauth::testing::ManualClock;
use tower_oauth::token::Event;
use tower_oauth::token::SourceRequest;
use tower_oauth::token::TokenStore;
use tower_oauth::token::token_source_fn;

use crate::servers::Postgres;
use crate::servers::Redis;

const HOUR: Duration = Duration::from_secs(3600);
/// How long something that has to happen may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a server goes away.
#[derive(Clone, Copy)]
enum End {
    Stop,
    Crash,
}

/// A server of a store, which its tests stop.
trait Server: Send + 'static {
    type Store: TokenStore;

    fn end(&mut self, end: End);
    fn start_again(&mut self);
    /// The store, with connections of its own, as another process has it.
    fn open(&self) -> impl Future<Output = Self::Store>;
}

impl Server for Redis {
    type Store = RedisStore;

    fn end(&mut self, end: End) {
        match end {
            End::Stop => self.stop(),
            End::Crash => self.crash(),
        }
    }

    fn start_again(&mut self) {
        Redis::start_again(self);
    }

    async fn open(&self) -> RedisStore {
        RedisStore::new(ConnectionManager::new(redis::Client::open(self.url()).unwrap()).await.unwrap())
    }
}

impl Server for Postgres {
    type Store = PostgresStore;

    fn end(&mut self, end: End) {
        match end {
            End::Stop => self.stop(),
            End::Crash => self.crash(),
        }
    }

    fn start_again(&mut self) {
        Postgres::start_again(self);
    }

    async fn open(&self) -> PostgresStore {
        let options = PgPoolOptions::new().acquire_timeout(Duration::from_secs(1));
        let store = PostgresStore::new(options.connect(&self.url()).await.unwrap());
        store.migrate().await.unwrap();
        store
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_stopped_in_the_middle_of_a_refresh() {
    away_during_a_refresh(Redis::start(), End::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_crashes_in_the_middle_of_a_refresh() {
    away_during_a_refresh(Redis::start(), End::Crash).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_away_when_a_refresh_is_due() {
    away_when_a_refresh_is_due(Redis::start()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_stopped_in_the_middle_of_a_refresh() {
    away_during_a_refresh(Postgres::start(), End::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_crashes_in_the_middle_of_a_refresh() {
    away_during_a_refresh(Postgres::start(), End::Crash).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_away_when_a_refresh_is_due() {
    away_when_a_refresh_is_due(Postgres::start()).await;
}

/// The server goes away between the answer of the token endpoint and the write of it.
async fn away_during_a_refresh<S: Server>(server: S, end: End) {
    let world = World::new(server);
    let manager = world.manager().await;
    manager.put(&alice(), login()).await.unwrap();
    world.issuer.lock().unwrap().ends = Some(end);
    let refreshed = tokio::spawn({
        let manager = manager.clone();
        async move { manager.refresh(&alice()).await }
    });
    // Meanwhile, requests go out with what there is.
    while !refreshed.is_finished() {
        let token = manager.token(&alice()).await.unwrap();
        assert!(["access-0", "access-1"].contains(&token.access_token().expose()));
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(refreshed.await.unwrap().unwrap().access_token().expose(), "access-1");
    world.until(|| world.has_seen("persist_failed")).await;
    for _ in 0..100 {
        assert_eq!(manager.token(&alice()).await.unwrap().access_token().expose(), "access-1");
    }

    world.start_again();
    world.until(|| world.has_seen("persisted_late")).await;
    let other = world.manager().await;
    assert_eq!(other.token(&alice()).await.unwrap().access_token().expose(), "access-1");
    assert_eq!(other.refresh(&alice()).await.unwrap().access_token().expose(), "access-2");
    world.assert_exchanges(2);
}

/// The server is away for as long as the token is valid, nearly.
async fn away_when_a_refresh_is_due<S: Server>(server: S) {
    let world = World::new(server);
    let manager = world.manager().await;
    manager.put(&alice(), login()).await.unwrap();
    world.end(End::Stop);
    world.clock.advance(HOUR * 5 / 6);
    for _ in 0..100 {
        assert_eq!(manager.token(&alice()).await.unwrap().access_token().expose(), "access-0");
    }
    world.until(|| world.has_seen("refresh_failed")).await;
    assert_eq!(manager.token(&alice()).await.unwrap().access_token().expose(), "access-0");
    world.assert_exchanges(0);

    world.start_again();
    // Each pause between two attempts is over after half a minute at the latest.
    for _ in 0..10 {
        let token = manager.token(&alice()).await.unwrap();
        if token.access_token().expose() == "access-1" {
            break;
        }
        let seen = world.count();
        world.clock.advance(Duration::from_secs(31));
        assert!(manager.token(&alice()).await.is_ok());
        world.until(|| world.count() > seen).await;
    }
    assert_eq!(manager.token(&alice()).await.unwrap().access_token().expose(), "access-1");
    let other = world.manager().await;
    assert_eq!(other.token(&alice()).await.unwrap().access_token().expose(), "access-1");
    world.assert_exchanges(1);
}

fn alice() -> TokenKey {
    TokenKey::new("alice")
}

/// The tokens of Alice's login.
fn login() -> Token {
    Token::new("access-0").expires_in(HOUR).with_refresh_token("refresh-0")
}

struct World<S> {
    server: Arc<Mutex<S>>,
    issuer: Arc<Mutex<Issuer>>,
    clock: ManualClock,
    events: Arc<Mutex<Vec<&'static str>>>,
}

/// A token endpoint that rotates refresh tokens, and takes the server of the store away when it is told to.
#[derive(Default)]
struct Issuer {
    exchanges: usize,
    spent: HashSet<String>,
    replays: usize,
    ends: Option<End>,
}

impl<S: Server> World<S> {
    fn new(server: S) -> Self {
        Self {
            server: Arc::new(Mutex::new(server)),
            issuer: Arc::default(),
            clock: ManualClock::new(),
            events: Arc::default(),
        }
    }

    /// A manager with a connection of its own, as another process has it.
    async fn manager(&self) -> TokenManager {
        let (issuer, server) = (Arc::clone(&self.issuer), Arc::clone(&self.server));
        let exchange = move |request: SourceRequest| {
            let (issuer, server) = (Arc::clone(&issuer), Arc::clone(&server));
            async move {
                let refresh_token =
                    request.previous().and_then(|record| record.refresh_token()).unwrap().expose().to_owned();
                let mut issuer = issuer.lock().unwrap();
                if let Some(end) = issuer.ends.take() {
                    block_in_place(|| server.lock().unwrap().end(end));
                }
                if !issuer.spent.insert(refresh_token) {
                    issuer.replays += 1;
                    return Err(Error::reauthorization_required("spent"));
                }
                issuer.exchanges += 1;
                let number = issuer.exchanges;
                Ok(Token::new(format!("access-{number}"))
                    .expires_in(HOUR)
                    .with_refresh_token(format!("refresh-{number}")))
            }
        };
        let events = Arc::clone(&self.events);
        // The lock is on the way to a value that does not need it.
        let store = {
            let server = self.server.lock().unwrap();
            block_in_place(|| tokio::runtime::Handle::current().block_on(server.open()))
        };
        TokenManager::builder(token_source_fn(exchange))
            .store(store)
            .clock(self.clock.clone())
            .persist_patience(Duration::from_millis(200))
            .on_event(move |event: &Event| events.lock().unwrap().push(event.name()))
            .build()
    }

    fn end(&self, end: End) {
        block_in_place(|| self.server.lock().unwrap().end(end));
    }

    fn start_again(&self) {
        block_in_place(|| self.server.lock().unwrap().start_again());
    }

    fn has_seen(&self, event: &str) -> bool {
        self.events.lock().unwrap().contains(&event)
    }

    /// How many events there were.
    fn count(&self) -> usize {
        self.events.lock().unwrap().len()
    }

    /// Waits for what has to happen.
    async fn until(&self, happened: impl Fn() -> bool) {
        let started = std::time::Instant::now();
        while !happened() {
            assert!(started.elapsed() < PATIENCE, "{:?}", self.events.lock().unwrap());
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn assert_exchanges(&self, number: usize) {
        let issuer = self.issuer.lock().unwrap();
        assert_eq!((issuer.exchanges, issuer.replays), (number, 0));
    }
}
