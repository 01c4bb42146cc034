//! PLAINTEXT (RFC 5849 §3.4.4): no signature at all, but the secrets themselves.

use crate::protocol::oauth1::signature::SharedSecrets;
use crate::protocol::oauth1::signature::SignatureMethod;
use crate::protocol::oauth1::signature::SigningKey;

/// `PLAINTEXT`: sends both secrets in place of a signature (RFC 5849 §3.4.4).
///
/// Whoever sees one request can make any other, so a layer sends it over https or to this machine only, even if it
/// was told `dangerously_allow_http()`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plaintext;

impl SignatureMethod for Plaintext {
    fn name(&self) -> &str {
        "PLAINTEXT"
    }

    fn key(&self, secrets: &SharedSecrets<'_>) -> SigningKey {
        let joined = secrets.joined();
        SigningKey::new(move |_, signature| {
            signature.extend_from_slice(joined.expose().as_bytes());
            Ok(())
        })
    }

    fn needs_base_string(&self) -> bool {
        false
    }

    fn needs_secure_channel(&self) -> bool {
        true
    }
}
