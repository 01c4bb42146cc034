//! One refresh: a task of its own, whose result everybody who waits for it gets.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::SystemTime;

use tokio::sync::Notify;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::observe::Link;
use crate::observe::Refresh;
use crate::secret::Secret;
use crate::token::Event;
use crate::token::Published;
use crate::token::Reason;
use crate::token::Record;
use crate::token::Token;
use crate::token::TokenStore;
use crate::token::ending;
use crate::token::entry::Entry;
use crate::token::exchange::Basis;
use crate::token::exchange::Exchange;
use crate::token::exchange::exchange;
use crate::token::exchange::within_deadline;
#[cfg(test)]
use crate::token::explorer;
use crate::token::lease::Lease;
use crate::token::manager::Shared;
use crate::token::persist;
use crate::token::persist::Change;
use crate::token::persist::Draft;
use crate::token::persist::Persisted;
use crate::token::published::header_value;

/// How long, after an `invalid_grant`, a sibling is given to store what it got for the same refresh token.
const SIBLING_TIME: Duration = Duration::from_secs(2);
/// How often the store is looked at meanwhile.
const SIBLING_POLL: Duration = Duration::from_millis(200);
/// How often a flight begins again because the grant was replaced under it.
const ROUNDS: usize = 3;

tokio::task_local! {
    /// The grant whose flight the running task is, by address.
    static FLYING: usize;
}

/// What those who wait hold on to.
#[derive(Default)]
pub(super) struct Flight {
    outcome: OnceLock<Result<(), Error>>,
    landed: Notify,
    /// The span of the refresh.
    pub(super) link: Link,
    /// For a manager that is broken on purpose.
    #[cfg(test)]
    pub(super) task: OnceLock<tokio::task::AbortHandle>,
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

    #[cfg(test)]
    pub(super) fn abort(&self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }

    /// Sends those who wait to look again, or gives them the error; only the first call counts.
    pub(super) fn land(&self, outcome: Result<(), Error>) {
        let _ = self.outcome.set(outcome);
        self.link.cut();
        self.landed.notify_waiters();
    }
}

/// Whether the running task is the flight of this entry's grant: then waiting for it would last for ever.
pub(super) fn is_own_flight(entry: &Entry) -> bool {
    FLYING.try_with(|flying| *flying == identity(entry)).unwrap_or(false)
}

/// The task: gets a token, and tells the entry and those who wait.
pub(super) async fn run(mut landing: Landing, delay: Duration) {
    if !delay.is_zero() {
        sleep(delay).await;
    }
    let (shared, entry, reason) = (Arc::clone(&landing.shared), Arc::clone(&landing.entry), landing.reason);
    let flying = identity(&entry);
    match FLYING.scope(flying, queue(&shared, &entry, reason)).await {
        Ok(Turn::Ours(_turn, lease)) => {
            let work = lease.renewed_while(renew(&shared, &entry, reason));
            let outcome = FLYING.scope(flying, work).await;
            landing.land(outcome);
            // Only now, so that a store which is slow to take it back holds nobody up.
            lease.end().await;
        }
        Ok(Turn::Needless(published)) => landing.land(Ok(Obtained { published, exchanged: false })),
        Err(error) => landing.land(Err(error.into())),
    }
}

/// A token that a flight brought, and whether the source was asked for it.
struct Obtained {
    published: Arc<Published>,
    exchanged: bool,
}

/// Why a flight brought none.
struct Failure {
    error: Error,
    /// Whether the grant was found to have ended.
    died: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, died: false }
    }
}

/// Ends a flight, also one that panicked, was aborted, or whose runtime was shut down before it began.
pub(super) struct Landing {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    reason: Reason,
    started: Instant,
    landed: bool,
    /// Told at the end, also of those that do not land.
    refresh: Refresh,
}

impl Landing {
    pub(super) fn new(shared: Arc<Shared>, entry: Arc<Entry>, reason: Reason, refresh: Refresh) -> Self {
        Self { shared, entry, reason, started: Instant::now(), landed: false, refresh }
    }

    /// Ends the flight before it began.
    pub(super) fn abandon(mut self, error: Error) -> Error {
        self.landed = true;
        self.refresh.fail("not_begun", &error);
        self.fail(&error);
        error
    }

    fn land(&mut self, outcome: Result<Obtained, Failure>) {
        self.landed = true;
        let (key, scope) = (self.entry.key.clone(), self.entry.scope.clone());
        let (reason, elapsed) = (self.reason, self.started.elapsed());
        match outcome {
            Ok(Obtained { published, exchanged }) => {
                self.refresh.succeed(if exchanged { "refreshed" } else { "adopted" });
                let flight = self.entry.change(|state| {
                    state.slot.succeed(published);
                    state.flight.take()
                });
                if let Some(flight) = flight {
                    flight.land(Ok(()));
                }
                self.shared.tell(match exchanged {
                    true => Event::Refreshed { key, scope, reason, elapsed },
                    false => Event::Adopted { key, scope, reason, elapsed },
                });
            }
            Err(Failure { error, died }) => {
                // That nobody has renewed a token by hand yet is no failure.
                let matters = self.fail(&error) && error.kind() != ErrorKind::TokenExpired;
                self.refresh.fail(if matters { "failed" } else { "needless" }, &error);
                if matters {
                    let failed = error.clone();
                    let owner = key.clone();
                    self.shared.tell(Event::RefreshFailed { key, scope, reason, error, elapsed });
                    if died {
                        self.shared.tell(Event::Died { key: owner, error: failed });
                    }
                }
            }
        }
    }

    /// Says whether the error matters: when a login came meanwhile, those who wait look again.
    fn fail(&self, error: &Error) -> bool {
        let (now, chance) = (self.shared.clock.now(), self.shared.settings.chance());
        let (matters, flight) = self.entry.change(|state| {
            let matters = state.slot.fail(error, now, chance, &self.shared.settings);
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

/// What the wait for a grant's turn ends with.
enum Turn<'a> {
    /// The right to exchange it.
    Ours(Option<SemaphorePermit<'a>>, Lease),
    /// What another process exchanged meanwhile.
    Needless(Arc<Published>),
}

/// Waits until nobody else exchanges this grant, neither here nor in another process.
async fn queue<'a>(
    shared: &'a Arc<Shared>,
    entry: &'a Arc<Entry>,
    reason: Reason,
) -> Result<Turn<'a>, Error> {
    let queue = async {
        #[cfg(test)]
        explorer::read_too_early(shared, entry).await;
        let turn = entry.grant.take_turn().await;
        let mut lease = Lease::new(shared, entry);
        while !lease.is_granted().await? {
            lease.wait().await;
            // Whoever has the lease may have stored what is wanted here. If not, or if that cannot be seen, its end is
            // waited for.
            if let Ok(stored) = shared.store.load(&entry.key).await {
                if let Some(published) = adopt(shared, entry, stored.as_ref(), reason) {
                    return Ok(Turn::Needless(published));
                }
            }
        }
        Ok(Turn::Ours(turn, lease))
    };
    within_deadline(shared, "waiting for its turn", queue).await?
}

/// Gets a token from the store, or else from the source into the store; begins again when the grant is replaced
/// meanwhile.
async fn renew(shared: &Arc<Shared>, entry: &Arc<Entry>, reason: Reason) -> Result<Obtained, Failure> {
    persist::retry_leftover(shared, entry).await?;
    for _ in 0..ROUNDS {
        let stored = within_deadline(shared, "loading the grant", shared.store.load(&entry.key)).await??;
        #[cfg(test)]
        let stored = explorer::stale_or(entry, stored);
        let basis = persist::basis(entry, stored);
        if let Some(published) = adopt(shared, entry, basis.record.as_ref(), reason) {
            return Ok(Obtained { published, exchanged: false });
        }
        if shared.settings.by_hand && reason != Reason::Forced {
            let kind = if basis.record.is_some() { ErrorKind::TokenExpired } else { ErrorKind::NoToken };
            return Err(Error::new(kind).into());
        }
        let refresh_token = basis.record.as_ref().and_then(Record::refresh_token).cloned();
        if let Some(error) = known_death(entry, &basis, refresh_token.as_ref()) {
            return Err(error.into());
        }
        if basis.record.as_ref().is_some_and(Record::is_dead) {
            let detail = "another process was told that the refresh token is good no longer";
            let error = Error::new(ErrorKind::ReauthorizationRequired).detail(detail);
            return Err(died(entry, refresh_token.as_ref(), error));
        }
        let kept = match exchange(shared, entry, basis, reason).await? {
            Exchange::Token(token, basis) if !token.is_of_new_grant() => {
                keep(shared, entry, basis, token, Change::Token).await?
            }
            Exchange::Token(token, basis) | Exchange::WithoutRefreshToken(token, basis) => {
                keep(shared, entry, basis, token, Change::Anew).await?
            }
            Exchange::Refused(_) | Exchange::Died(_)
                if is_replaced(shared, entry, refresh_token.as_ref()).await =>
            {
                continue;
            }
            Exchange::Refused(error) => {
                ending::mark_dead(shared, entry, refresh_token.as_ref()).await;
                return Err(died(entry, refresh_token.as_ref(), error));
            }
            Exchange::Died(error) => return Err(died(entry, refresh_token.as_ref(), error)),
            Exchange::Changed => continue,
        };
        if let Some(published) = kept {
            return Ok(Obtained { published, exchanged: true });
        }
    }
    Err(Error::new(ErrorKind::Store).detail("the grant was replaced again and again meanwhile").into())
}

/// Why the grant cannot be exchanged, if that is known: its refresh token was refused for good, whatever it was to bring;
/// or, without one, the source failed for good when it was asked before for the same.
fn known_death(entry: &Entry, basis: &Basis, refresh_token: Option<&Secret>) -> Option<Error> {
    let generation = basis.record.as_ref().map(Record::generation);
    let died = entry.change(|state| state.slot.spend(generation));
    match refresh_token {
        Some(refresh_token) => entry.grant.ledger().death_of(refresh_token),
        None => died,
    }
}

/// The grant has ended, which is remembered.
fn died(entry: &Entry, refresh_token: Option<&Secret>, error: Error) -> Failure {
    if let Some(refresh_token) = refresh_token {
        entry.grant.ledger().bury(refresh_token, &error);
    }
    Failure { error, died: true }
}

/// Whether this refresh token was refused only because a sibling had spent it. The sibling may not have stored its
/// successor yet, so a store that others use is looked at for a moment.
async fn is_replaced(shared: &Shared, entry: &Entry, refresh_token: Option<&Secret>) -> bool {
    if refresh_token.is_none() {
        return false;
    }
    let replaced = async {
        loop {
            if let Ok(stored) = shared.store.load(&entry.key).await {
                let newest = persist::basis(entry, stored).record;
                if newest.as_ref().and_then(Record::refresh_token) != refresh_token {
                    return true;
                }
                if !shared.store.is_shared() {
                    return false;
                }
            }
            sleep(SIBLING_POLL).await;
        }
    };
    timeout(SIBLING_TIME, replaced).await.unwrap_or(false)
}

/// Takes what the store holds, if somebody else put a good token there meanwhile.
fn adopt(shared: &Shared, entry: &Entry, record: Option<&Record>, reason: Reason) -> Option<Arc<Published>> {
    let record = record?;
    let token = record.token(&entry.scope)?;
    if !entry.look(|state| state.slot.is_news(token, reason)) {
        return None;
    }
    // One that cannot be put on requests is as if it were not there.
    let published = shared.publish(token.clone(), record.generation()).ok()?;
    published.is_usable(shared.clock.now()).then(|| Arc::new(published))
}

/// Stores what the source gave, then prepares it for those who wait; `None` when the grant was replaced meanwhile.
async fn keep(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    basis: Basis,
    token: Token,
    change: Change,
) -> Result<Option<Arc<Published>>, Error> {
    // The new refresh token, if there is one, is stored even when the access token is of no use: the old one is spent.
    let usable = check(shared, entry, &token);
    if let Err(error) = &usable {
        if token.refresh_token().is_none() {
            return Err(error.clone());
        }
    }
    let change = if usable.is_ok() { change } else { Change::RefreshTokenAlone };
    let draft = Draft::new(basis, entry.scope.clone(), token.clone(), change);
    #[cfg(test)]
    if shared.settings.flaw == Some(explorer::Flaw::PublishBeforePersist) {
        let early = shared.publish(token.clone(), draft.generation())?;
        let flight = entry.change(|state| {
            state.slot.succeed(Arc::new(early));
            state.flight.take()
        });
        flight.inspect(|flight| flight.land(Ok(())));
    }
    let persisted = persist::persist(shared, entry, draft).await?;
    usable?;
    let Persisted::Kept { generation } = persisted else {
        return Ok(None);
    };
    let mut published = shared.publish(token, generation)?;
    let now = shared.clock.now();
    entry.look(|state| dampen(&mut published, state.slot.last().map(|(last, _)| &**last), now));
    Ok(Some(Arc::new(published)))
}

/// Whether a token from the source can be used at all.
fn check(shared: &Shared, entry: &Entry, token: &Token) -> Result<(), Error> {
    let unusable = |detail: &'static str| Err(Error::new(ErrorKind::UnusableResponse).detail(detail));
    if let Some(fault) = token.fault() {
        return Err(fault.clone());
    }
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
    let mut times = published.times();
    if !published.is_usable(now) {
        times.hard = times.end;
    }
    let ends_no_later = |last: &Published| match (last.times().end, times.end) {
        (Some(before), Some(after)) => after <= before,
        _ => false,
    };
    if last.is_some_and(|last| last.same_access_token(&published.token) || ends_no_later(last)) {
        times.soft = times.hard;
    }
    published.set_times(times);
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
