//! JSON Web Tokens (RFC 7519) in the compact form of RFC 7515, as far as a client makes them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Map;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::secret::Secret;

mod jwk;
mod key;
#[cfg(test)]
mod tests;

pub use key::PrivateKey;
pub use key::SecretKey;

/// How a JWT is signed: the `alg` of its header (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSA (PKCS#1 v1.5) with SHA-256.
    Rs256,
    /// RSA (PKCS#1 v1.5) with SHA-384.
    Rs384,
    /// RSA (PKCS#1 v1.5) with SHA-512.
    Rs512,
    /// RSA-PSS with SHA-256.
    Ps256,
    /// RSA-PSS with SHA-384.
    Ps384,
    /// RSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on the curve P-256, with SHA-256.
    Es256,
    /// ECDSA on the curve P-384, with SHA-384.
    Es384,
    /// ECDSA on the curve P-521, with SHA-512: for keys that are held elsewhere; a [`PrivateKey`] cannot do it.
    Es512,
    /// Ed25519.
    EdDsa,
}

impl SigningAlgorithm {
    /// The registered name, such as `RS256`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What is signed of a JWT: header and claims, encoded, with a dot between them (RFC 7515 §5.1). It is a bearer credential
/// but for its signature.
pub(crate) fn signing_input(
    algorithm: SigningAlgorithm,
    key_id: Option<&str>,
    typ: &str,
    claims: &Map<String, Value>,
) -> Zeroizing<String> {
    let mut header = Map::new();
    header.insert("alg".to_owned(), algorithm.as_str().into());
    header.insert("typ".to_owned(), typ.into());
    if let Some(key_id) = key_id {
        header.insert("kid".to_owned(), key_id.into());
    }
    let encode = |part: &Map<String, Value>| {
        // A map of texts and numbers always becomes JSON.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).unwrap_or_default())
    };
    Zeroizing::new(format!("{}.{}", encode(&header), encode(claims)))
}

/// The finished token.
pub(crate) fn with_signature(signing_input: &str, signature: &[u8]) -> Secret {
    Secret::new(format!("{signing_input}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
