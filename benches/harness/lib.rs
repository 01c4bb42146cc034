//! How the benches measure and what they print.
//!
//! Why not criterion: it measures one thing after another in wall-clock time. On a shared machine that compares the
//! weather of one minute with that of the next. Here all contenders of a [`Contest`] take turns, round after round, each for about a
//! millisecond, and what counts is the CPU time of their thread; a ratio is the median of the ratios of the rounds, so that
//! whatever disturbs one round disturbs both sides of it.

#![warn(missing_docs)]

mod allocations;
mod contest;
mod cpu;
mod growth;
mod race;
mod ratios;

pub use allocations::Counting;
pub use allocations::allocations;
pub use contest::Contest;
pub use contest::Standing;
pub use contest::Standings;
pub use cpu::process_time;
pub use cpu::thread_time;
pub use growth::Chart;
pub use growth::Series;
pub use race::Race;
pub use ratios::Goal;
pub use ratios::Ratio;
pub use ratios::Ratios;
pub use ratios::read_ratios;
