//! One of the processes: has a manager on the common store, and gets a new token whenever it is told to.

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::{BoxError, Layer, ServiceExt};
use tower_oauth::grant::RefreshToken;
use tower_oauth::token::Event;
use tower_oauth::{ClientAuth, Clock, Error, OAuth2Layer, Origins, Token, TokenKey, TokenManager};

use crate::message::{Cause, Equipment, Order, Outcome, Report, fingerprint};
use crate::store::{self, Counted};

/// Callers in each process that want the token at once.
const CALLERS: usize = 4;
/// The longest time for one order.
const DEADLINE: Duration = Duration::from_secs(45);
/// The pause after an error that passes.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the lease of a process that was killed keeps the others waiting.
const LEASE: Duration = Duration::from_secs(2);

/// The grant that all processes share.
pub fn key() -> TokenKey {
    TokenKey::new("the fleet's login")
}

pub fn main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fleet: worker {}: {error}", std::process::id());
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<(), BoxError> {
    let mut lines = std::io::stdin().lock().lines();
    let equipment: Equipment = serde_json::from_str(&lines.next().ok_or("there is no equipment")??)?;
    let (orders, inbox) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let Ok(order) = serde_json::from_str(&line) {
                let _ = orders.send(order);
            }
        }
        // The parent is gone, or wants no more: nobody is to be left behind.
        std::process::exit(0);
    });
    drop(lines);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async { Worker::new(equipment).await?.obey(inbox).await })
}

struct Worker {
    manager: TokenManager,
    store: Counted,
    clock: AheadClock,
    http: Client<HttpConnector, Full<Bytes>>,
    api: Option<(OAuth2Layer, String)>,
    /// Why the grant has ended, if it has since this was last looked at.
    death: Arc<Mutex<Option<Error>>>,
}

impl Worker {
    async fn new(equipment: Equipment) -> Result<Self, BoxError> {
        let store = Counted::new(store::open(equipment.store, &equipment.url).await?, equipment.sabotage);
        let http = Client::builder(TokioExecutor::new()).build_http();
        let auth = if equipment.client_secret.is_empty() {
            ClientAuth::none(equipment.client_id)
        } else {
            ClientAuth::basic(equipment.client_id, equipment.client_secret)
        };
        let clock = AheadClock::default();
        let death = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&death);
        let source = RefreshToken::new(&equipment.token_endpoint, auth, http.clone())?;
        let manager = TokenManager::builder(source)
            .store(store.clone())
            .clock(clock.clone())
            .lease_ttl(LEASE)
            // A worker is told when to look for a new login.
            .dead_recheck(Duration::ZERO)
            .on_event(move |event| {
                if let Event::Died { error, .. } = event {
                    *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
                }
            })
            .build();
        let api = match equipment.api {
            None => None,
            Some(url) => {
                let uri: Uri = url.parse()?;
                let authority = uri.authority().ok_or("--api wants an absolute URL")?;
                let origin = Origins::one(&format!("{}://{authority}", uri.scheme_str().unwrap_or("http")))?;
                Some((OAuth2Layer::with_manager(origin, manager.clone()).key(&key()), url))
            }
        };
        Ok(Self { manager, store, clock, http, api, death })
    }

    async fn obey(self, mut inbox: mpsc::UnboundedReceiver<Order>) -> Result<(), BoxError> {
        while let Some(order) = inbox.recv().await {
            self.clock.be_ahead(Duration::from_millis(order.ahead_millis));
            let mut errors = 0;
            let outcome = match timeout(DEADLINE, self.persist(&order, &mut errors)).await {
                Ok(Ok(fingerprint)) => Outcome::Token(fingerprint),
                Ok(Err(error)) => match Error::find(&*error) {
                    Some(error) if error.needs_reauthorization() => Outcome::LoginNeeded(chain(error)),
                    _ => Outcome::Failed(chain(&*error)),
                },
                Err(_) => Outcome::Failed(format!("it took longer than {DEADLINE:?}")),
            };
            let conflicts = self.store.take_conflicts();
            let report = Report { generation: order.generation, outcome, conflicts, errors };
            let mut line = serde_json::to_string(&report)?;
            line.push('\n');
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(line.as_bytes())?;
            stdout.flush()?;
        }
        Ok(())
    }

    /// Tries again after errors that pass, as an application would: a store that does not answer in time, for instance.
    async fn persist(&self, order: &Order, errors: &mut u64) -> Result<String, BoxError> {
        loop {
            let error = match self.next_token(order).await {
                Ok(fingerprint) => return Ok(fingerprint),
                Err(error) => error,
            };
            let passes = Error::find(&*error)
                .is_some_and(|error| error.is_transient() && !error.needs_reauthorization());
            if !passes {
                return Err(error);
            }
            *errors += 1;
            sleep(PAUSE).await;
        }
    }

    /// Gets a token other than the one before, in the way that the order says; gives its fingerprint.
    async fn next_token(&self, order: &Order) -> Result<String, BoxError> {
        let key = key();
        self.take_death();
        let token = loop {
            let token = self.tokens().await?;
            if fingerprint(token.access_token()) != order.previous {
                break token;
            }
            match order.cause {
                // It is being fetched, behind the backs of those who use the old one.
                Cause::Expiring => match self.take_death() {
                    None => sleep(Duration::from_millis(5)).await,
                    Some(error) => return Err(error.into()),
                },
                Cause::Expired => return Err("a token was given out that has expired".into()),
                Cause::Forced => {
                    self.manager.refresh(&key).await?;
                }
                Cause::Refused => self.manager.invalidate(&key, &token),
            }
        };
        self.call_api().await?;
        Ok(fingerprint(token.access_token()))
    }

    /// The token, as several callers get it at once.
    async fn tokens(&self) -> Result<Token, BoxError> {
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let manager = self.manager.clone();
            callers.spawn(async move { manager.token(&key()).await });
        }
        let mut last = Err("nobody asked".into());
        while let Some(token) = callers.join_next().await {
            last = Ok(token??);
        }
        last
    }

    fn take_death(&self) -> Option<Error> {
        self.death.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn call_api(&self) -> Result<(), BoxError> {
        let Some((layer, url)) = &self.api else { return Ok(()) };
        let request = Request::get(url).body(Full::default())?;
        let status = layer.layer(self.http.clone()).oneshot(request).await?.status();
        if status == StatusCode::OK { Ok(()) } else { Err(format!("the API answered with {status}").into()) }
    }
}

/// The system's clock, put forward.
#[derive(Clone, Default)]
pub struct AheadClock(Arc<AtomicU64>);

impl AheadClock {
    pub fn be_ahead(&self, by: Duration) {
        self.0.store(by.as_millis() as u64, Ordering::Relaxed);
    }
}

impl Clock for AheadClock {
    fn now(&self) -> SystemTime {
        SystemTime::now() + Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// An error with all that caused it.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
