//! A store that encrypts what another one keeps.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chacha20poly1305::XNonce;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::aead::Payload;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::token::Record;
use crate::token::Swap;
use crate::token::TokenKey;
use crate::token::TokenStore;

mod envelope;
mod key;

use envelope::Envelope;
pub use key::EncryptionKey;

/// Encrypts every record before the store inside gets it: XChaCha20-Poly1305, with a new random nonce each time. Clones
/// share everything.
///
/// ```
/// use tower_oauth::Secret;
/// use tower_oauth::store::{EncryptedStore, EncryptionKey, MemoryStore};
///
/// # fn example() -> Result<(), tower_oauth::ConfigError> {
/// // 32 random bytes in base64, as `openssl rand -base64 32` makes them. Keep them apart from what they encrypt.
/// let key = |id, name| EncryptionKey::from_base64(id, &Secret::new(std::env::var(name).unwrap_or_default()));
/// let store = EncryptedStore::new(MemoryStore::new(), key("2025-07", "TOKEN_KEY")?)
///     // Records of before the last rotation are still read; each is encrypted anew with its next refresh.
///     .also_reading(key("2024-07", "TOKEN_KEY_BEFORE")?);
/// # let _ = store;
/// # Ok(())
/// # }
/// # assert!(example().is_err());
/// ```
///
/// # What is hidden, and what is not
/// Whoever reads the store inside sees names of keys, generations, lengths, when a record changed, and who has which lease. An
/// encrypted record is bound to its name and generation: one that was moved to another key, or altered, is an error. Whoever may
/// write to the store can delete a record, or put an older one back together with its generation; encryption does not
/// notice that.
///
/// # Keys
/// Each has an id, which is stored with what it encrypted. To rotate, give the new one to [`new`](Self::new) and the old one to
/// [`also_reading`](Self::also_reading), on all hosts the reading first; [`reencrypt`](Self::reencrypt) does at once what refreshes would do in time. When nothing is left
/// under the old one, drop it.
///
/// # Errors
/// A record whose key is not known, that does not open with the key it names, or that is not encrypted at all, is an error
/// that names its key, and no method replaces or deletes it: nothing is lost but time until the right key is given.
#[derive(Clone)]
pub struct EncryptedStore<S> {
    inner: S,
    /// The first one encrypts.
    keys: Arc<[EncryptionKey]>,
    read_plain: bool,
}

impl<S: TokenStore> EncryptedStore<S> {
    /// Encrypts with `key` what `inner` keeps.
    pub fn new(inner: S, key: EncryptionKey) -> Self {
        Self { inner, keys: [key].into(), read_plain: false }
    }

    /// Also reads what `key` has encrypted. Of two keys with one id, the one that was given first counts.
    pub fn also_reading(mut self, key: EncryptionKey) -> Self {
        self.keys = self.keys.iter().cloned().chain([key]).collect();
        self
    }

    /// Also reads records that are not encrypted, to begin with encryption in a store that has some: each is encrypted with
    /// its next change, or by [`reencrypt`](Self::reencrypt). Until this is taken away, whoever may write to the store can plant records.
    pub fn dangerously_reading_plain(mut self) -> Self {
        self.read_plain = true;
        self
    }

    /// The store inside.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Encrypts the record of `key` with the present encryption key, if another one did, or none. The record stays what it is, with its
    /// generation. Says whether there was anything to do; `false` also when somebody else changed the record meanwhile.
    ///
    /// # Errors
    /// As [`TokenStore::load`] and [`TokenStore::compare_and_swap`].
    pub async fn reencrypt(&self, key: &TokenKey) -> Result<bool, Error> {
        let Some(stored) = self.inner.load(key).await? else { return Ok(false) };
        let record = self.open(key, &stored)?;
        let id = stored
            .sealed_text()
            .and_then(|text| Envelope::parse(text.expose()))
            .map(|envelope| envelope.key_id);
        if self.keys.first().map(EncryptionKey::id) == id {
            return Ok(false);
        }
        let sealed = self.seal(key, &record)?;
        let swap = self.inner.compare_and_swap(key, Some(record.generation()), &sealed).await?;
        Ok(swap == Swap::Stored)
    }

    fn seal(&self, key: &TokenKey, record: &Record) -> Result<Record, Error> {
        let failed = || {
            Error::new(ErrorKind::Store)
                .detail(format!("the record of {:?} could not be encrypted", key.as_str()))
        };
        let encryption_key = self.keys.first().ok_or_else(failed)?;
        let nonce: [u8; 24] = rand::random();
        let (plain, bound) = (record.to_json(), bound_to(encryption_key, key, record.generation()));
        let payload = Payload { msg: plain.expose().as_bytes(), aad: &bound };
        let sealed = encryption_key.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|_| failed())?;
        let envelope = Envelope { key_id: encryption_key.id(), nonce, sealed };
        Ok(Record::sealed(record.generation(), envelope.write()))
    }

    fn open(&self, key: &TokenKey, stored: &Record) -> Result<Record, Error> {
        let failed = |what: String| {
            Error::new(ErrorKind::Store).detail(format!("the record of {:?} {what}", key.as_str()))
        };
        let Some(text) = stored.sealed_text() else {
            let refused = || failed("is not encrypted".to_owned());
            return if self.read_plain { Ok(stored.clone()) } else { Err(refused()) };
        };
        let unknown = || failed("is encrypted in a way that this program does not know".to_owned());
        let envelope = Envelope::parse(text.expose()).ok_or_else(unknown)?;
        let id = envelope.key_id;
        let encryption_key = self
            .keys
            .iter()
            .find(|known| known.id() == id)
            .ok_or_else(|| failed(format!("is encrypted with the key `{id}`, which was not given")))?;
        let bound = bound_to(encryption_key, key, stored.generation());
        let payload = Payload { msg: &envelope.sealed, aad: &bound };
        let does_not_open = || {
            failed(format!("does not open with the key `{id}`: another key has this id, or it was altered"))
        };
        let plain = encryption_key.cipher().decrypt(&XNonce::from(envelope.nonce), payload);
        let plain = Zeroizing::new(plain.map_err(|_| does_not_open())?);
        let record = Record::from_json(std::str::from_utf8(&plain).map_err(|_| unknown())?)?;
        // What was encrypted is what the generation is bound to.
        if record.generation() == stored.generation() { Ok(record) } else { Err(does_not_open()) }
    }

    /// Fails if what is stored is anything else than a record that opens.
    async fn check(&self, key: &TokenKey) -> Result<(), Error> {
        let stored = self.inner.load(key).await?;
        stored.map_or(Ok(()), |stored| self.open(key, &stored).map(drop))
    }
}

impl<S: fmt::Debug> fmt::Debug for EncryptedStore<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EncryptedStore")
            .field("inner", &self.inner)
            .field("keys", &self.keys)
            .field("read_plain", &self.read_plain)
            .finish()
    }
}

impl<S: TokenStore> TokenStore for EncryptedStore<S> {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        self.inner.load(key).await?.map(|stored| self.open(key, &stored)).transpose()
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        // A generation can be known without its key: what does not open is not replaced. What was checked is what is
        // replaced, since its generation is compared once more.
        if expected.is_some() {
            self.check(key).await?;
        }
        match self.inner.compare_and_swap(key, expected, &self.seal(key, record)?).await? {
            Swap::Stored => Ok(Swap::Stored),
            Swap::Conflict(stored) => {
                stored.map(|stored| self.open(key, &stored)).transpose().map(Swap::Conflict)
            }
        }
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        self.check(key).await?;
        self.inner.delete_if(key, generation).await
    }

    async fn lease(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        self.inner.lease(key, owner, ttl).await
    }

    async fn renew(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        self.inner.renew(key, owner, ttl).await
    }

    async fn release(&self, key: &TokenKey, owner: &str) -> Result<(), Error> {
        self.inner.release(key, owner).await
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }
}

/// What a record is bound to: it opens under no other name, generation or key. Lengths keep the parts apart.
fn bound_to(encryption_key: &EncryptionKey, key: &TokenKey, generation: u64) -> Vec<u8> {
    let mut bound = b"tower-oauth record 1".to_vec();
    for part in [encryption_key.id(), key.as_str()] {
        bound.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bound.extend_from_slice(part.as_bytes());
    }
    bound.extend_from_slice(&generation.to_le_bytes());
    bound
}

#[cfg(test)]
mod tests;
