//! What is done to managers, and what has to hold whatever the schedule.

use std::future::Future;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::error::Error;
use crate::token::PersistFailure;
use crate::token::Token;
use crate::token::TokenKey;
use crate::token::TokenManager;
use crate::token::explorer::Flaw;
use crate::token::explorer::dice::Dice;
use crate::token::explorer::scheduler;
use crate::token::explorer::scheduler::give_way;
use crate::token::explorer::scheduler::scheduled;
use crate::token::explorer::world::Age;
use crate::token::explorer::world::Faults;
use crate::token::explorer::world::LIFE;
use crate::token::explorer::world::World;
use crate::token::explorer::world::age;

/// What a schedule is about.
#[derive(Clone, Copy, Default)]
pub(super) struct Scenario {
    /// How many managers (processes) use the store; at least one.
    pub(super) managers: usize,
    /// How many callers come to each.
    pub(super) callers: usize,
    /// Whether callers go away, each after some steps.
    pub(super) cancel: bool,
    /// All callers go away after this many steps.
    pub(super) cancel_after: Option<usize>,
    /// Whether somebody logs in meanwhile.
    pub(super) login: bool,
    /// Whether somebody says meanwhile that a token is no longer good.
    pub(super) invalidate: bool,
    /// Whether somebody asks for a new token meanwhile.
    pub(super) force: bool,
    /// Whether the first manager's process ends in the middle.
    pub(super) crash: bool,
    /// What the server declares, and keeps to.
    pub(super) reuse_window: Duration,
    pub(super) faults: Faults,
    pub(super) flaw: Option<Flaw>,
}

/// What was found at the end of a schedule.
#[derive(Default)]
pub(super) struct Found {
    pub(super) turns: usize,
    pub(super) exchanges: usize,
    /// Whether the crash came between the server's answer and the store.
    pub(super) lost_by_crash: bool,
}

#[derive(Clone)]
struct Run {
    scenario: Scenario,
    world: World,
    managers: Vec<TokenManager>,
    /// The login that `put` stored last.
    last_login: Arc<Mutex<usize>>,
    /// The same, as soon as all managers have to know of it.
    logged_in: Arc<Mutex<usize>>,
    lost_by_crash: Arc<Mutex<bool>>,
}

fn key() -> TokenKey {
    TokenKey::new("alice")
}

impl Scenario {
    /// Runs the schedule of this seed.
    ///
    /// # Errors
    /// The promise that was broken.
    pub(super) fn run(self, seed: u64) -> Result<Found, String> {
        let dice = Dice::new(seed);
        let found = Arc::new(Mutex::new(Found::default()));
        let result = Arc::clone(&found);
        let (chosen, scenario) = (dice.clone(), self);
        let turns = scheduler::run(&dice, async move {
            let run = Run::new(scenario, &chosen).await;
            run.play().await?;
            let mut found = result.lock().unwrap();
            found.exchanges = run.world.exchanges();
            found.lost_by_crash = *run.lost_by_crash.lock().unwrap();
            Ok(())
        })?;
        let mut found = std::mem::take(&mut *found.lock().unwrap());
        found.turns = turns;
        Ok(found)
    }
}

impl Run {
    async fn new(scenario: Scenario, dice: &Dice) -> Self {
        let world = World::new(dice, scenario.faults, scenario.reuse_window);
        let manager = |_| {
            TokenManager::builder(world.clone())
                .store(world.clone())
                .clock(world.clone())
                .chance(|| 0.5)
                .reuse_window(scenario.reuse_window)
                .lease_ttl(Duration::from_secs(10))
                // What a crash leaves in memory alone is lost with it.
                .persist_failure(PersistFailure::Refuse)
                .flaw(scenario.flaw)
                .build()
        };
        let managers: Vec<_> = (0..scenario.managers).map(manager).collect();
        let clean = TokenManager::builder(world.healed()).store(world.healed()).clock(world.clone()).build();
        clean.put(&key(), world.login()).await.unwrap();
        // It has been seen that the server rotates.
        clean.refresh(&key()).await.unwrap();
        clean.shutdown(LIFE).await;
        world.forward(LIFE);
        Self {
            scenario,
            world,
            managers,
            last_login: Arc::default(),
            logged_in: Arc::default(),
            lost_by_crash: Arc::default(),
        }
    }

    async fn play(&self) -> Result<(), String> {
        let scenario = self.scenario;
        let before = self.world.exchanges();
        let mut tasks = Vec::new();
        for (number, manager) in self.managers.iter().enumerate() {
            for _ in 0..scenario.callers {
                tasks.push(self.spawn(self.clone().call(manager.clone())));
            }
            if scenario.invalidate {
                tasks.push(self.spawn(self.clone().invalidate(manager.clone())));
            }
            if scenario.force {
                tasks.push(self.spawn(self.clone().force(manager.clone())));
            }
            if scenario.crash && number == 0 {
                tasks.push(self.spawn(self.clone().crash(manager.clone())));
            }
        }
        if let (true, Some(manager)) = (scenario.login, self.managers.last()) {
            tasks.push(self.spawn(self.clone().log_in(manager.clone())));
        }
        for task in tasks {
            task.await.map_err(|error| format!("a panic: {error}"))??;
        }
        for manager in &self.managers {
            if manager.shutdown(LIFE).await != 0 && !scenario.crash {
                return Err("a task did not come to its end".to_owned());
            }
        }
        self.check_end(before).await
    }

    /// What has to hold when all is over.
    async fn check_end(&self, before: usize) -> Result<(), String> {
        let scenario = self.scenario;
        let (stored, good) = (self.world.stored(), self.world.good());
        let lost_by_crash = *self.lost_by_crash.lock().unwrap();
        let allowed = usize::from(lost_by_crash && scenario.reuse_window.is_zero());
        if self.world.reuses() > allowed {
            return Err(format!("a spent refresh token was presented {} times", self.world.reuses()));
        }
        // An answer that was lost is lost; all others are in the store.
        if !scenario.faults.answer_lost && !lost_by_crash {
            let latest = good.get(*self.last_login.lock().unwrap()).copied();
            if stored != latest {
                return Err(format!("the store has {stored:?}, and good is {latest:?}"));
            }
        }
        let calm = !scenario.login && !scenario.invalidate && !scenario.force && !scenario.crash;
        let exchanges = self.world.exchanges() - before;
        if calm && !scenario.faults.answer_lost && exchanges > 1 {
            return Err(format!("{exchanges} exchanges were made where one was enough"));
        }
        // Whoever comes now finds a grant that works.
        if scenario.faults.answer_lost && scenario.reuse_window.is_zero() || allowed > 0 {
            return Ok(());
        }
        self.world.forward(LIFE);
        let healed = self.world.healed();
        let manager = TokenManager::builder(healed.clone())
            .store(healed)
            .clock(self.world.clone())
            .reuse_window(LIFE * 10)
            .build();
        let token = manager.token(&key()).await;
        manager.shutdown(LIFE).await;
        match token {
            Ok(_) if self.world.reuses() == 0 => Ok(()),
            Ok(_) => Err("the last refresh token was spent already".to_owned()),
            Err(error) => Err(format!("the grant is lost: {error}")),
        }
    }

    fn spawn<F>(&self, task: F) -> JoinHandle<Result<(), String>>
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        tokio::spawn(scheduled(task))
    }

    /// Steps after which a caller goes away.
    fn patience(&self) -> Option<usize> {
        let may = self.scenario.cancel && self.world.dice.once_in(2);
        self.scenario.cancel_after.or_else(|| may.then(|| self.world.dice.roll(30)))
    }

    /// A request: it asks for the token, again if it is told to come later, and may go away.
    async fn call(self, manager: TokenManager) -> Result<(), String> {
        let patience = self.patience();
        let mut last = None;
        for _ in 0..60 {
            let login = *self.logged_in.lock().unwrap();
            let (key, calls) = (key(), manager.clone());
            let error = match within_steps(calls.token(&key), patience).await {
                None => return Ok(()),
                Some(Ok(token)) => return self.check(&token, login),
                Some(Err(error)) => error,
            };
            if !self.may_fail(&error) {
                return Err(format!("a request failed: {error}"));
            }
            if error.needs_reauthorization() || self.scenario.crash {
                return Ok(());
            }
            last = Some(error);
            sleep(Duration::from_secs(1)).await;
        }
        Err(format!("a request never got a token: {last:?}"))
    }

    fn may_fail(&self, error: &Error) -> bool {
        let faults = self.scenario.faults;
        let is_answer_lost = faults.answer_lost && self.scenario.reuse_window.is_zero();
        let is_passing = error.is_transient() && (faults.down || faults.swap || faults.answer_lost);
        let is_dead = error.needs_reauthorization() && is_answer_lost;
        is_passing || is_dead || self.scenario.crash
    }

    /// What holds for each token that is given out.
    fn check(&self, token: &Token, login: usize) -> Result<(), String> {
        let given: Age = age(token.access_token().expose());
        let stored = self.world.stored();
        if stored < Some(given) {
            return Err(format!("{given:?} was given out before it was stored; the store has {stored:?}"));
        }
        if given.0 < login {
            return Err(format!("{given:?} was given out after login {login} had been stored"));
        }
        Ok(())
    }

    async fn log_in(self, manager: TokenManager) -> Result<(), String> {
        for _ in 0..self.world.dice.roll(20) {
            give_way().await;
        }
        let mut login = 0;
        let mut result = Ok(());
        for _ in 0..50 {
            // Whoever is told that it failed logs in once more.
            let token = self.world.login();
            login = age(token.access_token().expose()).0;
            result = manager.put(&key(), token).await;
            if result.is_ok() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        result.map_err(|error| format!("a login failed: {error}"))?;
        *self.last_login.lock().unwrap() = login;
        // The others see it in the store; this manager has it at once.
        if self.managers.len() == 1 {
            *self.logged_in.lock().unwrap() = login;
        }
        Ok(())
    }

    async fn invalidate(self, manager: TokenManager) -> Result<(), String> {
        for _ in 0..self.world.dice.roll(20) {
            give_way().await;
        }
        let Some(token) = manager.peek(&key()) else { return Ok(()) };
        manager.invalidate(&key(), &token);
        match manager.token(&key()).await {
            Ok(next) if next == token => Err("a token was given out that is no longer good".to_owned()),
            Ok(_) => Ok(()),
            Err(error) if self.may_fail(&error) => Ok(()),
            Err(error) => Err(format!("a request failed: {error}")),
        }
    }

    async fn force(self, manager: TokenManager) -> Result<(), String> {
        for _ in 0..self.world.dice.roll(20) {
            give_way().await;
        }
        match manager.refresh(&key()).await {
            Err(error) if !self.may_fail(&error) => Err(format!("a refresh failed: {error}")),
            _ => Ok(()),
        }
    }

    /// The process of this manager ends: its tasks stop where they are.
    async fn crash(self, manager: TokenManager) -> Result<(), String> {
        for _ in 0..self.world.dice.roll(40) {
            give_way().await;
        }
        manager.shutdown(Duration::ZERO).await;
        let is_lost = self.world.stored() != self.world.good().last().copied();
        *self.lost_by_crash.lock().unwrap() = is_lost;
        Ok(())
    }
}

/// What `work` gives, unless it takes more than `patience` steps; then it is dropped.
async fn within_steps<T>(work: impl Future<Output = T>, patience: Option<usize>) -> Option<T> {
    let mut work = Box::pin(work);
    let mut steps = 0;
    poll_fn(|context| {
        if patience.is_some_and(|patience| steps >= patience) {
            return Poll::Ready(None);
        }
        steps += 1;
        if patience.is_some() {
            // One that nobody wakes takes its steps, too.
            context.waker().wake_by_ref();
        }
        pin!(&mut work).poll(context).map(Some)
    })
    .await
}
