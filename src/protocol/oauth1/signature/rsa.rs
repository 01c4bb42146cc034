//! The RSA methods (RFC 5849 §3.4.3): PKCS#1 v1.5 signatures with SHA-1, and the same with SHA-2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tower::BoxError;

use crate::protocol::oauth1::body_hash::BodyDigest;
use crate::protocol::oauth1::signature::SharedSecrets;
use crate::protocol::oauth1::signature::SignatureMethod;
use crate::protocol::oauth1::signature::SigningKey;

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
mod der;
mod key;
#[cfg(feature = "rsa")]
mod rust_crypto;

pub use key::RsaPrivateKey;

/// `RSA-SHA1`: the RSA method of RFC 5849 §3.4.3.
///
/// The signature is PKCS#1 v1.5 with SHA-1, against which collisions are known; prefer [`RsaSha256`] where the server
/// knows it. The secrets of client and token are not used, but the token's identifier is.
///
/// With feature `rsa` only: AWS-LC signs nothing with SHA-1. That crate is named in [RUSTSEC-2023-0071]: how long a
/// private-key operation takes depends on the key. Each signature is blinded with fresh random numbers, which hides
/// what is computed from those who measure; the crate's authors promise no more than that.
///
/// [RUSTSEC-2023-0071]: https://rustsec.org/advisories/RUSTSEC-2023-0071.html
#[cfg(feature = "rsa")]
#[derive(Clone, Debug)]
pub struct RsaSha1 {
    key: RsaPrivateKey,
}

/// `RSA-SHA256`: not in RFC 5849, but what providers with RSA ask for today.
///
/// The signature is PKCS#1 v1.5 with SHA-256. The secrets of client and token are not used.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use tower_oauth::oauth1::{Credentials, RsaPrivateKey, RsaSha256, Signer};
///
/// # let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/keys/rsa2048-a.pem");
/// let key = RsaPrivateKey::from_pem(std::fs::read(file)?)?;
/// let signer = Signer::new(Credentials::without_secret("client")).signature_method(RsaSha256::new(key));
///
/// let mut request = Request::get("https://api.example.com/accounts").body(Bytes::new())?;
/// signer.sign(&mut request)?;
/// assert!(request.headers()["authorization"].to_str()?.contains(r#"oauth_signature_method="RSA-SHA256""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// With feature `aws-lc-rs`, AWS-LC signs, which takes a quarter of the time; else the crate `rsa`, of which
/// [`RsaPrivateKey`] says more. The signatures are the same.
#[derive(Clone, Debug)]
pub struct RsaSha256 {
    key: RsaPrivateKey,
}

/// `RSA-SHA512`, for the providers that have it. As [`RsaSha256`] in everything else.
#[derive(Clone, Debug)]
pub struct RsaSha512 {
    key: RsaPrivateKey,
}

/// A hash function under a signature.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hash {
    #[cfg(feature = "rsa")]
    Sha1,
    Sha256,
    Sha512,
}

/// Code that signs with a private key.
trait Backend: Send + Sync {
    /// The signature of `message`, as long as the key's modulus.
    fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, BoxError>;
}

#[cfg(feature = "rsa")]
impl RsaSha1 {
    /// Signs with `key`.
    pub fn new(key: RsaPrivateKey) -> Self {
        Self { key }
    }
}

impl RsaSha256 {
    /// Signs with `key`.
    pub fn new(key: RsaPrivateKey) -> Self {
        Self { key }
    }
}

impl RsaSha512 {
    /// Signs with `key`.
    pub fn new(key: RsaPrivateKey) -> Self {
        Self { key }
    }
}

#[cfg(feature = "rsa")]
impl SignatureMethod for RsaSha1 {
    fn name(&self) -> &str {
        "RSA-SHA1"
    }

    fn key(&self, _: &SharedSecrets<'_>) -> SigningKey {
        signing_key(&self.key, Hash::Sha1)
    }
}

impl SignatureMethod for RsaSha256 {
    fn name(&self) -> &str {
        "RSA-SHA256"
    }

    fn key(&self, _: &SharedSecrets<'_>) -> SigningKey {
        signing_key(&self.key, Hash::Sha256)
    }

    fn body_digest(&self) -> BodyDigest {
        BodyDigest::Sha256
    }
}

impl SignatureMethod for RsaSha512 {
    fn name(&self) -> &str {
        "RSA-SHA512"
    }

    fn key(&self, _: &SharedSecrets<'_>) -> SigningKey {
        signing_key(&self.key, Hash::Sha512)
    }

    fn body_digest(&self) -> BodyDigest {
        BodyDigest::Sha512
    }
}

fn signing_key(key: &RsaPrivateKey, hash: Hash) -> SigningKey {
    let backend = key.backend(hash);
    SigningKey::new(move |message, signature| {
        let bytes = backend.sign(hash, message.base_string())?;
        signature.extend_from_slice(STANDARD.encode(bytes).as_bytes());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::pem;

    #[cfg(feature = "rsa")]
    const SHORT: &str = include_str!("../../../../tests/oauth1_rsa/keys/rsa1024.pem");
    const LONG: &str = include_str!("../../../../tests/vectors/keys/rsa2048-a.pem");

    fn sign(pem: &str, hash: Hash, message: &[u8]) -> String {
        let key = RsaPrivateKey::from_pem(pem).unwrap();
        STANDARD.encode(key.backend(hash).sign(hash, message).unwrap())
    }

    #[test]
    fn signatures_are_those_that_openssl_makes() {
        let message = b"GET&base&string";
        assert!(
            sign(LONG, Hash::Sha256, message).starts_with("SUVwd6rOD8Osx3rwYWBLAdDkMD9KQKLOTArchJOLbuTQyQH5")
        );
        assert!(
            sign(LONG, Hash::Sha512, message).starts_with("FJ820okG2ioTz/98IlnJtpZ/giUS9zBAraHklkcGs0y2UlwS")
        );
    }

    #[cfg(feature = "rsa")]
    #[test]
    fn signatures_of_short_keys_and_with_sha_1_are_too() {
        let message = b"GET&base&string";
        assert!(
            sign(LONG, Hash::Sha1, message).starts_with("FLf91g8Dxa8B43pABAZ9URx5StGYS/DOO+NjSC0dCI0pqtkV")
        );
        assert!(
            sign(SHORT, Hash::Sha1, message).starts_with("YMaPCRPCT81YZfWufpMfweKqQ/ecgRUOsVdK9x14oZwZ+2Sh")
        );
        assert!(
            sign(SHORT, Hash::Sha256, message)
                .starts_with("WttM0OoHf/o5iLJO9p3rDt1BzmLFeAMZX/2UuzamhNyaY+jy")
        );
        assert!(
            sign(SHORT, Hash::Sha512, message)
                .starts_with("hdeHp6XG41EIeFIBnBchaUrT7G9uxByllLUlkB/8Of+eGzXT")
        );
    }

    #[cfg(all(feature = "rsa", feature = "aws-lc-rs"))]
    #[test]
    fn both_backends_make_the_same_signatures() {
        let pkcs8 = pem::decode(LONG.as_bytes()).unwrap();
        let key = der::private_key(&pkcs8).unwrap();
        let backends: [Box<dyn Backend>; 2] = [
            Box::new(rust_crypto::Key::read(key.pkcs1).unwrap()),
            Box::new(aws_lc::Key::read(key.pkcs1).unwrap()),
        ];
        for length in 0..40 {
            for hash in [Hash::Sha256, Hash::Sha512] {
                let message = vec![b'm'; 7 * length];
                let [one, other] = backends.each_ref().map(|backend| backend.sign(hash, &message).unwrap());
                assert!(one == other, "{hash:?} of {} bytes", message.len());
            }
        }
    }
}
