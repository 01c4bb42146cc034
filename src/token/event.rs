//! What a manager tells those who watch it.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::observe::Telemetry;
use crate::token::AccessScope;
use crate::token::Reason;
use crate::token::TokenKey;

/// Something that happened to a grant. Nothing in it is secret, though keys may be personal.
///
/// Handed to the observer of [`TokenManagerBuilder::on_event`](super::TokenManagerBuilder::on_event), which must be
/// quick and must not block. [`name`](Self::name), [`Reason::as_str`] and [`ErrorKind::as_str`](crate::ErrorKind::as_str)
/// are stable and few: they can be labels of metrics, as keys and scopes should not be.
///
/// ```
/// use tower_oauth::token::{Event, Token, TokenManager, token_source_fn};
///
/// let manager = TokenManager::builder(token_source_fn(|_| async { Ok(Token::new("token")) }))
///     .on_event(|event| match event {
///         Event::Refreshed { reason, elapsed, .. } => println!("{} after {elapsed:?}", reason.as_str()),
///         Event::RefreshFailed { error, .. } => println!("failed: {}", error.kind().as_str()),
///         other => println!("{}", other.name()),
///     })
///     .build();
/// # let _ = manager;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The source gave a new token.
    #[non_exhaustive]
    Refreshed {
        /// Whose.
        key: TokenKey,
        /// What it is good for.
        scope: AccessScope,
        /// Why it was wanted.
        reason: Reason,
        /// How long it took, from the moment at which it was wanted until it could be given out.
        elapsed: Duration,
    },
    /// A token that another process obtained (or another manager, or an earlier run) was found in the store.
    #[non_exhaustive]
    Adopted {
        /// Whose.
        key: TokenKey,
        /// What it is good for.
        scope: AccessScope,
        /// Why one was wanted.
        reason: Reason,
        /// How long it took, from the moment at which it was wanted until it could be given out.
        elapsed: Duration,
    },
    /// No new token could be had.
    #[non_exhaustive]
    RefreshFailed {
        /// Whose.
        key: TokenKey,
        /// What it was to be good for.
        scope: AccessScope,
        /// Why it was wanted.
        reason: Reason,
        /// What went wrong.
        error: Error,
        /// How long was tried.
        elapsed: Duration,
    },
    /// A grant has ended: only a new login helps. Told once for each end, beside
    /// [`RefreshFailed`](Self::RefreshFailed).
    #[non_exhaustive]
    Died {
        /// Whose.
        key: TokenKey,
        /// Why.
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
    /// A login was stored, by [`TokenManager::put`](super::TokenManager::put).
    #[non_exhaustive]
    LoggedIn {
        /// Whose.
        key: TokenKey,
    },
    /// A grant was forgotten, by [`TokenManager::revoke`](super::TokenManager::revoke) or
    /// [`TokenManager::forget`](super::TokenManager::forget).
    #[non_exhaustive]
    Forgotten {
        /// Whose.
        key: TokenKey,
        /// Whether the server ended it, too.
        revoked: bool,
    },
}

impl Event {
    /// A stable name in snake case, for metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refreshed { .. } => "refreshed",
            Self::Adopted { .. } => "adopted",
            Self::RefreshFailed { .. } => "refresh_failed",
            Self::Died { .. } => "died",
            Self::PersistFailed { .. } => "persist_failed",
            Self::PersistedLate { .. } => "persisted_late",
            Self::LoggedIn { .. } => "logged_in",
            Self::Forgotten { .. } => "forgotten",
        }
    }

    /// Whose grant it is about.
    pub fn key(&self) -> &TokenKey {
        match self {
            Self::Refreshed { key, .. }
            | Self::Adopted { key, .. }
            | Self::RefreshFailed { key, .. }
            | Self::Died { key, .. }
            | Self::PersistFailed { key, .. }
            | Self::PersistedLate { key }
            | Self::LoggedIn { key }
            | Self::Forgotten { key, .. } => key,
        }
    }
}

/// Who is told, if anybody.
#[derive(Clone, Default)]
pub(super) struct Observer(Option<Arc<Observe>>);

type Observe = dyn Fn(&Event) + Send + Sync;

impl Observer {
    pub(super) fn new(observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observer)))
    }

    pub(super) fn tell(&self, event: &Event) {
        if let Some(observer) = &self.0 {
            // One that panics must not take a token with it, nor those who wait for one.
            let _ = catch_unwind(AssertUnwindSafe(|| observer(event)));
        }
    }
}

impl Event {
    /// Says the same to those who watch with `tracing` and `metrics`.
    pub(super) fn observe(&self, telemetry: &Telemetry) {
        match self {
            Self::Refreshed { key, reason, elapsed, .. } => {
                telemetry.refreshed(key, reason.as_str(), *elapsed);
            }
            Self::Adopted { key, reason, elapsed, .. } => telemetry.adopted(key, reason.as_str(), *elapsed),
            Self::RefreshFailed { key, reason, error, elapsed, .. } => {
                telemetry.refresh_failed(key, reason.as_str(), error, *elapsed);
            }
            Self::Died { key, error } => telemetry.died(key, error),
            Self::PersistFailed { key, error } => telemetry.persist_failed(key, error),
            Self::PersistedLate { key } => telemetry.persisted_late(key),
            Self::LoggedIn { key } => telemetry.logged_in(key),
            Self::Forgotten { key, revoked } => telemetry.forgotten(key, *revoked),
        }
    }
}
