//! The wall clock, behind a trait so that tests can move it.

#[cfg(feature = "oauth2")]
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

/// Tells the time of day.
///
/// Expiry is kept on the wall clock and never on [`std::time::Instant`]: a token's expiry is stored, read by
/// other processes, and must still be right after the machine was suspended.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// struct Fixed;
/// impl tower_oauth::Clock for Fixed {
///     fn now(&self) -> SystemTime {
///         SystemTime::UNIX_EPOCH + Duration::from_secs(137_131_200)
///     }
/// }
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> SystemTime;

    /// How much time has passed since some moment that does not change. Unlike [`now`](Self::now) it never goes back, and
    /// nobody sets it: what a server's clock says is kept against it. By default it is measured with [`Instant`].
    fn monotonic(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> SystemTime {
        (**self).now()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }
}

/// The clock of the operating system, the default everywhere. Whether a token has ended is asked for each request, and answered
/// with a reading that may be some milliseconds old: as old as the ticks of the operating system are long.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that is shared and erased, as configuration holds it. That of the operating system, which nearly everybody has, is
/// read without a detour: it is read for every request.
#[derive(Clone, Default)]
pub(crate) enum SharedClock {
    #[default]
    System,
    Other(Arc<dyn Clock>),
}

impl SharedClock {
    pub(crate) fn new(clock: impl Clock) -> Self {
        Self::Other(Arc::new(clock))
    }

    #[inline]
    pub(crate) fn now(&self) -> SystemTime {
        match self {
            Self::System => SystemClock.now(),
            Self::Other(clock) => clock.now(),
        }
    }

    /// The present moment, or one that is a few milliseconds ago: for the question whether a token has ended, which is asked for
    /// every request. It takes a third of the time.
    #[cfg(feature = "oauth2")]
    #[inline]
    pub(crate) fn lately(&self) -> SystemTime {
        match self {
            Self::System => read_in(coarsetime::Instant::now_without_cache_update()),
            Self::Other(clock) => clock.now(),
        }
    }

    #[cfg(feature = "oauth1")]
    pub(crate) fn monotonic(&self) -> Duration {
        match self {
            Self::System => SystemClock.monotonic(),
            Self::Other(clock) => clock.monotonic(),
        }
    }

    /// The present moment as the time since 1970; nothing before that.
    #[cfg(feature = "oauth1")]
    pub(crate) fn since_1970(&self) -> Duration {
        self.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

/// The wall clock as this thread read it first in this tick of the operating system. A clock that shows only ticks is read much
/// faster, and says whether they are the same.
#[cfg(feature = "oauth2")]
fn read_in(tick: coarsetime::Instant) -> SystemTime {
    thread_local! {
        static READ: Cell<Option<(coarsetime::Instant, SystemTime)>> = const { Cell::new(None) };
    }
    let read = READ.try_with(|read| match read.get() {
        Some((then, moment)) if then == tick => moment,
        _ => {
            let now = SystemTime::now();
            read.set(Some((tick, now)));
            now
        }
    });
    // A thread that is about to end may be without its own.
    read.unwrap_or_else(|_| SystemTime::now())
}

impl fmt::Debug for SharedClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}

#[cfg(all(test, feature = "oauth2"))]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_read_once_in_a_tick_and_anew_in_another() {
        let [tick, next] = [1, 2].map(coarsetime::Instant::from_ticks);
        let before = SystemTime::now();
        let first = read_in(tick);
        let between = SystemTime::now();
        assert!(before <= first && first <= between);
        assert_eq!(read_in(tick), first);
        assert!(read_in(next) >= between);
    }
}
