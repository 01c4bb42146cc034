//! Percent-encoding (RFC 5849 §3.6) and the decoding of forms (§3.4.1.3.1).
//!
//! All of it works on bytes: `%E9` is the byte E9, whether or not it makes sense as text. A byte that is decoded and
//! encoded again is therefore always the byte that was sent.

use crate::protocol::oauth1::buffer::Buffer;
use crate::protocol::oauth1::buffer::Writer;
use crate::protocol::oauth1::buffer::copy;
use crate::protocol::oauth1::buffer::overwrite;

/// How often a text is encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Escape {
    /// As parameters travel: `é` is `%C3%A9`.
    Once,
    /// As parameters stand in the base string, where the encoded parameters are encoded as a whole: `%25C3%25A9`.
    Twice,
}

/// What stands for a byte: the last of these is how many of the first count.
type Escaped = [u8; 8];

/// For each byte what stands for it.
static ONCE: [Escaped; 256] = escapes(Escape::Once);
static TWICE: [Escaped; 256] = escapes(Escape::Twice);

/// The value of each hexadecimal digit; for every other byte more than any digit's.
static DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < 16 {
        digits[upper_hex(digit) as usize] = digit;
        digits[upper_hex(digit).to_ascii_lowercase() as usize] = digit;
        digit += 1;
    }
    digits
};
const NO_DIGIT: u8 = 0xff;

/// What is looked at as a whole.
const SHORT: usize = 32;

/// Appends `bytes`, percent-encoded.
pub(crate) fn escape(bytes: &[u8], times: Escape, out: &mut Writer<'_>) {
    if bytes.len() > SHORT {
        return escape_long(bytes, times, out);
    }
    // With letters behind it, it can be looked at as a whole, and copied from in pieces of a fixed size.
    let mut padded = [b'a'; 2 * SHORT];
    if let Some(to) = padded.get_mut(..bytes.len()) {
        copy(bytes, to);
    }
    // A variable of its own is kept in registers.
    let mut writer = std::mem::take(out);
    let mut done = 0;
    let mut positions = padded.first_chunk().map_or(0, reserved_of);
    while positions != 0 {
        let index = positions.trailing_zeros() as usize;
        positions &= positions - 1;
        let Some(&byte) = padded.get(index) else { break };
        writer.part::<16>(&padded, done, index);
        escape_byte(byte, times, &mut writer);
        done = index + 1;
    }
    writer.part::<SHORT>(&padded, done, bytes.len());
    *out = writer;
    // It may have been a secret.
    overwrite(&mut padded);
}

/// The same for more than [`SHORT`] bytes.
#[inline(never)]
fn escape_long(bytes: &[u8], times: Escape, out: &mut Writer<'_>) {
    for chunk in bytes.chunks(SHORT) {
        escape(chunk, times, out);
    }
}

/// Appends `bytes`, percent-encoded once, with ASCII letters in lower case.
pub(crate) fn escape_lowercase(bytes: &[u8], out: &mut Writer<'_>) {
    for byte in bytes {
        escape_byte(byte.to_ascii_lowercase(), Escape::Once, out);
    }
}

/// Appends one byte, percent-encoded.
#[inline(always)]
pub(crate) fn escape_byte(byte: u8, times: Escape, out: &mut Writer<'_>) {
    let escapes = match times {
        Escape::Once => &ONCE,
        Escape::Twice => &TWICE,
    };
    let escaped = &escapes[usize::from(byte)];
    let [.., length] = *escaped;
    // That it is less than 8 is said for the compiler.
    let length = usize::from(length & 7);
    if !out.fill::<8>(|to| (*to = *escaped, length).1) {
        out.exactly(escaped.get(..length).unwrap_or_default());
    }
}

/// `bytes`, percent-encoded once.
pub(crate) fn escaped(bytes: &[u8]) -> Vec<u8> {
    // Room for everything to be escaped: a buffer that grows leaves copies behind.
    let mut out = Buffer::with_room(3 * bytes.len());
    out.append(|out| escape(bytes, Escape::Once, out));
    out.into_vec()
}

/// The first byte of what stands in a query or a form, decoded, and what comes behind it.
///
/// `+` is a space. A `%` that no two hexadecimal digits follow stands for itself, as in the WHATWG's URL standard:
/// the RFC is silent, and a request that the HTTP client would send must not fail here.
#[inline(always)]
pub(crate) fn decode_first(form: &[u8]) -> Option<(u8, &[u8])> {
    match form {
        [b'%', high, low, rest @ ..] => {
            let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
            if high | low < 16 {
                Some((high << 4 | low, rest))
            } else {
                form.split_first().map(|(byte, rest)| (*byte, rest))
            }
        }
        [b'+', rest @ ..] => Some((b' ', rest)),
        [byte, rest @ ..] => Some((*byte, rest)),
        [] => None,
    }
}

/// The bytes that are not unreserved, and their positions, of a text that has so many unreserved bytes at its end that
/// nothing is missed when it is looked at in chunks of 32.
pub(crate) struct Reserved<'a> {
    text: &'a [u8],
    /// Where the chunk starts.
    start: usize,
    /// Those of the chunk, as bits.
    positions: u32,
}

impl<'a> Reserved<'a> {
    /// Those from `start` on.
    pub(crate) fn of(text: &'a [u8], start: usize) -> Self {
        let chunk = text.get(start..).and_then(<[u8]>::first_chunk);
        Self { text, start, positions: chunk.map_or(0, reserved_of) }
    }
}

impl Iterator for Reserved<'_> {
    type Item = (usize, u8);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        while self.positions == 0 {
            self.start += 32;
            self.positions = reserved_of(self.text.get(self.start..)?.first_chunk()?);
        }
        let index = self.start + self.positions.trailing_zeros() as usize;
        self.positions &= self.positions - 1;
        Some((index, *self.text.get(index)?))
    }
}

/// The positions of the bytes that are not unreserved, as bits.
///
/// They are found for 32 bytes at a time: where a name or a value ends cannot be foreseen, and a processor that guesses
/// wrongly takes longer than one that looks at every byte in the same way. Without a table, and as many as the compiler
/// does not unroll: so it looks at sixteen at once.
#[inline]
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

/// Whether each of at most 32 bytes is one that a `Host` header usually has: a small letter, a digit, `.` or `-`.
///
/// Every byte is looked at, even behind one that is another: that goes for many at once.
pub(crate) fn are_plain(bytes: &[u8]) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() | byte.is_ascii_digit() | (byte == b'.') | (byte == b'-');
    let mut padded = [b'a'; SHORT];
    if let Some(to) = padded.get_mut(..bytes.len()) {
        copy(bytes, to);
    }
    padded.iter().fold(bytes.len() <= SHORT, |all, &byte| all & is_plain(byte))
}

/// Whether `byte` stays as it is: a letter, a digit, `-`, `.`, `_` or `~` (RFC 3986 §2.3).
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

const fn escapes(times: Escape) -> [Escaped; 256] {
    let mut escapes = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (high, low) = (upper_hex((byte >> 4) as u8), upper_hex((byte & 0x0f) as u8));
        escapes[byte] = match times {
            _ if is_unreserved(byte as u8) => [byte as u8, 0, 0, 0, 0, 0, 0, 1],
            Escape::Once => [b'%', high, low, 0, 0, 0, 0, 3],
            Escape::Twice => [b'%', b'2', b'5', high, low, 0, 0, 5],
        };
        byte += 1;
    }
    escapes
}

const fn upper_hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + (nibble - 10) }
}

#[cfg(test)]
mod tests {
    use percent_encoding::AsciiSet;
    use percent_encoding::NON_ALPHANUMERIC;

    use super::*;

    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

    fn written(write: impl FnMut(&mut Writer<'_>)) -> String {
        let mut out = Buffer::default();
        out.append(write);
        String::from_utf8(out.into_vec()).unwrap()
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
            ("+b", Some((b' ', "b"))),
            ("%2Bb", Some((b'+', "b"))),
            ("%2541", Some((b'%', "41"))),
            ("%E9", Some((0xe9, ""))),
            ("%zz", Some((b'%', "zz"))),
            ("%4g", Some((b'%', "4g"))),
            ("%g4", Some((b'%', "g4"))),
            ("%4", Some((b'%', "4"))),
            ("%", Some((b'%', ""))),
            ("%%41", Some((b'%', "%41"))),
            (";", Some((b';', ""))),
            ("", None),
        ] {
            let expected = expected.map(|(byte, rest)| (byte, rest.as_bytes()));
            assert_eq!(decode_first(form.as_bytes()), expected, "{form}");
        }
    }

    #[test]
    fn every_pair_of_hexadecimal_digits_is_one_byte() {
        for byte in 0..=u8::MAX {
            for form in [format!("%{byte:02x}"), format!("%{byte:02X}")] {
                assert_eq!(decode_first(form.as_bytes()), Some((byte, &b""[..])), "{form}");
            }
        }
    }

    #[test]
    fn texts_of_any_length_are_encoded() {
        for length in 0..200 {
            let text: String = (0..length).map(|index| if index % 7 == 3 { '/' } else { 'a' }).collect();
            let expected = text.replace('/', "%2F");
            assert_eq!(written(|out| escape(text.as_bytes(), Escape::Once, out)), expected);
        }
    }

    #[test]
    fn every_reserved_byte_is_found_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for length in [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 70] {
                for index in 0..length {
                    let mut text = vec![b'a'; length + 32];
                    text[index] = byte;
                    let found: Vec<_> = Reserved::of(&text, 0).collect();
                    let expected = if is_unreserved(byte) { vec![] } else { vec![(index, byte)] };
                    assert_eq!(found, expected, "{byte:#x} at {index} of {length}");
                }
            }
        }
    }

    #[test]
    fn hosts_are_plain_or_not_whatever_their_length() {
        for length in 0..=SHORT {
            let mut host = vec![b'a'; length];
            assert!(are_plain(&host));
            for index in 0..length {
                for (byte, expected) in
                    [(b'.', true), (b'-', true), (b'7', true), (b'A', false), (b':', false)]
                {
                    host[index] = byte;
                    assert_eq!(are_plain(&host), expected);
                }
                host[index] = b'a';
            }
        }
    }

    #[test]
    fn only_letters_that_stay_are_put_in_lower_case() {
        assert_eq!(written(|out| escape_lowercase(b"[2001:DB8::1]", out)), "%5B2001%3Adb8%3A%3A1%5D");
    }
}
