//! Signing with the crate `rsa`.

use rsa::Pkcs1v15Sign;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::rand_core;
use sha1::Digest as _;
use sha1::Sha1;
use sha2::Sha256;
use sha2::Sha512;
use tower::BoxError;

use crate::protocol::oauth1::signature::rsa::Backend;
use crate::protocol::oauth1::signature::rsa::Hash;

/// It overwrites itself when it is dropped.
pub(super) struct Key(rsa::RsaPrivateKey);

impl Key {
    /// `None` when the numbers of the key do not fit together.
    pub(super) fn read(pkcs1: &[u8]) -> Option<Self> {
        rsa::RsaPrivateKey::from_pkcs1_der(pkcs1).ok().map(Self)
    }
}

impl Backend for Key {
    fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let digest = match hash {
            Hash::Sha1 => Sha1::digest(message).to_vec(),
            Hash::Sha256 => Sha256::digest(message).to_vec(),
            Hash::Sha512 => Sha512::digest(message).to_vec(),
        };
        let scheme = Pkcs1v15Sign { hash_len: Some(digest.len()), prefix: digest_info(hash).into() };
        // With random numbers it blinds; without, anybody who can measure the time learns about the key.
        self.0.sign_with_rng(&mut Blinding, scheme, &digest).map_err(|error| error.to_string().into())
    }
}

/// What stands before the digest in a signature (RFC 8017 §9.2, note 1). The crate could make it from the hash functions
/// of a version that nothing else here uses.
fn digest_info(hash: Hash) -> &'static [u8] {
    match hash {
        Hash::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
        Hash::Sha256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        Hash::Sha512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
    }
}

/// The random generator of the thread, as the crate `rsa` wants to have one.
struct Blinding;

impl rand_core::RngCore for Blinding {
    fn next_u32(&mut self) -> u32 {
        rand::random()
    }

    fn next_u64(&mut self) -> u64 {
        rand::random()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        rand::fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        rand::fill(bytes);
        Ok(())
    }
}

impl rand_core::CryptoRng for Blinding {}
