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
use crate::token::Token;
use crate::token::settings::LONGEST_RETRY_AFTER;
use crate::token::settings::Settings;
use crate::token::settings::doubled;
use crate::token::settings::pause;

/// The pause after a source said that there is no token yet: another process may log in at any moment.
const NO_TOKEN_PAUSE: Duration = Duration::from_secs(1);

/// One token's state.
#[derive(Default)]
pub(super) struct Slot {
    current: Option<Arc<Published>>,
    /// The current token was refused by a server: it is never given out again.
    rejected: bool,
    /// The flight that is under way. What is rare is elsewhere in memory, because there may be a million of these.
    flying: Option<Box<Flying>>,
    /// After a failure: nothing is tried before this ends.
    pause: Option<Box<Pause>>,
    /// Only a login helps, or a store that changed.
    dead: Option<Box<Dead>>,
    refusals: Refusals,
}

/// A flight that is under way.
#[derive(Default)]
struct Flying {
    /// The token that was current when it started: it is to bring another.
    replaces: Option<Arc<Published>>,
    /// The generation of the record that it exchanges.
    spending: Option<u64>,
    /// The generation of a login that came meanwhile: what the flight brings from before it comes too late.
    overtaken: Option<u64>,
}

struct Pause {
    stretch: Stretch,
    /// Failures in a row.
    attempts: u32,
    error: Error,
}

struct Dead {
    /// Until the store is looked at again.
    stretch: Stretch,
    error: Error,
    /// The generation of the record that was found dead.
    generation: Option<u64>,
}

/// A stretch of time in which nothing is tried. It is over, too, when the clock is set back to before it began: it must
/// not last for as long as the clock was set back.
struct Stretch {
    from: SystemTime,
    until: SystemTime,
}

impl Stretch {
    fn new(from: SystemTime, length: Duration) -> Self {
        Self { from, until: from.checked_add(length).unwrap_or(from) }
    }

    fn holds(&self, now: SystemTime) -> bool {
        self.from <= now && now < self.until
    }
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
                self.take_off();
                return Decision::ServeAndRefresh(current, Reason::Expiring);
            }
            return Decision::Serve(current);
        }
        if self.flying.is_some() {
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
            let cause = Error::new(ErrorKind::Refused).detail("every new token was refused as well");
            return Decision::Fail(cause.backed_off(until));
        }
        if reason == Reason::Refused {
            self.refusals.count(now, delay);
        }
        self.take_off();
        Decision::Refresh(reason, delay)
    }

    /// Somebody wants a new token although the current one may be good.
    pub(super) fn force(&mut self, now: SystemTime) -> Decision {
        if self.flying.is_some() {
            return Decision::Wait;
        }
        // A login may have happened elsewhere: that is what a forced refresh of a dead grant looks for. And where tokens
        // are renewed by hand, this is what the one who is told that there is none does next.
        if let Some(error) = self.paused(now) {
            if !waits_for_somebody(&error) {
                return Decision::Fail(error);
            }
        }
        self.take_off();
        Decision::Refresh(Reason::Forced, Duration::ZERO)
    }

    /// Whether a token that the store holds is what the flight under way is to bring.
    pub(super) fn is_news(&self, token: &Token, reason: Reason) -> bool {
        let flying = self.flying.as_ref();
        let is_replaced = match flying.and_then(|flying| flying.replaces.as_ref()) {
            Some(replaced) => replaced.same_access_token(token),
            // The store's token is new to this process, which is enough unless another one was asked for.
            None => reason == Reason::Forced && flying.is_none_or(|flying| flying.overtaken.is_none()),
        };
        let is_refused =
            self.rejected && self.current.as_ref().is_some_and(|current| current.same_access_token(token));
        !is_replaced && !is_refused
    }

    /// A flight is about to exchange the record of this generation; not if that one is known to be dead.
    pub(super) fn spend(&mut self, generation: Option<u64>) -> Option<Error> {
        if let Some(flying) = &mut self.flying {
            flying.spending = generation;
        }
        self.dead.as_ref().filter(|dead| dead.generation == generation).map(|dead| dead.error.clone())
    }

    /// A flight brought a token, which is not taken if it is from before a login that came meanwhile.
    ///
    /// Generations are compared for this alone: a store that was wiped or restored may begin anew with lower ones.
    pub(super) fn succeed(&mut self, published: Arc<Published>) {
        let overtaken = self.flying.take().and_then(|flying| flying.overtaken);
        if overtaken.is_none_or(|login| login < published.generation) {
            self.take(published);
        }
    }

    /// A flight failed at `now`. Says whether that matters: not when a login came meanwhile.
    ///
    /// `chance`, from 0 to 1, spreads the pause.
    pub(super) fn fail(&mut self, error: &Error, now: SystemTime, chance: f64, settings: &Settings) -> bool {
        let flying = self.flying.take().unwrap_or_default();
        if flying.overtaken.is_some() {
            return false;
        }
        let attempts = self.pause.as_ref().map_or(0, |pause| pause.attempts);
        let delay = match error.kind() {
            ErrorKind::ReauthorizationRequired => {
                let stretch = Stretch::new(now, settings.dead_recheck);
                let generation = flying.spending;
                self.dead = Some(Box::new(Dead { stretch, error: error.clone(), generation }));
                return true;
            }
            ErrorKind::ShutDown | ErrorKind::Reentrant => return true,
            _ if waits_for_somebody(error) => NO_TOKEN_PAUSE,
            _ if error.is_configuration() => settings.configuration_pause,
            _ => pause(settings.back_off, attempts, chance),
        };
        let asked = error.retry_after().unwrap_or_default().min(LONGEST_RETRY_AFTER);
        let stretch = Stretch::new(now, delay.max(asked));
        let attempts = attempts.saturating_add(1);
        self.pause = Some(Box::new(Pause { stretch, attempts, error: error.clone() }));
        true
    }

    /// A login brought a token. A flight that is under way goes on, and will find it in the store.
    pub(super) fn login(&mut self, published: Arc<Published>) {
        if self.overtake(published.generation) {
            self.take(published);
        }
    }

    /// A login of this generation replaced the grant that the token belonged to.
    pub(super) fn forget(&mut self, login: u64) {
        if self.overtake(login) {
            *self = Self { flying: self.flying.take(), ..Self::default() };
        }
    }

    /// A login came; not if a later one was before it.
    fn overtake(&mut self, login: u64) -> bool {
        if self.current.as_ref().is_some_and(|current| login < current.generation) {
            return false;
        }
        if let Some(flying) = &mut self.flying {
            flying.overtaken = flying.overtaken.max(Some(login));
        }
        true
    }

    fn take(&mut self, published: Arc<Published>) {
        self.current = Some(published);
        self.rejected = false;
        self.pause = None;
        self.dead = None;
    }

    fn take_off(&mut self) {
        let flying = Flying { replaces: self.current.clone(), ..Flying::default() };
        self.flying = Some(Box::new(flying));
    }

    /// A server refused the token with this serial number. Says whether that was the current one.
    pub(super) fn reject(&mut self, serial: u32) -> bool {
        let is_current = self.current.as_ref().is_some_and(|current| current.serial == serial);
        self.rejected |= is_current;
        is_current
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
        if self.flying.is_some() {
            return None;
        }
        let soft = self.servable()?.times().soft?;
        let paused = self.pause.as_ref().map(|pause| pause.stretch.until);
        let dead = self.dead.as_ref().map(|dead| dead.stretch.until);
        Some([paused, dead].into_iter().flatten().fold(soft, SystemTime::max))
    }

    /// Whether a flight is under way.
    pub(super) fn is_flying(&self) -> bool {
        self.flying.is_some()
    }

    /// Whether the state could be rebuilt from the store without loss.
    pub(super) fn is_idle(&self, now: SystemTime) -> bool {
        self.flying.is_none() && !self.rejected && self.held_back(now).is_none()
    }

    fn usable(&self, now: SystemTime) -> Option<Arc<Published>> {
        self.servable().filter(|current| current.is_usable(now)).cloned()
    }

    /// The error of a reader while nothing may be tried.
    fn held_back(&self, now: SystemTime) -> Option<Error> {
        let dead = self.dead.as_ref().filter(|dead| dead.stretch.holds(now));
        dead.map(|dead| dead.error.clone()).or_else(|| self.paused(now))
    }

    /// The error of those who come while a pause lasts.
    fn paused(&self, now: SystemTime) -> Option<Error> {
        let pause = self.pause.as_ref().filter(|pause| pause.stretch.holds(now))?;
        // Whoever has to log in, or to refresh by hand, is told so each time.
        let is_plain = pause.error.needs_reauthorization() || waits_for_somebody(&pause.error);
        Some(if is_plain { pause.error.clone() } else { pause.error.backed_off(pause.stretch.until) })
    }
}

/// Whether the next move is not the manager's: to log in, or to refresh by hand.
fn waits_for_somebody(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NoToken | ErrorKind::TokenExpired)
}

impl Refusals {
    /// How long a refresh that a refusal causes has to be put off.
    fn delay(&self, now: SystemTime, settings: &Settings) -> Duration {
        let (first, most) = settings.cool_down;
        let not_before = self.last.and_then(|last| last.checked_add(doubled(first, most, self.run)));
        let delay = not_before.and_then(|not_before| not_before.duration_since(now).ok()).unwrap_or_default();
        // Longer than the last refresh and its cool-down can be ahead, it is only because the clock was set back.
        if delay > most.saturating_mul(2) { Duration::ZERO } else { delay.min(most) }
    }

    fn count(&mut self, now: SystemTime, delay: Duration) {
        self.run = if delay.is_zero() { 0 } else { self.run.saturating_add(1) };
        self.last = now.checked_add(delay);
    }
}

#[cfg(test)]
mod tests;
