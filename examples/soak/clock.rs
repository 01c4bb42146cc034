//! The clock of all sides, which remembers what it last said.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};

use tower_oauth::Clock;

thread_local! {
    static READINGS: Cell<Readings> = const { Cell::new(Readings { first: None, last: Duration::ZERO, in_call: false }) };
}

/// What a manager was told on this thread.
#[derive(Clone, Copy)]
struct Readings {
    /// The first since the call began, if one is going on.
    first: Option<Duration>,
    last: Duration,
    in_call: bool,
}

/// The time of day when it was made, and the time that went by since: nobody can set it in the middle of a run.
///
/// It remembers, for each thread, what it told a manager. A layer looks at the clock, decides that a token is good, and
/// calls the service inside, all without an await between: so there, [`SoakClock::chosen`] is the very moment by which the
/// token was chosen, however long the thread was kept waiting since.
#[derive(Clone, Debug)]
pub struct SoakClock {
    began: Instant,
    day: SystemTime,
    /// What the manager is told: always the same, where that is the sabotage.
    stands_still: bool,
}

impl SoakClock {
    pub fn new() -> Self {
        Self { began: Instant::now(), day: SystemTime::now(), stands_still: false }
    }

    /// The same clock, whose manager never sees the time pass.
    pub fn standing_still(&self) -> Self {
        Self { stands_still: true, ..self.clone() }
    }

    /// The time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Calls a layer. If the token is at hand, it is chosen in here, by the first look at the clock; later looks are for
    /// its successor.
    pub fn in_call<T>(call: impl FnOnce() -> T) -> T {
        READINGS.set(Readings { first: None, in_call: true, ..READINGS.get() });
        let result = call();
        READINGS.set(Readings { first: None, in_call: false, ..READINGS.get() });
        result
    }

    /// The moment by which the token was chosen that is being sent on this thread: the first look at the clock in a call;
    /// after a wait, the last one.
    pub fn chosen() -> Duration {
        let readings = READINGS.get();
        readings.first.unwrap_or(readings.last)
    }
}

impl Clock for SoakClock {
    fn now(&self) -> SystemTime {
        let elapsed = self.elapsed();
        let readings = READINGS.get();
        let first = readings.first.or(readings.in_call.then_some(elapsed));
        READINGS.set(Readings { first, last: elapsed, ..readings });
        if self.stands_still { self.day } else { self.day + elapsed }
    }
}
