//! What happens inside, told to those who watch: the spans and events of `tracing`, the numbers of `metrics`.
//!
//! The engine and the layers say here what they do, in plain values; each feature then has its half. Without both, nothing
//! of it is left in the program. The names are a promise: they are in the tables of `docs/observability.md`, and
//! `tests/observability.rs` compares the two.
//!
//! | module | what |
//! |---|---|
//! | [`span`] | spans, or nothing |
//! | `measure` | counters, gauges and histograms |
//! | [`key_names`] | what is said of whose token it is |
//! | [`telemetry`] | what a token manager tells, with [`guards`] for what has a beginning and an end |
//! | [`requests`] | what the layers tell |
#![cfg_attr(
    not(all(feature = "tracing", feature = "metrics")),
    allow(unused_variables, unused_macros, unused_imports, dead_code, reason = "the other half uses it")
)]

/// The target of every span and event, and of every metric's metadata.
#[cfg(any(feature = "tracing", feature = "metrics"))]
const TARGET: &str = "tower_oauth";

/// An event with a stable name, a message for people, and fields.
macro_rules! event {
    ($level:ident, $name:literal, $message:literal $(, $($fields:tt)+)?) => {{
        #[cfg(feature = "tracing")]
        tracing::event!(
            name: $name,
            target: crate::observe::TARGET,
            tracing::Level::$level,
            { event = $name $(, $($fields)+)? },
            $message
        );
    }};
}

/// A span in the one that is current, or with `root:` in none.
macro_rules! span {
    (root: $level:ident, $name:literal, $($fields:tt)+) => {
        crate::observe::span::Span::of(
            #[cfg(feature = "tracing")]
            tracing::span!(
                target: crate::observe::TARGET,
                parent: None,
                tracing::Level::$level,
                $name,
                $($fields)+
            ),
        )
    };
    ($level:ident, $name:literal, $($fields:tt)+) => {
        crate::observe::span::Span::of(
            #[cfg(feature = "tracing")]
            tracing::span!(target: crate::observe::TARGET, tracing::Level::$level, $name, $($fields)+),
        )
    };
}

/// What only the feature `metrics` does.
macro_rules! measured {
    ($($body:tt)+) => {
        #[cfg(feature = "metrics")]
        {
            $($body)+
        }
    };
}

#[cfg(feature = "oauth2")]
mod guards;
#[cfg(feature = "oauth2")]
mod key_names;
#[cfg(feature = "metrics")]
mod measure;
mod requests;
mod span;
mod stopwatch;
#[cfg(feature = "oauth2")]
mod telemetry;

#[cfg(feature = "oauth2")]
pub use key_names::KeyNames;

#[cfg(feature = "oauth2")]
pub(crate) use guards::Kept;
#[cfg(feature = "oauth2")]
pub(crate) use guards::Refresh;
#[cfg(feature = "oauth1")]
pub(crate) use requests::CredentialLookup;
pub(crate) use requests::Retry;
#[cfg(feature = "oauth1")]
pub(crate) use requests::Signatures;
#[cfg(feature = "oauth1")]
pub(crate) use requests::clock_learned;
#[cfg(feature = "oauth1")]
pub(crate) use requests::refused;
#[cfg(feature = "oauth1")]
pub(crate) use requests::retry;
#[cfg(feature = "oauth2")]
pub(crate) use span::Link;
#[cfg(feature = "oauth2")]
pub(crate) use telemetry::Telemetry;
