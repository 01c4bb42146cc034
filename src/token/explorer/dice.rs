//! Numbers by chance, the same ones for the same seed.

use std::sync::Arc;
use std::sync::Mutex;

/// Clones share their state (xorshift64*).
#[derive(Clone)]
pub(super) struct Dice(Arc<Mutex<u64>>);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // Seeds that follow one another should not begin alike.
        let mixed = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self(Arc::new(Mutex::new(mixed ^ (mixed >> 31) | 1)))
    }

    /// A number below `sides`.
    pub(super) fn roll(&self, sides: usize) -> usize {
        let mut state = self.0.lock().unwrap();
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        usize::try_from(state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % sides
    }

    /// Once in so many times.
    pub(super) fn once_in(&self, times: usize) -> bool {
        self.roll(times) == 0
    }
}
