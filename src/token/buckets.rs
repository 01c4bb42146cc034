//! A hash table whose readers take no lock and count nothing.
//!
//! A bucket has its places within itself, in two cache lines that are fetched together, and a reader goes from there to
//! what it looks for. Writers, who are rare, take turns behind a lock of their own; that is the caller's to hold.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwapOption;
use arc_swap::Guard;

/// Things in one bucket, when the table is as full as it was made for and hashes are spread evenly.
const FILL: usize = 4;
/// Places in a bucket; whoever finds none goes into a list behind it.
const PLACES: usize = 7;
/// The least number of buckets that come into being together, when the first of them is needed.
const SEGMENT: usize = 64;
/// The greatest number of such segments: the list of them is to stay in the processor's first cache.
const SEGMENTS: usize = 64;

pub(super) struct Buckets<T> {
    segments: Box<[OnceLock<Segment<T>>]>,
    /// The number of buckets in each, a power of two.
    segment: usize,
    /// The number of buckets, a power of two, less one.
    mask: usize,
}

type Segment<T> = Box<[Bucket<T>]>;

#[repr(C, align(128))]
struct Bucket<T> {
    near: [Place<T>; PLACES],
    far: ArcSwapOption<Vec<(u64, Arc<T>)>>,
}

struct Place<T> {
    /// Of what is here, or of what was here last.
    hash: AtomicU64,
    thing: ArcSwapOption<T>,
}

impl<T> Buckets<T> {
    /// One that is good for so many things. It takes more.
    pub(super) fn new(things: usize) -> Self {
        let buckets = things.div_ceil(FILL).next_power_of_two().max(SEGMENT);
        let segment = (buckets / SEGMENTS).max(SEGMENT);
        let segments = (0..buckets / segment).map(|_| OnceLock::new()).collect();
        Self { segments, segment, mask: buckets - 1 }
    }

    /// What `take` takes of the thing that has this hash and `is` meant. One that is put here at the same time may be
    /// missed.
    #[inline]
    pub(super) fn look_up<R>(
        &self,
        hash: u64,
        is: impl Fn(&T) -> bool,
        take: impl FnOnce(&Arc<T>) -> R,
    ) -> Option<R> {
        let (segment, bucket) = self.place_of(hash);
        let bucket = self.segments.get(segment)?.get()?.get(bucket)?;
        if let Some(near) = bucket.find_near(hash, &is) {
            return near.as_ref().map(take);
        }
        let far = bucket.far.load();
        let mut things = far.as_deref().into_iter().flatten();
        if let Some((_, thing)) = things.find(|(other, thing)| *other == hash && is(thing)) {
            return Some(take(thing));
        }
        // It may have come forward when the places had been seen, and before the list was.
        bucket.find_near(hash, &is)?.as_ref().map(take)
    }

    /// Puts a thing into the table. Writers take turns.
    pub(super) fn insert(&self, hash: u64, thing: Arc<T>) {
        let (segment, bucket) = self.place_of(hash);
        let segment =
            self.segments.get(segment).map(|segment| segment.get_or_init(|| Bucket::segment(self.segment)));
        if let Some(bucket) = segment.and_then(|segment| segment.get(bucket)) {
            bucket.insert(hash, thing);
        }
    }

    /// Takes a thing out of the table, and what it shows. Writers take turns.
    pub(super) fn remove(&self, hash: u64, thing: &Arc<T>) {
        let (segment, bucket) = self.place_of(hash);
        let segment = self.segments.get(segment).and_then(OnceLock::get);
        if let Some(bucket) = segment.and_then(|segment| segment.get(bucket)) {
            bucket.remove(thing);
        }
    }

    /// Visits the things whose hash has this upper half.
    pub(super) fn visit_alike(&self, upper: u32, mut visit: impl FnMut(&Arc<T>)) {
        let (segment, bucket) = self.place_of(u64::from(upper) << 32);
        let segment = self.segments.get(segment).and_then(OnceLock::get);
        if let Some(bucket) = segment.and_then(|segment| segment.get(bucket)) {
            bucket.visit(&mut |hash, thing| {
                if hash >> 32 == u64::from(upper) {
                    visit(thing);
                }
            });
        }
    }

    /// Visits all things, the bucket of this hash first, until `visit` has had enough after some bucket.
    pub(super) fn visit_from(
        &self,
        hash: u64,
        mut visit: impl FnMut(u64, &Arc<T>),
        enough: impl Fn() -> bool,
    ) {
        let (first_segment, first) = self.place_of(hash);
        for step in 0..self.segments.len() + 1 {
            let index = (first_segment + step) % self.segments.len();
            let Some(segment) = self.segments.get(index).and_then(OnceLock::get) else { continue };
            let skipped = if step == 0 { first } else { 0 };
            for bucket in segment.iter().skip(skipped) {
                bucket.visit(&mut visit);
                if enough() {
                    return;
                }
            }
        }
    }

    /// The segment and the bucket in it that a hash belongs to.
    #[inline]
    fn place_of(&self, hash: u64) -> (usize, usize) {
        let index = usize::try_from(hash >> 32).unwrap_or(0) & self.mask;
        (index >> self.segment.trailing_zeros(), index & (self.segment - 1))
    }
}

impl<T> Bucket<T> {
    fn segment(buckets: usize) -> Segment<T> {
        (0..buckets).map(|_| Self::new()).collect()
    }

    fn new() -> Self {
        let place = |_| Place { hash: AtomicU64::new(0), thing: ArcSwapOption::empty() };
        Self { near: std::array::from_fn(place), far: ArcSwapOption::empty() }
    }

    #[inline]
    fn find_near(&self, hash: u64, is: impl Fn(&T) -> bool) -> Option<Guard<Option<Arc<T>>>> {
        for place in &self.near {
            if place.hash.load(Ordering::Relaxed) == hash {
                let thing = place.thing.load();
                if thing.as_deref().is_some_and(&is) {
                    return Some(thing);
                }
            }
        }
        None
    }

    fn insert(&self, hash: u64, thing: Arc<T>) {
        match self.near.iter().find(|place| place.thing.load().is_none()) {
            Some(place) => place.put(hash, thing),
            None => {
                let mut far = self.far.load().as_deref().cloned().unwrap_or_default();
                far.push((hash, thing));
                self.far.store(Some(Arc::new(far)));
            }
        }
    }

    fn remove(&self, thing: &Arc<T>) {
        let is_it = |other: &Arc<T>| Arc::ptr_eq(other, thing);
        let place = self.near.iter().find(|place| place.thing.load().as_ref().is_some_and(is_it));
        let mut far = self.far.load().as_deref().cloned().unwrap_or_default();
        let had = far.len();
        match place {
            Some(place) => match far.pop() {
                // Somebody from behind comes forward, and is in both places for a moment rather than in none.
                Some((hash, last)) => place.put(hash, last),
                None => place.thing.store(None),
            },
            None => far.retain(|(_, other)| !is_it(other)),
        }
        if far.len() != had {
            self.far.store(if far.is_empty() { None } else { Some(Arc::new(far)) });
        }
    }

    fn visit(&self, visit: &mut impl FnMut(u64, &Arc<T>)) {
        for place in &self.near {
            if let Some(thing) = place.thing.load().as_ref() {
                visit(place.hash.load(Ordering::Relaxed), thing);
            }
        }
        for (hash, thing) in self.far.load().as_deref().into_iter().flatten() {
            visit(*hash, thing);
        }
    }
}

impl<T> Place<T> {
    fn put(&self, hash: u64, thing: Arc<T>) {
        self.thing.store(Some(thing));
        self.hash.store(hash, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::*;

    fn found(buckets: &Buckets<u64>, hash: u64, number: u64) -> bool {
        buckets.look_up(hash, |thing| *thing == number, |thing| **thing) == Some(number)
    }

    fn visited(buckets: &Buckets<u64>, hash: u64, enough: usize) -> Vec<u64> {
        let seen = RefCell::new(Vec::new());
        buckets.visit_from(
            hash,
            |_, thing| seen.borrow_mut().push(**thing),
            || seen.borrow().len() >= enough,
        );
        seen.into_inner()
    }

    #[test]
    fn a_bucket_is_two_cache_lines() {
        assert_eq!((size_of::<Bucket<u64>>(), align_of::<Bucket<u64>>()), (128, 128));
    }

    #[test]
    fn whatever_comes_and_goes_the_table_has_what_a_map_has() {
        // Few hashes, so that buckets overflow, and things with the same hash are told apart.
        let buckets = Buckets::<u64>::new(8);
        let mut map: BTreeMap<u64, Arc<u64>> = BTreeMap::new();
        let hash = |number: u64| (number % 5) << 32 | (number % 3);
        let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..5_000 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = (dice >> 33) % 200;
            match map.remove(&number) {
                Some(thing) => buckets.remove(hash(number), &thing),
                None => {
                    let thing = Arc::new(number);
                    buckets.insert(hash(number), Arc::clone(&thing));
                    map.insert(number, thing);
                }
            }
            assert_eq!(found(&buckets, hash(number), number), map.contains_key(&number));
        }
        for number in 0..200 {
            assert_eq!(found(&buckets, hash(number), number), map.contains_key(&number), "{number}");
        }
        let mut all = visited(&buckets, 0, usize::MAX);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all, map.keys().copied().collect::<Vec<_>>());
        for thing in map.values() {
            assert_eq!(Arc::strong_count(thing), 2);
        }
    }

    #[test]
    fn a_thing_that_comes_forward_while_it_is_looked_for_is_found() {
        let buckets = Buckets::<u64>::new(8);
        let things: Vec<_> = (0..=PLACES as u64).map(Arc::new).collect();
        for thing in &things {
            buckets.insert(1, Arc::clone(thing));
        }
        let last = PLACES as u64;
        // The reader has been at the first place already when that falls free, and the last thing moves there.
        let is = |thing: &u64| {
            if *thing == 1 {
                buckets.remove(1, &things[0]);
            }
            *thing == last
        };
        assert_eq!(buckets.look_up(1, is, |thing| **thing), Some(last));
        assert!(buckets.segments[0].get().unwrap()[0].far.load().is_none());
    }

    #[test]
    fn a_visit_begins_at_the_hash_and_comes_to_all() {
        let buckets = Buckets::new(4 * 256);
        for number in 0..256 {
            buckets.insert(number << 32, Arc::new(number));
        }
        assert_eq!(visited(&buckets, 100 << 32, 3), [100, 101, 102]);
        assert_eq!(visited(&buckets, 254 << 32, 4), [254, 255, 0, 1]);
        // Those of the first segment that were skipped come last, and then those that were seen already.
        let all: std::collections::BTreeSet<_> =
            visited(&buckets, 100 << 32, usize::MAX).into_iter().collect();
        assert_eq!(all.len(), 256);
    }

    #[test]
    fn nothing_is_made_before_it_is_needed() {
        let buckets: Buckets<u64> = Buckets::new(1_000_000);
        assert!(!found(&buckets, 1 << 32, 1));
        buckets.insert(1 << 32, Arc::new(1));
        assert_eq!(buckets.segments.iter().filter(|segment| segment.get().is_some()).count(), 1);
    }
}
