//! Drives the generations: tells all workers at once that they need a new token, waits until all have it, and kills some.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tower::BoxError;
use tower_oauth::grant::RefreshToken;
use tower_oauth::token::{AccessScope, BoxTokenStore, TokenStore};
use tower_oauth::{ClientAuth, TokenManager};

use crate::arguments::Arguments;
use crate::browser::new_http;
use crate::crew::{Crew, Event};
use crate::dice::Dice;
use crate::gate::Gate;
use crate::issuer::Issuer;
use crate::ledger::{Ledger, Loss};
use crate::message::{Cause, Equipment, Order, Outcome, Report, fingerprint};
use crate::store::{self, Temporary};
use crate::worker::{AheadClock, chain, key};

/// The longest time for one generation.
const DEADLINE: Duration = Duration::from_secs(60);
/// With `--kill`, a process is killed in the first generation, and then once in this many.
const KILLS: usize = 3;
/// How long after the moment that it waits for somebody is killed, at the latest.
const SUSPENSE: Duration = Duration::from_millis(8);
/// How long after the beginning of a generation somebody is killed of whom nothing is known, at the latest.
const ANY_MOMENT: Duration = Duration::from_millis(150);
const PROGRESS: Duration = Duration::from_secs(2);
/// The least lifetime of a token for which clocks are put forward.
const LONG: Duration = Duration::from_secs(10);

pub fn run(arguments: &Arguments) -> Result<Ledger, BoxError> {
    // Stopped and removed when this ends.
    let temporary = match &arguments.url {
        None => Some(Temporary::start(arguments.store)?),
        Some(_) => None,
    };
    let url = arguments.url.clone().or_else(|| Some(temporary.as_ref()?.url.clone())).unwrap_or_default();
    eprintln!(
        "fleet: {} processes, {} generations, store {}{}; --seed {}",
        arguments.processes,
        arguments.generations,
        arguments.store,
        if arguments.kill { ", and processes are killed" } else { "" },
        arguments.seed
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async { Fleet::assemble(arguments.clone(), url).await?.drive().await })
}

struct Fleet {
    arguments: Arguments,
    dice: Dice,
    issuer: Issuer,
    gate: Gate,
    store: BoxTokenStore,
    clock: AheadClock,
    ahead: Duration,
    lifetime: Option<Duration>,
    /// Only logs in, and looks in the end whether the login is still good.
    manager: TokenManager,
    crew: Crew,
    events: mpsc::UnboundedReceiver<Event>,
    plan: Plan,
    ledger: Ledger,
    last_progress: Instant,
}

/// Who is to be killed, and when.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Nobody,
    /// Whoever asks for a token next, a moment later.
    AfterAsking,
    /// Whoever gets a token next, a moment later.
    AfterAnswer,
    /// This one.
    At(Instant, usize),
}

impl Fleet {
    async fn assemble(mut arguments: Arguments, url: String) -> Result<Self, BoxError> {
        let dice = Dice::new(arguments.seed);
        let issuer = Issuer::find(&mut arguments).await?;
        let (sender, events) = mpsc::unbounded_channel();
        let chaos = arguments.kill.then(|| dice.fork(1));
        // Far more than there should be: a fleet that goes wild is stopped.
        let limit = 4 * (arguments.generations as usize + arguments.processes);
        let gate = Gate::new(issuer.token_endpoint(), chaos, limit, sender.clone());
        let equipment = Equipment {
            store: arguments.store,
            url: url.clone(),
            token_endpoint: gate.open().await?,
            client_id: arguments.client_id.clone(),
            client_secret: arguments.client_secret.clone(),
            api: arguments.api.clone(),
            sabotage: arguments.sabotage,
        };
        let store = store::open(arguments.store, &url).await?;
        let clock = AheadClock::default();
        let auth = if arguments.client_secret.is_empty() {
            ClientAuth::none(arguments.client_id.clone())
        } else {
            ClientAuth::basic(arguments.client_id.clone(), arguments.client_secret.clone())
        };
        let source = RefreshToken::new(&issuer.token_endpoint(), auth, new_http())?;
        let manager = TokenManager::builder(source).store(store.clone()).clock(clock.clone()).build();
        let crew = Crew::start(arguments.processes, equipment, sender)?;
        Ok(Self {
            dice: dice.fork(2),
            issuer,
            gate,
            store,
            clock,
            ahead: Duration::ZERO,
            lifetime: None,
            manager,
            crew,
            events,
            plan: Plan::Nobody,
            ledger: Ledger::new(&arguments),
            last_progress: Instant::now(),
            arguments,
        })
    }

    async fn drive(mut self) -> Result<Ledger, BoxError> {
        self.log_in().await?;
        let mut previous = self.stored().await?.0;
        for generation in 1..=self.arguments.generations {
            match self.generation(generation, &previous).await? {
                Some(token) => previous = token,
                None => break,
            }
            self.ledger.generations = generation;
            self.take_stock();
        }
        drop(self.crew);
        if self.ledger.problems.is_empty() {
            // Straight to the server, not through the gate.
            if let Err(problem) = another_token(&self.manager, &previous).await {
                self.ledger.problems.push(format!("in the end the login is not good: {problem}"));
            }
        }
        self.ledger.exchanges = self.gate.log();
        self.ledger.families_revoked = self.issuer.families_revoked();
        Ok(self.ledger)
    }

    /// Has all workers get a new token; gives its fingerprint, or `None` when that did not work.
    async fn generation(&mut self, generation: u64, previous: &str) -> Result<Option<String>, BoxError> {
        let cause = self.cause();
        let ahead_millis = self.ahead.as_millis() as u64;
        let order = Order { generation, cause, previous: previous.to_owned(), ahead_millis };
        if self.arguments.kill
            && matches!(self.plan, Plan::Nobody)
            && (generation == 1 || self.dice.once_in(KILLS))
        {
            self.plan = match self.dice.below(3) {
                0 => Plan::AfterAsking,
                1 => Plan::AfterAnswer,
                _ => {
                    let place = self.dice.below(self.crew.len());
                    Plan::At(Instant::now() + self.dice.up_to(ANY_MOMENT), place)
                }
            };
        }
        let mut waiting: BTreeSet<usize> = (0..self.crew.len()).collect();
        let mut tokens = BTreeSet::new();
        for place in 0..self.crew.len() {
            self.crew.order(place, &order)?;
        }
        let deadline = Instant::now() + DEADLINE;
        while !waiting.is_empty() {
            let kill_at = if let Plan::At(at, _) = self.plan { at } else { deadline };
            tokio::select! {
                event = self.events.recv() => match event.ok_or("nobody is left to say anything")? {
                    Event::Reported(worker, report) if report.generation == generation => {
                        self.ledger.conflicts += report.conflicts;
                        self.ledger.errors += report.errors;
                        let Some(place) = self.crew.place_of(worker) else { continue };
                        if self.reported(place, worker, report, &order, &mut tokens).await? {
                            waiting.remove(&place);
                        }
                    }
                    Event::Reported(..) => {}
                    Event::Asked(worker) if matches!(self.plan, Plan::AfterAsking) => self.aim(worker),
                    Event::Answered(worker) if matches!(self.plan, Plan::AfterAnswer) => self.aim(worker),
                    Event::Asked(_) | Event::Answered(_) => {}
                    Event::Gone(worker) => {
                        if self.crew.place_of(worker).is_some() {
                            self.ledger.problems.push(format!("worker {worker} ended by itself"));
                        }
                    }
                },
                () = sleep_until(kill_at) => {
                    let Plan::At(_, place) = self.plan else {
                        let problem = format!("generation {generation} ({cause:?}) did not end within {DEADLINE:?}");
                        self.ledger.problems.push(problem);
                        break;
                    };
                    self.plan = Plan::Nobody;
                    self.crew.replace(place)?;
                    self.crew.order(place, &order)?;
                    waiting.insert(place);
                }
            }
            if !self.ledger.problems.is_empty() {
                break;
            }
        }
        if tokens.len() > 1 {
            self.ledger.problems.push(format!("generation {generation} ended with {} tokens", tokens.len()));
        }
        Ok(tokens.pop_first().filter(|_| self.ledger.problems.is_empty()))
    }

    /// A worker's answer. Whether the worker has what it was to get.
    async fn reported(
        &mut self,
        place: usize,
        worker: u64,
        report: Report,
        order: &Order,
        tokens: &mut BTreeSet<String>,
    ) -> Result<bool, BoxError> {
        match report.outcome {
            Outcome::Token(token) => {
                tokens.insert(token);
                Ok(true)
            }
            Outcome::LoginNeeded(why) => {
                let (token, refresh_token) = self.stored().await?;
                if token == order.previous {
                    let loss =
                        Loss::explained(order.generation, &refresh_token, &self.gate.log(), &self.crew.kills);
                    eprintln!("fleet: generation {}: a login is lost ({why})", order.generation);
                    eprintln!("fleet: generation {}: {}", order.generation, loss.reason());
                    self.ledger.losses.push(loss);
                    self.log_in().await?;
                }
                // It is to look into the store, where the new login is.
                self.crew.order(place, &Order { cause: Cause::Forced, ..order.clone() })?;
                Ok(false)
            }
            Outcome::Failed(why) => {
                let generation = order.generation;
                self.ledger.problems.push(format!("generation {generation}: worker {worker} failed: {why}"));
                Ok(false)
            }
        }
    }

    /// Why a new token is needed this time.
    fn cause(&mut self) -> Cause {
        let Some(lifetime) = self.lifetime.filter(|lifetime| *lifetime >= LONG) else {
            return if self.dice.once_in(2) { Cause::Forced } else { Cause::Refused };
        };
        let (cause, forward) = match self.dice.below(4) {
            0 => (Cause::Forced, Duration::ZERO),
            1 => (Cause::Refused, Duration::ZERO),
            2 => (Cause::Expired, lifetime),
            _ => (Cause::Expiring, lifetime.mul_f64(0.85)),
        };
        self.ahead += forward;
        self.clock.be_ahead(self.ahead);
        cause
    }

    async fn log_in(&mut self) -> Result<(), BoxError> {
        let login = self.issuer.log_in().await?;
        self.lifetime = login.lifetime;
        self.manager.put(&key(), login.token).await?;
        self.ledger.logins += 1;
        Ok(())
    }

    /// The fingerprints of the stored access token and refresh token.
    async fn stored(&self) -> Result<(String, String), BoxError> {
        let record = self.store.load(&key()).await?.ok_or("the store has nothing of the login")?;
        let token = record.token(&AccessScope::new()).map(|token| fingerprint(token.access_token()));
        Ok((token.unwrap_or_default(), record.refresh_token().map(fingerprint).unwrap_or_default()))
    }

    fn aim(&mut self, worker: u64) {
        if let Some(place) = self.crew.place_of(worker) {
            self.plan = self.soon(place);
        }
    }

    fn soon(&mut self, place: usize) -> Plan {
        Plan::At(Instant::now() + self.dice.up_to(SUSPENSE), place)
    }

    fn take_stock(&mut self) {
        self.ledger.kills = self.crew.kills.len() as u64;
        self.ledger.exchanges = self.gate.log();
        self.ledger.families_revoked = self.issuer.families_revoked();
        let is_last = self.ledger.generations == self.arguments.generations;
        if self.last_progress.elapsed() >= PROGRESS || is_last {
            self.last_progress = Instant::now();
            eprintln!("fleet: {}", self.ledger.progress());
        }
    }
}

/// Whether the login is still good: its refresh token brings one token more.
async fn another_token(manager: &TokenManager, previous: &str) -> Result<(), String> {
    // The first refresh may find that the store has a token which is new to this process.
    for _ in 0..2 {
        let token = manager.refresh(&key()).await.map_err(|error| chain(&error))?;
        if fingerprint(token.access_token()) != previous {
            return Ok(());
        }
    }
    Err("the token stays the same".to_owned())
}
