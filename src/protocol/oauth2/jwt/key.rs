//! Keys in memory, and signing with them.
//!
//! The crate `jsonwebtoken` chooses its cryptography for the whole process, and panics when both of its backends are in
//! the final program, or none: a matter of other people's features. So nothing here goes through that choice. The backends
//! are called by their names.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;

use jsonwebtoken::Algorithm;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::CryptoProvider;
#[cfg(feature = "aws-lc-rs")]
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
#[cfg(not(feature = "aws-lc-rs"))]
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use zeroize::Zeroizing;

use crate::error::ConfigError;
use crate::protocol::der;
use crate::protocol::oauth2::jwt::SigningAlgorithm;
use crate::protocol::oauth2::jwt::jwk;
use crate::protocol::pem;
use crate::protocol::private_key;
use crate::secret::Secret;

/// Bits of a modulus: RFC 7518 §3.3 wants 2048 at least; above the most, a signature takes seconds.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

static PROVIDER: &CryptoProvider = &DEFAULT_PROVIDER;

/// A private key in memory: RSA, EC (P-256, P-384) or Ed25519.
///
/// | key | signs with, unless it is told another | also |
/// |---|---|---|
/// | RSA, 2048 to 8192 bits | RS256 | RS384, RS512, PS256, PS384, PS512 |
/// | EC on P-256 | ES256 | |
/// | EC on P-384 | ES384 | |
/// | Ed25519 | EdDSA | |
///
/// It is read from PEM or DER, as PKCS#8, PKCS#1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`), without a password, or
/// from a JWK (RFC 7517). It is tried out when it is read, so that a key that cannot sign is found before it is needed.
/// Clones share the key, which is overwritten when the last of them is dropped. A key that never leaves a key management
/// service is a [`SigningKey`](crate::endpoint::SigningKey) of your own.
///
/// Signatures are made by pure Rust, or by AWS-LC with the feature `aws-lc-rs`. The former does not take the same time
/// for all RSA keys ([RUSTSEC-2023-0071]); what it computes with is blinded by fresh random numbers.
///
/// ```
/// use tower_oauth::endpoint::{PrivateKey, SigningAlgorithm};
///
/// # let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/keys/rsa2048-a.pem");
/// let key = PrivateKey::from_pem(std::fs::read(file)?)?
///     .with_algorithm(SigningAlgorithm::Ps256)?
///     .with_key_id("2026-01");
/// assert_eq!(format!("{key:?}"), "PrivateKey([redacted], PS256)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [RUSTSEC-2023-0071]: https://rustsec.org/advisories/RUSTSEC-2023-0071.html
#[derive(Clone)]
pub struct PrivateKey {
    key: Arc<EncodingKey>,
    algorithm: SigningAlgorithm,
    key_id: Option<Arc<str>>,
}

impl PrivateKey {
    /// Reads a PEM text: `BEGIN PRIVATE KEY`, `BEGIN RSA PRIVATE KEY` or `BEGIN EC PRIVATE KEY`. Of several blocks the first
    /// with a private key counts.
    ///
    /// # Errors
    /// [`ConfigError::UnusableSigningKey`], which says what was found instead.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::read(&pem::decode(pem.as_ref()).map_err(unusable)?)
    }

    /// Reads the binary form: PKCS#8, PKCS#1 or SEC 1.
    ///
    /// # Errors
    /// [`ConfigError::UnusableSigningKey`], which says what was found instead.
    pub fn from_der(der: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let der = der.as_ref();
        if pem::is_pem(der) {
            return Err(unusable("PEM, which `from_pem` reads"));
        }
        Self::read(der)
    }

    /// Reads a JWK (RFC 7517, RFC 7518 §6, RFC 8037): its `alg` and `kid` are taken over, where it has them.
    ///
    /// # Errors
    /// [`ConfigError::UnusableSigningKey`], which says what was found instead.
    pub fn from_jwk(json: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let jwk = jwk::read(json.as_ref()).map_err(unusable)?;
        let mut key = Self::read(&jwk.der)?;
        if let Some(algorithm) = jwk.algorithm {
            key = key.with_algorithm(algorithm)?;
        }
        key.key_id = jwk.key_id.map(Into::into);
        Ok(key)
    }

    /// Signs with `algorithm`.
    ///
    /// # Errors
    /// [`ConfigError::UnusableSigningKey`] when the key is not for it.
    pub fn with_algorithm(self, algorithm: SigningAlgorithm) -> Result<Self, ConfigError> {
        let is_rsa = |algorithm| {
            use SigningAlgorithm::*;
            matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512)
        };
        if algorithm != self.algorithm && !(is_rsa(algorithm) && is_rsa(self.algorithm)) {
            return Err(unusable(format!("a key for {}, which {algorithm} cannot use", self.algorithm)));
        }
        Ok(Self { algorithm, ..self })
    }

    /// Says in the header of each JWT which key it is (`kid`), so that the server finds it among several.
    pub fn with_key_id(self, key_id: impl Into<String>) -> Self {
        Self { key_id: Some(key_id.into().into()), ..self }
    }

    /// What it signs with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// The `kid` of the header.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        sign(&self.key, self.algorithm, message)
    }

    fn read(der: &[u8]) -> Result<Self, ConfigError> {
        let (key, algorithm) = match private_key::private_key(der).map_err(unusable)? {
            private_key::PrivateKey::Rsa { bits, .. } if !RSA_BITS.contains(&bits) => {
                let (least, most) = RSA_BITS.into_inner();
                return Err(unusable(format!(
                    "an RSA key of {bits} bits, where {least} to {most} can be used"
                )));
            }
            private_key::PrivateKey::Rsa { pkcs1, .. } => {
                (EncodingKey::from_rsa_der(pkcs1), SigningAlgorithm::Rs256)
            }
            private_key::PrivateKey::Ec { curve: der::P256, sec1 } => {
                (EncodingKey::from_ec_der(&pkcs8(der::P256, sec1)), SigningAlgorithm::Es256)
            }
            private_key::PrivateKey::Ec { curve: der::P384, sec1 } => {
                (EncodingKey::from_ec_der(&pkcs8(der::P384, sec1)), SigningAlgorithm::Es384)
            }
            private_key::PrivateKey::Ec { .. } => {
                return Err(unusable("an EC key that is neither on the curve P-256 nor on P-384"));
            }
            private_key::PrivateKey::Ed25519 => (EncodingKey::from_ed_der(der), SigningAlgorithm::EdDsa),
            private_key::PrivateKey::RsaPss => {
                return Err(unusable(
                    "an RSA key whose PKCS#8 says that it is for PSS only (`openssl pkey -traditional` writes it as PKCS#1)",
                ));
            }
            private_key::PrivateKey::Dsa => return Err(unusable("a DSA key, which no JWT is signed with")),
            private_key::PrivateKey::Ed448 => return Err(unusable("an Ed448 key")),
            private_key::PrivateKey::Other => return Err(unusable("a key of an unknown kind")),
        };
        let key = Self { key: Arc::new(key), algorithm, key_id: None };
        match key.sign(b"a first attempt") {
            Ok(_) => Ok(key),
            Err(_) => Err(unusable(format!("a key for {algorithm} whose numbers do not fit together"))),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PrivateKey([redacted], {})", self.algorithm)
    }
}

/// A secret that client and server share, as the key of an HMAC: what `client_secret_jwt` signs with.
///
/// ```
/// use tower_oauth::endpoint::{SecretKey, SigningAlgorithm};
///
/// let key = SecretKey::new("a client secret of 32 bytes, or more").with_algorithm(SigningAlgorithm::Hs512)?;
/// assert_eq!(format!("{key:?}"), "SecretKey([redacted], HS512)");
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct SecretKey {
    secret: Secret,
    algorithm: SigningAlgorithm,
}

impl SecretKey {
    /// Signs with HS256. The secret's UTF-8 bytes are the key (OpenID Connect Core §10.1).
    pub fn new(secret: impl Into<Secret>) -> Self {
        Self { secret: secret.into(), algorithm: SigningAlgorithm::Hs256 }
    }

    /// Signs with `algorithm`: HS256, HS384 or HS512.
    ///
    /// # Errors
    /// [`ConfigError::UnusableSigningKey`] for any other algorithm.
    pub fn with_algorithm(self, algorithm: SigningAlgorithm) -> Result<Self, ConfigError> {
        use SigningAlgorithm::*;
        if !matches!(algorithm, Hs256 | Hs384 | Hs512) {
            return Err(unusable(format!("a shared secret, which {algorithm} cannot use")));
        }
        Ok(Self { algorithm, ..self })
    }

    /// What it signs with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        sign(&EncodingKey::from_secret(self.secret.expose().as_bytes()), self.algorithm, message)
    }
}

impl From<Secret> for SecretKey {
    fn from(secret: Secret) -> Self {
        Self::new(secret)
    }
}

impl From<&str> for SecretKey {
    fn from(secret: &str) -> Self {
        Self::new(secret)
    }
}

impl From<String> for SecretKey {
    fn from(secret: String) -> Self {
        Self::new(secret)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretKey([redacted], {})", self.algorithm)
    }
}

fn sign(key: &EncodingKey, algorithm: SigningAlgorithm, message: &[u8]) -> Result<Vec<u8>, String> {
    let algorithm = match algorithm {
        SigningAlgorithm::Hs256 => Algorithm::HS256,
        SigningAlgorithm::Hs384 => Algorithm::HS384,
        SigningAlgorithm::Hs512 => Algorithm::HS512,
        SigningAlgorithm::Rs256 => Algorithm::RS256,
        SigningAlgorithm::Rs384 => Algorithm::RS384,
        SigningAlgorithm::Rs512 => Algorithm::RS512,
        SigningAlgorithm::Ps256 => Algorithm::PS256,
        SigningAlgorithm::Ps384 => Algorithm::PS384,
        SigningAlgorithm::Ps512 => Algorithm::PS512,
        SigningAlgorithm::Es256 => Algorithm::ES256,
        SigningAlgorithm::Es384 => Algorithm::ES384,
        SigningAlgorithm::EdDsa => Algorithm::EdDSA,
        SigningAlgorithm::Es512 => return Err("ES512 is for keys that are held elsewhere".to_owned()),
    };
    // The RSA signer of pure Rust panics when the numbers of a key turn out not to be primes.
    let signed = catch_unwind(AssertUnwindSafe(|| {
        let signer = (PROVIDER.signer_factory)(&algorithm, key).map_err(|error| error.to_string())?;
        signer.try_sign(message).map_err(|error| error.to_string())
    }));
    signed.unwrap_or_else(|_| Err("the numbers of the key do not fit together".to_owned()))
}

/// Wraps an ECPrivateKey into PKCS#8, the only form that both backends read.
fn pkcs8(curve: &[u8], sec1: &[u8]) -> Zeroizing<Vec<u8>> {
    let algorithm = der::element(
        der::SEQUENCE,
        &[&der::element(der::OBJECT_IDENTIFIER, &[der::EC]), &der::element(der::OBJECT_IDENTIFIER, &[curve])],
    );
    der::element(der::SEQUENCE, &[&der::integer(&[0]), &algorithm, &der::element(der::OCTET_STRING, &[sec1])])
}

fn unusable(found: impl Into<String>) -> ConfigError {
    ConfigError::UnusableSigningKey { found: found.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_those_of_the_table() {
        let (least, most) = RSA_BITS.into_inner();
        crate::defaults::assert_documented(
            "bits of an RSA key that signs JWTs",
            format!("{least} to {most}"),
        );
    }
}
