//! Runs the flight under thousands of schedules, and watches the promises of the manager.
//!
//! Every task, of callers and of the manager alike, goes on only when the [`scheduler`] says so, and the next one is
//! chosen by chance from all that could. Timers are those of a runtime whose time is paused, so that they end only when
//! nobody else can go on. The server and the store of the [`world`] give way before and after everything they do. What
//! happens therefore depends on nothing but the seed, which every failure names: set `EXPLORE_SEED` to run that one
//! alone, and `EXPLORE_SCHEDULES` to run more of them.
//!
//! That the explorer sees anything is shown by managers that are broken on purpose ([`Flaw`]): it has to catch each. They
//! exist in this crate's own unit tests alone.

use std::sync::Arc;

use crate::token::Record;
use crate::token::TokenStore;
use crate::token::entry::Entry;
use crate::token::flight::Flight;
use crate::token::manager::Shared;

mod dice;
mod scenario;
mod scheduler;
mod tests;
mod world;

pub(super) use scheduler::scheduled;

/// How a manager is broken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Flaw {
    /// A token is given out before it is stored.
    PublishBeforePersist,
    /// A flight ends with a caller that waits for it.
    DropWithCaller,
    /// The record that was read before the lease was waited for is the one that is exchanged.
    NoReloadAfterLease,
}

/// Ends the flight with the caller, where that is the flaw.
pub(super) struct Tie<'a>(&'a Shared, Arc<Flight>);

impl<'a> Tie<'a> {
    pub(super) fn new(shared: &'a Shared, flight: &Arc<Flight>) -> Self {
        Self(shared, Arc::clone(flight))
    }
}

impl Drop for Tie<'_> {
    fn drop(&mut self) {
        if self.0.settings.flaw == Some(Flaw::DropWithCaller) {
            self.1.abort();
        }
    }
}

/// Reads the record before the lease is waited for, where that is the flaw.
pub(super) async fn read_too_early(shared: &Shared, entry: &Entry) {
    if shared.settings.flaw == Some(Flaw::NoReloadAfterLease) {
        if let Ok(stored) = shared.store.load(&entry.key).await {
            *entry.grant.stale.lock().unwrap() = Some(stored);
        }
    }
}

/// The record that was read too early, or else the one that was read in time.
pub(super) fn stale_or(entry: &Entry, stored: Option<Record>) -> Option<Record> {
    entry.grant.stale.lock().unwrap().take().unwrap_or(stored)
}
