//! Getting a new token into the store, whatever the store does.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::sleep;

use crate::error::Error;
use crate::token::AccessScope;
use crate::token::Event;
use crate::token::PersistFailure;
use crate::token::Record;
use crate::token::Swap;
use crate::token::Token;
use crate::token::TokenStore;
use crate::token::keyed::Entry;
use crate::token::manager::Shared;

/// A change that is on its way into the store.
#[derive(Clone)]
pub(super) struct Draft {
    /// The generation that the store is believed to hold.
    expected: Option<u64>,
    /// The record that the exchange started from.
    base: Option<Record>,
    scope: AccessScope,
    token: Token,
    /// Whether the access token is worth keeping, and not the refresh token alone.
    with_access_token: bool,
    record: Record,
}

/// What became of a draft.
pub(super) enum Persisted {
    /// It is in the store, or kept in memory until the store takes it.
    Kept {
        /// Of the record that it is in.
        generation: u64,
    },
    /// A login replaced the grant that it belongs to; this is what is stored now.
    Superseded(Option<Record>),
}

impl Draft {
    pub(super) fn new(
        expected: Option<u64>,
        base: Option<Record>,
        scope: AccessScope,
        token: Token,
        with_access_token: bool,
    ) -> Self {
        let mut draft = Self { expected, record: empty(&token), base, scope, token, with_access_token };
        draft.rebuild(draft.base.clone());
        draft
    }

    /// Puts the change on top of another record.
    fn rebuild(&mut self, onto: Option<Record>) {
        self.record = if self.with_access_token {
            Record::after_exchange(onto.as_ref(), &self.scope, self.token.clone())
        } else {
            Record::with_refresh_token_of(onto.as_ref(), &self.token)
        };
    }

    /// Whether what is stored now comes from the same login, so that the change still has a place in it.
    fn belongs_to(&self, stored: Option<&Record>) -> bool {
        let refresh_token = |record: Option<&Record>| record.and_then(Record::refresh_token).cloned();
        let access_token = |record: Option<&Record>| {
            record.and_then(|record| record.token(&self.scope)).map(|token| token.access_token().clone())
        };
        let base = self.base.as_ref();
        if refresh_token(stored) != refresh_token(base) {
            return false;
        }
        // Without a refresh token, two logins differ in the access token alone.
        self.token.refresh_token().is_some() || stored.is_none() || access_token(stored) == access_token(base)
    }
}

fn empty(token: &Token) -> Record {
    Record::with_refresh_token_of(None, token)
}

/// The newest record there is: the stored one, or one that the store would not take yet.
pub(super) fn newest(entry: &Entry, stored: Option<Record>) -> Option<Record> {
    let leftover = entry.grant.unpersisted().as_ref().map(|draft| draft.record.clone());
    match (stored, leftover) {
        (Some(stored), Some(leftover)) if leftover.generation() <= stored.generation() => Some(stored),
        (stored, leftover) => leftover.or(stored),
    }
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
    mut draft: Draft,
) -> Result<Persisted, Error> {
    let patience = Instant::now() + shared.settings.persist_patience;
    let mut attempt = 0;
    let error = loop {
        let error = match store(shared, entry, &mut draft).await {
            Ok(persisted) => return Ok(persisted),
            Err(error) => error,
        };
        let pause = pause(shared, attempt);
        if Instant::now() + pause >= patience {
            break error;
        }
        sleep(pause).await;
        attempt += 1;
    };
    shared.tell(Event::PersistFailed { key: entry.key.clone(), error: error.clone() });
    let generation = draft.record.generation();
    *entry.grant.unpersisted() = Some(draft);
    let task = store_later(Arc::clone(shared), Arc::clone(entry), attempt);
    // Without a task (the manager is shutting down), the next flight stores it.
    let _ = shared.tasks.spawn(task);
    match shared.persist_failure {
        PersistFailure::Refuse => Err(error),
        PersistFailure::ServeFromMemory => Ok(Persisted::Kept { generation }),
    }
}

/// One attempt; conflicts with changes that leave the login alone are resolved on the way.
async fn store(shared: &Shared, entry: &Entry, draft: &mut Draft) -> Result<Persisted, Error> {
    loop {
        match shared.store.compare_and_swap(&entry.key, draft.expected, &draft.record).await? {
            Swap::Stored => return Ok(Persisted::Kept { generation: draft.record.generation() }),
            Swap::Conflict(stored) if stored.as_ref() == Some(&draft.record) => {
                // The write before this one arrived, and only its answer was lost.
                return Ok(Persisted::Kept { generation: draft.record.generation() });
            }
            Swap::Conflict(stored) if draft.belongs_to(stored.as_ref()) => {
                draft.expected = stored.as_ref().map(Record::generation);
                draft.rebuild(stored);
            }
            Swap::Conflict(stored) => return Ok(Persisted::Superseded(stored)),
        }
    }
}

/// Stores what [`persist`] could not, however long it takes.
async fn store_later(shared: Arc<Shared>, entry: Arc<Entry>, mut attempt: u32) {
    loop {
        sleep(pause(&shared, attempt)).await;
        attempt = attempt.saturating_add(1);
        let Some(mut draft) = entry.grant.unpersisted().clone() else {
            return;
        };
        if let Ok(persisted) = store(&shared, &entry, &mut draft).await {
            settle(&shared, &entry, &draft, &persisted);
            return;
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
