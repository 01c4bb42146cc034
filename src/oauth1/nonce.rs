//! Nonces: a text that no two requests share (RFC 5849 §3.3).

use std::fmt;
use std::sync::Arc;

use crate::protocol::oauth1::template::NONCE;

/// Characters of a nonce. Some servers (oauthlib's for one) want between 20 and 30 letters and digits.
pub(super) const LENGTH: usize = NONCE;

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
    spell(rand::random())
}

/// Makes 25 letters and digits of sixteen bytes, five bits each.
///
/// Not five bits after the other: the low five of each byte make a character, and what is left of the bytes makes the
/// other nine. So the same is done with eight bytes at a time, side by side in one number, in a third of the time.
fn spell(random: u128) -> [u8; LENGTH] {
    /// The same byte eight times.
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    let (one, other) = (random as u64, (random >> 64) as u64);
    // The high three bits of a byte and two of another.
    let both = (one >> 5 & each(0b00111)) | (other >> 2 & each(0b11000));
    // The last bit of eight bytes: moved together, and three of them dropped.
    let last = (other >> 7 & each(1)).wrapping_mul(0x0102_0408_1020_4080) >> 56 & 31;
    let mut nonce = [0; LENGTH];
    let eights = [one & each(31), other & each(31), both, last];
    for (characters, bits) in nonce.chunks_mut(8).zip(eights) {
        // `a` to `z`, and then `2` to `7`: 73 lower in ASCII than if the alphabet went on.
        let is_digit = (bits + each(128 - 26)) >> 7 & each(1);
        // 73 is 64 and 8 and 1.
        let spelled = (bits + each(b'a') - (is_digit << 6) - (is_digit << 3) - is_digit).to_le_bytes();
        for (character, spelled) in characters.iter_mut().zip(spelled) {
            *character = spelled;
        }
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

    #[test]
    fn every_bit_but_three_changes_one_character_and_every_character_has_five() {
        let zero = spell(0);
        assert_eq!(zero, [b'a'; LENGTH]);
        let mut bits_of = [0; LENGTH];
        for bit in 0..128 {
            let changed = spell(1 << bit);
            for (count, _) in bits_of.iter_mut().zip(changed).filter(|(_, character)| *character != b'a') {
                *count += 1;
            }
        }
        assert_eq!(bits_of, [5; LENGTH]);
    }

    #[test]
    fn all_characters_of_the_alphabet_are_used() {
        let used: HashSet<u8> = (0..1000).flat_map(|_| random()).collect();
        assert_eq!(used, b"abcdefghijklmnopqrstuvwxyz234567".iter().copied().collect());
    }
}
