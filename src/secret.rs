//! Text that must not be seen.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// What `Debug` and `Display` print instead of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// A secret text: a client secret, an access token, a refresh token, a signing key.
///
/// `Debug` and `Display` print `[redacted]`. Clones share one allocation, which is overwritten with zeroes when
/// the last of them is dropped. Copies that this crate cannot reach are not overwritten: the header value that
/// carries a token, the bytes of a request body, and whatever the HTTP client and TLS keep in their buffers.
///
/// ```
/// let secret = tower_oauth::Secret::new("kd94hf93k423kf44");
/// assert_eq!(format!("{secret:?} {secret}"), "Secret([redacted]) [redacted]");
/// assert_eq!(secret.expose(), "kd94hf93k423kf44");
/// ```
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes ownership of `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(text.into())))
    }

    /// The text itself. Every place that calls this is a place where the secret can leave.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Secret {
    /// Compares in a time that depends on the lengths only.
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(self.expose().as_bytes(), other.expose().as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secret({REDACTED})")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// Compares two byte strings in a time that does not depend on where they differ.
pub(crate) fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let difference = left.iter().zip(right).fold(0, |difference, (l, r)| difference | (l ^ r));
    // Keeps the optimiser from leaving the loop at the first difference.
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_secret_is_printed() {
        let secret = Secret::new("hunter2");
        assert!(!format!("{secret} {secret:?} {secret:#?}").contains("hunter2"));
    }

    #[test]
    fn secrets_are_equal_when_their_texts_are() {
        assert_eq!(Secret::new("a"), Secret::from("a"));
        assert_ne!(Secret::new("a"), Secret::new("b"));
        assert_ne!(Secret::new("a"), Secret::new("aa"));
    }
}
