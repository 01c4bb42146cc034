//! Where the identity of a manager is found by somebody who does not hold it.
//!
//! While a request is under way, something must know whom to tell when its token is refused. A count of the manager for
//! each request would be changed twice, which is a tenth of what a warm request costs. So the request has a number
//! instead, and the number is looked up when there is something to tell; hardly ever, that is. Somebody whom nobody holds
//! any more is not found, and need not be told.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use crate::token::Identity;
use crate::token::TokenManager;
use crate::token::entry::Entry;
use crate::token::manager::Shared;

/// All that have an address. The lock is held for one look or one change.
static DIRECTORY: Mutex<BTreeMap<u32, Resident>> = Mutex::new(BTreeMap::new());

struct Resident {
    manager: Weak<Shared>,
    /// None for the manager itself.
    entry: Option<Weak<Entry>>,
}

/// The number of an identity, or of a manager: no two have the same, nor ever had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Address(u32);

/// The address of an entry or a manager, from the first time that somebody asks for it until that is gone.
#[derive(Debug, Default)]
pub(super) struct Listing(OnceLock<u32>);

impl Address {
    /// Who lives there, if they are still alive: a manager, and one of its identities if it is that one's address.
    pub(crate) fn find(self) -> Option<(TokenManager, Option<Identity>)> {
        let (manager, entry) = {
            let directory = directory();
            let resident = directory.get(&self.0)?;
            (resident.manager.clone(), resident.entry.clone())
        };
        // Behind the lock: whoever is the last to let go of an entry takes the lock itself.
        let identity = entry.and_then(|entry| entry.upgrade()).map(Identity::of);
        Some((TokenManager::revive(&manager)?, identity))
    }
}

impl Listing {
    #[inline]
    pub(super) fn get(&self, make: impl FnOnce() -> (Weak<Shared>, Option<Weak<Entry>>)) -> Option<Address> {
        match self.0.get() {
            Some(number) => Some(Address(*number)),
            None => self.list(make),
        }
    }

    #[inline(never)]
    fn list(&self, make: impl FnOnce() -> (Weak<Shared>, Option<Weak<Entry>>)) -> Option<Address> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let take = |next: u32| next.checked_add(1);
        let number = NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        Some(Address(*self.0.get_or_init(|| {
            let (manager, entry) = make();
            directory().insert(number, Resident { manager, entry });
            number
        })))
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        if let Some(number) = self.0.get() {
            // The guard goes before what it gives: a weak count may be the last of its allocation.
            let gone = directory().remove(number);
            drop(gone);
        }
    }
}

fn directory() -> MutexGuard<'static, BTreeMap<u32, Resident>> {
    DIRECTORY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use crate::token::AccessScope;
    use crate::token::Token;
    use crate::token::TokenKey;
    use crate::token::TokenManager;
    use crate::token::token_source_fn;

    fn manager() -> TokenManager {
        TokenManager::builder(token_source_fn(|_| async { Ok(Token::new("token")) })).build()
    }

    #[test]
    fn an_identity_is_found_under_its_address_as_long_as_it_lives() {
        let manager = manager();
        let [first, second] =
            ["first", "second"].map(|name| manager.identity(&TokenKey::new(name), &AccessScope::new()));
        let (address, other) = (manager.address(&first).unwrap(), manager.address(&second).unwrap());
        assert_ne!(address, other);
        assert_eq!(Some(address), manager.address(&first));
        let name = |address: super::Address| address.find().unwrap().1.unwrap().key().as_str().to_owned();
        assert_eq!(name(address), "first");
        drop((first, second));
        // The manager has them, too.
        assert_eq!(name(other), "second");
        assert!(manager.own_address().unwrap().find().unwrap().1.is_none());
    }

    #[test]
    fn nobody_is_found_when_the_manager_is_gone() {
        let manager = manager();
        let identity = manager.identity(&TokenKey::default(), &AccessScope::new());
        let address = manager.address(&identity).unwrap();
        let clone = manager.clone();
        drop(manager);
        assert!(address.find().is_some());
        drop(clone);
        assert!(address.find().is_none());
        drop(identity);
        assert!(!super::directory().contains_key(&address.0));
    }
}
