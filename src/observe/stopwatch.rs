//! How long something took, or nothing where nobody is told.

use std::time::Duration;

#[cfg(any(feature = "tracing", feature = "metrics"))]
use tokio::time::Instant;

/// The moment at which something began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch(#[cfg(any(feature = "tracing", feature = "metrics"))] Instant);

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self(
            #[cfg(any(feature = "tracing", feature = "metrics"))]
            Instant::now(),
        )
    }

    pub(super) fn elapsed(self) -> Duration {
        #[cfg(any(feature = "tracing", feature = "metrics"))]
        return self.0.elapsed();
        #[cfg(not(any(feature = "tracing", feature = "metrics")))]
        return Duration::ZERO;
    }
}
