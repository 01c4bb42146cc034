//! Getting a new token into the store, whatever the store does.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::observe::Kept;
use crate::token::AccessScope;
use crate::token::Event;
use crate::token::PersistFailure;
use crate::token::Record;
use crate::token::Swap;
use crate::token::Token;
use crate::token::TokenStore;
use crate::token::entry::Entry;
use crate::token::exchange::Basis;
use crate::token::lease;
use crate::token::ledger::Ledger;
use crate::token::manager::Shared;

/// How long one attempt to store may take; a store that does not answer counts as one that fails.
pub(super) const STORE_TIME: Duration = Duration::from_secs(5);
/// How many conflicts in a row a change survives; after that the store counts as one that fails.
const CONFLICTS: usize = 16;
/// How often it is still tried when nobody has the manager any more.
const LAST_ATTEMPTS: usize = 5;

/// A change that is on its way into the store.
#[derive(Clone)]
pub(super) struct Draft {
    basis: Basis,
    scope: AccessScope,
    token: Token,
    change: Change,
    record: Record,
    /// Of the copies that are kept because the store did not take them.
    #[allow(dead_code, reason = "held, and counted")]
    kept: Option<Arc<Kept>>,
}

/// What a new token does to the record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Change {
    /// It takes the place of the one before, and so does its refresh token.
    Token,
    /// Its refresh token does; the access token is of no use.
    RefreshTokenAlone,
    /// It begins a grant anew: the refresh token before goes, whether or not it brings another.
    Anew,
}

/// What became of a draft.
pub(super) enum Persisted {
    /// It is in the store, or kept in memory until the store takes it.
    Kept {
        /// Of the record that it is in.
        generation: u64,
    },
    /// Something else replaced the grant that it belongs to: a login, or a sibling's exchange.
    Superseded,
}

impl Draft {
    pub(super) fn new(basis: Basis, scope: AccessScope, token: Token, change: Change) -> Self {
        let record = change.made_to(basis.record.as_ref(), &scope, &token);
        Self { basis, scope, token, change, record, kept: None }
    }

    /// Of the record that is to be stored.
    pub(super) fn generation(&self) -> u64 {
        self.record.generation()
    }

    /// Puts the change on top of another record.
    fn rebuild(&mut self, onto: Option<&Record>) {
        self.record = self.change.made_to(onto, &self.scope, &self.token);
    }

    /// Whether what is stored now comes from the same login, so that the change still has a place in it.
    fn belongs_to(&self, stored: Option<&Record>) -> bool {
        let lineage = &self.basis.lineage;
        let is_of_it = match stored.and_then(Record::refresh_token) {
            Some(refresh_token) => lineage.contains(refresh_token),
            None => lineage.is_empty(),
        };
        if !is_of_it {
            return false;
        }
        let access_token =
            |record: &Record| record.token(&self.scope).map(|token| token.access_token().clone());
        // Without a refresh token, two logins differ in the access token alone; one that has ended may have left.
        let stored = stored.and_then(access_token);
        self.token.refresh_token().is_some()
            || stored.is_none()
            || stored == self.basis.record.as_ref().and_then(access_token)
    }
}

impl Change {
    fn made_to(self, before: Option<&Record>, scope: &AccessScope, token: &Token) -> Record {
        match self {
            Self::Token => Record::after_exchange(before, scope, token.clone()),
            Self::RefreshTokenAlone => Record::with_refresh_token_of(before, token),
            Self::Anew => {
                let before = before.map(Record::without_refresh_token);
                Record::after_exchange(before.as_ref(), scope, token.clone())
            }
        }
    }
}

/// Keeps a draft in memory unless it was stored: also when the task that stores it panics, or ends with its runtime.
struct Held<'a> {
    shared: &'a Shared,
    entry: &'a Entry,
    draft: Draft,
    stored: bool,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.stored {
            let kept = Some(Arc::new(self.shared.telemetry.kept_in_memory()));
            *self.entry.grant.unpersisted() = Some(Box::new(Draft { kept, ..self.draft.clone() }));
        }
    }
}

/// Stores a login in the place of all that was there; gives the generation of its record.
pub(super) async fn login(shared: &Shared, entry: &Entry, token: Token) -> Result<u64, Error> {
    let mut stored = shared.store.load(&entry.key).await?;
    for _ in 0..CONFLICTS {
        let expected = stored.as_ref().map(Record::generation);
        // Later than what is in memory as well: the store may have been wiped, or not take what memory holds.
        let before = entry.grant.generation().max(expected.unwrap_or(0));
        let rotates = stored.as_ref().is_some_and(Record::rotates);
        let record = Record::login(before, rotates, entry.scope.clone(), token.clone());
        let swap = match shared.store.compare_and_swap(&entry.key, expected, &record).await {
            Ok(swap) => swap,
            Err(error) => match shared.store.load(&entry.key).await {
                // It arrived, and only the answer was lost; somebody may have added to it since.
                Ok(Some(stored)) if stored.is_of_login(&record) => Swap::Stored,
                _ => return Err(error),
            },
        };
        match swap {
            Swap::Stored => {
                entry.grant.unpersisted().take();
                *entry.grant.ledger() = Ledger::default();
                return Ok(record.generation());
            }
            Swap::Conflict(other) => stored = other,
        }
    }
    Err(contended())
}

/// What an exchange starts from: the stored record, or one that the store would not take yet.
pub(super) fn basis(entry: &Entry, stored: Option<Record>) -> Basis {
    let expected = stored.as_ref().map(Record::generation);
    let leftover = entry.grant.unpersisted().clone();
    let leftover = leftover.filter(|draft| stored.is_none() || draft.belongs_to(stored.as_ref()));
    let Some(mut draft) = leftover else {
        let lineage = stored.iter().filter_map(Record::refresh_token).cloned().collect();
        return Basis { expected, lineage, record: stored };
    };
    if stored.is_some() && expected != draft.basis.expected {
        draft.rebuild(stored.as_ref());
    }
    let mut lineage = draft.basis.lineage;
    lineage.extend(draft.record.refresh_token().cloned());
    lineage.dedup();
    Basis { expected, lineage, record: Some(draft.record) }
}

/// Tries once more to store what the store would not take before.
///
/// # Errors
/// The store's error, if it still does not and requests are to be refused then.
pub(super) async fn retry_leftover(shared: &Arc<Shared>, entry: &Arc<Entry>) -> Result<(), Error> {
    let Some(mut draft) = entry.grant.unpersisted().clone() else {
        return Ok(());
    };
    match store(shared, entry, &mut draft).await {
        Ok(persisted) => {
            settle(shared, entry, &draft, &persisted);
            Ok(())
        }
        Err(error) if shared.persist_failure == PersistFailure::Refuse => Err(error),
        Err(_) => Ok(()),
    }
}

/// Stores a draft. When the store fails for longer than its patience, the draft is kept in memory and a task goes on
/// trying; whether the token may be used meanwhile is the manager's [`PersistFailure`].
pub(super) async fn persist(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    draft: Draft,
) -> Result<Persisted, Error> {
    let started = Instant::now();
    let mut held = Held { shared, entry, draft, stored: false };
    let mut attempt = 0;
    let error = loop {
        let error = match store(shared, entry, &mut held.draft).await {
            Ok(persisted) => {
                held.stored = true;
                // What the store would not take before is in the record that it took now, or replaced by it.
                if entry.grant.unpersisted().take().is_some() {
                    shared.tell(Event::PersistedLate { key: entry.key.clone() });
                }
                return Ok(persisted);
            }
            Err(error) => error,
        };
        let pause = pause(shared, attempt);
        if started.elapsed() + pause >= shared.settings.persist_patience {
            break error;
        }
        sleep(pause).await;
        attempt += 1;
    };
    let generation = held.draft.generation();
    drop(held);
    let task = store_later(Arc::clone(shared), Arc::clone(entry), attempt);
    // Without a task (the manager is shutting down), the next flight stores it.
    let _ = shared.tasks.spawn(task);
    shared.tell(Event::PersistFailed { key: entry.key.clone(), error: error.clone() });
    match shared.persist_failure {
        PersistFailure::Refuse => Err(error),
        PersistFailure::ServeFromMemory => Ok(Persisted::Kept { generation }),
    }
}

/// One attempt; conflicts with changes that leave the login alone are resolved on the way.
async fn store(shared: &Shared, entry: &Entry, draft: &mut Draft) -> Result<Persisted, Error> {
    for _ in 0..CONFLICTS {
        let swap = shared.store.compare_and_swap(&entry.key, draft.basis.expected, &draft.record);
        let swap = timeout(STORE_TIME, swap).await.map_err(|_| {
            Error::new(ErrorKind::Store).detail(format!("it did not answer within {STORE_TIME:?}"))
        })?;
        match swap? {
            Swap::Stored => return Ok(Persisted::Kept { generation: draft.generation() }),
            Swap::Conflict(Some(stored)) if stored.is_same_write(&draft.record) => {
                // The write before this one arrived, and only its answer was lost.
                return Ok(Persisted::Kept { generation: draft.generation() });
            }
            Swap::Conflict(stored) if draft.belongs_to(stored.as_ref()) => {
                draft.basis.expected = stored.as_ref().map(Record::generation);
                draft.rebuild(stored.as_ref());
            }
            Swap::Conflict(_) => return Ok(Persisted::Superseded),
        }
    }
    Err(contended())
}

fn contended() -> Error {
    Error::new(ErrorKind::Store).detail("the record changed each time it was to be replaced")
}

/// Stores what [`persist`] could not, however long it takes, as long as somebody has the manager.
///
/// Meanwhile the lease of the flight is kept, so that no other process spends the refresh token that the store has.
pub(super) async fn store_later(shared: Arc<Shared>, entry: Arc<Entry>, attempt: u32) {
    // One task for each grant is enough: it takes the newest draft each time.
    let Ok(_duty) = entry.grant.storing.try_acquire() else {
        return;
    };
    lease::kept_while(&shared, &entry, store_until_taken(&shared, &entry, attempt)).await;
}

async fn store_until_taken(shared: &Arc<Shared>, entry: &Arc<Entry>, mut attempt: u32) {
    let mut last_attempts = 0;
    while last_attempts < LAST_ATTEMPTS {
        last_attempts += usize::from(shared.is_orphaned());
        sleep(pause(shared, attempt)).await;
        attempt = attempt.saturating_add(1);
        let Some(mut draft) = entry.grant.unpersisted().clone() else {
            return;
        };
        if let Ok(persisted) = store(shared, entry, &mut draft).await {
            settle(shared, entry, &draft, &persisted);
        }
    }
}

/// Forgets a leftover that is stored now, or that a later one has replaced.
fn settle(shared: &Shared, entry: &Entry, draft: &Draft, persisted: &Persisted) {
    let mut leftover = entry.grant.unpersisted();
    let is_this_one = leftover.as_ref().is_some_and(|leftover| leftover.token == draft.token);
    if is_this_one {
        *leftover = None;
    }
    drop(leftover);
    if is_this_one && matches!(persisted, Persisted::Kept { .. }) {
        shared.tell(Event::PersistedLate { key: entry.key.clone() });
    }
}

/// Never zero, so that a store that fails at once is not asked in a tight loop.
fn pause(shared: &Shared, attempt: u32) -> Duration {
    let (first, _) = shared.settings.persist_back_off;
    first / 2 + shared.settings.pause(shared.settings.persist_back_off, attempt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;

    #[test]
    fn the_defaults_are_those_of_the_table() {
        assert_documented("longest time of one attempt to store", STORE_TIME);
        assert_documented(
            "attempts to store that are made when nobody has the manager any more",
            LAST_ATTEMPTS,
        );
        assert_documented("conflicts in a row that a change survives", CONFLICTS);
    }
}
