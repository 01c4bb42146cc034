//! Reference counts that cores do not fight for.
//!
//! A count that two cores change in turns costs each of them more than all the rest of a warm request, because its cache
//! line travels between them. So what every request takes a share of exists several times, once for each *lane*, and a
//! thread always uses the same lane. There are twice as many lanes as cores at least, and threads take them in turns;
//! two threads with the same lane are as right as any, and slower.
//!
//! The copies live in the thing that is copied and end with it. Copies in thread-local variables would be a little
//! faster, but a thread that has nothing to do would keep a token that was replaced or revoked long ago.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::thread::available_parallelism;

/// Something with no neighbours in its cache line, nor in the next one, which some processors fetch with it.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

/// The lane of this thread.
pub(crate) fn lane() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static LANE: u32 = NEXT.fetch_add(1, Ordering::Relaxed) & count().wrapping_sub(1);
    }
    // A thread that is about to end may be without its own; any lane will do.
    LANE.try_with(|lane| *lane).unwrap_or(0)
}

/// How many lanes there are: a power of two.
fn count() -> u32 {
    static COUNT: OnceLock<u32> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let cores = available_parallelism().map_or(1, usize::from);
        u32::try_from(cores.clamp(4, 32)).unwrap_or(32).next_power_of_two() * 2
    })
}

/// One thing for each lane, made when it is first asked for.
pub(crate) struct Lanes<T>(OnceLock<Box<[OnceLock<T>]>>);

impl<T> Lanes<T> {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// What belongs to this thread's lane; there is always something.
    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> Option<&T> {
        let lanes = self.0.get_or_init(|| (0..count()).map(|_| OnceLock::new()).collect());
        Some(lanes.get(lane() as usize)?.get_or_init(make))
    }
}

impl<T> fmt::Debug for Lanes<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Lanes")
    }
}

/// A thing that is shared by way of lanes: like an [`Arc`], but each lane has a count of its own.
pub(crate) struct Spread<T> {
    value: Arc<T>,
    lanes: Lanes<Share<T>>,
}

/// A share of a [`Spread`], which it outlives.
pub(crate) struct Share<T>(Arc<Apart<Arc<T>>>);

impl<T> Share<T> {
    /// Another share, counted where this one is.
    #[cfg(feature = "oauth1")]
    pub(crate) fn again(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Spread<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Arc::new(value), lanes: Lanes::new() }
    }

    /// A share, counted in this thread's lane.
    pub(crate) fn share(&self) -> Share<T> {
        let make = || Share(Arc::new(Apart(Arc::clone(&self.value))));
        match self.lanes.get_or_init(make) {
            Some(share) => Share(Arc::clone(&share.0)),
            None => make(),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Spread<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(formatter)
    }
}

impl<T> Deref for Spread<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Deref for Share<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_lane_and_another_has_a_copy_of_its_own() {
        let lanes = Lanes::new();
        let here: *const String = lanes.get_or_init(|| "here".to_owned()).unwrap();
        assert!(std::ptr::eq(here, lanes.get_or_init(|| "again".to_owned()).unwrap()));
        // Whatever other tests run beside this one, so many threads do not all have this one's lane.
        let others = (0..count()).map(|_| {
            std::thread::scope(|scope| {
                scope.spawn(|| lanes.get_or_init(|| "there".to_owned()).unwrap().clone()).join().unwrap()
            })
        });
        assert!(others.collect::<Vec<_>>().contains(&"there".to_owned()));
        assert_eq!(lanes.get_or_init(String::new).unwrap(), "here");
    }

    #[test]
    fn a_share_outlives_what_it_is_of_and_the_last_one_ends_it() {
        let value = Arc::new(());
        let spread = Spread::new(Arc::clone(&value));
        let share = spread.share();
        drop(spread.share());
        drop(spread);
        assert!(Arc::ptr_eq(&value, &share));
        assert_eq!(Arc::strong_count(&value), 2);
        drop(share);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
