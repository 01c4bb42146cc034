//! Gives a token to whoever asks for one: at once if it is at hand, or after waiting for the flight that brings it.

use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use http::HeaderValue;
use tokio::time::timeout;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::observe::Telemetry;
use crate::token::AccessScope;
use crate::token::Published;
use crate::token::Reason;
use crate::token::Rush;
use crate::token::TokenKey;
use crate::token::TokenManager;
use crate::token::entry::Entry;
use crate::token::entry::Found;
#[cfg(test)]
use crate::token::explorer;
use crate::token::flight;
use crate::token::flight::Flight;
use crate::token::flight::Landing;
use crate::token::kept::Kept;
use crate::token::manager::Identity;
use crate::token::showcase::Spot;
use crate::token::showcase::Taken;
use crate::token::slot::Decision;
use crate::token::tasks;

/// How many refreshes a caller waits for, one after the other, before it gives up.
const FLIGHTS: usize = 8;

/// What somebody who asks does next.
enum Step {
    Serve(Arc<Published>),
    Start(Reason, Duration, Option<Arc<Published>>),
    Wait(Arc<Flight>),
}

impl TokenManager {
    /// The token that can be sent right now, without a lock, a wait or an allocation. When its successor is wanted, one
    /// of the callers starts to get it on the way.
    pub(crate) fn current<T>(
        &self,
        identity: &Identity,
        rush: Rush,
        take: impl FnOnce(&Published) -> T,
    ) -> Option<T> {
        self.current_at(self.0.clock.lately(), identity, rush, take)
    }

    /// The same from what was taken of it before, if that is still good; otherwise it is taken anew.
    #[inline]
    pub(crate) fn current_again<'a, T>(
        &self,
        identity: &Identity,
        kept: &'a mut Option<Kept<T>>,
        take: impl FnOnce(&Published) -> T,
    ) -> Option<&'a Kept<T>> {
        let now = self.0.clock.lately();
        match kept {
            Some(kept) if kept.is_good(&identity.0, now) => {
                self.0.telemetry.served(&identity.0.key, kept.obtained_at, now);
            }
            _ => {
                // Whatever is kept is let go first: it was replaced, or is about to be.
                *kept = None;
                let version = identity.0.version();
                let take = |published: &Published| Kept::new(version, published, take(published));
                *kept = self.current_at(now, identity, Rush::Certain, take);
            }
        }
        kept.as_ref()
    }

    /// Turns to where the token of a key is, which is one of many: the sooner, the shorter the wait for it.
    #[inline]
    pub(crate) fn turn_to(&self, key: &TokenKey, scope: &AccessScope) -> Option<Spot<'_>> {
        self.0.keyed.turn_to(key, scope)
    }

    /// The value of its header and the number of the token of a key.
    #[inline]
    pub(crate) fn current_of(
        &self,
        key: &TokenKey,
        scope: &AccessScope,
        spot: Option<Spot<'_>>,
    ) -> Option<(HeaderValue, u32)> {
        let now = self.0.clock.lately();
        match spot.and_then(|spot| spot.take(key, scope, now)) {
            Some(Taken { header, serial, obtained_at }) => {
                self.0.telemetry.served(key, obtained_at, now);
                Some((header, serial))
            }
            None => self.current_by_entry(now, key, scope),
        }
    }

    /// The same for what has to be looked for or to be looked at.
    #[inline(never)]
    fn current_by_entry(
        &self,
        now: SystemTime,
        key: &TokenKey,
        scope: &AccessScope,
    ) -> Option<(HeaderValue, u32)> {
        let take = |published: &Published| (published.header(Rush::Unlikely), published.serial);
        let take = |entry: &Arc<Entry>| self.current_in(now, entry, Rush::Unlikely, take);
        self.0.keyed.look_up(key, scope, take).flatten()
    }

    #[inline(never)]
    fn current_at<T>(
        &self,
        now: SystemTime,
        identity: &Identity,
        rush: Rush,
        take: impl FnOnce(&Published) -> T,
    ) -> Option<T> {
        self.current_in(now, &identity.0, rush, take)
    }

    #[inline]
    fn current_in<T>(
        &self,
        now: SystemTime,
        entry: &Arc<Entry>,
        rush: Rush,
        take: impl FnOnce(&Published) -> T,
    ) -> Option<T> {
        // Whoever is asked for all the time is held by a layer, and does not leave anyhow.
        if rush == Rush::Unlikely {
            entry.touch(now);
        }
        let take = |published: &Published| {
            self.served(entry, published, now);
            take(published)
        };
        match entry.find(now) {
            Found::Token(served) => served.as_deref().map(take),
            Found::TokenAndLook(served) => {
                // The token at hand is good, so whatever comes of this is not the caller's concern.
                let _ = self.step(entry, false).map(|step| self.start(entry, step));
                served.as_deref().map(take)
            }
            Found::Nothing => None,
        }
    }

    /// The token that can be sent right now, for somebody who does not send it.
    pub(crate) fn glance<T>(&self, identity: &Identity, look: impl FnOnce(&Published) -> T) -> Option<T> {
        identity.0.served(self.0.clock.now())?.as_deref().map(look)
    }

    /// The current token; waits for one when there is none.
    pub(crate) async fn acquire(&self, identity: &Identity) -> Result<Arc<Published>, Error> {
        let published = self.acquire_from(&identity.0, false).await?;
        self.served(&identity.0, &published, self.0.clock.now());
        Ok(published)
    }

    /// A token other than the current one.
    pub(crate) async fn acquire_another(&self, identity: &Identity) -> Result<Arc<Published>, Error> {
        let published = self.acquire_from(&identity.0, true).await?;
        self.served(&identity.0, &published, self.0.clock.now());
        Ok(published)
    }

    /// What tells of the manager's doings.
    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    fn served(&self, entry: &Entry, published: &Published, now: SystemTime) {
        self.0.telemetry.served(&entry.key, published.token.obtained_at(), now);
    }

    /// A server refused the token with this serial number.
    pub(crate) fn refused(&self, identity: &Identity, serial: u32) {
        identity.0.change(|state| state.slot.reject(serial));
    }

    async fn acquire_from(&self, entry: &Arc<Entry>, another: bool) -> Result<Arc<Published>, Error> {
        if flight::is_own_flight(entry) {
            return Err(Error::new(ErrorKind::Reentrant));
        }
        let step = self.step(entry, another)?;
        let mut flight = match self.start(entry, step)? {
            Ok(published) => return Ok(published),
            Err(flight) => flight,
        };
        #[cfg(test)]
        let _tie = explorer::Tie::new(&self.0, &flight);
        // The flight may be on another thread's runtime, and waiting needs a timer here.
        tasks::runtime()?;
        let watch = self.0.telemetry.wait(&entry.key, &flight.link);
        let wait = async {
            for _ in 0..FLIGHTS {
                flight.wait().await?;
                let step = self.step(entry, false)?;
                match self.start(entry, step)? {
                    Ok(published) => return Ok(published),
                    Err(next) => flight = next,
                }
            }
            Err(Error::new(ErrorKind::UnusableResponse)
                .detail("each new token ended before it could be used"))
        };
        let wait_timeout = self.0.settings.wait_timeout;
        let outcome = watch.span().around(timeout(wait_timeout, wait)).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::WaitTimeout).detail(format!("a request waits for {wait_timeout:?}")))
        });
        watch.end(outcome.as_ref().err());
        outcome
    }

    /// Asks the slot.
    fn step(&self, entry: &Entry, another: bool) -> Result<Step, Error> {
        let now = self.0.clock.now();
        entry.touch(now);
        entry.change(|state| {
            let decision =
                if another { state.slot.force(now) } else { state.slot.read(now, &self.0.settings) };
            match decision {
                Decision::Serve(published) => Ok(Step::Serve(published)),
                Decision::ServeAndRefresh(published, reason) => {
                    state.flight = Some(Arc::default());
                    Ok(Step::Start(reason, Duration::ZERO, Some(published)))
                }
                Decision::Refresh(reason, delay) => {
                    state.flight = Some(Arc::default());
                    Ok(Step::Start(reason, delay, None))
                }
                Decision::Wait => Ok(Step::Wait(state.flight.get_or_insert_default().clone())),
                Decision::Fail(error) => Err(error),
            }
        })
    }

    /// Does what the slot decided: gives a token, or the flight to wait for.
    fn start(&self, entry: &Arc<Entry>, step: Step) -> Result<Result<Arc<Published>, Arc<Flight>>, Error> {
        let (reason, delay, published) = match step {
            Step::Serve(published) => return Ok(Ok(published)),
            Step::Wait(flight) => return Ok(Err(flight)),
            Step::Start(reason, delay, published) => (reason, delay, published),
        };
        // Held before the task exists: the flight may have landed by the time `spawn` returns.
        let flight = entry.change(|state| state.flight.get_or_insert_default().clone());
        let refresh = self.0.telemetry.refresh(&entry.key, reason.as_str());
        let span = refresh.span().clone();
        flight.link.tie(&span);
        let landing = Landing::new(Arc::clone(&self.0), Arc::clone(entry), reason, refresh);
        let spawned = match self.0.tasks.closed() {
            Some(error) => Err(landing.abandon(error)),
            None => self.0.tasks.spawn(span.around(flight::run(landing, delay))),
        };
        #[cfg(test)]
        if let Ok(task) = &spawned {
            let _ = flight.task.set(task.clone());
        }
        match published {
            Some(published) => Ok(Ok(published)),
            None => spawned.map(|_| Err(flight)),
        }
    }
}
