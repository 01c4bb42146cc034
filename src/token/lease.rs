//! The sole right, among all processes that share a store, to exchange a grant.

use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio::time::timeout;

use crate::error::Error;
use crate::token::TokenStore;
use crate::token::entry::Entry;
use crate::token::manager::Shared;
use crate::token::persist;

/// The pause before a lease that another process holds is asked for a second time; it doubles with each time.
const FIRST_POLL: Duration = Duration::from_millis(50);
/// The longest of these pauses.
const LONGEST_POLL: Duration = Duration::from_millis(500);
/// How long giving a lease back may take; it ends by itself in any case.
const RELEASE_TIME: Duration = Duration::from_secs(5);

/// A lease that was asked for.
///
/// It outlives its flight while the store does not take what the flight brought: another process would spend the
/// refresh token that the store still has. The task that goes on storing keeps it until then.
pub(super) struct Lease {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    owner: String,
    refusals: u32,
    ended: bool,
}

impl Lease {
    /// A lease that is yet to be asked for; the one that was kept, if there is one.
    pub(super) fn new(shared: &Arc<Shared>, entry: &Arc<Entry>) -> Self {
        let owner = entry.grant.kept_lease().take();
        let owner = owner.unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
        Self { shared: Arc::clone(shared), entry: Arc::clone(entry), owner, refusals: 0, ended: false }
    }

    /// Asks once.
    pub(super) async fn is_granted(&self) -> Result<bool, Error> {
        let ttl = self.shared.settings.lease_ttl;
        self.shared.store.lease(&self.entry.key, &self.owner, ttl).await
    }

    /// Waits before it is asked for again: longer each time, and by chance, so that those who wait do not come at once.
    pub(super) async fn wait(&mut self) {
        let longest = FIRST_POLL.saturating_mul(2_u32.saturating_pow(self.refusals)).min(LONGEST_POLL);
        self.refusals = self.refusals.saturating_add(1);
        let pause = longest / 2 + self.shared.settings.pause((longest / 2, longest / 2), 0);
        sleep(pause).await;
    }

    /// Extends the lease as long as `exchange` runs, and does not hold it up whatever the store does.
    pub(super) async fn renewed_while<T>(&self, exchange: impl Future<Output = T>) -> T {
        while_alongside(renewals(&self.shared, &self.entry, || Some(self.owner.clone())), exchange).await
    }

    /// Gives it back; or keeps it, as long as something waits to be stored.
    pub(super) async fn end(mut self) {
        let grant = &self.entry.grant;
        if grant.unpersisted().is_some() {
            *grant.kept_lease() = Some(self.owner.clone());
            // The task that stores may have ended in between: then nobody else would give it back.
            if grant.unpersisted().is_some() || grant.kept_lease().take().is_none() {
                self.ended = true;
                return;
            }
        }
        release(&self.shared, &self.entry, &self.owner).await;
        self.ended = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let (shared, entry, owner) =
            (Arc::clone(&self.shared), Arc::clone(&self.entry), std::mem::take(&mut self.owner));
        // After a panic, others should not have to wait for the lease to end by itself; if no task can be had, they do.
        let _ = if entry.grant.unpersisted().is_some() {
            *entry.grant.kept_lease() = Some(owner);
            self.shared.tasks.spawn(persist::store_later(shared, entry, 0))
        } else {
            self.shared.tasks.spawn(async move { release(&shared, &entry, &owner).await })
        };
    }
}

/// Extends the lease that is kept for a grant as long as `storing` runs; then gives it back.
pub(super) async fn kept_while<T>(
    shared: &Arc<Shared>,
    entry: &Arc<Entry>,
    storing: impl Future<Output = T>,
) -> T {
    let kept = || entry.grant.kept_lease().clone();
    let result = while_alongside(renewals(shared, entry, kept), storing).await;
    let kept = entry.grant.kept_lease().take();
    if let Some(owner) = kept {
        release(shared, entry, &owner).await;
    }
    result
}

/// Gives what `work` gives, and goes on with `renewals` until then.
async fn while_alongside<T>(renewals: impl Future<Output = Infallible>, work: impl Future<Output = T>) -> T {
    let (mut renewals, mut work) = (pin!(renewals), pin!(work));
    let mut go_on = true;
    poll_fn(|context| {
        // A store that panics must not take the work with it.
        go_on = go_on && catch_unwind(AssertUnwindSafe(|| renewals.as_mut().poll(context))).is_ok();
        work.as_mut().poll(context)
    })
    .await
}

async fn renewals(shared: &Shared, entry: &Entry, owner: impl Fn() -> Option<String>) -> Infallible {
    let ttl = shared.settings.lease_ttl;
    loop {
        sleep((ttl / 3).max(FIRST_POLL)).await;
        if let Some(owner) = owner() {
            // A lease that is lost is no reason to drop an exchange that is under way: the swap of generations decides.
            let _ = shared.store.renew(&entry.key, &owner, ttl).await;
        }
    }
}

async fn release(shared: &Shared, entry: &Entry, owner: &str) {
    // It ends by itself if this fails.
    let _ = timeout(RELEASE_TIME, shared.store.release(&entry.key, owner)).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_continued;
    use crate::defaults::assert_documented;

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let poll = "pause before a lease that another process holds is asked for again: half of it by chance";
        assert_documented(poll, FIRST_POLL);
        assert_continued(poll, LONGEST_POLL);
        assert_documented("longest time that giving a lease back takes", RELEASE_TIME);
    }
}
