//! The clocks of servers, as far as their refusals tell.
//!
//! A server that refuses a timestamp says what time it has: in `oauth_acceptable_timestamps`, or in the `Date` that every
//! response has. That time is kept together with the moment, by the monotonic clock, at which it was learned, and later
//! timestamps for this server are counted from there. The wall clock of this machine, which may be set at any moment, has
//! no part in them.
//!
//! | response | what is done |
//! |---|---|
//! | 4xx with `timestamp_refused` | the server's time is learned if it is more than a second away |
//! | 400 or 401 with no problem named | the same if it is more than a minute away: a guess |
//! | success, or a redirect | a guess under which it was signed is right from now on |
//! | one of the first two again, under a guess, and nothing new in it | the guess is given up, and none made for ten minutes |
//! | anything else | nothing |
//!
//! A `Date` may be wrong, which is why a guess has to prove itself: otherwise one wrong clock in front of a server would
//! make all later requests fail.

use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::SystemTime;

use http::HeaderMap;
use http::StatusCode;
use http::header::AGE;
use http::header::DATE;

use crate::clock::SharedClock;
use crate::oauth1::OAuthProblem;
use crate::observe;

/// How far a server's clock has to be from a timestamp that the server named as the problem.
const NAMED: Duration = Duration::from_secs(1);
/// The same where the server did not say what the problem was. Servers accept some minutes, five as a rule.
const GUESSED: Duration = Duration::from_secs(60);
/// How long no guess is made after one that did not help.
const QUIET: Duration = Duration::from_secs(600);
/// Servers whose clocks are remembered.
const SERVERS: usize = 256;
/// The widest range of acceptable timestamps whose middle may be the server's present.
const RANGE: u64 = 24 * 60 * 60;

/// What was learned, by server.
#[derive(Debug, Default)]
pub(super) struct Skew {
    /// Whether there is anything, so that nobody takes the lock for nothing.
    any: AtomicBool,
    learned: RwLock<Learned>,
}

#[derive(Debug, Default)]
struct Learned {
    servers: Vec<Server>,
    last_serial: u64,
}

/// What is known of one server.
#[derive(Clone, Copy, Debug)]
struct Server {
    id: u64,
    time: Option<Time>,
    /// No guess before this moment.
    quiet_until: Duration,
    /// The moment of the last change.
    changed: Duration,
}

/// A server's time.
#[derive(Clone, Copy, Debug)]
struct Time {
    /// Since 1970.
    server: Duration,
    /// At this moment of the monotonic clock.
    at: Duration,
    serial: u64,
    /// Whether a request that was signed by it was accepted, or the server itself had named the problem.
    is_proven: bool,
}

/// When, by which clock, a request was signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    server: u64,
    /// The timestamp: seconds since 1970.
    pub(super) seconds: u64,
    /// The moment of the monotonic clock.
    at: Duration,
    /// What was learned of the server, if the timestamp is by that.
    time: Option<(u64, bool)>,
}

/// A refusal that may be for the timestamp.
#[derive(Clone, Copy, PartialEq)]
enum Suspicion {
    Guessed,
    Named,
}

impl Skew {
    /// The timestamp of a request that is sent now to the server with this [number](crate::origin::Origin::number). Two
    /// servers with the same number would share a clock, and nobody can make them.
    pub(super) fn stamp(&self, clock: &SharedClock, server: u64) -> Stamp {
        if self.any.load(Ordering::Acquire) {
            let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner);
            let known = learned.servers.iter().find(|known| known.id == server).and_then(|known| known.time);
            drop(learned);
            if let Some(time) = known {
                let at = clock.monotonic();
                let learned = Some((time.serial, time.is_proven));
                return Stamp { server, seconds: time.now(at).as_secs(), at, time: learned };
            }
        }
        let now = clock.since_1970();
        Stamp { server, seconds: now.as_secs(), at: clock.monotonic(), time: None }
    }

    /// Learns from the response to a request. Whether the request would have another timestamp by what is known now, and
    /// may be accepted with it.
    pub(super) fn hear(
        &self,
        clock: &SharedClock,
        stamp: &Stamp,
        status: StatusCode,
        headers: &HeaderMap,
        problem: Option<&OAuthProblem>,
    ) -> bool {
        if status.is_success() || status.is_redirection() {
            if let Some((serial, false)) = stamp.time {
                self.prove(stamp.server, serial);
            }
            return false;
        }
        let Some(suspicion) = Suspicion::of(status, problem) else { return false };
        let now = clock.monotonic();
        let hint = hint(headers, problem).filter(|hint| stamp.is_apart(*hint, now, suspicion));
        let known = self.learn(stamp, suspicion, hint, now);
        let corrected = known.map_or_else(|| clock.since_1970(), |time| time.now(now));
        stamp.is_apart(corrected, now, suspicion)
    }

    /// Learns a time, or gives one up that did not help. Returns the time that is known then.
    fn learn(
        &self,
        stamp: &Stamp,
        suspicion: Suspicion,
        hint: Option<Duration>,
        now: Duration,
    ) -> Option<Time> {
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        let Learned { servers, last_serial } = &mut *learned;
        let known = servers.iter().find(|known| known.id == stamp.server).copied();
        let mut server =
            known.unwrap_or(Server { id: stamp.server, time: None, quiet_until: now, changed: now });
        let is_named = suspicion == Suspicion::Named;
        match hint.filter(|_| is_named || server.quiet_until <= now) {
            // Another response has said the same already, and it may have proven itself since.
            Some(hint)
                if server.time.is_some_and(|time| apart(time.now(now), hint) <= suspicion.threshold()) => {}
            Some(hint) => {
                *last_serial += 1;
                let serial = *last_serial;
                observe::clock_learned(stamp.seconds, hint.as_secs());
                server.time = Some(Time { server: hint, at: now, serial, is_proven: is_named });
            }
            None => match server.time {
                Some(time)
                    if stamp.time.map(|(serial, _)| serial) == Some(time.serial)
                        && (is_named || !time.is_proven) =>
                {
                    server.time = None;
                    server.quiet_until = now.saturating_add(QUIET);
                }
                time => return time,
            },
        }
        server.changed = now;
        match servers.iter_mut().find(|known| known.id == server.id) {
            Some(known) => *known = server,
            None => {
                if servers.len() >= SERVERS {
                    let oldest = servers.iter().enumerate().min_by_key(|(_, known)| known.changed);
                    if let Some((oldest, _)) = oldest {
                        servers.swap_remove(oldest);
                    }
                }
                servers.push(server);
            }
        }
        self.any.store(true, Ordering::Release);
        server.time
    }

    fn prove(&self, server: u64, serial: u64) {
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        let mut times = learned.servers.iter_mut().filter(|known| known.id == server);
        if let Some(time) = times.next().and_then(|known| known.time.as_mut()) {
            time.is_proven |= time.serial == serial;
        }
    }
}

impl Time {
    /// The server's time at a moment of the monotonic clock.
    fn now(&self, moment: Duration) -> Duration {
        self.server.saturating_add(moment.saturating_sub(self.at))
    }
}

impl Stamp {
    /// Whether the timestamp is by a time that has to prove itself.
    pub(super) fn is_by_a_guess(&self) -> bool {
        matches!(self.time, Some((_, false)))
    }

    /// Whether `time` is too far from the timestamp, and from all that it could have been until `now`: the server may have
    /// read its clock at any moment between.
    fn is_apart(&self, time: Duration, now: Duration, suspicion: Suspicion) -> bool {
        let first = Duration::from_secs(self.seconds);
        let last = first.saturating_add(now.saturating_sub(self.at));
        apart(time, time.clamp(first, last)) > suspicion.threshold()
    }
}

impl Suspicion {
    fn of(status: StatusCode, problem: Option<&OAuthProblem>) -> Option<Self> {
        match problem {
            Some(problem) if problem.is_timestamp_refused() => {
                status.is_client_error().then_some(Self::Named)
            }
            Some(_) => None,
            None => {
                matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED).then_some(Self::Guessed)
            }
        }
    }

    fn threshold(self) -> Duration {
        match self {
            Self::Guessed => GUESSED,
            Self::Named => NAMED,
        }
    }
}

/// The server's time as a response tells it: the `Date`, unless that is not acceptable itself; the middle of what is.
fn hint(headers: &HeaderMap, problem: Option<&OAuthProblem>) -> Option<Duration> {
    let date = date(headers);
    let Some(range) = problem.and_then(OAuthProblem::acceptable_timestamps) else { return date };
    if let Some(date) = date.filter(|date| range.contains(&date.as_secs())) {
        return Some(date);
    }
    let (first, last) = (*range.start(), *range.end());
    (last - first <= RANGE).then(|| Duration::from_secs(first.midpoint(last)))
}

/// The `Date` (RFC 9110 §6.6.1) of a response that was not kept in a cache for a while.
fn date(headers: &HeaderMap) -> Option<Duration> {
    if headers.contains_key(AGE) {
        return None;
    }
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    date.duration_since(SystemTime::UNIX_EPOCH).ok()
}

fn apart(one: Duration, other: Duration) -> Duration {
    one.abs_diff(other)
}

#[cfg(test)]
mod tests;
