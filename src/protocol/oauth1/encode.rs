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
    let mut rest = bytes;
    loop {
        let (run, after) = split_unreserved(rest);
        out.extend_from_slice(run);
        let Some((&byte, after)) = after.split_first() else { return };
        escape_byte(byte, times, out);
        rest = after;
    }
}

/// Appends `bytes`, percent-encoded once, with ASCII letters in lower case.
pub(crate) fn escape_lowercase(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.iter().all(|&byte| is_unreserved(byte) && !byte.is_ascii_uppercase()) {
        // As nearly every host is.
        return out.extend_from_slice(bytes);
    }
    for &byte in bytes {
        if is_unreserved(byte) {
            out.push(byte.to_ascii_lowercase());
        } else {
            escape_byte(byte, Escape::Once, out);
        }
    }
}

/// Decodes a name or a value of a form, once, and appends it encoded twice.
///
/// `+` is a space. A `%` that no two hexadecimal digits follow stands for itself, as in the WHATWG's URL standard:
/// the RFC is silent, and a request that the HTTP client would send must not fail here.
pub(crate) fn decode_and_escape(form: &[u8], out: &mut Vec<u8>) {
    let mut rest = form;
    loop {
        let (run, after) = split_unreserved(rest);
        out.extend_from_slice(run);
        let Some((&first, after)) = after.split_first() else { return };
        let (byte, after) = match (first, after) {
            (b'+', _) => (b' ', after),
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (digit(*high) << 4 | digit(*low), after)
            }
            _ => (first, after),
        };
        if is_unreserved(byte) {
            out.push(byte);
        } else {
            escape_byte(byte, Escape::Twice, out);
        }
        rest = after;
    }
}

/// `bytes`, percent-encoded once.
pub(crate) fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    escape(bytes, Escape::Once, &mut out);
    out
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

fn split_unreserved(bytes: &[u8]) -> (&[u8], &[u8]) {
    let length = bytes.iter().position(|&byte| !is_unreserved(byte)).unwrap_or(bytes.len());
    bytes.split_at_checked(length).unwrap_or((bytes, &[]))
}

fn escape_byte(byte: u8, times: Escape, out: &mut Vec<u8>) {
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
        let cases: [(&[u8], &[u8]); 12] = [
            (b"a+b%20c", b"a b c"),
            (b"%2B", b"+"),
            (b"%2541", b"%41"),
            (b"%E9", b"\xe9"),
            (b"%e2%82%AC", "€".as_bytes()),
            (b"\xc3\xa9", "é".as_bytes()),
            (b"%zz", b"%zz"),
            (b"100%", b"100%"),
            (b"%4", b"%4"),
            (b"%%41", b"%A"),
            (b"a;b", b"a;b"),
            (b"%7Ea%5fb", b"~a_b"),
        ];
        for (form, decoded) in cases {
            let found = written(|out| decode_and_escape(form, out));
            assert_eq!(found, written(|out| escape(decoded, Escape::Twice, out)), "{}", form.escape_ascii());
        }
    }

    #[test]
    fn every_pair_of_hexadecimal_digits_is_one_byte() {
        for byte in 0..=u8::MAX {
            for form in [format!("%{byte:02x}"), format!("%{byte:02X}")] {
                let found = written(|out| decode_and_escape(form.as_bytes(), out));
                assert_eq!(found, written(|out| escape(&[byte], Escape::Twice, out)), "{form}");
            }
        }
    }

    #[test]
    fn only_letters_that_stay_are_put_in_lower_case() {
        assert_eq!(written(|out| escape_lowercase(b"[2001:DB8::1]", out)), "%5B2001%3Adb8%3A%3A1%5D");
    }
}
