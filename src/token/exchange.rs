//! Asking the source for a token, so that no refresh token is spent twice.
//!
//! A request that was sent and never answered leaves a question: did the server act on it? One that rotates refresh
//! tokens has spent the old one then, and takes its second presentation for theft. So before each exchange it is noted
//! that the token is about to be presented: in the [`Ledger`](super::ledger::Ledger) of this process, and, where a reuse
//! window is declared, in the record, for whoever finds it after a crash.

use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::secret::Secret;
use crate::token::PersistFailure;
use crate::token::Reason;
use crate::token::Record;
use crate::token::SourceRequest;
use crate::token::Swap;
use crate::token::Token;
use crate::token::TokenSource;
use crate::token::TokenStore;
use crate::token::entry::Entry;
use crate::token::ledger::may_present_again;
use crate::token::ledger::unanswered_since;
use crate::token::manager::Shared;
use crate::token::settings::LONGEST_RETRY_AFTER;

/// What an exchange starts from.
#[derive(Clone)]
pub(super) struct Basis {
    /// The generation that the store holds.
    pub(super) expected: Option<u64>,
    /// The refresh token that the store holds, and those that came from it and are not stored yet.
    pub(super) lineage: Vec<Secret>,
    /// The newest record there is: the stored one, or one that is not stored yet.
    pub(super) record: Option<Record>,
}

/// How an exchange ended.
pub(super) enum Exchange {
    /// With a token.
    Token(Token, Basis),
    /// With a token that the source got without the refresh token, which may be spent.
    WithoutRefreshToken(Token, Basis),
    /// With a refusal for good of this refresh token, as the server said.
    Refused(Error),
    /// With the end of the grant, for another reason.
    Died(Error),
    /// The record changed in the store before anything was sent.
    Changed,
}

/// Asks the source. It has its full time, however long the turn was waited for: an exchange that is cut short may have
/// rotated the refresh token already.
pub(super) async fn exchange(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    basis: Basis,
    reason: Reason,
) -> Result<Exchange, Error> {
    let Some(record) = basis.record.clone().filter(|record| record.refresh_token().is_some()) else {
        return Ok(match ask(shared, entry, basis.record.clone(), reason).await {
            Ok(token) => Exchange::Token(token, basis),
            Err(error) if error.kind() == ErrorKind::ReauthorizationRequired => Exchange::Died(error),
            Err(error) => return Err(error),
        });
    };
    if let Err(unanswered) = may_present(shared, entry, &record) {
        return without_refresh_token(shared, entry, basis, &record, reason, unanswered).await;
    }
    let (basis, announced) = match announce(shared, entry, basis, &record).await? {
        Announced::Now(basis) => (basis, true),
        Announced::No(basis) => (basis, false),
        Announced::Changed => return Ok(Exchange::Changed),
    };
    let error = match present(shared, entry, &record, reason).await {
        Ok(token) => return Ok(Exchange::Token(token, basis)),
        Err(error) => error,
    };
    if error.kind() == ErrorKind::ReauthorizationRequired {
        return Ok(Exchange::Refused(error));
    }
    if error.is_answer_lost() {
        if let Err(unanswered) = may_present(shared, entry, &record) {
            let unanswered = unanswered.caused_by(error);
            let basis = warn_others(shared, entry, basis, &record).await;
            return without_refresh_token(shared, entry, basis, &record, reason, unanswered).await;
        }
    } else if announced && unanswered_since(&entry.grant.ledger(), &record).is_none() {
        withdraw(shared, entry, &basis).await;
    }
    Err(error)
}

/// Presents the refresh token; after a failure that may pass, again.
async fn present(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    record: &Record,
    reason: Reason,
) -> Result<Token, Error> {
    let started = Instant::now();
    let mut attempt = 0;
    loop {
        let error = match attempt_once(shared, entry, record, reason).await {
            Ok(token) => return Ok(token),
            Err(error) => error,
        };
        let pause = pause_before_another(shared, &error, started, &mut attempt);
        let Some(pause) = pause.filter(|_| may_present(shared, entry, record).is_ok()) else {
            return Err(error);
        };
        shared.telemetry.exchange_again(&error, pause);
        sleep(pause).await;
        // The machine may have been suspended meanwhile.
        if may_present(shared, entry, record).is_err() {
            return Err(error);
        }
    }
}

/// Presents the refresh token once.
async fn attempt_once(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    record: &Record,
    reason: Reason,
) -> Result<Token, Error> {
    let Some(refresh_token) = record.refresh_token() else {
        return ask_once(shared, entry, Some(record.clone()), reason).await;
    };
    let is_first = entry.grant.ledger().present(refresh_token, shared.clock.now());
    let result = ask_once(shared, entry, Some(record.clone()), reason).await;
    // After a panic, or when the runtime ends, nobody comes here, and the question stays open. So it does when an
    // earlier presentation was never answered, whatever becomes of this one; unless it shows that the token was good.
    let is_open = result.as_ref().is_err_and(|error| error.is_answer_lost() || !is_first);
    if !is_open {
        entry.grant.ledger().answered(refresh_token);
    }
    result
}

/// Asks the source for a grant that has no refresh token.
async fn ask(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    record: Option<Record>,
    reason: Reason,
) -> Result<Token, Error> {
    let started = Instant::now();
    let mut attempt = 0;
    loop {
        let error = match ask_once(shared, entry, record.clone(), reason).await {
            Ok(token) => return Ok(token),
            Err(error) => error,
        };
        match pause_before_another(shared, &error, started, &mut attempt) {
            Some(pause) => {
                shared.telemetry.exchange_again(&error, pause);
                sleep(pause).await;
            }
            None => return Err(error),
        }
    }
}

async fn ask_once(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    record: Option<Record>,
    reason: Reason,
) -> Result<Token, Error> {
    let started = shared.clock.now();
    let request = SourceRequest::new(entry.key.clone(), entry.scope.clone(), record.map(Arc::new), reason);
    let exchange = shared.telemetry.exchange(&entry.key);
    let asking = within_deadline(shared, "the exchange", shared.source.token(request));
    let result = exchange.span().around(asking).await.and_then(|result| result);
    exchange.end(result.as_ref().err());
    Ok(result?.stamped(started))
}

/// How long to wait before the source is asked once more; `None` when it is not.
fn pause_before_another(
    shared: &Shared,
    error: &Error,
    started: Instant,
    attempt: &mut u32,
) -> Option<Duration> {
    let settings = &shared.settings;
    if !error.is_worth_another_attempt() || attempt.saturating_add(1) >= settings.attempts {
        return None;
    }
    let asked = error.retry_after().unwrap_or_default().min(LONGEST_RETRY_AFTER);
    let pause = settings.pause(settings.back_off, *attempt).max(asked);
    *attempt += 1;
    // Those who wait are told soon enough; and what begins early can end in time.
    (started.elapsed().saturating_add(pause) <= settings.flight_deadline / 2).then_some(pause)
}

/// Whether the refresh token of `record` may be presented.
///
/// # Errors
/// The end of the grant, when it was presented without an answer and its server may not take it again.
fn may_present(shared: &Shared, entry: &Entry, record: &Record) -> Result<(), Error> {
    let (now, window) = (shared.clock.now(), shared.settings.reuse_window);
    let Some(since) = unanswered_since(&entry.grant.ledger(), record) else {
        return Ok(());
    };
    if may_present_again(record, since, now, window) { Ok(()) } else { Err(may_be_spent(since, now, window)) }
}

fn may_be_spent(since: SystemTime, now: SystemTime, window: Duration) -> Error {
    let ago = now.duration_since(since).unwrap_or_default().as_secs();
    Error::new(ErrorKind::ReauthorizationRequired).detail(format!(
        "the refresh token was presented {ago} s ago and no answer came: it may be spent, and is not presented again \
         (the reuse window is {window:?})"
    ))
}

/// Asks the source without the refresh token, which may be spent: some sources can begin anew. Others fail, and the
/// grant has ended for the reason `unanswered`.
async fn without_refresh_token(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    basis: Basis,
    record: &Record,
    reason: Reason,
    unanswered: Error,
) -> Result<Exchange, Error> {
    match ask(shared, entry, Some(record.without_refresh_token()), reason).await {
        Ok(token) => Ok(Exchange::WithoutRefreshToken(token, basis)),
        Err(error) if error.needs_reauthorization() => Ok(Exchange::Died(unanswered)),
        Err(error) => Err(error),
    }
}

/// What became of an announcement.
enum Announced {
    /// It was made.
    Now(Basis),
    /// It was not, because none is needed, or somebody else made it before.
    No(Basis),
    /// The record was changed by somebody else.
    Changed,
}

/// Writes down that the refresh token is about to be presented, where a reuse window is declared.
async fn announce(shared: &Shared, entry: &Entry, basis: Basis, record: &Record) -> Result<Announced, Error> {
    // A record that the store would not take yet is only here, and so is its refresh token.
    let is_stored = basis.expected == Some(record.generation());
    if shared.settings.reuse_window.is_zero() || !is_stored || record.intent_at().is_some() {
        return Ok(Announced::No(basis));
    }
    let intent = record.with_intent(shared.clock.now());
    let error = match swap(shared, entry, basis.expected, &intent).await {
        Ok(Swap::Stored) => return Ok(Announced::Now(Basis::stored(intent))),
        Ok(Swap::Conflict(Some(stored))) if stored.is_same_write(&intent) => {
            return Ok(Announced::Now(Basis::stored(intent)));
        }
        Ok(Swap::Conflict(_)) => return Ok(Announced::Changed),
        Err(error) => error,
    };
    match shared.persist_failure {
        PersistFailure::Refuse => Err(error),
        // What follows a crash is less certain then, but there will be a token.
        PersistFailure::ServeFromMemory => Ok(Announced::No(basis)),
    }
}

/// Writes down what [`announce`] did not need to: that the refresh token may be spent, so that nobody presents it.
async fn warn_others(shared: &Shared, entry: &Entry, basis: Basis, record: &Record) -> Basis {
    let is_stored = basis.expected == Some(record.generation());
    let since = unanswered_since(&entry.grant.ledger(), record);
    let Some(since) = since.filter(|_| is_stored && record.intent_at().is_none()) else {
        return basis;
    };
    let warning = record.with_intent(since);
    match swap(shared, entry, basis.expected, &warning).await {
        Ok(Swap::Stored) => Basis::stored(warning),
        _ => basis,
    }
}

/// Takes back what [`announce`] wrote: the server answered, or was never reached. Should it fail, others believe that
/// the refresh token may be spent, and leave it alone once the window is over.
async fn withdraw(shared: &Shared, entry: &Entry, basis: &Basis) {
    let announced = basis.record.as_ref().filter(|record| record.intent_at().is_some());
    if let Some(record) = announced {
        let _ = swap(shared, entry, basis.expected, &record.without_intent()).await;
    }
}

async fn swap(shared: &Shared, entry: &Entry, expected: Option<u64>, record: &Record) -> Result<Swap, Error> {
    let swap = shared.store.compare_and_swap(&entry.key, expected, record);
    within_deadline(shared, "storing the intent", swap).await?
}

impl Basis {
    fn stored(record: Record) -> Self {
        let lineage = record.refresh_token().cloned().into_iter().collect();
        Self { expected: Some(record.generation()), lineage, record: Some(record) }
    }
}

/// What `work` gives, unless it takes too long.
pub(super) async fn within_deadline<T>(
    shared: &Shared,
    what: &'static str,
    work: impl Future<Output = T>,
) -> Result<T, Error> {
    let deadline = shared.settings.flight_deadline;
    let late = |_| Error::new(ErrorKind::Timeout).detail(format!("{what} took longer than {deadline:?}"));
    timeout(deadline, work).await.map_err(late)
}
