//! Signing with AWS-LC, which blinds by itself.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use aws_lc_rs::signature::RSA_PKCS1_SHA512;
use tower::BoxError;

use crate::protocol::oauth1::signature::rsa::Backend;
use crate::protocol::oauth1::signature::rsa::Hash;

/// It overwrites itself when it is dropped.
pub(super) struct Key(KeyPair);

impl Key {
    /// `None` when the key is not one that AWS-LC takes.
    pub(super) fn read(pkcs1: &[u8]) -> Option<Self> {
        KeyPair::from_der(pkcs1).ok().map(Self)
    }
}

impl Backend for Key {
    fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let algorithm = match hash {
            #[cfg(feature = "rsa")]
            Hash::Sha1 => return Err("AWS-LC does not sign with SHA-1".into()),
            Hash::Sha256 => &RSA_PKCS1_SHA256,
            Hash::Sha512 => &RSA_PKCS1_SHA512,
        };
        let mut signature = vec![0; self.0.public_modulus_len()];
        // This random generator is asked for, and never used.
        self.0.sign(algorithm, &SystemRandom::new(), message, &mut signature)?;
        Ok(signature)
    }
}
