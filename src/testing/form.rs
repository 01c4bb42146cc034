//! Names and values, as queries and forms write them.

use percent_encoding::percent_decode;

/// Decoded names and values in the order of the request. Bytes, because an escape may stand for any byte and a
/// signature covers it as it is.
pub(super) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Decodes `application/x-www-form-urlencoded`: `+` is a space, `%XX` a byte, an escape that is none stays as it is.
pub(super) fn decode(encoded: &[u8]) -> Pairs {
    let pairs = encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let mut half = || decode_text(halves.next().unwrap_or_default());
            (half(), half())
        })
        .collect()
}

/// Decodes one name or value of a form.
pub(super) fn decode_text(encoded: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).collect()
}

/// The parameters of an OAuth 2 request, where each may occur once (RFC 6749 §3.1, §3.2), `resource` excepted (RFC 8707 §2).
#[derive(Clone)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Decodes a query or form.
    ///
    /// # Errors
    /// The name of a parameter that occurs twice.
    pub(super) fn once(encoded: &[u8]) -> Result<Self, String> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in decode(encoded) {
            let (name, value) = (text(&name), text(&value));
            // A parameter without a value counts as left out (RFC 6749 §3.1).
            if value.is_empty() {
                continue;
            }
            if name != "resource" && parameters.iter().any(|(known, _)| *known == name) {
                return Err(name);
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let position = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(position).1)
    }

    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Bytes as text; what is not UTF-8 becomes U+FFFD.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plus_and_escapes_are_decoded_once() {
        let pairs = decode(b"a=b+c&d%20e=%2B%2541&=x&f&&%zz=%ff");
        let expected: [(&[u8], &[u8]); 5] =
            [(b"a", b"b c"), (b"d e", b"+%41"), (b"", b"x"), (b"f", b""), (b"%zz", b"\xff")];
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        assert_eq!(pairs, expected);
    }

    #[test]
    fn a_parameter_may_occur_once() {
        assert_eq!(Parameters::once(b"a=1&b=2&a=3").err().as_deref(), Some("a"));
        let parameters = Parameters::once(b"a=&a=1").ok();
        assert_eq!(parameters.as_ref().and_then(|parameters| parameters.find("a")), Some("1"));
    }
}
