//! The RSA private key in a DER text, or the name of what is there in its place.

use crate::protocol::private_key;

/// An RSA private key, in the form of PKCS#1.
#[derive(Debug)]
pub(super) struct PrivateKey<'a> {
    pub(super) pkcs1: &'a [u8],
    /// The length of its modulus.
    pub(super) bits: usize,
}

/// The private key in `der`, or what was found instead.
pub(super) fn private_key(der: &[u8]) -> Result<PrivateKey<'_>, &'static str> {
    match private_key::private_key(der)? {
        private_key::PrivateKey::Rsa { pkcs1, bits } => Ok(PrivateKey { pkcs1, bits }),
        private_key::PrivateKey::RsaPss => {
            Err("an RSA key for PSS only, which may not sign as OAuth wants it")
        }
        private_key::PrivateKey::Ec { .. } => Err("an EC key, and OAuth 1 signs with RSA"),
        private_key::PrivateKey::Dsa => Err("a DSA key, and OAuth 1 signs with RSA"),
        private_key::PrivateKey::Ed25519 | private_key::PrivateKey::Ed448 => {
            Err("an Ed25519 or Ed448 key, and OAuth 1 signs with RSA")
        }
        private_key::PrivateKey::Other => Err("a key that is not for RSA"),
    }
}
