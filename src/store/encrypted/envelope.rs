//! An encrypted record as text.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// The version that [`Envelope::write`] writes.
const VERSION: &str = "1";

/// `1.KEY.TEXT`, where `TEXT` is the nonce, the encrypted record and its tag, in base64 for URLs without padding.
#[derive(Debug, PartialEq)]
pub(super) struct Envelope<'a> {
    pub(super) key_id: &'a str,
    pub(super) nonce: [u8; 24],
    pub(super) sealed: Vec<u8>,
}

impl<'a> Envelope<'a> {
    pub(super) fn write(&self) -> String {
        let bytes = [&self.nonce, &*self.sealed].concat();
        format!("{VERSION}.{}.{}", self.key_id, BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// `None` if it is something else, or of a later version.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (key_id, text) = text.strip_prefix(VERSION)?.strip_prefix('.')?.split_once('.')?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk()?;
        Some(Self { key_id, nonce: *nonce, sealed: sealed.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let envelope = Envelope { key_id: "2024-07", nonce: [7; 24], sealed: b"sealed".to_vec() };
        let text = envelope.write();
        assert!(text.starts_with("1.2024-07.BwcH"), "{text}");
        assert_eq!(Envelope::parse(&text), Some(envelope));
    }

    #[test]
    fn what_is_no_envelope_is_not_read() {
        for text in ["", "1", "1.a", "2.a.BwcH", "1.a.BwcH", "1.a.????", "{}"] {
            assert_eq!(Envelope::parse(text), None, "{text}");
        }
    }
}
