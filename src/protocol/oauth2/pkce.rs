//! Proof Key for Code Exchange (RFC 7636): only the client that asked for a code can exchange it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::Digest;
use sha2::Sha256;

use crate::secret::Secret;

/// How the code challenge is made from the code verifier (RFC 7636 §4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodeChallengeMethod {
    /// Its SHA-256 hash, so that the URL does not give the verifier away.
    #[default]
    S256,
    /// The verifier itself, for servers that cannot hash. Whoever sees the URL can then exchange the code.
    Plain,
}

impl CodeChallengeMethod {
    /// The value of `code_challenge_method`: `S256` or `plain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S256 => "S256",
            Self::Plain => "plain",
        }
    }

    /// The code challenge of a verifier.
    pub(crate) fn challenge(self, verifier: &Secret) -> String {
        match self {
            Self::S256 => URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes())),
            Self::Plain => verifier.expose().to_owned(),
        }
    }
}

/// 256 random bits as 43 characters of base64url: a code verifier as RFC 7636 §4.1 recommends it, and a `state` that nobody
/// can guess (RFC 6749 §10.10).
pub(crate) fn random() -> Secret {
    // The generator of the thread is a cryptographic one.
    Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636_appendix_b() {
        let octets = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105,
            214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let verifier = URL_SAFE_NO_PAD.encode(octets);
        assert_eq!(verifier, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let challenge = CodeChallengeMethod::S256.challenge(&Secret::new(verifier.clone()));
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(CodeChallengeMethod::Plain.challenge(&Secret::new(verifier.clone())), verifier);
    }

    #[test]
    fn a_verifier_has_43_unreserved_characters_and_is_another_one_each_time() {
        let verifier = random();
        assert_eq!(verifier.expose().len(), 43);
        let is_unreserved =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        assert!(verifier.expose().bytes().all(is_unreserved));
        assert_ne!(random(), verifier);
    }
}
