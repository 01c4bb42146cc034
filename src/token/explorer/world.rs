//! A server that rotates refresh tokens and ends a grant on reuse, a store with leases, a clock.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::SystemTime;

use tokio::time::Instant;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::error::Error;
use crate::secret::Secret;

use crate::token::Record;
use crate::token::SourceRequest;
use crate::token::Swap;
use crate::token::Token;
use crate::token::TokenKey;
use crate::token::TokenSource;
use crate::token::TokenStore;
use crate::token::explorer::dice::Dice;
use crate::token::explorer::scheduler::give_way;
use crate::token::memory::MemoryStore;

/// How long tokens live.
pub(super) const LIFE: Duration = Duration::from_secs(3600);

/// The login, and how many exchanges after it: what a token's text says.
pub(super) type Age = (usize, usize);

/// What may go wrong, by chance.
#[derive(Clone, Copy, Default)]
pub(super) struct Faults {
    /// The server is down for a moment.
    pub(super) down: bool,
    /// The server acts, and its answer is lost.
    pub(super) answer_lost: bool,
    /// The store does not write, or writes and does not say so.
    pub(super) swap: bool,
    /// Another program changes the record and leaves the refresh token alone.
    pub(super) touch: bool,
}

/// Clones are the same world.
#[derive(Clone)]
pub(super) struct World {
    pub(super) dice: Dice,
    faults: Faults,
    /// For how long the server takes a refresh token a second time.
    leeway: Duration,
    start: Instant,
    records: MemoryStore,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    moved: Duration,
    grants: Vec<Grant>,
    exchanges: usize,
    reuses: usize,
    leases: HashMap<TokenKey, (String, Instant)>,
    stored: Option<Age>,
}

/// One login at the server.
#[derive(Default)]
struct Grant {
    /// How often its refresh token was exchanged.
    exchanges: usize,
    /// When that was last.
    rotated: Option<Instant>,
    ended: bool,
}

impl World {
    pub(super) fn new(dice: &Dice, faults: Faults, leeway: Duration) -> Self {
        Self {
            dice: dice.clone(),
            faults,
            leeway,
            start: Instant::now(),
            records: MemoryStore::new(),
            state: Arc::default(),
        }
    }

    /// No more faults.
    pub(super) fn healed(&self) -> Self {
        Self { faults: Faults::default(), ..self.clone() }
    }

    pub(super) fn forward(&self, by: Duration) {
        self.state.lock().unwrap().moved += by;
    }

    /// A new grant, as a login brings it.
    pub(super) fn login(&self) -> Token {
        let mut state = self.state.lock().unwrap();
        state.grants.push(Grant::default());
        token((state.grants.len() - 1, 0))
    }

    /// How often the server gave a new token.
    pub(super) fn exchanges(&self) -> usize {
        self.state.lock().unwrap().exchanges
    }

    /// How often a spent refresh token was presented, too late for the server's patience.
    pub(super) fn reuses(&self) -> usize {
        self.state.lock().unwrap().reuses
    }

    /// The refresh token that is good now, of each login.
    pub(super) fn good(&self) -> Vec<Age> {
        let state = self.state.lock().unwrap();
        state.grants.iter().enumerate().map(|(login, grant)| (login, grant.exchanges)).collect()
    }

    /// The age of the stored refresh token.
    pub(super) fn stored(&self) -> Option<Age> {
        self.state.lock().unwrap().stored
    }

    /// Gives way up to three times.
    async fn wander(&self) {
        for _ in 0..self.dice.roll(3) {
            give_way().await;
        }
    }

    fn exchange(&self, refresh_token: &Secret) -> Result<Token, Error> {
        let (login, age) = age(refresh_token.expose());
        let mut state = self.state.lock().unwrap();
        let now = Instant::now();
        let grant = &mut state.grants[login];
        let is_late = grant.rotated.is_none_or(|rotated| now - rotated > self.leeway);
        let is_reuse = age < grant.exchanges && (is_late || age + 1 < grant.exchanges);
        if is_reuse || grant.ended {
            grant.ended = true;
            state.reuses += usize::from(is_reuse);
            return Err(Error::reauthorization_required("spent"));
        }
        if age == grant.exchanges {
            grant.rotated = Some(now);
            grant.exchanges += 1;
        }
        let given = (login, grant.exchanges);
        state.exchanges += 1;
        Ok(token(given))
    }
}

fn token((login, exchanges): Age) -> Token {
    Token::new(format!("access-{login}-{exchanges}"))
        .expires_in(LIFE)
        .with_refresh_token(format!("refresh-{login}-{exchanges}"))
}

/// Reads what a token's text says.
pub(super) fn age(text: &str) -> Age {
    let mut parts = text.split('-').skip(1).map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap())
}

impl Clock for World {
    fn now(&self) -> SystemTime {
        let moved = self.state.lock().unwrap().moved;
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + moved + self.start.elapsed()
    }
}

impl TokenSource for World {
    async fn token(&self, request: SourceRequest) -> Result<Token, Error> {
        self.wander().await;
        let refresh_token = request.previous().and_then(Record::refresh_token);
        let Some(refresh_token) = refresh_token else {
            return Err(Error::reauthorization_required("no refresh token"));
        };
        if self.faults.down && self.dice.once_in(4) {
            return Err(Error::transient("down"));
        }
        let answer = self.exchange(refresh_token);
        self.wander().await;
        if self.dice.once_in(4) {
            sleep(Duration::from_millis(100)).await;
        }
        if self.faults.answer_lost && self.dice.once_in(4) {
            return Err(Error::answer_lost("reset"));
        }
        answer
    }
}

impl TokenStore for World {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        self.wander().await;
        let record = self.records.load(key).await;
        self.wander().await;
        record
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        self.wander().await;
        if self.faults.touch && self.dice.once_in(3) {
            if let Some(stored) = self.records.load(key).await? {
                let touched = stored.without_intent();
                let swap = self.records.compare_and_swap(key, Some(stored.generation()), &touched).await?;
                assert_eq!(swap, Swap::Stored);
            }
        }
        if self.faults.swap && self.dice.once_in(4) {
            return Err(Error::store("not written"));
        }
        let swap = self.records.compare_and_swap(key, expected, record).await?;
        if swap == Swap::Stored {
            let refresh_token = record.refresh_token().map(|token| age(token.expose()));
            self.state.lock().unwrap().stored = refresh_token;
        }
        self.wander().await;
        if self.faults.swap && self.dice.once_in(4) {
            return Err(Error::store("no answer"));
        }
        Ok(swap)
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        self.records.delete_if(key, generation).await
    }

    async fn lease(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        self.wander().await;
        let granted = {
            let mut state = self.state.lock().unwrap();
            let now = Instant::now();
            let held = state.leases.get(key).is_some_and(|(holder, until)| now < *until && holder != owner);
            if !held {
                state.leases.insert(key.clone(), (owner.to_owned(), now + ttl));
            }
            !held
        };
        self.wander().await;
        Ok(granted)
    }

    async fn renew(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        let mut state = self.state.lock().unwrap();
        let now = Instant::now();
        let is_held = state.leases.get(key).is_some_and(|(holder, until)| now < *until && holder == owner);
        if is_held {
            state.leases.insert(key.clone(), (owner.to_owned(), now + ttl));
        }
        Ok(is_held)
    }

    async fn release(&self, key: &TokenKey, owner: &str) -> Result<(), Error> {
        self.wander().await;
        self.state.lock().unwrap().leases.retain(|leased, (holder, _)| leased != key || holder != owner);
        Ok(())
    }
}
