//! The HMAC methods (RFC 5849 §3.4.2): HMAC-SHA1, and the same with SHA-2.

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha1::Sha1;
use sha2::Sha256;
use sha2::Sha512;

use crate::protocol::oauth1::body_hash::BodyDigest;
use crate::protocol::oauth1::signature::SharedSecrets;
use crate::protocol::oauth1::signature::SignatureMethod;
use crate::protocol::oauth1::signature::SigningKey;
use crate::protocol::oauth1::signature::append_base64;

/// `HMAC-SHA1`, the method of RFC 5849 §3.4.2 that every provider knows, and the default. What is known against SHA-1
/// does not reach HMAC.
#[derive(Clone, Copy, Debug, Default)]
pub struct HmacSha1;

/// `HMAC-SHA256`: not in RFC 5849, but what several providers ask for today (NetSuite accepts nothing less).
#[derive(Clone, Copy, Debug, Default)]
pub struct HmacSha256;

/// `HMAC-SHA512`, for the providers that have it.
#[derive(Clone, Copy, Debug, Default)]
pub struct HmacSha512;

impl SignatureMethod for HmacSha1 {
    fn name(&self) -> &str {
        "HMAC-SHA1"
    }

    fn key(&self, secrets: &SharedSecrets<'_>) -> SigningKey {
        prepared::<Hmac<Sha1>>(secrets)
    }
}

impl SignatureMethod for HmacSha256 {
    fn name(&self) -> &str {
        "HMAC-SHA256"
    }

    fn key(&self, secrets: &SharedSecrets<'_>) -> SigningKey {
        prepared::<Hmac<Sha256>>(secrets)
    }

    fn body_digest(&self) -> BodyDigest {
        BodyDigest::Sha256
    }
}

impl SignatureMethod for HmacSha512 {
    fn name(&self) -> &str {
        "HMAC-SHA512"
    }

    fn key(&self, secrets: &SharedSecrets<'_>) -> SigningKey {
        prepared::<Hmac<Sha512>>(secrets)
    }

    fn body_digest(&self) -> BodyDigest {
        BodyDigest::Sha512
    }
}

/// A key with both of HMAC's padded blocks hashed already, which is half of the work for a short message.
fn prepared<M>(secrets: &SharedSecrets<'_>) -> SigningKey
where
    M: Mac + KeyInit + Clone + Send + Sync + 'static,
{
    match <M as KeyInit>::new_from_slice(secrets.joined().expose().as_bytes()) {
        Ok(prepared) => SigningKey::new(move |message, signature| {
            let mut mac = prepared.clone();
            mac.update(message.base_string());
            append_base64(&mac.finalize().into_bytes(), signature)
        }),
        // HMAC takes keys of any length; the trait allows for others.
        Err(error) => SigningKey::new(move |_, _| Err(error.into())),
    }
}
