//! The value of a header, for many threads.
//!
//! To clone a [`HeaderValue`] is to add one to a count that its clones share, which is the most expensive thing about a
//! warm request as soon as two cores do it (see [`lanes`](crate::lanes)). So a second thread gets a copy of its own, and
//! clones that.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::HeaderValue;
use zeroize::Zeroize;

use crate::lanes::Apart;
use crate::lanes::Lanes;
use crate::lanes::lane;

/// How often threads other than the first take a value before they get copies, where there may be a million tokens of
/// which each is used now and then.
const PATIENCE: u32 = 1024;
/// No lane.
const NOBODY: u32 = u32::MAX;

/// How many threads use one token at the same time, as far as that can be said beforehand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rush {
    /// All of them: it is the layer's only one.
    Certain,
    /// Hardly ever two: it is one of many.
    Unlikely,
}

/// A header value, marked sensitive, with copies for the threads that use it. All are wiped in the end.
#[derive(Debug)]
pub(super) struct HeaderCopies {
    value: HeaderValue,
    /// The lane that clones the value itself: that of the first who asked.
    home: AtomicU32,
    /// How often other lanes asked, up to [`PATIENCE`].
    strangers: AtomicU32,
    copies: Lanes<HeaderValue>,
}

impl HeaderCopies {
    /// Of a value that consists of these bytes; none, if no header may carry them.
    pub(super) fn new(text: Vec<u8>) -> Option<Self> {
        Some(Self {
            value: sensitive(Bytes::from_owner(Wiped(text)))?,
            home: AtomicU32::new(NOBODY),
            strangers: AtomicU32::new(0),
            copies: Lanes::new(),
        })
    }

    /// The value, counted where few others count.
    pub(super) fn get(&self, rush: Rush) -> HeaderValue {
        let lane = lane();
        let home = self.home.load(Ordering::Relaxed);
        if home == lane {
            return self.value.clone();
        }
        self.get_away_from_home(rush, lane, home)
    }

    /// The value, counted where everybody counts who takes it so.
    pub(super) fn shared(&self) -> HeaderValue {
        self.value.clone()
    }

    #[inline(never)]
    fn get_away_from_home(&self, rush: Rush, lane: u32, home: u32) -> HeaderValue {
        if home == NOBODY {
            // Who loses the race is a stranger from the next time on.
            let _ = self.home.compare_exchange(NOBODY, lane, Ordering::Relaxed, Ordering::Relaxed);
            return self.value.clone();
        }
        if rush == Rush::Unlikely && self.strangers.load(Ordering::Relaxed) < PATIENCE {
            self.strangers.fetch_add(1, Ordering::Relaxed);
            return self.value.clone();
        }
        self.copies.get_or_init(|| self.copy()).unwrap_or(&self.value).clone()
    }

    fn copy(&self) -> HeaderValue {
        let apart = Bytes::from_owner(Apart(Wiped(self.value.as_bytes().to_vec())));
        // It was the value of a header before.
        sensitive(apart).unwrap_or_else(|| self.value.clone())
    }
}

fn sensitive(bytes: Bytes) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_maybe_shared(bytes).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Bytes that are overwritten when they are no longer used.
struct Wiped(Vec<u8>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Apart<Wiped> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elsewhere<T: Send>(run: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(run).join().unwrap())
    }

    /// Where the bytes of a value are.
    fn place(value: &HeaderValue) -> usize {
        value.as_bytes().as_ptr() as usize
    }

    #[test]
    fn a_second_thread_gets_a_copy_and_the_first_keeps_the_value() {
        let copies = HeaderCopies::new(b"Bearer abc".to_vec()).unwrap();
        let here = copies.get(Rush::Certain);
        assert_eq!(place(&here), place(&copies.value));
        // Threads that run beside this test take lanes too, so one of these may have this thread's lane.
        let places: Vec<_> = (0..4)
            .map(|_| {
                elsewhere(|| {
                    let there = copies.get(Rush::Certain);
                    assert_eq!(there, "Bearer abc");
                    assert!(there.is_sensitive());
                    assert_eq!(place(&there), place(&copies.get(Rush::Certain)));
                    place(&there)
                })
            })
            .collect();
        assert!(places.iter().any(|there| *there != place(&here)));
    }

    #[test]
    fn one_of_many_values_is_copied_when_other_threads_take_it_again_and_again() {
        let copies = HeaderCopies::new(b"Bearer abc".to_vec()).unwrap();
        copies.get(Rush::Unlikely);
        let lane_here = lane();
        let mut stranger_seen = false;
        for _ in 0..4 {
            elsewhere(|| {
                if lane() == lane_here || stranger_seen {
                    return;
                }
                stranger_seen = true;
                for _ in 0..PATIENCE {
                    assert_eq!(place(&copies.get(Rush::Unlikely)), place(&copies.value));
                }
                assert_ne!(place(&copies.get(Rush::Unlikely)), place(&copies.value));
            });
        }
        assert!(stranger_seen);
    }

    #[test]
    fn the_bound_is_that_of_the_table() {
        let what = "uses of one tenant's token by other threads before they get copies of its header";
        crate::defaults::assert_documented(what, PATIENCE);
    }

    #[test]
    fn what_no_header_may_carry_is_none() {
        assert!(HeaderCopies::new(b"a\nb".to_vec()).is_none());
    }
}
