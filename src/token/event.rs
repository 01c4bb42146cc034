//! What a manager tells those who watch it.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;

use crate::error::Error;
use crate::token::Reason;
use crate::token::TokenKey;

/// Something that happened to a grant. Nothing in it is secret, though keys may be personal.
///
/// Handed to the observer of [`TokenManagerBuilder::on_event`](super::TokenManagerBuilder::on_event), which must be
/// quick and must not block.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A new token was obtained, or one that another process obtained was found in the store.
    #[non_exhaustive]
    Refreshed {
        /// Whose.
        key: TokenKey,
        /// Why it was wanted.
        reason: Reason,
        /// Whether the source was asked; otherwise the store had it.
        exchanged: bool,
    },
    /// No new token could be had.
    #[non_exhaustive]
    RefreshFailed {
        /// Whose.
        key: TokenKey,
        /// Why it was wanted.
        reason: Reason,
        /// What went wrong.
        error: Error,
    },
    /// The store did not take a new token. It is tried again until it does.
    #[non_exhaustive]
    PersistFailed {
        /// Whose.
        key: TokenKey,
        /// What went wrong.
        error: Error,
    },
    /// The store took a new token at last.
    #[non_exhaustive]
    PersistedLate {
        /// Whose.
        key: TokenKey,
    },
}

/// Who is told, if anybody.
#[derive(Clone, Default)]
pub(super) struct Observer(Option<Arc<Observe>>);

type Observe = dyn Fn(&Event) + Send + Sync;

impl Observer {
    pub(super) fn new(observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observer)))
    }

    /// Logs the event, and hands it on.
    pub(super) fn tell(&self, event: &Event) {
        event.log();
        if let Some(observer) = &self.0 {
            // One that panics must not take a token with it, nor those who wait for one.
            let _ = catch_unwind(AssertUnwindSafe(|| observer(event)));
        }
    }
}

impl Event {
    /// Writes the event to the log, where the feature `tracing` is on. Keys may be personal and are left out.
    #[cfg(feature = "tracing")]
    fn log(&self) {
        match self {
            Self::Refreshed { reason, exchanged, .. } => {
                tracing::debug!(target: "tower_oauth", reason = reason.as_str(), exchanged, "token refreshed");
            }
            Self::RefreshFailed { reason, error, .. } => {
                tracing::warn!(target: "tower_oauth", reason = reason.as_str(), %error, "token refresh failed");
            }
            Self::PersistFailed { error, .. } => {
                tracing::error!(target: "tower_oauth", %error, "a new token could not be stored and is kept in memory");
            }
            Self::PersistedLate { .. } => {
                tracing::info!(target: "tower_oauth", "a token that could not be stored before is stored now");
            }
        }
    }

    #[cfg(not(feature = "tracing"))]
    #[allow(clippy::unused_self, reason = "the other half of the switch uses it")]
    fn log(&self) {}
}
