//! Percent-encoding (RFC 5849 §3.6) and the decoding of forms (§3.4.1.3.1).
//!
//! All of it works on bytes: `%E9` is the byte E9, whether or not it makes sense as text. A byte that is decoded and
//! encoded again is therefore always the byte that was sent.

/// How often a text is encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Escape {
    /// As parameters travel: `é` is `%C3%A9`.
    Once,
    /// As parameters stand in the base string, where the encoded parameters are encoded as a whole: `%25C3%25A9`.
    Twice,
}

/// Appends `bytes`, percent-encoded.
pub(crate) fn escape(bytes: &[u8], times: Escape, out: &mut Vec<u8>) {
    let mut done = 0;
    for_each_reserved(bytes, |index, byte| {
        append::<16>(bytes, done, index, out);
        percent(byte, times, out);
        done = index + 1;
    });
    append::<16>(bytes, done, bytes.len(), out);
}

/// Appends `bytes`, percent-encoded once, with ASCII letters in lower case.
pub(crate) fn escape_lowercase(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        escape_byte(byte.to_ascii_lowercase(), Escape::Once, out);
    }
}

/// Appends one byte, percent-encoded.
pub(crate) fn escape_byte(byte: u8, times: Escape, out: &mut Vec<u8>) {
    if is_unreserved(byte) { out.push(byte) } else { percent(byte, times, out) }
}

/// `bytes`, percent-encoded once.
pub(crate) fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    escape(bytes, Escape::Once, &mut out);
    out
}

/// The first byte of what stands in a query or a form, decoded, and the length of what stands for it.
///
/// `+` is a space. A `%` that no two hexadecimal digits follow stands for itself, as in the WHATWG's URL standard:
/// the RFC is silent, and a request that the HTTP client would send must not fail here.
pub(crate) fn decode_first(form: &[u8]) -> Option<(u8, usize)> {
    match form {
        [b'+', ..] => Some((b' ', 1)),
        [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            Some((digit(*high) << 4 | digit(*low), 3))
        }
        [byte, ..] => Some((*byte, 1)),
        [] => None,
    }
}

/// Appends `text[start..end]`, which is expected to be at most `N` bytes long.
///
/// A short piece is copied as `N` bytes of which the surplus is cut off again: copies of a fixed size are made in
/// place, where others are calls, and a request is made of many short pieces.
pub(crate) fn append<const N: usize>(text: &[u8], start: usize, end: usize, out: &mut Vec<u8>) {
    let rest = text.get(start..).unwrap_or_default();
    let length = end.saturating_sub(start);
    match rest.first_chunk::<N>() {
        Some(chunk) if length <= chunk.len() => {
            let end = out.len() + length;
            out.extend_from_slice(chunk);
            out.truncate(end);
        }
        _ => out.extend_from_slice(rest.get(..length).unwrap_or_default()),
    }
}

/// Calls `found` with each byte that is not unreserved, and its position.
///
/// They are found for 32 bytes at a time: where a name or a value ends cannot be foreseen, and a processor that guesses
/// wrongly takes longer than one that looks at every byte in the same way.
pub(crate) fn for_each_reserved(bytes: &[u8], mut found: impl FnMut(usize, u8)) {
    let mut start = 0;
    for chunk in bytes.chunks(32) {
        let mut positions = match (chunk.first_chunk(), bytes.last_chunk()) {
            (Some(chunk), _) => reserved_of(chunk),
            // What is left at the end is looked at together with what is before it.
            (None, Some(last)) => reserved_of(last) >> (last.len() - chunk.len()),
            (None, None) => reserved_of_few(chunk),
        };
        while positions != 0 {
            let index = positions.trailing_zeros() as usize;
            positions &= positions - 1;
            if let Some(&byte) = chunk.get(index) {
                found(start + index, byte);
            }
        }
        start += chunk.len();
    }
}

/// The positions of the bytes that are not unreserved, as bits.
///
/// Without a table, and as many as the compiler does not unroll: so it looks at sixteen at once.
fn reserved_of(bytes: &[u8; 32]) -> u32 {
    let mut flags = [0; 32];
    for (flag, &byte) in flags.iter_mut().zip(bytes) {
        let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        // The digits come right after `-`, `.` and `/`.
        let is_digit_or_mark = (byte.wrapping_sub(b'-') < 13) & (byte != b'/');
        let is_unreserved = is_letter | is_digit_or_mark | (byte == b'_') | (byte == b'~');
        *flag = u8::from(!is_unreserved);
    }
    flags.chunks_exact(8).rev().filter_map(|eight| eight.first_chunk()).fold(0, |positions, eight| {
        // Moves the bit of byte 0 to position 56, that of byte 1 to position 57, and so on; no two meet on their way.
        let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        positions << 8 | bits as u32
    })
}

/// The same for fewer, which are not worth being copied to where they could be looked at together.
fn reserved_of_few(bytes: &[u8]) -> u32 {
    let bit = |byte: u8| u32::from(!is_unreserved(byte));
    let mut positions = 0;
    let mut index = 0;
    let eights = bytes.chunks_exact(8);
    let rest = eights.remainder();
    for eight in eights {
        // As an array it is looked at without a loop.
        let Some(eight) = eight.first_chunk::<8>() else { continue };
        let bits = eight.iter().rev().fold(0, |bits, &byte| bits << 1 | bit(byte));
        positions |= bits << index;
        index += 8;
    }
    for &byte in rest {
        positions |= bit(byte) << index;
        index += 1;
    }
    positions
}

/// Whether `byte` stays as it is: a letter, a digit, `-`, `.`, `_` or `~` (RFC 3986 §2.3).
pub(crate) fn is_unreserved(byte: u8) -> bool {
    // A table, because every byte of every signed request is looked up.
    const UNRESERVED: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0u8;
        while byte < 128 {
            table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
            byte += 1;
        }
        table
    };
    UNRESERVED[usize::from(byte)]
}

/// Appends the escape of a byte.
fn percent(byte: u8, times: Escape, out: &mut Vec<u8>) {
    let (high, low) = (upper_hex(byte >> 4), upper_hex(byte & 0x0f));
    match times {
        Escape::Once => out.extend_from_slice(&[b'%', high, low]),
        Escape::Twice => out.extend_from_slice(&[b'%', b'2', b'5', high, low]),
    }
}

fn upper_hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + (nibble - 10) }
}

/// The value of a hexadecimal digit.
fn digit(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex - b'0',
        _ => (hex | 0x20).wrapping_sub(b'a').wrapping_add(10),
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::AsciiSet;
    use percent_encoding::NON_ALPHANUMERIC;

    use super::*;

    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_byte_is_encoded_as_rfc_3986_says() {
        for byte in 0..=u8::MAX {
            let expected = percent_encoding::percent_encode(&[byte], RESERVED).to_string();
            assert_eq!(written(|out| escape(&[byte], Escape::Once, out)), expected);
        }
    }

    #[test]
    fn encoding_twice_is_encoding_what_was_encoded() {
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        let twice = escaped(&escaped(&bytes));
        assert_eq!(written(|out| escape(&bytes, Escape::Twice, out)).into_bytes(), twice);
    }

    #[test]
    fn forms_are_decoded_once_and_leniently() {
        for (form, expected) in [
            ("+b", Some((b' ', 1))),
            ("%2Bb", Some((b'+', 3))),
            ("%2541", Some((b'%', 3))),
            ("%E9", Some((0xe9, 3))),
            ("%zz", Some((b'%', 1))),
            ("%4", Some((b'%', 1))),
            ("%", Some((b'%', 1))),
            ("%%41", Some((b'%', 1))),
            (";", Some((b';', 1))),
            ("é", Some((0xc3, 1))),
            ("", None),
        ] {
            assert_eq!(decode_first(form.as_bytes()), expected, "{form}");
        }
    }

    #[test]
    fn every_pair_of_hexadecimal_digits_is_one_byte() {
        for byte in 0..=u8::MAX {
            for form in [format!("%{byte:02x}"), format!("%{byte:02X}")] {
                assert_eq!(decode_first(form.as_bytes()), Some((byte, 3)), "{form}");
            }
        }
    }

    #[test]
    fn pieces_of_any_length_are_appended() {
        let text: Vec<u8> = (0..40).collect();
        for start in 0..text.len() {
            for end in start..=text.len() {
                let mut out = vec![0xff];
                append::<16>(&text, start, end, &mut out);
                assert_eq!(out.split_first(), Some((&0xff, &text[start..end])));
            }
        }
    }

    #[test]
    fn reserved_bytes_are_found_in_texts_of_any_length() {
        for length in 0..200 {
            let text: Vec<u8> = (0..length).map(|index| if index % 7 == 3 { b'/' } else { b'a' }).collect();
            let expected: Vec<_> =
                (0..text.len()).filter(|index| index % 7 == 3).map(|index| (index, b'/')).collect();
            let mut found = Vec::new();
            for_each_reserved(&text, |index, byte| found.push((index, byte)));
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn every_reserved_byte_is_found_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for length in [1, 7, 31, 32, 33, 63, 64, 70] {
                for index in 0..length {
                    let mut text = vec![b'a'; length];
                    text[index] = byte;
                    let mut found = Vec::new();
                    for_each_reserved(&text, |index, byte| found.push((index, byte)));
                    let expected = if is_unreserved(byte) { vec![] } else { vec![(index, byte)] };
                    assert_eq!(found, expected, "{byte:#x} at {index} of {length}");
                }
            }
        }
    }

    #[test]
    fn only_letters_that_stay_are_put_in_lower_case() {
        assert_eq!(written(|out| escape_lowercase(b"[2001:DB8::1]", out)), "%5B2001%3Adb8%3A%3A1%5D");
    }
}
