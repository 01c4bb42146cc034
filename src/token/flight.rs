//! One refresh: a task of its own, whose result everybody who waits for it gets.

use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::SystemTime;

use tokio::sync::Notify;
use tokio::sync::SemaphorePermit;
use tokio::time::sleep;
use tokio::time::timeout;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::token::Event;
use crate::token::Published;
use crate::token::Reason;
use crate::token::Record;
use crate::token::SourceRequest;
use crate::token::Token;
use crate::token::TokenSource;
use crate::token::TokenStore;
use crate::token::header_value;
use crate::token::keyed::Entry;
use crate::token::manager::Shared;
use crate::token::persist;
use crate::token::persist::Draft;
use crate::token::persist::Persisted;

/// How often a lease that another process holds is asked for again.
const LEASE_POLL: Duration = Duration::from_millis(50);
/// How long, after an `invalid_grant`, a sibling is given to store what it got for the same refresh token.
const SIBLING_TIME: Duration = Duration::from_secs(2);
/// How often the store is looked at meanwhile.
const SIBLING_POLL: Duration = Duration::from_millis(200);
/// How often a flight begins again because the grant was replaced under it.
const ROUNDS: usize = 3;
/// How long giving a lease back may take; it ends by itself in any case.
const RELEASE_TIME: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// The grant whose flight the running task is, by address.
    static FLYING: usize;
}

/// What those who wait hold on to.
#[derive(Default)]
pub(super) struct Flight {
    outcome: OnceLock<Result<(), Error>>,
    landed: Notify,
}

impl Flight {
    /// Waits until the flight has ended. `Ok` means: look at the entry again.
    pub(super) async fn wait(&self) -> Result<(), Error> {
        let landed = self.landed.notified();
        tokio::pin!(landed);
        // Registered before the outcome is looked at, so that no ending is missed.
        landed.as_mut().enable();
        if self.outcome.get().is_none() {
            landed.await;
        }
        self.outcome.get().cloned().unwrap_or(Ok(()))
    }

    /// Sends those who wait to look again, or gives them the error; only the first call counts.
    pub(super) fn land(&self, outcome: Result<(), Error>) {
        let _ = self.outcome.set(outcome);
        self.landed.notify_waiters();
    }
}

/// Whether the running task is the flight of this entry's grant: then waiting for it would last for ever.
pub(super) fn is_own_flight(entry: &Entry) -> bool {
    FLYING.try_with(|flying| *flying == identity(entry)).unwrap_or(false)
}

/// The task: gets a token, and tells the entry and those who wait.
pub(super) async fn run(mut landing: Landing, reason: Reason, delay: Duration) {
    if !delay.is_zero() {
        sleep(delay).await;
    }
    let (shared, entry) = (Arc::clone(&landing.shared), Arc::clone(&landing.entry));
    let flying = identity(&entry);
    match FLYING.scope(flying, queue(&shared, &entry)).await {
        Ok((_turn, lease)) => {
            let outcome = FLYING.scope(flying, renew(&shared, &entry, reason, &lease)).await;
            landing.land(reason, outcome);
            // Only now, so that a store which is slow to take it back holds nobody up.
            lease.release().await;
        }
        Err(error) => landing.land(reason, Err(error)),
    }
}

/// A token that a flight brought, and whether the source was asked for it.
struct Obtained {
    published: Published,
    exchanged: bool,
}

/// Ends a flight, also one that panicked, was aborted, or whose runtime was shut down before it began.
pub(super) struct Landing {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    landed: bool,
}

impl Landing {
    pub(super) fn new(shared: Arc<Shared>, entry: Arc<Entry>) -> Self {
        Self { shared, entry, landed: false }
    }

    /// Ends the flight before it began.
    pub(super) fn abandon(mut self, error: Error) -> Error {
        self.landed = true;
        self.fail(&error);
        error
    }

    fn land(&mut self, reason: Reason, outcome: Result<Obtained, Error>) {
        self.landed = true;
        let key = self.entry.key.clone();
        match outcome {
            Ok(Obtained { published, exchanged }) => {
                let flight = self.entry.change(|state| {
                    state.slot.succeed(Arc::new(published));
                    state.flight.take()
                });
                if let Some(flight) = flight {
                    flight.land(Ok(()));
                }
                self.shared.tell(Event::Refreshed { key, reason, exchanged });
            }
            Err(error) => {
                if self.fail(&error) {
                    self.shared.tell(Event::RefreshFailed { key, reason, error });
                }
            }
        }
    }

    /// Says whether the error matters: when a login came meanwhile, those who wait look again.
    fn fail(&self, error: &Error) -> bool {
        let now = self.shared.clock.now();
        let (matters, flight) = self.entry.change(|state| {
            let matters = state.slot.fail(error, now, &self.shared.settings);
            (matters, state.flight.take())
        });
        if let Some(flight) = flight {
            flight.land(if matters { Err(error.clone()) } else { Ok(()) });
        }
        matters
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.landed {
            self.fail(&Error::new(ErrorKind::Abandoned));
        }
    }
}

/// Waits until nobody else exchanges this grant, neither here nor in another process.
async fn queue<'a>(
    shared: &'a Arc<Shared>,
    entry: &'a Arc<Entry>,
) -> Result<(Option<SemaphorePermit<'a>>, Lease<'a>), Error> {
    let queue = async {
        // Closing the semaphore is nobody's business, so there always is a permit.
        let turn = entry.grant.turn.acquire().await.ok();
        Ok((turn, Lease::take(shared, entry).await?))
    };
    within_deadline(shared, "waiting for its turn", queue).await?
}

/// Gets a token from the store, or else from the source into the store; begins again when the grant is replaced
/// meanwhile.
async fn renew(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    reason: Reason,
    lease: &Lease<'_>,
) -> Result<Obtained, Error> {
    persist::retry_leftover(shared, entry).await?;
    for _ in 0..ROUNDS {
        let stored = within_deadline(shared, "loading the grant", shared.store.load(&entry.key)).await??;
        let expected = stored.as_ref().map(Record::generation);
        let base = persist::newest(entry, stored);
        if let Some(published) = adopt(shared, entry, base.as_ref(), reason) {
            return Ok(Obtained { published, exchanged: false });
        }
        let generation = base.as_ref().map(Record::generation);
        if let Some(error) = entry.change(|state| state.slot.spend(generation)) {
            return Err(error);
        }
        match exchange(shared, entry, base.clone(), reason, lease).await {
            Ok(token) => {
                if let Some(published) = keep(shared, entry, expected, base, token).await? {
                    return Ok(Obtained { published, exchanged: true });
                }
            }
            Err(error) => {
                let is_spent = error.kind() == ErrorKind::ReauthorizationRequired
                    && base.is_some_and(|base| base.refresh_token().is_some());
                if !(is_spent && is_replaced(shared, entry, generation).await) {
                    return Err(error);
                }
            }
        }
    }
    Err(Error::new(ErrorKind::Store).detail("the grant was replaced again and again meanwhile"))
}

/// Asks the source. It has its full time, however long the turn was waited for: an exchange that is cut short may have
/// rotated the refresh token already.
async fn exchange(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    base: Option<Record>,
    reason: Reason,
    lease: &Lease<'_>,
) -> Result<Token, Error> {
    let started = shared.clock.now();
    let request = SourceRequest::new(entry.key.clone(), entry.scope.clone(), base.map(Arc::new), reason);
    let token = lease.renewed_while(shared.source.token(request));
    Ok(within_deadline(shared, "the exchange", token).await??.stamped(started))
}

/// Whether the refresh token of this generation was refused only because a sibling had spent it. The sibling may not
/// have stored its successor yet, so the store is looked at for a moment.
async fn is_replaced(shared: &Shared, entry: &Entry, generation: Option<u64>) -> bool {
    let replaced = async {
        loop {
            if let Ok(stored) = shared.store.load(&entry.key).await {
                if persist::newest(entry, stored).as_ref().map(Record::generation) != generation {
                    return;
                }
            }
            sleep(SIBLING_POLL).await;
        }
    };
    timeout(SIBLING_TIME, replaced).await.is_ok()
}

/// What `work` gives, unless it takes too long.
async fn within_deadline<T>(
    shared: &Shared,
    what: &'static str,
    work: impl Future<Output = T>,
) -> Result<T, Error> {
    let deadline = shared.settings.flight_deadline;
    let late = |_| Error::new(ErrorKind::Timeout).detail(format!("{what} took longer than {deadline:?}"));
    timeout(deadline, work).await.map_err(late)
}

/// Takes what the store holds, if somebody else put a good token there meanwhile.
fn adopt(shared: &Shared, entry: &Entry, record: Option<&Record>, reason: Reason) -> Option<Published> {
    let record = record?;
    let token = record.token(&entry.scope)?;
    if !entry.look(|state| state.slot.is_news(token, reason)) {
        return None;
    }
    // One that cannot be put on requests is as if it were not there.
    let published = shared.publish(token.clone(), record.generation()).ok()?;
    Some(published).filter(|published| published.is_usable(shared.clock.now()))
}

/// Stores what the source gave, then prepares it for those who wait; `None` when the grant was replaced meanwhile.
async fn keep(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    expected: Option<u64>,
    base: Option<Record>,
    token: Token,
) -> Result<Option<Published>, Error> {
    // The new refresh token, if there is one, is stored even when the access token is of no use: the old one is spent.
    let usable = check(shared, entry, &token);
    if let Err(error) = &usable {
        if token.refresh_token().is_none() {
            return Err(error.clone());
        }
    }
    let draft = Draft::new(expected, base, entry.scope.clone(), token.clone(), usable.is_ok());
    let persisted = persist::persist(shared, entry, draft).await?;
    usable?;
    let Persisted::Kept { generation } = persisted else {
        return Ok(None);
    };
    let mut published = shared.publish(token, generation)?;
    let now = shared.clock.now();
    entry.look(|state| dampen(&mut published, state.slot.last().map(|(last, _)| &**last), now));
    Ok(Some(published))
}

/// Whether a token from the source can be used at all.
fn check(shared: &Shared, entry: &Entry, token: &Token) -> Result<(), Error> {
    let unusable = |detail: &'static str| Err(Error::new(ErrorKind::UnusableResponse).detail(detail));
    if token.access_token().is_empty() {
        return unusable("it has no access_token");
    }
    header_value(token)?;
    let now = shared.clock.now();
    if shared.settings.times(token).end.is_some_and(|end| end <= now) {
        return unusable("the new token has already expired");
    }
    let is_refused = entry.look(|state| {
        state.slot.last().is_some_and(|(last, rejected)| rejected && last.same_access_token(token))
    });
    if is_refused { unusable("the new token is the one that was refused") } else { Ok(()) }
}

/// A server that hands out the same token again, or one that ends no later, would be asked over and over: such a token
/// is renewed only when it is no longer sent. One that nears its end already is sent to its very end, because the
/// server has none that is better.
fn dampen(published: &mut Published, last: Option<&Published>, now: SystemTime) {
    if !published.is_usable(now) {
        published.times.hard = published.times.end;
    }
    let ends_no_later = |last: &Published| match (last.times.end, published.times.end) {
        (Some(before), Some(after)) => after <= before,
        _ => false,
    };
    if last.is_some_and(|last| last.same_access_token(&published.token) || ends_no_later(last)) {
        published.times.soft = published.times.hard;
    }
}

/// The sole right, among all processes that share the store, to exchange a grant.
struct Lease<'a> {
    shared: &'a Arc<Shared>,
    entry: &'a Arc<Entry>,
    owner: String,
    released: bool,
}

impl<'a> Lease<'a> {
    /// Asks until it is granted.
    async fn take(shared: &'a Arc<Shared>, entry: &'a Arc<Entry>) -> Result<Self, Error> {
        let lease =
            Self { shared, entry, owner: format!("{:032x}", rand::random::<u128>()), released: false };
        while !shared.store.lease(&entry.key, &lease.owner, shared.settings.lease_ttl).await? {
            sleep(LEASE_POLL).await;
        }
        Ok(lease)
    }

    /// Extends the lease as long as `exchange` runs, and does not hold it up whatever the store does.
    async fn renewed_while<T>(&self, exchange: impl Future<Output = T>) -> T {
        let (mut renewals, mut exchange) = (pin!(self.renewals()), pin!(exchange));
        let mut go_on = true;
        poll_fn(|context| {
            // A store that panics must not take the exchange with it.
            go_on = go_on && catch_unwind(AssertUnwindSafe(|| renewals.as_mut().poll(context))).is_ok();
            exchange.as_mut().poll(context)
        })
        .await
    }

    async fn renewals(&self) -> Infallible {
        let ttl = self.shared.settings.lease_ttl;
        loop {
            sleep((ttl / 3).max(LEASE_POLL)).await;
            // A lease that is lost is no reason to drop an exchange that is under way: the swap of generations decides.
            let _ = self.shared.store.renew(&self.entry.key, &self.owner, ttl).await;
        }
    }

    async fn release(mut self) {
        // It ends by itself if this fails.
        let _ = timeout(RELEASE_TIME, self.shared.store.release(&self.entry.key, &self.owner)).await;
        self.released = true;
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        let (shared, key, owner) =
            (Arc::clone(self.shared), self.entry.key.clone(), std::mem::take(&mut self.owner));
        // After a panic, others should not have to wait for the lease to end by itself; if no task can be had, they do.
        let _ = self.shared.tasks.spawn(async move {
            let _ = timeout(RELEASE_TIME, shared.store.release(&key, &owner)).await;
        });
    }
}

fn identity(entry: &Entry) -> usize {
    Arc::as_ptr(&entry.grant).addr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let sibling = "time that a sibling has to store what it got, after `invalid_grant`";
        assert_documented(sibling, SIBLING_TIME);
        assert_documented("times that a refresh begins anew because the grant was replaced under it", ROUNDS);
    }
}
