//! Gives out tokens.

mod serving;

use std::fmt;
use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::SharedClock;
use crate::error::Error;
use crate::observe::Telemetry;
use crate::token::AccessScope;
use crate::token::Address;
use crate::token::BoxTokenSource;
use crate::token::BoxTokenStore;
use crate::token::Event;
use crate::token::PersistFailure;
use crate::token::Published;
use crate::token::Rush;
use crate::token::Token;
use crate::token::TokenKey;
use crate::token::TokenManagerBuilder;
use crate::token::TokenSource;
use crate::token::TokenStore;
use crate::token::address::Listing;
use crate::token::ending;
use crate::token::entry;
use crate::token::entry::Entry;
use crate::token::event::Observer;
use crate::token::flight::Flight;
use crate::token::keyed::Keyed;
use crate::token::persist;
use crate::token::published::header_value;
use crate::token::revocation::BoxTokenRevocation;
use crate::token::settings::Settings;
use crate::token::tasks::Tasks;

/// Gives out the current token of each key, and renews it. See the [module docs](super).
///
/// Clones share everything. Nothing runs in the background but refreshes, and those only when somebody asked; tasks are
/// spawned on the tokio runtime of the caller, which needs its timer (`enable_time`). Dropping the manager lets
/// refreshes that are under way finish, and tries a few times more to store what the store would not take.
#[derive(Clone)]
pub struct TokenManager(Arc<Shared>, #[allow(dead_code, reason = "held, and counted")] Arc<Alive>);

/// Held by the clones of a manager and by nobody else, so that tasks can see whether there are any.
struct Alive;

/// What the clones of a manager, and its flights, share.
pub(super) struct Shared {
    pub(super) source: BoxTokenSource,
    pub(super) store: BoxTokenStore,
    pub(super) clock: SharedClock,
    pub(super) settings: Settings,
    pub(super) persist_failure: PersistFailure,
    pub(super) revocation: Option<BoxTokenRevocation>,
    pub(super) telemetry: Telemetry,
    observer: Observer,
    pub(super) tasks: Tasks,
    keyed: Keyed,
    serial: AtomicU32,
    listing: Listing,
    alive: Weak<Alive>,
}

/// What a manager is made of.
pub(super) struct Parts {
    pub(super) source: BoxTokenSource,
    pub(super) store: BoxTokenStore,
    pub(super) clock: SharedClock,
    pub(super) settings: Settings,
    pub(super) persist_failure: PersistFailure,
    pub(super) revocation: Option<BoxTokenRevocation>,
    pub(super) observer: Observer,
    pub(super) telemetry: Telemetry,
}

/// The token of one key and scope, as a layer holds on to it.
#[derive(Clone)]
pub(crate) struct Identity(Arc<Entry>);

impl Identity {
    pub(super) fn of(entry: Arc<Entry>) -> Self {
        Self(entry)
    }

    pub(crate) fn key(&self) -> &TokenKey {
        &self.0.key
    }

    /// See [`TokenManager::clue`].
    pub(crate) fn clue(&self) -> u32 {
        TokenManager::clue(&self.0.key, &self.0.scope)
    }
}

impl TokenManager {
    /// A manager of the tokens of `source`; see [`TokenManagerBuilder`] for what can be set.
    pub fn builder(source: impl TokenSource) -> TokenManagerBuilder {
        TokenManagerBuilder::new(source)
    }

    /// The current token of `key`; waits for one when there is none.
    ///
    /// # Errors
    /// Whatever kept the source or the store from giving one; [`ErrorKind::WaitTimeout`](crate::ErrorKind::WaitTimeout) when it takes too long (the
    /// refresh goes on), [`ErrorKind::BackOff`](crate::ErrorKind::BackOff) while a pause after a failure lasts.
    pub async fn token(&self, key: &TokenKey) -> Result<Token, Error> {
        self.token_for(key, &AccessScope::new()).await
    }

    /// The current token of `key` that is good for `scope`; otherwise like [`token`](Self::token).
    ///
    /// # Errors
    /// As [`token`](Self::token).
    pub async fn token_for(&self, key: &TokenKey, scope: &AccessScope) -> Result<Token, Error> {
        let identity = self.identity(key, scope);
        if let Some(token) = self.current(&identity, Rush::Unlikely, |published| published.token.clone()) {
            return Ok(token);
        }
        Ok(self.acquire(&identity).await?.token.clone())
    }

    /// The token of `key` that could be sent right now, from memory: nothing is loaded, fetched or waited for.
    pub fn peek(&self, key: &TokenKey) -> Option<Token> {
        self.peek_for(key, &AccessScope::new())
    }

    /// Like [`peek`](Self::peek), for the token that is good for `scope`.
    pub fn peek_for(&self, key: &TokenKey, scope: &AccessScope) -> Option<Token> {
        let entry = self.0.keyed.get(key, scope)?;
        entry.served(self.0.clock.now())?.as_deref().map(|published| published.token.clone())
    }

    /// Stores the first token of an interactive grant, or that of a new login, in place of all that was there. It is in
    /// the store when this returns, and every later request uses it; a refresh that is under way cannot overwrite it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`](crate::ErrorKind::InvalidToken) for a token that cannot be put on requests; the store's error when it could not be
    /// stored, and then nothing has changed.
    pub async fn put(&self, key: &TokenKey, token: Token) -> Result<(), Error> {
        self.put_for(key, &AccessScope::new(), token).await
    }

    /// Like [`put`](Self::put), for a token that was asked for with `scope`.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub async fn put_for(&self, key: &TokenKey, scope: &AccessScope, token: Token) -> Result<(), Error> {
        let shared = &self.0;
        let token = token.stamped(shared.clock.now());
        // One that cannot be put on requests is refused before anything has changed.
        header_value(&token)?;
        let identity = self.identity(key, scope);
        let generation = persist::login(shared, &identity.0, token.clone()).await?;
        let published = Arc::new(shared.publish(token, generation)?);
        shared.tell(Event::LoggedIn { key: key.clone() });
        for entry in identity.0.grant.entries() {
            let waited_for = entry.change(|state| {
                if entry.scope == *scope {
                    state.slot.login(Arc::clone(&published));
                } else {
                    state.slot.forget(published.generation);
                }
                // Who waits for a flight may go on with the login's token; the flight itself lands on a new one.
                state.flight.as_mut().map(|flight| std::mem::replace(flight, Arc::new(Flight::default())))
            });
            if let Some(flight) = waited_for {
                flight.land(Ok(()));
            }
        }
        Ok(())
    }

    /// Gets a new token for `key` although the current one may be good, and waits for it. When a refresh is under way
    /// already, its result is taken.
    ///
    /// # Errors
    /// As [`token`](Self::token).
    pub async fn refresh(&self, key: &TokenKey) -> Result<Token, Error> {
        self.refresh_for(key, &AccessScope::new()).await
    }

    /// Like [`refresh`](Self::refresh), for the token that is good for `scope`.
    ///
    /// # Errors
    /// As [`token`](Self::token).
    pub async fn refresh_for(&self, key: &TokenKey, scope: &AccessScope) -> Result<Token, Error> {
        let identity = self.identity(key, scope);
        Ok(self.acquire_another(&identity).await?.token.clone())
    }

    /// Ends the grant of `key` at the server, as the builder's [`revocation`](TokenManagerBuilder::revocation) does it, and
    /// forgets it here: those who wait for its token get an error, and so do later requests, until somebody logs in again.
    /// A source that needs no login gets a new token when it is asked.
    ///
    /// The grant is forgotten in any case. Other processes notice when they next look into the store, which they do when
    /// their access token ends or is refused; a server ends access tokens together with the refresh token if it can.
    ///
    /// # Errors
    /// [`ErrorKind::MissingEndpoint`](crate::ErrorKind::MissingEndpoint) without a revocation; what the server or the way to it failed with: the grant is
    /// forgotten, and may be alive there. The store's error when it could not be deleted: then `revoke` should be called
    /// again.
    pub async fn revoke(&self, key: &TokenKey) -> Result<(), Error> {
        ending::end(&self.0, &self.identity(key, &AccessScope::new()).0, true).await
    }

    /// Forgets the grant of `key`, as [`revoke`](Self::revoke) does, and leaves it alive at the server.
    ///
    /// # Errors
    /// The store's error, when it could not be deleted.
    pub async fn forget(&self, key: &TokenKey) -> Result<(), Error> {
        ending::end(&self.0, &self.identity(key, &AccessScope::new()).0, false).await
    }

    /// Whether `key` has a token that can be sent, or a refresh token to get one with: if not, somebody has to log in, where
    /// the source needs that. Memory is asked, then the store, never the server.
    ///
    /// # Errors
    /// The store's error.
    pub async fn authorized(&self, key: &TokenKey) -> Result<bool, Error> {
        let now = self.0.clock.now();
        if self.0.keyed.entries(key).iter().any(|entry| entry.served(now).is_some()) {
            return Ok(true);
        }
        let entry = self.identity(key, &AccessScope::new()).0;
        let stored = self.0.store.load(key).await?;
        let Some(record) = persist::basis(&entry, stored).record else {
            return Ok(false);
        };
        let is_good = |token: &Token| {
            let is_refused = entry.grant.entries().iter().any(|entry| {
                entry.look(|state| {
                    state
                        .slot
                        .last()
                        .is_some_and(|(last, rejected)| rejected && last.same_access_token(token))
                })
            });
            !is_refused && self.0.settings.times(token).hard.is_none_or(|hard| now < hard)
        };
        let renewable = record.refresh_token().is_some_and(|refresh_token| {
            entry.grant.ledger().death_of(refresh_token).is_none()
                && record.refresh_expires_at().is_none_or(|end| now < end)
        });
        Ok(renewable || record.tokens().any(|(_, token)| is_good(token)))
    }

    /// Says that `token` is no longer good, if it is still the current one of `key`: it is not given out again, and the
    /// next request waits for its successor.
    pub fn invalidate(&self, key: &TokenKey, token: &Token) {
        for entry in self.0.keyed.entries(key) {
            let last = entry.look(|state| state.slot.last().map(|(last, _)| Arc::clone(last)));
            if let Some(last) = last.filter(|last| last.same_access_token(token)) {
                entry.change(|state| state.slot.reject(last.serial));
            }
        }
    }

    /// How many keys are in memory, with what scope: at most [`max_keys`](TokenManagerBuilder::max_keys) and those that
    /// are in use.
    pub fn keys_in_memory(&self) -> usize {
        self.0.keyed.len()
    }

    /// Starts no more refreshes, and waits up to `grace` for those that are under way, and for tokens that are on their
    /// way into the store. Gives the number of tasks that were abandoned. Tokens that are still valid are given out
    /// until they end; then requests fail with [`ErrorKind::ShutDown`](crate::ErrorKind::ShutDown).
    pub async fn shutdown(&self, grace: Duration) -> usize {
        self.0.tasks.close(grace).await
    }
}

impl TokenManager {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { source, store, clock, settings, persist_failure, revocation, observer, telemetry } =
            parts;
        let keyed = Keyed::new(settings.max_keys);
        let alive = Arc::new(Alive);
        let shared = Shared {
            source,
            store,
            clock,
            settings,
            persist_failure,
            revocation,
            telemetry,
            observer,
            tasks: Tasks::default(),
            keyed,
            serial: AtomicU32::new(0),
            listing: Listing::default(),
            alive: Arc::downgrade(&alive),
        };
        Self(Arc::new(shared), alive)
    }

    /// The entry of a key and a scope, which stays as long as it is held.
    pub(crate) fn identity(&self, key: &TokenKey, scope: &AccessScope) -> Identity {
        Identity(self.0.keyed.entry(key, scope, || self.0.clock.now()))
    }

    /// By what the identity of a key and a scope is found when it has given out a token.
    #[inline]
    pub(crate) fn clue(key: &TokenKey, scope: &AccessScope) -> u32 {
        (entry::hash(key, scope) >> 32) as u32
    }

    /// The identity with this clue whose last token has this serial number; none if it has left memory, or has another token by
    /// now.
    pub(crate) fn known(&self, clue: u32, serial: u32) -> Option<Identity> {
        self.0.keyed.find(clue, serial).map(Identity)
    }

    /// Where the identity is found later; none if there are no more addresses.
    pub(crate) fn address(&self, identity: &Identity) -> Option<Address> {
        identity.0.listing.get(|| (Arc::downgrade(&self.0), Some(Arc::downgrade(&identity.0))))
    }

    /// Where the manager is found later; none if there are no more addresses.
    pub(crate) fn own_address(&self) -> Option<Address> {
        self.0.listing.get(|| (Arc::downgrade(&self.0), None))
    }

    /// One of which others have clones.
    pub(super) fn revive(shared: &Weak<Shared>) -> Option<Self> {
        let shared = shared.upgrade()?;
        let alive = shared.alive.upgrade()?;
        Some(Self(shared, alive))
    }
}

impl Shared {
    /// Makes a token ready to be given out.
    pub(super) fn publish(&self, token: Token, generation: u64) -> Result<Published, Error> {
        let times = self.settings.times(&token);
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        Published::new(token.without_refresh_token(), serial, generation, times)
    }

    /// Whether nobody has the manager any more.
    pub(super) fn is_orphaned(&self) -> bool {
        self.alive.strong_count() == 0
    }

    pub(super) fn tell(&self, event: Event) {
        event.observe(&self.telemetry);
        self.observer.tell(&event);
    }
}

impl fmt::Debug for TokenManager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenManager")
            .field("name", &self.0.telemetry.name())
            .field("source", &self.0.source)
            .field("store", &self.0.store)
            .field("keys", &self.0.keyed.len())
            .finish_non_exhaustive()
    }
}
