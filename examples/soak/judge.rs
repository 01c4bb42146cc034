//! The judge: what was issued, revoked and refused, and whether a request should have been sent as it was.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the clients are told, and what the judge believes: tokens live for a second.
pub const LIFETIME: Duration = Duration::from_secs(1);
/// How long after its end a token is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);

/// What was counted. Each of the `wrong` ones is a broken promise.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub requests: u64,
    pub tokens: u64,
    pub revocations: u64,
    /// Refused, because the token had been revoked and the client could not know.
    pub refused: u64,
    /// Chosen in time, and too old on arrival.
    pub expired_on_the_way: u64,
    pub wrong: Wrong,
}

#[derive(Clone, Debug, Default)]
pub struct Wrong {
    pub without_token: u64,
    pub known_expired: u64,
    pub known_refused: u64,
    /// Of another client.
    pub foreign: u64,
    /// Never issued, or long ago.
    pub unknown: u64,
    /// Refused although it was neither revoked nor too old.
    pub unexplained: u64,
}

#[derive(Default)]
pub struct Judge(Mutex<State>);

#[derive(Default)]
struct State {
    counts: Counts,
    tokens: HashMap<String, Issued>,
    /// The same tokens, oldest first.
    order: VecDeque<String>,
    /// The youngest token of each client.
    youngest: HashMap<usize, String>,
    /// The token of each refusal.
    refusals: HashMap<u64, String>,
    next_refusal: u64,
    /// By request, how often it was refused for a good reason.
    excused: HashMap<u64, u32>,
}

struct Issued {
    client: usize,
    /// As its client knows it: counted from the moment at which it asked.
    ends: Duration,
    revoked: bool,
    /// The refusals it met.
    refusals: Vec<u64>,
}

/// A request as it arrived.
pub struct Seen<'a> {
    pub client: usize,
    pub request: u64,
    pub chosen: Duration,
    pub known: Vec<u64>,
    pub token: Option<&'a str>,
}

impl Judge {
    /// A token is on its way to a client, who asked for it at `asked`.
    pub fn issued(&self, client: usize, token: &str, asked: Duration) {
        let mut state = self.state();
        state.counts.tokens += 1;
        let issued = Issued { client, ends: asked + LIFETIME, revoked: false, refusals: Vec::new() };
        state.tokens.insert(token.to_owned(), issued);
        state.order.push_back(token.to_owned());
        state.youngest.insert(client, token.to_owned());
        state.forget(asked);
    }

    /// The youngest token of a client is about to be revoked; `None` when it has none that is good.
    pub fn revoke(&self, client: usize, now: Duration) -> Option<String> {
        let mut state = self.state();
        let token = state.youngest.get(&client)?.clone();
        let issued = state.tokens.get_mut(&token).filter(|issued| !issued.revoked && issued.ends > now)?;
        issued.revoked = true;
        state.counts.revocations += 1;
        Some(token)
    }

    /// A request arrived.
    pub fn seen(&self, seen: &Seen<'_>) {
        let mut state = self.state();
        let State { counts, tokens, refusals, .. } = &mut *state;
        counts.requests += 1;
        let Some(token) = seen.token else {
            counts.wrong.without_token += 1;
            return;
        };
        let Some(issued) = tokens.get(token) else {
            counts.wrong.unknown += 1;
            return;
        };
        counts.wrong.foreign += u64::from(issued.client != seen.client);
        counts.wrong.known_expired += u64::from(seen.chosen >= issued.ends);
        let knew = seen.known.iter().any(|refusal| refusals.get(refusal).is_some_and(|of| of == token));
        counts.wrong.known_refused += u64::from(knew);
    }

    /// The provider refuses the request; gives the number of the refusal.
    pub fn refused(&self, seen: &Seen<'_>, now: Duration) -> u64 {
        let mut state = self.state();
        let State { counts, tokens, refusals, next_refusal, excused, .. } = &mut *state;
        let number = *next_refusal;
        *next_refusal += 1;
        let issued = seen.token.and_then(|token| tokens.get_mut(token));
        let is_excused = match &issued {
            Some(issued) if issued.revoked => {
                counts.refused += 1;
                true
            }
            Some(issued) if issued.ends <= now => {
                counts.expired_on_the_way += 1;
                true
            }
            _ => {
                counts.wrong.unexplained += 1;
                false
            }
        };
        if is_excused {
            *excused.entry(seen.request).or_default() += 1;
        }
        if let (Some(issued), Some(token)) = (issued, seen.token) {
            issued.refusals.push(number);
            refusals.insert(number, token.to_owned());
        }
        number
    }

    /// A refusal was delivered to who sent the request. Whether that may be: it was refused twice, each time for a reason
    /// that its client could not know.
    pub fn is_excused(&self, request: u64) -> bool {
        self.state().excused.remove(&request) == Some(2)
    }

    /// The request came to a good end.
    pub fn settled(&self, request: u64) {
        self.state().excused.remove(&request);
    }

    pub fn counts(&self) -> Counts {
        self.state().counts.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets tokens that ended long ago, and what belongs to them.
    fn forget(&mut self, now: Duration) {
        while let Some(oldest) = self.order.front() {
            if self.tokens.get(oldest).is_some_and(|issued| issued.ends + REMEMBERED > now) {
                return;
            }
            let issued = self.order.pop_front().and_then(|oldest| self.tokens.remove(&oldest));
            for refusal in issued.into_iter().flat_map(|issued| issued.refusals) {
                self.refusals.remove(&refusal);
            }
        }
    }
}
