//! What it all comes to.

use std::time::{Duration, Instant};

use http::StatusCode;

use crate::arguments::Arguments;
use crate::crew::Kill;
use crate::gate::Exchange;

/// A login that was lost, and the kill that explains it.
#[derive(Clone, Debug)]
pub struct Loss {
    pub generation: u64,
    pub explanation: Option<Explanation>,
}

#[derive(Clone, Debug)]
pub struct Explanation {
    /// Who had spent the refresh token.
    pub worker: u64,
    /// When it was killed, from the server's answer on; `Err` when that was before the answer.
    pub killed: Result<Duration, Duration>,
}

#[derive(Clone, Debug)]
pub struct Ledger {
    arguments: Arguments,
    began: Instant,
    pub generations: u64,
    pub exchanges: Vec<Exchange>,
    pub kills: u64,
    pub conflicts: u64,
    /// Errors that passed, such as those of a store that did not answer in time.
    pub errors: u64,
    pub logins: u64,
    pub losses: Vec<Loss>,
    /// What the server itself says, where it can be asked.
    pub families_revoked: Option<u64>,
    /// Anything else that should not be.
    pub problems: Vec<String>,
}

impl Ledger {
    pub fn new(arguments: &Arguments) -> Self {
        Self {
            arguments: arguments.clone(),
            began: Instant::now(),
            generations: 0,
            exchanges: Vec::new(),
            kills: 0,
            conflicts: 0,
            errors: 0,
            logins: 0,
            losses: Vec::new(),
            families_revoked: None,
            problems: Vec::new(),
        }
    }

    pub fn token_requests(&self) -> u64 {
        self.exchanges.len() as u64
    }

    /// The logins that the server revoked: by its own count, or else the refresh tokens that it refused.
    pub fn revoked(&self) -> u64 {
        let is_refused = |exchange: &&Exchange| {
            exchange.answer.as_ref().is_some_and(|answer| answer.error.as_deref() == Some("invalid_grant"))
        };
        let mut refused: Vec<_> =
            self.exchanges.iter().filter(is_refused).map(|exchange| exchange.presented.as_str()).collect();
        refused.sort_unstable();
        refused.dedup();
        self.families_revoked.unwrap_or_default().max(refused.len() as u64)
    }

    /// The promises that were broken.
    pub fn broken(&self) -> Vec<String> {
        let mut broken = self.problems.clone();
        let (generations, requests, revoked) = (self.generations, self.token_requests(), self.revoked());
        if generations < self.arguments.generations {
            broken
                .push(format!("it ended after {generations} of {} generations", self.arguments.generations));
        }
        // Fewer is as wrong as more, except that a login brings a token as well.
        let least = generations.saturating_sub(self.losses.len() as u64);
        if requests < least || requests > generations + self.kills {
            broken.push(format!(
                "{requests} token requests for {generations} generations and {} processes that were killed",
                self.kills
            ));
        }
        let lost = self.losses.len() as u64;
        if revoked > lost {
            broken.push(format!("{revoked} logins were revoked, and only {lost} were noticed"));
        }
        for loss in self.losses.iter().filter(|loss| loss.explanation.is_none()) {
            broken
                .push(format!("in generation {}, a login was lost and no kill explains it", loss.generation));
        }
        let mut explained: Vec<_> =
            self.losses.iter().filter_map(|loss| Some(loss.explanation.as_ref()?.worker)).collect();
        explained.sort_unstable();
        if explained.windows(2).any(|pair| pair[0] == pair[1]) {
            broken.push("one kill would have to explain two lost logins".to_owned());
        }
        broken
    }

    pub fn progress(&self) -> String {
        format!(
            "generation {} of {}: {} token requests, {} conflicts, {} logins revoked, {} processes killed",
            self.generations,
            self.arguments.generations,
            self.token_requests(),
            self.conflicts,
            self.revoked(),
            self.kills,
        )
    }

    pub fn line(&self) -> String {
        let reasons: Vec<_> = self
            .losses
            .iter()
            .map(|loss| format!("generation {}: {}", loss.generation, loss.reason()))
            .collect();
        let mut line = format!(
            "fleet: {} store={} processes={} generations={} token_requests={} conflicts={} families_revoked={} \
             kills={} logins_lost={} logins={} passing_errors={} seconds={:.1} seed={}",
            if self.broken().is_empty() { "ok" } else { "BROKEN" },
            self.arguments.store,
            self.arguments.processes,
            self.generations,
            self.token_requests(),
            self.conflicts,
            self.revoked(),
            self.kills,
            self.losses.len(),
            self.logins,
            self.errors,
            self.began.elapsed().as_secs_f64(),
            self.arguments.seed,
        );
        if !reasons.is_empty() {
            line.push_str(&format!(" lost: {}", reasons.join("; ")));
        }
        line
    }
}

impl Loss {
    /// Looks for the process that had spent the refresh token `spent` and was killed.
    pub fn explained(generation: u64, spent: &str, exchanges: &[Exchange], kills: &[Kill]) -> Self {
        let explanation = exchanges.iter().find_map(|exchange| {
            let answer = exchange.answer.as_ref()?;
            if exchange.presented != spent || answer.status != StatusCode::OK {
                return None;
            }
            let kill = kills.iter().find(|kill| kill.worker == exchange.worker)?;
            let after = kill.at.checked_duration_since(answer.at);
            let killed = after.ok_or_else(|| answer.at.saturating_duration_since(kill.at));
            Some(Explanation { worker: exchange.worker, killed })
        });
        Self { generation, explanation }
    }

    pub fn reason(&self) -> String {
        match &self.explanation {
            None => "no process that was killed had spent the refresh token".to_owned(),
            Some(Explanation { worker, killed: Ok(after) }) => {
                format!(
                    "worker {worker} was killed {after:.1?} after the server's answer and before it had stored it"
                )
            }
            Some(Explanation { worker, killed: Err(before) }) => {
                format!("worker {worker} was killed while the server answered it, {before:.1?} before it had")
            }
        }
    }
}
