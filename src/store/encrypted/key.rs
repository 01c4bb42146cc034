//! A key that encrypts records.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::KeyInit;
use zeroize::Zeroizing;

use crate::error::ConfigError;
use crate::secret::Secret;

/// The longest id of a key, in bytes.
const LONGEST_ID: usize = 64;

/// A key of 32 bytes, with an id under which it is found again. `Debug` shows the id alone, and the key is overwritten
/// with zeroes when it is dropped.
#[derive(Clone)]
pub struct EncryptionKey {
    id: Box<str>,
    cipher: XChaCha20Poly1305,
}

impl EncryptionKey {
    /// The key of these 32 bytes, which must be random: a password is none. The id is stored in the clear.
    ///
    /// # Errors
    /// When the id is empty, longer than 64 bytes, or has anything in it but `A–Z`, `a–z`, `0–9`, `-` and `_`.
    pub fn new(id: impl Into<Box<str>>, key: [u8; 32]) -> Result<Self, ConfigError> {
        let (id, key) = (id.into(), Zeroizing::new(key));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(is_plain) {
            let reason = "its id must be 1 to 64 letters of `A–Z`, `a–z`, `0–9`, `-` and `_`";
            return Err(ConfigError::InvalidEncryptionKey { reason });
        }
        Ok(Self { id, cipher: XChaCha20Poly1305::new((&*key).into()) })
    }

    /// The key that is written in base64, with or without padding, also in the alphabet for URLs.
    ///
    /// # Errors
    /// When that is not 32 bytes, or the id is not as [`new`](Self::new) wants it.
    pub fn from_base64(id: impl Into<Box<str>>, key: &Secret) -> Result<Self, ConfigError> {
        let text = key.expose().trim().trim_end_matches('=');
        let bytes = BASE64_STANDARD_NO_PAD
            .decode(text)
            .or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(text))
            .map(Zeroizing::new);
        let key = bytes.ok().and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
        let reason = "it must be 32 random bytes in base64, as `openssl rand -base64 32` makes them";
        Self::new(id, key.ok_or(ConfigError::InvalidEncryptionKey { reason })?)
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn cipher(&self) -> &XChaCha20Poly1305 {
        &self.cipher
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("EncryptionKey").field(&self.id).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;

    #[test]
    fn a_key_is_32_bytes_in_any_base64() {
        let (standard, url) = (format!("{}8=", "/".repeat(42)), format!("{}8", "_".repeat(42)));
        for text in [&*standard, &format!("{standard}\n"), &standard[..43], &url, &format!("{url}=")] {
            assert!(EncryptionKey::from_base64("a", &Secret::new(text)).is_ok(), "{text}");
        }
        for text in ["", "hunter2", &"/".repeat(44), &standard[..40]] {
            let error = EncryptionKey::from_base64("a", &Secret::new(text)).unwrap_err();
            assert!(error.to_string().contains("32 random bytes"), "{error}");
        }
    }

    #[test]
    fn the_longest_id_is_that_of_the_table() {
        assert_documented("longest id of an `EncryptionKey`", format!("{LONGEST_ID} bytes"));
    }

    #[test]
    fn an_id_is_short_and_plain() {
        for id in ["a", "2024-07_b", &"x".repeat(64)] {
            assert!(EncryptionKey::new(id, [1; 32]).is_ok(), "{id}");
        }
        for id in ["", "a.b", "a b", "ä", &"x".repeat(65)] {
            assert!(EncryptionKey::new(id, [1; 32]).is_err(), "{id}");
        }
    }
}
