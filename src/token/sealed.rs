//! A guard for managers: a record that they cannot read must not look like one without tokens.

use std::time::Duration;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::token::Record;
use crate::token::Swap;
use crate::token::TokenKey;
use crate::token::TokenStore;

/// A store that fails when it comes upon a sealed record, which would otherwise be taken for a grant without tokens and
/// be replaced.
pub(super) struct RefuseSealed<S>(pub(super) S);

impl<S: TokenStore> TokenStore for RefuseSealed<S> {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        refuse_sealed(key, self.0.load(key).await?)
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        match self.0.compare_and_swap(key, expected, record).await? {
            Swap::Stored => Ok(Swap::Stored),
            Swap::Conflict(stored) => refuse_sealed(key, stored).map(Swap::Conflict),
        }
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        self.0.delete_if(key, generation).await
    }

    async fn lease(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        self.0.lease(key, owner, ttl).await
    }

    async fn renew(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        self.0.renew(key, owner, ttl).await
    }

    async fn release(&self, key: &TokenKey, owner: &str) -> Result<(), Error> {
        self.0.release(key, owner).await
    }

    fn is_shared(&self) -> bool {
        self.0.is_shared()
    }
}

fn refuse_sealed(key: &TokenKey, record: Option<Record>) -> Result<Option<Record>, Error> {
    if record.as_ref().is_some_and(|record| record.sealed_text().is_some()) {
        let detail =
            format!("the record of {:?} is encrypted: use the `EncryptedStore` that wrote it", key.as_str());
        return Err(Error::new(ErrorKind::Store).detail(detail));
    }
    Ok(record)
}
