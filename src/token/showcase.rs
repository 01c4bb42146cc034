//! The tokens that are given out, as they are seen by somebody who has nothing but a key.
//!
//! With many keys, what a reader waits for is memory: one cache line after the other, each of which says where the next
//! one is. So what a request needs of a token lies where the hash of its key says, all of it in two lines that are fetched
//! together, and the entry that it is from is not visited. Not every token has to be here: who finds none here asks the
//! entry.
//!
//! A place has a lock, because a header value cannot be read in one piece. Readers do not wait for it: they try, and go by
//! way of the entry if it is taken. A token that many threads use at the same time, who would fight for the lock, is taken
//! from them that way, too: its entry has a copy for each of them.

use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockWriteGuard;
use std::sync::TryLockError;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use http::HeaderValue;

use crate::lanes::lane;
use crate::token::AccessScope;
use crate::token::Published;
use crate::token::TokenKey;
use crate::token::entry::hash;

/// How many places are looked at for one key, one beside the other.
const WINDOW: usize = 4;
/// The least number of places that come into being together, when the first of them is needed.
const SEGMENT: usize = 64;
/// The greatest number of such segments: the list of them is to stay in the processor's first cache. With the usual bound on
/// keys, a manager that has but one takes 8 KiB for its place.
const SEGMENTS: usize = 256;
/// How often threads other than the first take one token within a second before all of them are sent to its entry.
const PATIENCE: u16 = 1024;
/// No lane.
const NOBODY: u16 = u16::MAX;

/// All of them.
pub(super) struct Showcase {
    segments: Box<[OnceLock<Box<[Place]>>]>,
    /// The number of places in each, a power of two.
    segment: usize,
    /// The number of places, a power of two, less one.
    mask: usize,
}

/// Where one token may lie. The order of the fields matters: what is outside of the lock is at both ends, so that both lines
/// are asked for before the lock is tried, which everything after it waits for.
#[repr(C, align(128))]
struct Place {
    /// A half of the hash of the key and the scope: of what is here, or of what was here last.
    tag: AtomicU32,
    /// The second (since 1970) in which it was last given out, for eviction.
    used: AtomicU32,
    shown: RwLock<Option<Shown>>,
    /// The number of the token. It changes with the lock held.
    serial: AtomicU32,
    /// The lane of the first thread that took it.
    home: AtomicU16,
    /// How often others took it in this second.
    strangers: AtomicU16,
}

/// Where the token of a key and a scope is, or would be.
#[derive(Clone, Copy)]
pub(crate) struct Spot<'a> {
    segment: &'a [Place],
    first: usize,
    hash: u64,
    /// The tag and the home of the first place.
    seen: (u32, u16),
}

/// What a request needs of a token.
struct Shown {
    /// Whose it is.
    name: Name,
    scope: AccessScope,
    /// From then on, somebody has to look at the entry.
    look: Second,
    obtained_at: Second,
    header: HeaderValue,
}

/// The name of a key: a UUID and a little more have room here, and need not be waited for.
enum Name {
    Near { length: u8, bytes: [u8; NEAR] },
    Far(TokenKey),
}

/// Bytes of a name that is kept near.
const NEAR: usize = 38;

/// A whole second since 1970; the last one stands for the end of time, and the first one for no moment at all.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Second(u32);

/// What is taken of a token.
pub(crate) struct Taken {
    /// `Bearer …`.
    pub(crate) header: HeaderValue,
    pub(crate) serial: u32,
    /// To the second.
    pub(super) obtained_at: Option<SystemTime>,
}

impl Showcase {
    /// One with room for the tokens of so many entries.
    pub(super) fn new(entries: usize) -> Self {
        // A third stays free at least, so that hardly anybody finds all of the window taken.
        let places = entries.saturating_mul(3).div_ceil(2).next_power_of_two().max(SEGMENT);
        let segment = (places / SEGMENTS).max(SEGMENT);
        let segments = (0..places / segment).map(|_| OnceLock::new()).collect();
        Self { segments, segment, mask: places - 1 }
    }

    /// Turns to where the token of a key and a scope is, if it is here. To see it takes a while, in which other things can be
    /// done.
    #[inline]
    pub(super) fn turn_to(&self, key: &TokenKey, scope: &AccessScope) -> Option<Spot<'_>> {
        let hash = hash(key, scope);
        let (segment, first) = self.place_of(hash);
        let segment: &[Place] = self.segments.get(segment)?.get()?;
        let place = segment.get(first)?;
        let seen = (place.tag.load(Ordering::Relaxed), place.home.load(Ordering::Relaxed));
        Some(Spot { segment, first, hash, seen })
    }

    /// Shows the token of a key and a scope. What was shown for them before is [hidden](Self::hide) first.
    pub(super) fn show(&self, key: &TokenKey, scope: &AccessScope, published: &Published) {
        let hash = hash(key, scope);
        let (segment, _) = self.place_of(hash);
        if let Some(segment) = self.segments.get(segment) {
            segment.get_or_init(|| (0..self.segment).map(|_| Place::default()).collect());
        }
        let Some(places) = self.window(hash) else { return };
        for place in places {
            let mut shown = place.lock();
            if shown.is_none() {
                place.tag.store(tag(hash), Ordering::Relaxed);
                place.used.store(0, Ordering::Relaxed);
                place.home.store(NOBODY, Ordering::Relaxed);
                place.strangers.store(0, Ordering::Relaxed);
                place.serial.store(published.serial, Ordering::Relaxed);
                *shown = Some(Shown::new(key, scope, published));
                return;
            }
        }
    }

    /// Shows the token with this number no longer.
    pub(super) fn hide(&self, key: &TokenKey, scope: &AccessScope, serial: u32) {
        for place in self.places_of(hash(key, scope), serial) {
            let mut shown = place.lock();
            // It may be somebody else's by now.
            if place.serial.load(Ordering::Relaxed) == serial {
                *shown = None;
            }
        }
    }

    /// The second (since 1970) in which the token with this number was last taken from here.
    pub(super) fn used(&self, key: &TokenKey, scope: &AccessScope, serial: u32) -> u64 {
        let used = |place: &Place| u64::from(place.used.load(Ordering::Relaxed));
        self.places_of(hash(key, scope), serial).map(used).max().unwrap_or(0)
    }

    /// Where the token with this number is, or was last.
    fn places_of(&self, hash: u64, serial: u32) -> impl Iterator<Item = &Place> {
        self.window(hash).into_iter().flatten().filter(move |place| {
            place.tag.load(Ordering::Relaxed) == tag(hash) && place.serial.load(Ordering::Relaxed) == serial
        })
    }

    /// The places for a hash, if there are any yet.
    fn window(&self, hash: u64) -> Option<impl Iterator<Item = &Place>> {
        let (segment, first) = self.place_of(hash);
        Some(window(self.segments.get(segment)?.get()?, first))
    }

    /// The segment, and the first place in it, that a hash belongs to.
    #[inline]
    fn place_of(&self, hash: u64) -> (usize, usize) {
        let index = usize::try_from(hash >> 32).unwrap_or(0) & self.mask;
        (index >> self.segment.trailing_zeros(), index & (self.segment - 1))
    }
}

/// Some places of a segment, beginning with the first.
#[inline]
fn window(segment: &[Place], first: usize) -> impl Iterator<Item = &Place> {
    (first..first + WINDOW).filter_map(|place| segment.get(place & (segment.len() - 1)))
}

impl Spot<'_> {
    /// The token of this key and scope, with which the spot was found, if it is here and needs nobody's attention at `now`.
    #[inline]
    pub(super) fn take(self, key: &TokenKey, scope: &AccessScope, now: SystemTime) -> Option<Taken> {
        let (tag, now) = (tag(self.hash), Second::of(now));
        let mut places = window(self.segment, self.first);
        let (first, home) = self.seen;
        let first =
            places.next().filter(|_| first == tag).and_then(|place| place.take(home, key, scope, now));
        first.or_else(|| {
            let rest = places.filter(|place| place.tag.load(Ordering::Relaxed) == tag);
            rest.filter_map(|place| place.take(place.home.load(Ordering::Relaxed), key, scope, now)).next()
        })
    }
}

/// The half of a hash that does not say where its place is.
#[inline]
fn tag(hash: u64) -> u32 {
    hash as u32
}

impl Place {
    #[inline]
    fn take(&self, home: u16, key: &TokenKey, scope: &AccessScope, now: Second) -> Option<Taken> {
        if !self.is_calm(home) {
            return None;
        }
        let shown = match self.shown.try_read() {
            Ok(shown) => shown,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let shown = shown.as_ref().filter(|shown| now < shown.look && shown.is_of(key, scope))?;
        if self.used.load(Ordering::Relaxed) != now.0 {
            self.used.store(now.0, Ordering::Relaxed);
            // Of those who are counted, nobody is left from the seconds before.
            self.strangers.store(0, Ordering::Relaxed);
        }
        let serial = self.serial.load(Ordering::Relaxed);
        Some(Taken { header: shown.header.clone(), serial, obtained_at: shown.obtained_at.moment() })
    }

    /// Whether threads do not get in each other's way here. When that is over, it is over for this token: then nobody comes
    /// here who would count anew.
    #[inline]
    fn is_calm(&self, home: u16) -> bool {
        let lane = lane() as u16;
        let strangers = self.strangers.load(Ordering::Relaxed);
        if home == lane {
            return strangers < PATIENCE;
        }
        self.admits(lane, home, strangers)
    }

    #[inline(never)]
    fn admits(&self, lane: u16, home: u16, strangers: u16) -> bool {
        if home == NOBODY {
            // Who loses the race is a stranger from the next time on.
            let _ = self.home.compare_exchange(NOBODY, lane, Ordering::Relaxed, Ordering::Relaxed);
        } else if strangers < PATIENCE {
            self.strangers.store(strangers + 1, Ordering::Relaxed);
        }
        strangers < PATIENCE
    }

    fn lock(&self) -> RwLockWriteGuard<'_, Option<Shown>> {
        self.shown.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Place {
    fn default() -> Self {
        Self {
            tag: AtomicU32::new(0),
            used: AtomicU32::new(0),
            shown: RwLock::new(None),
            serial: AtomicU32::new(0),
            home: AtomicU16::new(NOBODY),
            strangers: AtomicU16::new(0),
        }
    }
}

impl Shown {
    fn new(key: &TokenKey, scope: &AccessScope, published: &Published) -> Self {
        Self {
            name: Name::of(key),
            scope: scope.clone(),
            look: published.look_at().map_or(Second::NEVER, Second::of),
            obtained_at: published.token.obtained_at().map_or(Second::NONE, Second::of),
            header: published.shared_header(),
        }
    }

    #[inline]
    fn is_of(&self, key: &TokenKey, scope: &AccessScope) -> bool {
        let is_its_name = match &self.name {
            Name::Near { length, bytes } => {
                bytes.get(..usize::from(*length)) == Some(key.as_str().as_bytes())
            }
            Name::Far(other) => other == key,
        };
        is_its_name && self.scope == *scope
    }
}

impl Name {
    fn of(key: &TokenKey) -> Self {
        let name = key.as_str().as_bytes();
        let mut bytes = [0; NEAR];
        match (bytes.get_mut(..name.len()), u8::try_from(name.len())) {
            (Some(to), Ok(length)) => {
                to.copy_from_slice(name);
                Self::Near { length, bytes }
            }
            _ => Self::Far(key.clone()),
        }
    }
}

impl Second {
    const NONE: Self = Self(0);
    const NEVER: Self = Self(u32::MAX);

    /// The second in which a moment is.
    #[inline]
    fn of(moment: SystemTime) -> Self {
        let since_1970 = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u32::try_from(since_1970.as_secs()).unwrap_or(u32::MAX))
    }

    #[inline]
    fn moment(self) -> Option<SystemTime> {
        (self != Self::NONE).then(|| UNIX_EPOCH + Duration::from_secs(self.0.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Token;
    use crate::token::settings::Times;

    fn second(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    fn published(text: &str, serial: u32, soft: Option<u64>) -> Published {
        let times = Times { soft: soft.map(second), hard: None, end: None };
        Published::new(Token::new(text), serial, 1, times).unwrap()
    }

    fn seen(showcase: &Showcase, key: &TokenKey, scope: &AccessScope, now: u64) -> Option<Taken> {
        showcase.turn_to(key, scope)?.take(key, scope, second(now))
    }

    fn elsewhere<T: Send>(run: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(run).join().unwrap())
    }

    #[test]
    fn a_place_is_two_cache_lines() {
        assert_eq!((size_of::<Place>(), align_of::<Place>()), (128, 128));
    }

    #[test]
    fn a_token_is_seen_until_it_is_hidden_or_due_for_a_look() {
        let (showcase, scope) = (Showcase::new(10), AccessScope::new());
        let key = TokenKey::new("tenant");
        assert!(seen(&showcase, &key, &scope, 1).is_none());
        let token = Token::new("a").stamped(second(3));
        let times = Times { soft: Some(second(9)), hard: Some(second(8)), end: None };
        showcase.show(&key, &scope, &Published::new(token, 7, 1, times).unwrap());
        let taken = seen(&showcase, &key, &scope, 7).unwrap();
        assert_eq!((taken.header.to_str().unwrap(), taken.serial), ("Bearer a", 7));
        assert!(taken.header.is_sensitive());
        assert_eq!(taken.obtained_at, Some(second(3)));
        assert_eq!(showcase.used(&key, &scope, 7), 7);
        assert!(seen(&showcase, &key, &scope, 8).is_none());
        assert!(seen(&showcase, &key, &scope.scope("read"), 1).is_none());
        // Only its own number hides it.
        showcase.hide(&key, &scope, 6);
        assert!(seen(&showcase, &key, &scope, 7).is_some());
        showcase.hide(&key, &scope, 7);
        assert!(seen(&showcase, &key, &scope, 7).is_none());
        assert_eq!(showcase.used(&key, &scope, 7), 7);
    }

    #[test]
    fn nobody_gets_the_token_of_another_however_long_the_name_is() {
        for length in [0, 1, NEAR - 1, NEAR, NEAR + 1, 254, 255, 256, 1_000] {
            let (name, scope) = ("k".repeat(length), AccessScope::new());
            let (showcase, key) = (Showcase::new(1), TokenKey::new(name.as_str()));
            showcase.show(&key, &scope, &published("token", 0, None));
            assert!(seen(&showcase, &TokenKey::new(name.as_str()), &scope, 1).is_some(), "{length}");
            for other in [format!("{name}k"), format!("{name}\0"), "x".repeat(length.max(1))] {
                let mut other = TokenKey::new(other);
                assert!(seen(&showcase, &other, &scope, 1).is_none(), "{length}");
                // As if their hashes were the same.
                other.pretend_hash(&key);
                assert!(seen(&showcase, &other, &scope, 1).is_none(), "{length}");
            }
        }
    }

    #[test]
    fn what_finds_no_place_is_not_shown_and_comes_in_when_one_is_free() {
        let (showcase, scope) = (Showcase::new(1), AccessScope::new());
        let first = TokenKey::new("0");
        let keys: Vec<_> = (0..=WINDOW)
            .map(|number| {
                let mut key = TokenKey::new(number.to_string());
                key.pretend_hash(&first);
                key
            })
            .collect();
        for (serial, key) in keys.iter().enumerate() {
            showcase.show(key, &scope, &published(&format!("of-{serial}"), serial as u32, None));
        }
        let who = || keys.iter().map(|key| seen(&showcase, key, &scope, 1).map(|taken| taken.serial));
        let all: Vec<_> = (0..WINDOW as u32).map(Some).chain([None]).collect();
        assert_eq!(who().collect::<Vec<_>>(), all);
        showcase.hide(&keys[1], &scope, 1);
        showcase.show(&keys[WINDOW], &scope, &published("last", 9, None));
        assert_eq!(who().collect::<Vec<_>>(), [Some(0), None, Some(2), Some(3), Some(9)]);
    }

    #[test]
    fn many_keys_are_shown_to_the_last_but_few() {
        let (showcase, scope) = (Showcase::new(1_000), AccessScope::new());
        let keys: Vec<_> = (0..1_000).map(|number| TokenKey::new(format!("tenant-{number}"))).collect();
        for (serial, key) in keys.iter().enumerate() {
            showcase.show(key, &scope, &published(key.as_str(), serial as u32, None));
        }
        let mut missing = 0;
        for key in &keys {
            match seen(&showcase, key, &scope, 1) {
                Some(taken) => assert_eq!(taken.header, format!("Bearer {}", key.as_str())),
                None => missing += 1,
            }
        }
        // The hash has keys of its own in each process: some two dozen are usual.
        assert!(missing < 100, "{missing}");
    }

    #[test]
    fn whoever_does_not_get_the_lock_goes_elsewhere() {
        let (showcase, scope, key) = (Showcase::new(1), AccessScope::new(), TokenKey::new("tenant"));
        showcase.show(&key, &scope, &published("a", 7, None));
        let place = showcase.places_of(hash(&key, &scope), 7).next().unwrap();
        let locked = place.lock();
        assert!(seen(&showcase, &key, &scope, 1).is_none());
        drop(locked);
        let reading = place.shown.read().unwrap();
        assert!(seen(&showcase, &key, &scope, 1).is_some());
        drop(reading);
    }

    #[test]
    fn a_token_that_many_threads_use_is_not_shown_until_it_is_replaced() {
        let (showcase, scope, key) = (Showcase::new(1), AccessScope::new(), TokenKey::new("tenant"));
        showcase.show(&key, &scope, &published("a", 7, None));
        let is_seen = |now| seen(&showcase, &key, &scope, now).is_some();
        assert!(is_seen(1));
        let home = lane();
        // Lanes are given out in turns, so that some thread has another one.
        let away = |times: u16, now: u64| {
            while !elsewhere(|| {
                lane() != home && {
                    (0..times).for_each(|_| assert!(is_seen(now)));
                    true
                }
            }) {}
        };
        // Many times in two seconds is not often.
        away(PATIENCE - 1, 1);
        away(PATIENCE - 1, 2);
        assert!(is_seen(3));
        away(PATIENCE, 3);
        assert!(!is_seen(3) && !elsewhere(|| is_seen(3)));
        assert!(!is_seen(4));
        showcase.hide(&key, &scope, 7);
        showcase.show(&key, &scope, &published("b", 8, None));
        assert!(is_seen(4));
    }

    #[test]
    fn the_bound_is_that_of_the_table() {
        let what = "uses of one tenant's token by other threads within a second before all of them take it from its entry";
        crate::defaults::assert_documented(what, PATIENCE);
    }
}
