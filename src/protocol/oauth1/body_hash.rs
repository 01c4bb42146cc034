//! `oauth_body_hash`: signing bodies that are not forms (draft-eaton-oauth-bodyhash).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Digest as _;
use sha1::Sha1;
use sha2::Sha256;
use sha2::Sha512;

/// Which requests carry an `oauth_body_hash`, a parameter with a digest of the body.
///
/// OAuth 1.0a signs no body but a form. The extension puts a digest of the body among the signed parameters; servers
/// that do not know it may refuse the request, so it is off unless asked for. The whole body has to be read for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyHash {
    /// Every request, forms and requests without a body too (the digest is then that of no bytes). Forms are signed
    /// anyway, and the draft forbids it for them. Never with [`Placement::Form`](crate::oauth1::Placement::Form), because the
    /// body would have to hold a digest of itself.
    Always,
    /// No request. The default.
    #[default]
    Never,
    /// Requests with a body that is not a form.
    NonForms,
}

impl BodyHash {
    /// Whether the body must be known before it can be said whether, and what, to send.
    pub(crate) fn needs_body(self, is_form: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::NonForms => !is_form,
        }
    }

    pub(crate) fn is_sent(self, is_form: bool, body: &[u8]) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::NonForms => !is_form && !body.is_empty(),
        }
    }
}

/// The digest in an `oauth_body_hash`.
///
/// Unless it is chosen it follows the signature method: SHA-256 for `HMAC-SHA256` and `RSA-SHA256`, SHA-512 for
/// `HMAC-SHA512` and `RSA-SHA512`, SHA-1 for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyDigest {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl BodyDigest {
    /// The digest of `body`, in base64.
    pub(crate) fn of(self, body: &[u8]) -> String {
        match self {
            Self::Sha1 => STANDARD.encode(Sha1::digest(body)),
            Self::Sha256 => STANDARD.encode(Sha256::digest(body)),
            Self::Sha512 => STANDARD.encode(Sha512::digest(body)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_draft_and_of_providers() {
        let cases = [
            (BodyDigest::Sha1, "", "2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
            (BodyDigest::Sha1, "Hello World!", "Lve95gjOVATpfV8EL5X4nxwjKHE="),
            (BodyDigest::Sha256, "", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
            (BodyDigest::Sha256, "{\"foõ\":\"bar\"}", "+Z+PWW2TJDnPvRcTgol+nKO3LT7xm8smnsg+//XMIyI="),
        ];
        for (digest, body, expected) in cases {
            assert_eq!(digest.of(body.as_bytes()), expected, "{digest:?} {body}");
        }
        assert_eq!(BodyDigest::Sha512.of(b"").len(), 88);
    }

    #[test]
    fn a_request_without_a_body_has_a_digest_only_if_every_request_has() {
        assert!(!BodyHash::NonForms.is_sent(false, b""));
        assert!(BodyHash::NonForms.is_sent(false, b"{}"));
        assert!(!BodyHash::NonForms.is_sent(true, b"a=1"));
        assert!(BodyHash::Always.is_sent(false, b"") && BodyHash::Always.is_sent(true, b"a=1"));
        assert!(!BodyHash::Never.is_sent(false, b"{}"));
    }
}
