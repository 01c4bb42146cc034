//! The leases that are held just now.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use serde::Serialize;

/// The version that [`Leases::write`] writes.
const VERSION: u32 = 1;

/// Who holds the lease of which key until when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Leases {
    version: u32,
    leases: BTreeMap<String, Lease>,
    #[serde(skip)]
    changed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Lease {
    owner: String,
    /// Milliseconds since 1970.
    until: u64,
}

impl Leases {
    /// Reads what [`write`](Self::write) wrote; gives the version, if it is another one. The file is not synced: after a power
    /// failure it may be anything, and all who held a lease are gone; then none is held.
    pub(super) fn read(text: &[u8]) -> Result<Self, u32> {
        match serde_json::from_slice::<Self>(text) {
            Ok(leases) if leases.version == VERSION => Ok(leases),
            Ok(leases) => Err(leases.version),
            Err(_) => Ok(Self::default()),
        }
    }

    pub(super) fn write(&self) -> Vec<u8> {
        // Writing these types into memory cannot fail: all keys are strings.
        serde_json::to_vec(&Self { version: VERSION, ..self.clone() }).unwrap_or_default()
    }

    pub(super) fn is_changed(&self) -> bool {
        self.changed
    }

    /// Whether `owner` has the lease now; it may have had it before.
    pub(super) fn take(&mut self, key: &str, owner: &str, now: SystemTime, ttl: Duration) -> bool {
        self.forget_ended(now);
        let granted = self.leases.get(key).is_none_or(|held| held.owner == owner);
        if granted {
            self.changed = true;
            self.leases.insert(key.to_owned(), Lease { owner: owner.to_owned(), until: after(now, ttl) });
        }
        granted
    }

    /// Whether `owner` still had the lease.
    pub(super) fn renew(&mut self, key: &str, owner: &str, now: SystemTime, ttl: Duration) -> bool {
        self.forget_ended(now);
        let held = self.leases.get_mut(key).filter(|held| held.owner == owner);
        let renewed = held.map(|held| held.until = after(now, ttl)).is_some();
        self.changed |= renewed;
        renewed
    }

    pub(super) fn release(&mut self, key: &str, owner: &str) {
        if self.leases.get(key).is_some_and(|held| held.owner == owner) {
            self.leases.remove(key);
            self.changed = true;
        }
    }

    /// The file stays as small as what is held.
    fn forget_ended(&mut self, now: SystemTime) {
        let now = millis(now);
        self.leases.retain(|_, held| held.until > now);
    }
}

fn after(now: SystemTime, ttl: Duration) -> u64 {
    millis(now).saturating_add(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX))
}

fn millis(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_lease_ends_with_its_time_and_is_somebody_elses_then() {
        let (mut leases, now) = (Leases::default(), UNIX_EPOCH + 1000 * SECOND);
        assert!(leases.take("key", "a", now, 10 * SECOND));
        assert!(!leases.take("key", "b", now + 9 * SECOND, 10 * SECOND));
        assert!(leases.renew("key", "a", now + 9 * SECOND, 10 * SECOND));
        assert!(!leases.take("key", "b", now + 18 * SECOND, 10 * SECOND));
        assert!(leases.take("key", "b", now + 19 * SECOND, 10 * SECOND));
        assert!(!leases.renew("key", "a", now + 19 * SECOND, 10 * SECOND));
        leases.release("key", "a");
        assert!(!leases.take("key", "a", now + 20 * SECOND, 10 * SECOND));
    }

    #[test]
    fn leases_survive_the_way_through_the_file() {
        let mut leases = Leases::default();
        leases.take("key", "a", SystemTime::now(), 100 * SECOND);
        let mut read = Leases::read(&leases.write()).unwrap();
        assert!(!read.take("key", "b", SystemTime::now(), SECOND));
        assert!(!read.is_changed());
        read.release("key", "a");
        assert!(read.is_changed());
    }

    #[test]
    fn ended_leases_leave_the_file() {
        let (mut leases, now) = (Leases::default(), UNIX_EPOCH + 1000 * SECOND);
        for number in 0..100 {
            leases.take(&format!("key-{number}"), "a", now + number * SECOND, SECOND);
        }
        assert_eq!(leases.leases.len(), 1);
    }

    #[test]
    fn leases_of_a_later_version_are_not_overlooked_and_torn_ones_are_none() {
        assert_eq!(Leases::read(br#"{"version":2,"leases":{}}"#), Err(2));
        assert_eq!(Leases::read(b"\0\0\0"), Ok(Leases::default()));
    }
}
