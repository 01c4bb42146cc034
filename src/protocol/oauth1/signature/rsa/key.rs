//! Reading private keys.

use std::fmt;
use std::sync::Arc;

use crate::error::ConfigError;
use crate::protocol::oauth1::signature::rsa::Backend;
use crate::protocol::oauth1::signature::rsa::Hash;
#[cfg(feature = "aws-lc-rs")]
use crate::protocol::oauth1::signature::rsa::aws_lc;
use crate::protocol::oauth1::signature::rsa::der;
#[cfg(feature = "rsa")]
use crate::protocol::oauth1::signature::rsa::rust_crypto;
use crate::protocol::pem;

/// Bits of a modulus. RFC 8017 has no limits; below lies what is broken, above what takes seconds.
const LONGEST: usize = 8192;
const SHORTEST: usize = if cfg!(feature = "rsa") { 1024 } else { 2048 };

/// An RSA private key, for [`RsaSha256`](super::RsaSha256) and its siblings.
///
/// It is read from PEM or DER, in the form of PKCS#8 (RFC 5208) or PKCS#1 (RFC 8017 §A.1.2), without a password, with
/// two primes, and with 1024 to 8192 bits. `Debug` shows the number of bits only. Clones share the key, which is
/// overwritten when the last of them is dropped; the bytes that it was read from are the caller's to overwrite.
///
/// # Who signs
/// | features | SHA-1 | SHA-256, SHA-512 | bits of a key |
/// |---|---|---|---|
/// | `rsa` | crate `rsa` | crate `rsa` | 1024–8192 |
/// | `aws-lc-rs` | – | AWS-LC | 2048–8192 |
/// | both | crate `rsa` | AWS-LC; crate `rsa` below 2048 bits | 1024–8192 |
///
/// The signatures are the same whoever makes them, because PKCS#1 v1.5 leaves nothing to chance. Keys below 2048 bits
/// are there for old providers only.
///
/// # Security
/// The crate `rsa` does not take the same time for all keys ([RUSTSEC-2023-0071]), and no release mends it. It is used
/// with blinding: what it computes with is multiplied by a fresh random number for each signature, so that whoever
/// measures learns about numbers that are never used again. Where others can measure your signatures closely (a shared
/// machine), use the feature `aws-lc-rs` and not `rsa`.
///
/// [RUSTSEC-2023-0071]: https://rustsec.org/advisories/RUSTSEC-2023-0071.html
#[derive(Clone)]
pub struct RsaPrivateKey(Arc<Key>);

struct Key {
    bits: usize,
    #[cfg(feature = "rsa")]
    sha1: Arc<dyn Backend>,
    sha2: Arc<dyn Backend>,
}

impl RsaPrivateKey {
    /// Reads a PEM text: `BEGIN PRIVATE KEY` (PKCS#8) or `BEGIN RSA PRIVATE KEY` (PKCS#1). Of several blocks the first
    /// with a private key counts; text between them is skipped.
    ///
    /// # Errors
    /// [`ConfigError::UnreadableKey`], which says what was found instead.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let der = pem::decode(pem.as_ref()).map_err(unreadable)?;
        Self::read(&der)
    }

    /// Reads the binary form: PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// [`ConfigError::UnreadableKey`], which says what was found instead.
    pub fn from_der(der: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let der = der.as_ref();
        if pem::is_pem(der) {
            return Err(unreadable("PEM, which `from_pem` reads"));
        }
        Self::read(der)
    }

    /// Whoever signs with `hash`.
    pub(super) fn backend(&self, hash: Hash) -> Arc<dyn Backend> {
        match hash {
            #[cfg(feature = "rsa")]
            Hash::Sha1 => self.0.sha1.clone(),
            Hash::Sha256 | Hash::Sha512 => self.0.sha2.clone(),
        }
    }

    fn read(der: &[u8]) -> Result<Self, ConfigError> {
        let key = der::private_key(der).map_err(unreadable)?;
        if !(SHORTEST..=LONGEST).contains(&key.bits) {
            let found = format!("an RSA key of {} bits, where {SHORTEST} to {LONGEST} can be used", key.bits);
            return Err(unreadable(found));
        }
        let key =
            Key::load(&key).ok_or_else(|| unreadable("an RSA key whose numbers do not fit together"))?;
        Ok(Self(Arc::new(key)))
    }
}

impl Key {
    fn load(key: &der::PrivateKey<'_>) -> Option<Self> {
        // Where both can sign, the crate `rsa` decides what is a key: AWS-LC takes the longer ones only.
        #[cfg(feature = "rsa")]
        let sha1 = Arc::new(rust_crypto::Key::read(key.pkcs1)?);
        #[cfg(not(feature = "rsa"))]
        let sha2 = Arc::new(aws_lc::Key::read(key.pkcs1)?);
        #[cfg(not(feature = "aws-lc-rs"))]
        let sha2 = sha1.clone();
        #[cfg(all(feature = "rsa", feature = "aws-lc-rs"))]
        let sha2: Arc<dyn Backend> = match aws_lc::Key::read(key.pkcs1) {
            Some(key) => Arc::new(key),
            None => sha1.clone(),
        };
        Some(Self {
            bits: key.bits,
            #[cfg(feature = "rsa")]
            sha1,
            sha2,
        })
    }
}

fn unreadable(found: impl Into<String>) -> ConfigError {
    ConfigError::UnreadableKey { found: found.into() }
}

impl fmt::Debug for RsaPrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RsaPrivateKey([redacted], {} bits)", self.0.bits)
    }
}

#[cfg(all(test, feature = "rsa"))]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_those_of_the_table() {
        crate::defaults::assert_documented("bits of an RSA key", format!("{SHORTEST} to {LONGEST}"));
    }
}
