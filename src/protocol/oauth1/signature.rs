//! Signature methods: what makes a signature of a base string (RFC 5849 §3.4.2–4).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tower::BoxError;

use crate::protocol::oauth1::body_hash::BodyDigest;
use crate::protocol::oauth1::buffer::Buffer;
use crate::protocol::oauth1::encode::Escape;
use crate::protocol::oauth1::encode::escape;
use crate::secret::Secret;

mod hmac;
mod plaintext;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
mod rsa;

pub use hmac::HmacSha1;
pub use hmac::HmacSha256;
pub use hmac::HmacSha512;
pub use plaintext::Plaintext;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
pub use rsa::RsaPrivateKey;
#[cfg(feature = "rsa")]
pub use rsa::RsaSha1;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
pub use rsa::RsaSha256;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
pub use rsa::RsaSha512;

/// A way to sign requests.
///
/// [`HmacSha1`] is the default; [`HmacSha256`], [`HmacSha512`] and [`Plaintext`] are here too, and with feature `rsa` or
/// `aws-lc-rs` the RSA methods. A provider with a method of its own is served by an implementation of this trait:
///
/// ```
/// use tower_oauth::oauth1::{Message, SharedSecrets, SignatureMethod, SigningKey};
///
/// /// The length of the base string: easily computed, and worth as much.
/// #[derive(Debug)]
/// struct Length;
///
/// impl SignatureMethod for Length {
///     fn name(&self) -> &str {
///         "X-LENGTH"
///     }
///
///     fn key(&self, _: &SharedSecrets<'_>) -> SigningKey {
///         SigningKey::new(|message: &Message<'_>, signature| {
///             signature.extend_from_slice(message.base_string().len().to_string().as_bytes());
///             Ok(())
///         })
///     }
/// }
/// ```
pub trait SignatureMethod: Send + Sync + 'static {
    /// The value of `oauth_signature_method`.
    fn name(&self) -> &str;

    /// Makes the key for a pair of secrets. Asked once for each pair and not for each request, so what depends on the
    /// secrets alone is best computed here. A method with a key of its own does not look at the secrets.
    fn key(&self, secrets: &SharedSecrets<'_>) -> SigningKey;

    /// The digest for `oauth_body_hash`, unless another is asked for. By default SHA-1.
    fn body_digest(&self) -> BodyDigest {
        BodyDigest::Sha1
    }

    /// Whether [`Message::base_string`] is looked at; [`Signer::explain`](crate::oauth1::Signer::explain) shows it only
    /// then. By default it is.
    fn needs_base_string(&self) -> bool {
        true
    }

    /// Whether [`Message::body`] is needed, so that a layer has to read every body. By default it is not.
    fn needs_body(&self) -> bool {
        false
    }

    /// Whether the signature must not be seen by others, so that a layer refuses to send it over plain http (this
    /// machine excepted) even if plain http was allowed. By default it may be seen.
    fn needs_secure_channel(&self) -> bool {
        false
    }
}

impl<M: SignatureMethod + ?Sized> SignatureMethod for Arc<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn key(&self, secrets: &SharedSecrets<'_>) -> SigningKey {
        (**self).key(secrets)
    }

    fn body_digest(&self) -> BodyDigest {
        (**self).body_digest()
    }

    fn needs_base_string(&self) -> bool {
        (**self).needs_base_string()
    }

    fn needs_body(&self) -> bool {
        (**self).needs_body()
    }

    fn needs_secure_channel(&self) -> bool {
        (**self).needs_secure_channel()
    }
}

/// The secrets that client and server share, as a [`SignatureMethod`] gets them.
#[derive(Clone, Copy)]
pub struct SharedSecrets<'a> {
    client: &'a str,
    token: &'a str,
}

impl<'a> SharedSecrets<'a> {
    pub(crate) fn new(client: &'a str, token: &'a str) -> Self {
        Self { client, token }
    }

    /// The client's secret, as it was given.
    pub fn client(&self) -> &'a str {
        self.client
    }

    /// The token's secret, as it was given; empty when there is no token.
    pub fn token(&self) -> &'a str {
        self.token
    }

    /// Both secrets, percent-encoded and joined by `&`: the key of HMAC (RFC 5849 §3.4.2) and the signature of
    /// PLAINTEXT (§3.4.4).
    pub fn joined(&self) -> Secret {
        // Room for everything to be escaped: a buffer that grows leaves copies behind.
        let mut joined = Buffer::with_room(3 * (self.client.len() + self.token.len()) + 1);
        joined.append(|out| {
            escape(self.client.as_bytes(), Escape::Once, out);
            out.text(b"&");
            escape(self.token.as_bytes(), Escape::Once, out);
        });
        // What is escaped is ASCII.
        Secret::new(String::from_utf8(joined.into_vec()).unwrap_or_default())
    }
}

impl fmt::Debug for SharedSecrets<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SharedSecrets([redacted])")
    }
}

/// What is to be signed.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    base_string: &'a [u8],
    body: &'a [u8],
}

impl<'a> Message<'a> {
    pub(crate) fn new(base_string: &'a [u8], body: &'a [u8]) -> Self {
        Self { base_string, body }
    }

    /// The signature base string (RFC 5849 §3.4.1), which is ASCII.
    pub fn base_string(&self) -> &'a [u8] {
        self.base_string
    }

    /// The request's body, if the method [needs](SignatureMethod::needs_body) it or it is a form; else empty.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}

impl fmt::Debug for Message<'_> {
    /// Lengths only, since there are tokens in a base string.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Message");
        debug.field("base_string", &self.base_string.len()).field("body", &self.body.len()).finish()
    }
}

/// A [`SignatureMethod`] together with the secrets of one pair of credentials. Clones share the key.
#[derive(Clone)]
pub struct SigningKey(Arc<Sign>);

type Sign = dyn Fn(&Message<'_>, &mut Vec<u8>) -> Result<(), BoxError> + Send + Sync;

impl SigningKey {
    /// A key that signs by calling `sign`, which appends the signature as it is before any escaping to the empty
    /// vector. An error makes the request fail with [`ErrorKind::Signature`](crate::ErrorKind::Signature).
    pub fn new<F>(sign: F) -> Self
    where
        F: Fn(&Message<'_>, &mut Vec<u8>) -> Result<(), BoxError> + Send + Sync + 'static,
    {
        Self(Arc::new(sign))
    }

    /// Appends the signature of `message`.
    ///
    /// # Errors
    /// What the method's own code fails with. Of those of this crate only the RSA methods can, if a computation went
    /// wrong.
    pub fn sign(&self, message: &Message<'_>, signature: &mut Vec<u8>) -> Result<(), BoxError> {
        (self.0)(message, signature)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey([redacted])")
    }
}

/// Appends `bytes` in base64.
pub(crate) fn append_base64(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), BoxError> {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    STANDARD.encode_slice(bytes, out.get_mut(start..).unwrap_or_default())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(method: &impl SignatureMethod, client: &str, token: &str, base_string: &str) -> String {
        let mut signature = Vec::new();
        let message = Message::new(base_string.as_bytes(), b"");
        method.key(&SharedSecrets::new(client, token)).sign(&message, &mut signature).unwrap();
        String::from_utf8(signature).unwrap()
    }

    #[test]
    fn the_key_is_both_secrets_escaped_and_always_has_an_ampersand() {
        assert_eq!(SharedSecrets::new("a&b", "%").joined().expose(), "a%26b&%25");
        assert_eq!(SharedSecrets::new("é", "").joined().expose(), "%C3%A9&");
    }

    #[test]
    fn hmac_signs_the_example_of_oauth_core_1_0_a_5() {
        let base_string = "GET&http%3A%2F%2Fphotos.example.net%2Fphotos&file%3Dvacation.jpg%26oauth_consumer_key%3D\
                           dpf43f3p2l4k3l03%26oauth_nonce%3Dkllo9940pd9333jh%26oauth_signature_method%3DHMAC-SHA1\
                           %26oauth_timestamp%3D1191242096%26oauth_token%3Dnnch734d00sl2jdk%26oauth_version%3D1.0\
                           %26size%3Doriginal";
        let signature = sign(&HmacSha1, "kd94hf93k423kf44", "pfkkdhi9sl3r4s00", base_string);
        assert_eq!(signature, "tR3+Ty81lMeYAr/Fid0kMTYa/WM=");
        let base_string = base_string.replace("HMAC-SHA1", "HMAC-SHA256");
        let signature = sign(&HmacSha256, "kd94hf93k423kf44", "pfkkdhi9sl3r4s00", &base_string);
        assert_eq!(signature, "WVPzl1j6ZsnkIjWr7e3OZ3jkenL57KwaLFhYsroX1hg=");
    }

    #[test]
    fn plaintext_is_the_joined_secrets_whatever_the_base_string() {
        assert_eq!(
            sign(&Plaintext, "djr9rjt0jd78jf88", "jjd99$tj88uiths3", "GET&"),
            "djr9rjt0jd78jf88&jjd99%24tj88uiths3"
        );
        assert_eq!(sign(&Plaintext, "djr9rjt0jd78jf88", "", ""), "djr9rjt0jd78jf88&");
    }

    #[test]
    fn a_method_can_be_chosen_at_run_time() {
        let method: Arc<dyn SignatureMethod> = Arc::new(Plaintext);
        assert_eq!(method.name(), "PLAINTEXT");
        assert_eq!(sign(&method, "a", "b", ""), "a&b");
    }

    #[test]
    fn neither_keys_nor_messages_show_what_they_hold() {
        let secrets = SharedSecrets::new("hunter2", "hunter2");
        let message = Message::new(b"hunter2", b"hunter2");
        let shown = format!("{secrets:?} {message:?} {:?}", HmacSha1.key(&secrets));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
