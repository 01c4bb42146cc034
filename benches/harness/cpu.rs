//! The time that counts: what the processor worked for us, and not what the clock on the wall says.

use std::time::Duration;

use rustix::time::ClockId;
use rustix::time::clock_gettime;

/// How long this thread has run on a processor.
pub fn thread_time() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// How long all threads of this process together have run on a processor.
pub fn process_time() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
