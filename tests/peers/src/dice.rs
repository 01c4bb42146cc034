//! Randomness that comes out the same for the same seed, on every machine and in every year.

use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// The variable in the environment that repeats an earlier run.
const SEED: &str = "PEER_SEED";

/// A generator of numbers (SplitMix64, by Sebastiano Vigna). Not for secrets.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice for one test: from `PEER_SEED` in the environment, or else from the clock. Prints how to repeat it.
    ///
    /// # Panics
    ///
    /// If `PEER_SEED` is not a number.
    pub fn for_test(name: &str) -> Self {
        let seed = match std::env::var(SEED) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("{SEED} is not a number: {text}")),
            Err(_) => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs() ^ u64::from(since.subsec_nanos()) << 32),
        };
        println!("{name}: {SEED}={seed} repeats these requests");
        Self(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `limit` - 1.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.number() % limit as u64) as usize
    }

    /// True in one of `of` throws.
    pub fn once_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    /// One of `choices`.
    pub fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }

    /// Up to `most` pieces out of `choices`, joined.
    pub fn text(&mut self, choices: &[&str], most: usize) -> String {
        let pieces = self.below(most + 1);
        (0..pieces).map(|_| self.pick(choices)).collect()
    }
}
