//! One refresh: a task of its own, whose result everybody who waits for it gets.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio::time::timeout_at;

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
    let outcome =
        FLYING.scope(identity(&landing.entry), obtain(&landing.shared, &landing.entry, reason)).await;
    landing.land(reason, outcome);
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
                self.fail(&error);
                self.shared.tell(Event::RefreshFailed { key, reason, error });
            }
        }
    }

    fn fail(&self, error: &Error) {
        let now = self.shared.clock.now();
        let flight = self.entry.change(|state| {
            state.slot.fail(error, now, &self.shared.settings);
            state.flight.take()
        });
        if let Some(flight) = flight {
            flight.land(Err(error.clone()));
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.landed {
            self.fail(&Error::new(ErrorKind::Abandoned));
        }
    }
}

/// Turn, lease, store, source, store.
async fn obtain(shared: &Arc<Shared>, entry: &Arc<Entry>, reason: Reason) -> Result<Obtained, Error> {
    let settings = &shared.settings;
    let deadline = Instant::now() + settings.flight_deadline;
    let late = |_| {
        let detail = format!("a refresh may take {:?}", settings.flight_deadline);
        Error::new(ErrorKind::Timeout).detail(detail)
    };
    // Closing the semaphore is nobody's business, so this does not fail.
    let _turn = timeout_at(deadline, entry.grant.turn.acquire()).await.map_err(late)?;
    let lease = timeout_at(deadline, Lease::take(shared, entry)).await.map_err(late)??;
    let outcome = async {
        persist::retry_leftover(shared, entry).await?;
        let stored = timeout_at(deadline, shared.store.load(&entry.key)).await.map_err(late)??;
        let expected = stored.as_ref().map(Record::generation);
        let base = persist::newest(entry, stored);
        if let Some(found) = adopt(shared, entry, base.as_ref(), reason)? {
            return Ok(Obtained { published: found, exchanged: false });
        }
        let generation = base.as_ref().map(Record::generation);
        if let Some(error) = entry.change(|state| state.slot.spend(generation)) {
            return Err(error);
        }
        let started = shared.clock.now();
        let request =
            SourceRequest::new(entry.key.clone(), entry.scope.clone(), base.clone().map(Arc::new), reason);
        let exchange = lease.renewed_while(shared.source.token(request));
        let token = timeout_at(deadline, exchange).await.map_err(late)??.stamped(started);
        keep(shared, entry, expected, base, token, reason).await
    }
    .await;
    lease.release().await;
    outcome
}

/// Takes what the store holds, if somebody else put a good token there meanwhile.
fn adopt(
    shared: &Shared,
    entry: &Entry,
    record: Option<&Record>,
    reason: Reason,
) -> Result<Option<Published>, Error> {
    let Some((record, token)) = record.and_then(|record| Some((record, record.token(&entry.scope)?))) else {
        return Ok(None);
    };
    let last = entry.look(|state| state.slot.last().map(|(last, rejected)| (Arc::clone(last), rejected)));
    let is_news = match &last {
        None => reason != Reason::Forced,
        Some((last, _)) => !last.same_access_token(token),
    };
    let published = shared.publish(token.clone(), record.generation())?;
    let now = shared.clock.now();
    // A token that ends soon is still worth a request when it is the first one; its successor follows at once.
    Ok(Some(published).filter(|published| is_news && published.is_usable(now)))
}

/// Stores what the source gave, then prepares it for those who wait.
async fn keep(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    expected: Option<u64>,
    base: Option<Record>,
    token: Token,
    reason: Reason,
) -> Result<Obtained, Error> {
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
    match persisted {
        Persisted::Kept { generation } => {
            let mut published = shared.publish(token, generation)?;
            entry.look(|state| dampen(&mut published, state.slot.last().map(|(last, _)| &**last)));
            Ok(Obtained { published, exchanged: true })
        }
        Persisted::Superseded(record) => adopt(shared, entry, record.as_ref(), reason)?
            .map(|published| Obtained { published, exchanged: false })
            .ok_or_else(|| Error::new(ErrorKind::Store).detail("another login replaced the grant meanwhile")),
    }
}

/// Whether a token from the source can be used at all.
fn check(shared: &Shared, entry: &Entry, token: &Token) -> Result<(), Error> {
    header_value(token)?;
    let unusable = |detail: &'static str| Err(Error::new(ErrorKind::UnusableResponse).detail(detail));
    let now = shared.clock.now();
    if token.expires_at().is_some_and(|expires_at| expires_at <= now) {
        return unusable("the new token has already expired");
    }
    let last = entry.look(|state| state.slot.last().map(|(last, rejected)| (Arc::clone(last), rejected)));
    if last.is_some_and(|(last, rejected)| rejected && last.same_access_token(token)) {
        return unusable("the new token is the one that was refused");
    }
    Ok(())
}

/// A server that hands out the same token again, or one that ends no later, would be asked over and over: such a token
/// is renewed only when it ends.
fn dampen(published: &mut Published, last: Option<&Published>) {
    let ends_no_later = |last: &Published| match (last.times.hard, published.times.hard) {
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

    /// Extends the lease as long as `exchange` runs.
    async fn renewed_while<T>(&self, exchange: impl Future<Output = T>) -> T {
        let ttl = self.shared.settings.lease_ttl;
        let mut exchange = Box::pin(exchange);
        loop {
            if let Ok(outcome) = timeout(ttl / 3, &mut exchange).await {
                return outcome;
            }
            // A lease that is lost is no reason to drop an exchange that is under way: the swap of generations decides.
            let _ = self.shared.store.renew(&self.entry.key, &self.owner, ttl).await;
        }
    }

    async fn release(mut self) {
        self.released = true;
        // It ends by itself if this fails.
        let _ = timeout(RELEASE_TIME, self.shared.store.release(&self.entry.key, &self.owner)).await;
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
