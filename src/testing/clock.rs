//! A clock that tests move by hand.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;

use crate::clock::Clock;

/// A clock that stands still until it is moved. Clones share the time, so that one clock drives the provider and
/// what is tested against it.
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::Clock;
/// use tower_oauth::testing::ManualClock;
///
/// let clock = ManualClock::new();
/// let start = clock.now();
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(clock.now(), start + Duration::from_secs(3600));
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<Mutex<Times>>);

struct Times {
    now: SystemTime,
    /// What went by through `advance`.
    passed: Duration,
}

impl ManualClock {
    /// A clock that stands at the present moment of the system's clock, so that whoever still uses that one agrees
    /// until this clock is moved.
    pub fn new() -> Self {
        Self::at(SystemTime::now())
    }

    /// A clock that stands at `moment`.
    pub fn at(moment: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(Times { now: moment, passed: Duration::ZERO })))
    }

    /// Moves the clock forward. A sum that no [`SystemTime`] can hold leaves it where it is.
    pub fn advance(&self, by: Duration) {
        let mut times = self.times();
        if let Some(now) = times.now.checked_add(by) {
            times.now = now;
            times.passed = times.passed.saturating_add(by);
        }
    }

    /// Moves the clock to `moment`, which may lie in its past, as somebody does who corrects it: no time passes, so that
    /// [`monotonic`](Clock::monotonic) stays where it is.
    pub fn set(&self, moment: SystemTime) {
        self.times().now = moment;
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        self.times().now
    }

    fn monotonic(&self) -> Duration {
        self.times().passed
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}
