//! Base64 of a digest (RFC 4648 §4).
//!
//! Everything else that is base64 is done by the crate `base64`, which looks up each character in a table, as it serves any
//! alphabet. Here, sixteen characters are made side by side from numbers with six bits in each byte. That takes half as many
//! instructions, which are three of a hundred that a signature takes outside of its hash.

use crate::protocol::oauth1::buffer::copy;

/// Bytes that are spelled at a time.
const BYTES: usize = 24;
/// Characters for them.
const CHARACTERS: usize = BYTES / 3 * 4;

/// Appends `bytes` in base64.
pub(super) fn append_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    for chunk in bytes.chunks(BYTES) {
        let mut padded = [0; BYTES + 2];
        copy(chunk, padded.get_mut(..chunk.len()).unwrap_or_default());
        // All of it, because to copy a fixed number of bytes takes a few instructions. What is too much is cut off.
        out.extend_from_slice(&spell(&padded));
    }
    out.truncate(start + (bytes.len() * 4).div_ceil(3));
    while (out.len() - start) % 4 != 0 {
        out.push(b'=');
    }
}

/// The characters for the first 24 bytes.
fn spell(bytes: &[u8; BYTES + 2]) -> [u8; CHARACTERS] {
    let mut spelled = [0; CHARACTERS];
    for (index, eight) in spelled.chunks_exact_mut(8).enumerate() {
        let six = bytes.get(6 * index..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        for (to, bits) in eight.iter_mut().zip(spread(u64::from_be_bytes(six) >> 16).to_be_bytes()) {
            *to = bits;
        }
    }
    spelled.map(character)
}

/// Spreads 48 bits over eight bytes: twice 24, four times 12, eight times 6.
fn spread(bits: u64) -> u64 {
    let bits = (bits & 0xffff_ff00_0000) << 8 | bits & 0xff_ffff;
    let bits = (bits & 0x00ff_f000_00ff_f000) << 4 | bits & 0x0000_0fff_0000_0fff;
    (bits & 0x0fc0_0fc0_0fc0_0fc0) << 2 | bits & 0x003f_003f_003f_003f
}

/// The character for six bits: `A` to `Z`, `a` to `z`, `0` to `9`, `+`, `/`.
///
/// Without a branch, so that a processor does it for sixteen at once.
fn character(bits: u8) -> u8 {
    let after = |last: u8, step: u8| if bits > last { step } else { 0 };
    bits + b'A' + after(25, b'a' - b'Z' - 1) - after(51, b'z' + 1 - b'0') - after(61, b'9' + 1 - b'+')
        + after(62, b'/' - b'+' - 1)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn bytes_of_any_number_are_spelled_as_the_crate_does_it() {
        let bytes: Vec<u8> = (0..=u8::MAX).flat_map(|byte| [byte, byte.wrapping_mul(89), !byte]).collect();
        for length in 0..bytes.len() {
            let mut out = b"before".to_vec();
            append_base64(&bytes[..length], &mut out);
            let expected = format!("before{}", STANDARD.encode(&bytes[..length]));
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn every_character_is_spelled() {
        let all: Vec<u8> = (0..64).map(character).collect();
        assert_eq!(all, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    }
}
