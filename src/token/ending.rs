//! Ending a grant: at the server, in the store, in memory.

use std::sync::Arc;

use tokio::time::timeout;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::secret::Secret;
use crate::token::Event;
use crate::token::Record;
use crate::token::TokenStore;
use crate::token::TokenTypeHint;
use crate::token::entry::Entry;
use crate::token::exchange::within_deadline;
use crate::token::lease::Lease;
use crate::token::ledger::Ledger;
use crate::token::manager::Shared;
use crate::token::persist;

/// How many changes in a row a deletion survives.
const CONFLICTS: usize = 16;

/// Forgets the grant that `entry` belongs to; ends it at the server before, if `revoke` says so.
///
/// The server is asked first: if this is cut short in the middle, the store still has the refresh token to try again
/// with, and it is dead at worst.
pub(super) async fn end(shared: &Arc<Shared>, entry: &Arc<Entry>, revoke: bool) -> Result<(), Error> {
    // A refresh that is under way would bring a refresh token that nobody ends. One that takes too long, or a lease that
    // cannot be had, keeps nobody from logging out.
    let turn = within_deadline(shared, "waiting for its turn", entry.grant.take_turn()).await;
    let lease = lease(shared, entry).await;
    let outcome = match &lease {
        Some(lease) => lease.renewed_while(end_now(shared, entry, revoke)).await,
        None => end_now(shared, entry, revoke).await,
    };
    drop(turn);
    if let Some(lease) = lease {
        lease.end().await;
    }
    outcome
}

async fn lease(shared: &Arc<Shared>, entry: &Arc<Entry>) -> Option<Lease> {
    let asking = async {
        let mut lease = Lease::new(shared, entry);
        while !lease.is_granted().await? {
            lease.wait().await;
        }
        Ok::<_, Error>(lease)
    };
    within_deadline(shared, "waiting for the lease", asking).await.ok()?.ok()
}

async fn end_now(shared: &Arc<Shared>, entry: &Arc<Entry>, revoke: bool) -> Result<(), Error> {
    let stored = within_deadline(shared, "loading the grant", shared.store.load(&entry.key)).await??;
    let record = persist::basis(entry, stored.clone()).record;
    forget_in_memory(entry, record.as_ref());
    let revoked = match (&record, revoke) {
        (Some(record), true) => revoke_at_server(shared, record).await,
        _ => Ok(()),
    };
    delete(shared, entry, stored, record.as_ref()).await?;
    // Whoever loaded it again in the meantime has nothing any more either.
    forget_in_memory(entry, record.as_ref());
    if record.is_some() {
        let is_ended = revoke && revoked.is_ok();
        shared.tell(Event::Forgotten { key: entry.key.clone(), revoked: is_ended });
    }
    revoked
}

async fn revoke_at_server(shared: &Shared, record: &Record) -> Result<(), Error> {
    let Some(revocation) = &shared.revocation else {
        let detail = "the manager has no revocation; the grant is forgotten here, and alive at the server";
        return Err(Error::new(ErrorKind::MissingEndpoint).detail(detail));
    };
    if let Some(refresh_token) = record.refresh_token() {
        let ending = revocation.revoke(refresh_token, TokenTypeHint::RefreshToken);
        return within_deadline(shared, "the revocation", ending).await?;
    }
    let mut outcome = Ok(());
    for (_, token) in record.tokens() {
        let ending = revocation.revoke(token.access_token(), TokenTypeHint::AccessToken);
        let ended = within_deadline(shared, "the revocation", ending).await.and_then(|ended| ended);
        // One that fails does not keep the others alive.
        outcome = outcome.and(ended);
    }
    outcome
}

/// Deletes the record, as long as it is of the login that was to end.
async fn delete(
    shared: &Shared,
    entry: &Entry,
    mut stored: Option<Record>,
    ended: Option<&Record>,
) -> Result<(), Error> {
    let first = stored.as_ref().and_then(Record::refresh_token).cloned();
    for _ in 0..CONFLICTS {
        let Some(record) = &stored else { return Ok(()) };
        // A login that came meanwhile is another grant.
        let is_of_it = record.refresh_token() == first.as_ref()
            || ended.is_some_and(|ended| record.refresh_token() == ended.refresh_token());
        if !is_of_it {
            return Ok(());
        }
        let deletion = shared.store.delete_if(&entry.key, record.generation());
        match within_deadline(shared, "deleting the grant", deletion).await? {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // It may be gone all the same, and only the answer was lost.
            Err(error) => match shared.store.load(&entry.key).await {
                Ok(None) => return Ok(()),
                _ => return Err(error),
            },
        }
        stored = within_deadline(shared, "loading the grant", shared.store.load(&entry.key)).await??;
    }
    Err(Error::new(ErrorKind::Store).detail("the record changed each time it was to be deleted"))
}

/// Writes down that the server refused this refresh token for good, so that no other process presents it: a fleet of
/// many would do so one after the other. If that fails, they do.
pub(super) async fn mark_dead(shared: &Shared, entry: &Entry, refused: Option<&Secret>) {
    if !shared.store.is_shared() {
        return;
    }
    let marking = async {
        let Some(stored) = shared.store.load(&entry.key).await? else { return Ok(()) };
        // Anything else that is stored is another grant.
        if refused.is_some() && stored.refresh_token() == refused && !stored.is_dead() {
            let dead = stored.with_death();
            shared.store.compare_and_swap(&entry.key, Some(stored.generation()), &dead).await?;
        }
        Ok::<_, Error>(())
    };
    let _ = timeout(persist::STORE_TIME, marking).await;
}

/// Forgets the tokens of a grant, and wakes those who wait for one.
fn forget_in_memory(entry: &Entry, record: Option<&Record>) {
    entry.grant.unpersisted().take();
    *entry.grant.ledger() = Ledger::default();
    let generation = entry.grant.generation().max(record.map_or(0, Record::generation));
    for entry in entry.grant.entries() {
        let waited_for = entry.change(|state| {
            state.slot.forget(generation);
            state.flight.take()
        });
        if let Some(flight) = waited_for {
            let detail = "the grant was revoked";
            flight.land(Err(Error::new(ErrorKind::ReauthorizationRequired).detail(detail)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;

    #[test]
    fn the_defaults_are_those_of_the_table() {
        assert_documented("changes in a row that a deletion survives", CONFLICTS);
    }
}
