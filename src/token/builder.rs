//! How a manager is made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::clock::SharedClock;
use crate::observe::KeyNames;
use crate::observe::Telemetry;
use crate::token::BoxTokenSource;
use crate::token::BoxTokenStore;
use crate::token::Event;
use crate::token::TokenManager;
use crate::token::TokenRevocation;
use crate::token::TokenSource;
use crate::token::TokenStore;
use crate::token::event::Observer;
#[cfg(test)]
use crate::token::explorer::Flaw;
use crate::token::manager::Parts;
use crate::token::memory::MemoryStore;
use crate::token::revocation::BoxTokenRevocation;
use crate::token::sealed::RefuseSealed;
use crate::token::settings::Settings;
use crate::token::watched::watched;

/// Builds a [`TokenManager`]. Everything but the source and the store has a default:
///
/// | what | default | meaning |
/// |---|---|---|
/// | [`refresh_by_hand`](Self::refresh_by_hand) | no: the manager renews | who renews tokens |
/// | [`refresh_fraction`](Self::refresh_fraction) | 0.8 | part of a token's life after which its successor is fetched while it is still in use, less up to 0.1 by chance |
/// | [`hard_leeway`](Self::hard_leeway) | 10 s, at most a tenth of the life | before its end a token is no longer sent |
/// | [`assumed_lifetime`](Self::assumed_lifetime) | none: it never ends | life of a token whose server does not say |
/// | [`refresh_deadline`](Self::refresh_deadline) | 30 s | longest time of one exchange, and of the wait for the grant's turn before it |
/// | [`attempts`](Self::attempts) | 3 | exchanges that one refresh makes at most |
/// | [`reuse_window`](Self::reuse_window) | none | how long a refresh token whose exchange was never answered may be presented again |
/// | [`wait_timeout`](Self::wait_timeout) | 35 s | longest time that a caller waits for a token |
/// | [`back_off`](Self::back_off) | 200 ms to 30 s | pause after a failure: random, doubling; `Retry-After` is its least, up to an hour |
/// | [`configuration_pause`](Self::configuration_pause) | 60 s | pause after the server refused the client itself |
/// | [`dead_recheck`](Self::dead_recheck) | 30 s | how often the store is looked at for a new login, after a grant has ended |
/// | [`cool_down`](Self::cool_down) | 1 s to 60 s | least time between two refreshes that refused tokens cause, doubling |
/// | [`persist_patience`](Self::persist_patience) | 1 s | how long a failing store is tried before the token is used all the same |
/// | [`persist_failure`](Self::persist_failure) | [`PersistFailure::ServeFromMemory`] | what happens then |
/// | [`lease_ttl`](Self::lease_ttl) | 60 s, at most half of the reuse window (but at least 5 s) | how long a lease lasts unless it is renewed |
/// | [`revocation`](Self::revocation) | none | who ends grants at the server |
/// | [`max_keys`](Self::max_keys) | 10 000 | keys in memory; those that nobody uses leave first |
/// | [`name`](Self::name) | `default` | of this manager, in what is logged and measured |
/// | [`log_keys`](Self::log_keys) | [`KeyNames::Hidden`] | what is logged of keys |
/// | [`clock`](Self::clock) | the system's | |
/// | [`chance`](Self::chance) | the thread's random numbers | |
pub struct TokenManagerBuilder {
    source: BoxTokenSource,
    store: Option<BoxTokenStore>,
    clock: SharedClock,
    settings: Settings,
    /// What was set; the default depends on the reuse window.
    lease_ttl: Option<Duration>,
    persist_failure: PersistFailure,
    revocation: Option<BoxTokenRevocation>,
    observer: Observer,
    name: Option<Box<str>>,
    key_names: KeyNames,
}

/// The shortest lease that is taken for a short reuse window.
const SHORTEST_LEASE: Duration = Duration::from_secs(5);

/// What happens when the store does not take a token that was just obtained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PersistFailure {
    /// Requests get the token from memory, and the store is tried until it takes it. The token exists, and the one
    /// before may be spent: refusing to use it helps nobody.
    #[default]
    ServeFromMemory,
    /// Requests fail until the store has the token.
    Refuse,
}

impl TokenManagerBuilder {
    pub(super) fn new(source: impl TokenSource) -> Self {
        Self {
            source: BoxTokenSource::new(source),
            store: None,
            clock: SharedClock::default(),
            settings: Settings::default(),
            lease_ttl: None,
            persist_failure: PersistFailure::default(),
            revocation: None,
            observer: Observer::default(),
            name: None,
            key_names: KeyNames::default(),
        }
    }

    /// Where grants are kept; by default in a [`MemoryStore`], bounded by [`max_keys`](Self::max_keys), and gone with
    /// the process.
    pub fn store(mut self, store: impl TokenStore) -> Self {
        self.store = Some(BoxTokenStore::new(RefuseSealed(store)));
        self
    }

    /// The clock that expiry is judged by.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = SharedClock::new(clock);
        self
    }

    /// Numbers from 0 to 1 that spread refreshes and pauses; for tests.
    pub fn chance(mut self, chance: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.settings.chance = Arc::new(chance);
        self
    }

    /// Renews tokens only when [`TokenManager::refresh`] (or the marker
    /// [`ForceRefresh`](crate::oauth2::ForceRefresh) on a request) says so: the source is never asked otherwise, not even
    /// for the first token. A token that has ended, or that a server refused, is an error of the kind
    /// [`TokenExpired`](crate::ErrorKind::TokenExpired), unless the store has a newer one; none at all is
    /// [`NoToken`](crate::ErrorKind::NoToken). See [`manual::refreshing`](crate::manual::refreshing).
    pub fn refresh_by_hand(mut self) -> Self {
        self.settings.by_hand = true;
        self
    }

    /// The part of a token's life, from 0 to 1, after which its successor is fetched.
    pub fn refresh_fraction(mut self, fraction: f64) -> Self {
        self.settings.refresh_fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.8 };
        self
    }

    /// The time before its end in which a token is no longer sent; at most a tenth of its life.
    pub fn hard_leeway(mut self, leeway: Duration) -> Self {
        self.settings.hard_leeway = leeway;
        self
    }

    /// The life of a token whose server does not say how long it lives.
    pub fn assumed_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.assumed_lifetime = Some(lifetime);
        self
    }

    /// The longest time of one exchange, and of the wait for the grant's turn before it. Storing the result has its own
    /// time.
    pub fn refresh_deadline(mut self, deadline: Duration) -> Self {
        self.settings.flight_deadline = deadline;
        self
    }

    /// How many exchanges one refresh makes at most, at least one: after a failure that may pass (no connection, no
    /// answer, the statuses 408, 429 and 5xx) it pauses as [`back_off`](Self::back_off) says, or for as long as the server
    /// asks, and tries again, as long as no more than half of the [`refresh_deadline`](Self::refresh_deadline) has gone.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.settings.attempts = attempts.max(1);
        self
    }

    /// How long the server takes a refresh token that it has replaced already: look for "reuse interval", "leeway" or
    /// "grace period" in its documentation.
    ///
    /// When an exchange is not answered, the server may or may not have replaced the refresh token. One that rotates
    /// refresh tokens ends the whole grant when it sees a replaced one after this window, so from then on it is not
    /// presented again, and somebody has to log in. The window is measured on the wall clock: a machine that was suspended
    /// in the middle knows how late it is. With a window, each exchange is written down in the store before it is made, so
    /// that after a crash another process can act on it.
    ///
    /// Without one (the default), a server that was seen to rotate counts as having none, and any other as one that does
    /// not rotate. A request that certainly never reached the server may always be repeated.
    pub fn reuse_window(mut self, window: Duration) -> Self {
        self.settings.reuse_window = window;
        self
    }

    /// Who ends grants at the server, for [`TokenManager::revoke`].
    pub fn revocation(mut self, revocation: impl TokenRevocation) -> Self {
        self.revocation = Some(BoxTokenRevocation::new(revocation));
        self
    }

    /// The longest time that a caller waits for a token. The refresh goes on without it.
    pub fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.settings.wait_timeout = timeout;
        self
    }

    /// The pause after the first failure, and the longest one.
    pub fn back_off(mut self, first: Duration, longest: Duration) -> Self {
        self.settings.back_off = (first, longest);
        self
    }

    /// The pause after the server refused the client itself.
    pub fn configuration_pause(mut self, pause: Duration) -> Self {
        self.settings.configuration_pause = pause;
        self
    }

    /// How often the store is looked at for a new login after a grant has ended.
    pub fn dead_recheck(mut self, interval: Duration) -> Self {
        self.settings.dead_recheck = interval;
        self
    }

    /// The least time between two refreshes that refused tokens cause, and what it grows to while they keep coming.
    pub fn cool_down(mut self, first: Duration, longest: Duration) -> Self {
        self.settings.cool_down = (first, longest);
        self
    }

    /// How long a failing store is tried before [`persist_failure`](Self::persist_failure) decides. One that does not
    /// answer is given 5 s each time.
    pub fn persist_patience(mut self, patience: Duration) -> Self {
        self.settings.persist_patience = patience;
        self
    }

    /// What happens when the store does not take a new token.
    pub fn persist_failure(mut self, choice: PersistFailure) -> Self {
        self.persist_failure = choice;
        self
    }

    /// How long a lease of a shared store lasts, unless it is renewed, which is done in time. After a crash, others wait
    /// for its end: with a [`reuse_window`](Self::reuse_window) it should be well below that.
    pub fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.lease_ttl = Some(ttl);
        self
    }

    /// How many keys are kept in memory; at least one.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.settings.max_keys = keys.max(1);
        self
    }

    /// Tells `observer` what happens. It is called in the middle of things: it must be quick and must not block.
    pub fn on_event(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.observer = Observer::new(observer);
        self
    }

    /// The name of this manager in spans, events and metrics, which tells it from others of the program: that of the
    /// provider, for example. It is a label of metrics, so it must not be personal, and there should be few. See
    /// [`manual::observability`](crate::manual::observability).
    pub fn name(mut self, name: impl Into<Box<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What spans and events say of keys, which may be personal. Metrics say nothing of them in any case.
    pub fn log_keys(mut self, key_names: KeyNames) -> Self {
        self.key_names = key_names;
        self
    }

    /// Breaks the manager, to see whether tests notice.
    #[cfg(test)]
    pub(super) fn flaw(mut self, flaw: Option<Flaw>) -> Self {
        self.settings.flaw = flaw;
        self
    }

    /// The manager.
    pub fn build(self) -> TokenManager {
        let mut settings = self.settings;
        let window = settings.reuse_window;
        if !window.is_zero() {
            settings.lease_ttl = settings.lease_ttl.min((window / 2).max(SHORTEST_LEASE));
        }
        settings.lease_ttl = self.lease_ttl.unwrap_or(settings.lease_ttl);
        let bounded = || BoxTokenStore::new(MemoryStore::bounded(settings.max_keys));
        let telemetry = Telemetry::new(self.name.as_deref(), self.key_names);
        let store = watched(self.store.unwrap_or_else(bounded), &telemetry);
        TokenManager::new(Parts {
            source: self.source,
            store,
            clock: self.clock,
            settings,
            persist_failure: self.persist_failure,
            revocation: self.revocation,
            observer: self.observer,
            telemetry,
        })
    }
}

impl fmt::Debug for TokenManagerBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenManagerBuilder")
            .field("source", &self.source)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
