//! Nonces: a text that no two requests share (RFC 5849 §3.3).

use std::fmt;
use std::sync::Arc;

/// Characters of a nonce. Some servers (oauthlib's for one) want between 20 and 30 letters and digits.
pub(super) const LENGTH: usize = 25;

/// Where nonces come from.
#[derive(Clone, Default)]
pub(super) enum Nonces {
    /// From the random generator of the thread: 125 bits each.
    #[default]
    Random,
    With(Arc<dyn Fn() -> String + Send + Sync>),
}

/// A random nonce.
pub(super) fn random() -> [u8; LENGTH] {
    const ALPHABET: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bits: u128 = rand::random();
    let mut nonce = [0; LENGTH];
    for character in &mut nonce {
        *character = ALPHABET[(bits & 31) as usize];
        bits >>= 5;
    }
    nonce
}

impl fmt::Debug for Nonces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Random => "Random",
            Self::With(_) => "With(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nonces_are_letters_and_digits_and_differ() {
        let nonces: HashSet<_> = (0..1000).map(|_| random()).collect();
        assert_eq!(nonces.len(), 1000);
        assert!(nonces.iter().flatten().all(u8::is_ascii_alphanumeric));
    }
}
