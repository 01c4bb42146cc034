//! A store in the keyring of the operating system.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use keyring_core::CredentialStore;
use keyring_core::Entry;
use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::secret::Secret;
use crate::token::Record;
use crate::token::Swap;
use crate::token::TokenKey;
use crate::token::TokenStore;

/// What is escaped in the name of an entry: capitals as well, since some keyrings do not tell them from small letters, and
/// what is not ASCII, since some take two spellings of one letter for the same.
const ESCAPED: &AsciiSet = &escaped();

/// Keyrings have no comparison and swap, so changes go one after the other: all of them in this process.
static CHANGES: Mutex<()> = Mutex::new(());

/// Keeps records in the keyring of the operating system (macOS Keychain, Windows Credential Manager, Secret Service, …), for
/// programs that one user runs, such as a command-line tool. Clones share it.
///
/// The keyring is one of [`keyring-core`](https://docs.rs/keyring-core)'s: take the crate for your platform, and hand its store
/// over. This one keeps entries in memory:
///
/// ```
/// use tower_oauth::store::KeyringStore;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keyring = keyring_core::mock::Store::new()?;
/// let store = KeyringStore::new(keyring, "com.example.orders");
/// # let _ = store;
/// # Ok(())
/// # }
/// ```
///
/// # One process
/// A keyring can neither compare and swap nor lease. Within a process both are made up for; two processes that use the same
/// entries at once can overwrite each other's refresh tokens, which may end the login. Use a
/// [`FileStore`](super::FileStore) where that can happen, inside an [`EncryptedStore`](super::EncryptedStore) whose key is in the keyring.
///
/// # Entries
/// One for each key, of the service that was given, named as the key is, with capitals and special letters escaped (`%41lice`). Its secret
/// is the record as JSON. Keyrings limit its length, Windows to 2 560 bytes: longer tokens are an error of the keyring.
#[derive(Clone)]
pub struct KeyringStore {
    keyring: Arc<CredentialStore>,
    service: Arc<str>,
}

impl KeyringStore {
    /// The records in the entries of `service`, by which programs that share the keyring are told apart. Nothing is asked of
    /// the keyring yet.
    pub fn new(keyring: Arc<CredentialStore>, service: impl Into<Arc<str>>) -> Self {
        Self { keyring, service: service.into() }
    }

    /// Does what may block, and ask the user, where that is allowed; one change after the other.
    async fn with_entry<T: Send + 'static>(
        &self,
        key: &TokenKey,
        work: impl FnOnce(&TokenKey, &Entry) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (store, key) = (self.clone(), key.clone());
        let work = move || {
            let _one_at_a_time = CHANGES.lock().unwrap_or_else(PoisonError::into_inner);
            let name = utf8_percent_encode(key.as_str(), ESCAPED).to_string();
            // Some keyrings take no empty name; nothing else is escaped as this.
            let name = if name.is_empty() { "%".to_owned() } else { name };
            let entry = store.keyring.build(&store.service, &name, None).map_err(failed)?;
            work(&key, &entry)
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::store)?
    }
}

impl fmt::Debug for KeyringStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyringStore").field("service", &self.service).finish_non_exhaustive()
    }
}

impl TokenStore for KeyringStore {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        self.with_entry(key, read).await
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        let text: Secret = record.to_json();
        self.with_entry(key, move |key, entry| {
            let stored = read(key, entry)?;
            if stored.as_ref().map(Record::generation) != expected {
                return Ok(Swap::Conflict(stored));
            }
            entry.set_secret(text.expose().as_bytes()).map_err(failed)?;
            Ok(Swap::Stored)
        })
        .await
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        self.with_entry(key, move |key, entry| {
            let is_that_one = read(key, entry)?.is_some_and(|stored| stored.generation() == generation);
            if is_that_one {
                entry.delete_credential().map_err(failed)?;
            }
            Ok(is_that_one)
        })
        .await
    }
}

fn read(key: &TokenKey, entry: &Entry) -> Result<Option<Record>, Error> {
    let secret = match entry.get_secret() {
        Ok(secret) => Zeroizing::new(secret),
        Err(keyring_core::Error::NoEntry) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let text = std::str::from_utf8(&secret).map_err(|_| unreadable(key))?;
    Record::from_json(text).map(Some).map_err(|error| unreadable(key).caused_by(error))
}

fn unreadable(key: &TokenKey) -> Error {
    Error::new(ErrorKind::Store).detail(format!("the record of {:?} could not be read", key.as_str()))
}

/// An error of the keyring, in its own words; what `Debug` prints of it can hold the secret.
fn failed(error: keyring_core::Error) -> Error {
    let detail = match error {
        keyring_core::Error::BadDataFormat(..) => "the entry in the keyring is damaged".to_owned(),
        other => other.to_string(),
    };
    Error::store(detail.clone()).detail(detail)
}

const fn escaped() -> AsciiSet {
    let mut set = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'@');
    let mut letter = b'A';
    while letter <= b'Z' {
        set = set.add(letter);
        letter += 1;
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(generation: u64) -> Record {
        Record::from_json(&format!(r#"{{"version":1,"generation":{generation},"tokens":[]}}"#)).unwrap()
    }

    fn keyring() -> Arc<CredentialStore> {
        keyring_core::mock::Store::new().unwrap()
    }

    #[tokio::test]
    async fn each_key_is_an_entry_whose_name_needs_no_capitals() {
        let keyring = keyring();
        let store = KeyringStore::new(Arc::clone(&keyring), "service");
        for name in ["alice", "Alice", "a/b@c", "é", ""] {
            assert_eq!(store.compare_and_swap(&name.into(), None, &record(1)).await.unwrap(), Swap::Stored);
        }
        for name in ["alice", "%41lice", "a%2Fb@c", "%C3%A9", "%"] {
            let entry = keyring.build("service", name, None).unwrap();
            assert!(entry.get_password().unwrap().starts_with(r#"{"version":1,"#), "{name}");
        }
    }

    #[tokio::test]
    async fn what_is_no_record_is_an_error_that_shows_nothing_of_it_and_stays() {
        let keyring = keyring();
        let store = KeyringStore::new(Arc::clone(&keyring), "service");
        let entry = keyring.build("service", "alice", None).unwrap();
        for secret in [&b"hunter2"[..], b"\xffhunter2"] {
            entry.set_secret(secret).unwrap();
            for error in [
                store.load(&"alice".into()).await.unwrap_err(),
                store.compare_and_swap(&"alice".into(), None, &record(1)).await.unwrap_err(),
                store.delete_if(&"alice".into(), 1).await.unwrap_err(),
            ] {
                assert!(error.to_string().contains(r#"the record of "alice" could not be read"#), "{error}");
                assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            }
            assert_eq!(entry.get_secret().unwrap(), secret);
        }
    }
}
