//! The state of one token: what a reader gets, and when a new token is fetched.
//!
//! Pure: time comes in as an argument, and what has to be done goes out as a [`Decision`]. Locks, tasks and waiting are
//! in [`keyed`](super::keyed) and [`flight`](super::flight).

use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::token::Published;
use crate::token::Reason;
use crate::token::settings::Settings;
use crate::token::settings::doubled;

/// The pause after a source said that there is no token yet: another process may log in at any moment.
const NO_TOKEN_PAUSE: Duration = Duration::from_secs(1);

/// One token's state.
#[derive(Default)]
pub(super) struct Slot {
    current: Option<Arc<Published>>,
    /// The current token was refused by a server: it is never given out again.
    rejected: bool,
    /// A flight is under way.
    flying: bool,
    /// After a failure: nothing is tried before this ends.
    pause: Option<Pause>,
    /// Only a login helps, or a store that changed.
    dead: Option<Dead>,
    /// The generation of the record that the flight under way exchanges.
    spending: Option<u64>,
    refusals: Refusals,
}

struct Pause {
    until: SystemTime,
    /// Failures in a row.
    attempts: u32,
    error: Error,
}

struct Dead {
    error: Error,
    /// The generation of the record that was found dead.
    generation: Option<u64>,
    recheck_at: SystemTime,
}

/// Keeps an API that refuses every token from driving one refresh after the other.
#[derive(Default)]
struct Refusals {
    /// When the last refresh that a refusal caused was (or will be) made.
    last: Option<SystemTime>,
    /// How many of them came too soon after one another.
    run: u32,
}

/// What a reader gets.
#[derive(Debug)]
pub(super) enum Decision {
    /// This token.
    Serve(Arc<Published>),
    /// This token; and the reader starts a flight.
    ServeAndRefresh(Arc<Published>, Reason),
    /// The reader starts a flight, which pauses for the delay first, and waits for it.
    Refresh(Reason, Duration),
    /// The reader waits for the flight that is under way.
    Wait,
    /// This error, at once.
    Fail(Error),
}

impl Slot {
    /// A reader asks. After `ServeAndRefresh` and `Refresh` a flight is under way until one of
    /// [`succeed`](Self::succeed) and [`fail`](Self::fail) is called.
    pub(super) fn read(&mut self, now: SystemTime, settings: &Settings) -> Decision {
        if let Some(current) = self.usable(now) {
            if self.next_look().is_some_and(|at| at <= now) {
                self.flying = true;
                return Decision::ServeAndRefresh(current, Reason::Expiring);
            }
            return Decision::Serve(current);
        }
        if self.flying {
            return Decision::Wait;
        }
        if let Some(error) = self.held_back(now) {
            return Decision::Fail(error);
        }
        let reason = match &self.current {
            None => Reason::First,
            Some(_) if self.rejected => Reason::Refused,
            Some(_) => Reason::Expired,
        };
        let delay =
            if reason == Reason::Refused { self.refusals.delay(now, settings) } else { Duration::ZERO };
        if delay > settings.wait_timeout {
            let until = now.checked_add(delay).unwrap_or(now);
            let cause = Error::new(ErrorKind::InvalidToken).detail("every new token was refused as well");
            return Decision::Fail(cause.backed_off(until));
        }
        if reason == Reason::Refused {
            self.refusals.count(now, delay);
        }
        self.flying = true;
        Decision::Refresh(reason, delay)
    }

    /// Somebody wants a new token although the current one may be good.
    pub(super) fn force(&mut self, now: SystemTime) -> Decision {
        if self.flying {
            return Decision::Wait;
        }
        // A login may have happened elsewhere: that is what a forced refresh of a dead grant looks for.
        if let Some(pause) = self.pause.as_ref().filter(|pause| now < pause.until) {
            return Decision::Fail(pause.error.backed_off(pause.until));
        }
        self.flying = true;
        Decision::Refresh(Reason::Forced, Duration::ZERO)
    }

    /// A flight brought a token. Generations only move forward: one that comes after a newer login is not taken.
    pub(super) fn succeed(&mut self, published: Arc<Published>) {
        self.flying = false;
        self.take(published);
    }

    /// A login brought a token. A flight that is under way goes on, and will find it in the store.
    pub(super) fn take(&mut self, published: Arc<Published>) {
        if self.current.as_ref().is_some_and(|current| published.generation < current.generation) {
            return;
        }
        self.current = Some(published);
        self.rejected = false;
        self.pause = None;
        self.dead = None;
    }

    /// A flight is about to exchange the record of this generation; not if that one is known to be dead.
    pub(super) fn spend(&mut self, generation: Option<u64>) -> Option<Error> {
        self.spending = generation;
        self.dead.as_ref().filter(|dead| dead.generation == generation).map(|dead| dead.error.clone())
    }

    /// A flight failed at `now`.
    pub(super) fn fail(&mut self, error: &Error, now: SystemTime, settings: &Settings) {
        self.flying = false;
        let at = |delay| now.checked_add(delay).unwrap_or(now);
        let attempts = self.pause.as_ref().map_or(0, |pause| pause.attempts);
        let delay = match error.kind() {
            ErrorKind::ReauthorizationRequired => {
                let recheck_at = at(settings.dead_recheck);
                self.dead = Some(Dead { error: error.clone(), generation: self.spending, recheck_at });
                return;
            }
            ErrorKind::ShutDown | ErrorKind::Reentrant => return,
            ErrorKind::NoToken => NO_TOKEN_PAUSE,
            _ if error.is_configuration() => settings.configuration_pause,
            _ => settings.pause(settings.back_off, attempts),
        };
        let delay = delay.max(error.retry_after().unwrap_or_default());
        self.pause =
            Some(Pause { until: at(delay), attempts: attempts.saturating_add(1), error: error.clone() });
    }

    /// A server refused the token with this serial number. Says whether that was the current one.
    pub(super) fn reject(&mut self, serial: u64) -> bool {
        let is_current = self.current.as_ref().is_some_and(|current| current.serial == serial);
        self.rejected |= is_current;
        is_current
    }

    /// A login replaced the grant that the token belonged to.
    pub(super) fn forget(&mut self) {
        let flying = self.flying;
        *self = Self { flying, ..Self::default() };
    }

    /// The token that may be given out, as long as its time has not come.
    pub(super) fn servable(&self) -> Option<&Arc<Published>> {
        self.current.as_ref().filter(|_| !self.rejected)
    }

    /// The last token, given out or not, and whether a server refused it.
    pub(super) fn last(&self) -> Option<(&Arc<Published>, bool)> {
        self.current.as_ref().map(|current| (current, self.rejected))
    }

    /// When a reader of a usable token has to look here again: never while a flight is under way.
    pub(super) fn next_look(&self) -> Option<SystemTime> {
        if self.flying {
            return None;
        }
        let soft = self.servable()?.times.soft?;
        let paused = self.pause.as_ref().map(|pause| pause.until);
        let dead = self.dead.as_ref().map(|dead| dead.recheck_at);
        Some([paused, dead].into_iter().flatten().fold(soft, SystemTime::max))
    }

    /// Whether the state could be rebuilt from the store without loss.
    pub(super) fn is_idle(&self, now: SystemTime) -> bool {
        !self.flying && !self.rejected && self.held_back(now).is_none()
    }

    fn usable(&self, now: SystemTime) -> Option<Arc<Published>> {
        self.servable().filter(|current| current.is_usable(now)).cloned()
    }

    /// The error of a reader while nothing may be tried.
    fn held_back(&self, now: SystemTime) -> Option<Error> {
        if let Some(dead) = self.dead.as_ref().filter(|dead| now < dead.recheck_at) {
            return Some(dead.error.clone());
        }
        let pause = self.pause.as_ref().filter(|pause| now < pause.until)?;
        Some(pause.error.backed_off(pause.until))
    }
}

impl Refusals {
    /// How long a refresh that a refusal causes has to be put off.
    fn delay(&self, now: SystemTime, settings: &Settings) -> Duration {
        let (first, most) = settings.cool_down;
        let not_before = self.last.and_then(|last| last.checked_add(doubled(first, most, self.run)));
        let delay = not_before.and_then(|not_before| not_before.duration_since(now).ok()).unwrap_or_default();
        // A clock that was set back must not stop refreshes for as long as it was set back.
        delay.min(most)
    }

    fn count(&mut self, now: SystemTime, delay: Duration) {
        self.run = if delay.is_zero() { 0 } else { self.run.saturating_add(1) };
        self.last = now.checked_add(delay);
    }
}

#[cfg(test)]
mod tests;
