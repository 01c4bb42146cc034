//! What was signed, for comparing with what a provider got.

use std::fmt;

use percent_encoding::percent_decode;

use crate::protocol::oauth1::encode::escaped;
use crate::protocol::oauth1::scratch::Scratch;
use crate::protocol::oauth1::signature::SignatureMethod;
use crate::secret::REDACTED;
use crate::secret::Secret;

/// What went into a signature, as [`Signer::explain`](super::Signer::explain) gives it.
///
/// Most providers that refuse a signature can be made to print the base string that they computed, or the parameters
/// that they saw. The first difference from these is the mistake.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use tower_oauth::oauth1::{Credentials, Signer};
///
/// let signer = Signer::new(Credentials::new("client", "secret").token("hush", "token secret"))
///     .nonce_fn(|| "chapoH".to_owned());
/// let mut request = Request::get("http://photos.example.net/photos?size=original").body(Bytes::new())?;
/// let explanation = signer.explain(&mut request)?;
///
/// println!("{explanation}");
/// # let printed = explanation.to_string();
/// assert!(printed.contains("GET&http%3A%2F%2Fphotos.example.net%2Fphotos&oauth_consumer_key%3Dclient%26"));
/// assert!(printed.contains("oauth_token%3D[redacted]%26") && printed.contains("\n  size=original\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is left out
/// The secrets of client and token are in no base string, and a private key is not either: nothing here would give them
/// away, but for the signature of `PLAINTEXT`. A base string does hold whatever is in query and form, and all
/// protocol parameters. `Display`, `Debug` and [`parameters`](Self::parameters) therefore have `[redacted]` in the place
/// of
/// - the values of `oauth_token`, `oauth_verifier` and `oauth_session_handle`, and of every parameter with `password`,
///   `passwd`, `secret` or `token` in its name, in any case (`x_auth_password` of xAuth is one);
/// - the signature of `PLAINTEXT`, and of any other method that [needs a secure
///   channel](super::SignatureMethod::needs_secure_channel).
///
/// Everything else of query and form is there as it is. [`base_string`](Self::base_string) and
/// [`signature`](Self::signature) have the whole texts; who asks for them decides where they go.
#[derive(Clone)]
pub struct Explanation {
    signature_method: String,
    signs_base_string: bool,
    shows_signature: bool,
    base_string: Secret,
    /// The request's method and the base string URI, as they are before they are encoded for the base string.
    method: String,
    uri: String,
    /// The parameters as RFC 5849 §3.4.1.3.2 has them: encoded once, sorted, joined.
    parameters: Secret,
    signature: Secret,
}

impl Explanation {
    /// Says what is in `scratch`, of which a signature was just made.
    pub(super) fn new(method: &dyn SignatureMethod, scratch: &Scratch) -> Self {
        let mut parts = scratch.base_string.as_slice().splitn(3, |&byte| byte == b'&');
        let mut decoded = || text(percent_decode(parts.next().unwrap_or_default()).collect());
        Self {
            signature_method: method.name().to_owned(),
            signs_base_string: method.needs_base_string(),
            shows_signature: !method.needs_secure_channel(),
            base_string: Secret::new(text(scratch.base_string.as_slice().to_owned())),
            method: decoded(),
            uri: decoded(),
            parameters: Secret::new(decoded()),
            signature: Secret::new(text(scratch.signature.clone())),
        }
    }

    /// The name of the signature method.
    pub fn signature_method(&self) -> &str {
        &self.signature_method
    }

    /// The whole signature base string (RFC 5849 §3.4.1); `None` for a method that [does not look at
    /// it](super::SignatureMethod::needs_base_string), as `PLAINTEXT`.
    pub fn base_string(&self) -> Option<&Secret> {
        Some(&self.base_string).filter(|_| self.signs_base_string)
    }

    /// The scheme, host and path that the server should find (RFC 5849 §3.4.1.2).
    pub fn base_string_uri(&self) -> &str {
        &self.uri
    }

    /// The names and values of the parameters, percent-encoded once, sorted, and without the values that are left out.
    ///
    /// All that is sent is here but for the realm and the signature, which are not signed.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let parameters =
            self.parameters.expose().split('&').filter_map(|parameter| parameter.split_once('='));
        parameters.map(|(name, value)| (name, if is_secret(name) { REDACTED } else { value }))
    }

    /// The signature, before any escaping.
    pub fn signature(&self) -> &Secret {
        &self.signature
    }

    /// The base string without the values that are left out.
    fn printable_base_string(&self) -> String {
        if !self.signs_base_string {
            return "none, this method signs nothing".to_owned();
        }
        let encode = |part: &str| text(escaped(part.as_bytes()));
        let parameters = self.parameters().map(|(name, value)| {
            let value = if is_secret(name) { value.to_owned() } else { encode(value) };
            format!("{}%3D{value}", encode(name))
        });
        let parameters: Vec<_> = parameters.collect();
        format!("{}&{}&{}", encode(&self.method), encode(&self.uri), parameters.join("%26"))
    }

    fn printable_signature(&self) -> &str {
        if self.shows_signature { self.signature.expose() } else { REDACTED }
    }
}

/// What a base string is made of is ASCII, and so is every signature of this crate.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| error.as_bytes().escape_ascii().to_string())
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["oauth_verifier", "oauth_session_handle"].contains(&name.as_str())
        || ["password", "passwd", "secret", "token"].iter().any(|part| name.contains(part))
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "signature method: {}", self.signature_method)?;
        writeln!(formatter, "method: {}", self.method)?;
        writeln!(formatter, "base string URI: {}", self.uri)?;
        writeln!(formatter, "parameters, as they are sorted:")?;
        for (name, value) in self.parameters() {
            writeln!(formatter, "  {name}={value}")?;
        }
        writeln!(formatter, "base string: {}", self.printable_base_string())?;
        write!(formatter, "signature: {}", self.printable_signature())
    }
}

impl fmt::Debug for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Explanation")
            .field("signature_method", &self.signature_method)
            .field("base_string", &self.printable_base_string())
            .field("signature", &self.printable_signature())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bytes::Bytes;
    use http::Request;

    use super::*;
    use crate::clock::Clock;
    use crate::oauth1::Credentials;
    use crate::oauth1::HmacSha256;
    use crate::oauth1::Plaintext;
    use crate::oauth1::Signer;

    struct Epoch;

    impl Clock for Epoch {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }
    }

    fn signer() -> Signer {
        Signer::new(Credentials::new("client", "hush-1").token("hush-2", "hush-3"))
            .nonce_fn(|| "n".to_owned())
            .clock(Epoch)
    }

    fn form() -> Request<Bytes> {
        Request::post("https://API.example.com:443/a%20b?b=1&a=%26%3D&flag")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from_static(b"x_auth_PassWord=hush-4&c=a+b"))
            .unwrap()
    }

    #[test]
    fn what_is_explained_is_what_is_signed() {
        let (mut explained, mut signed) = (form(), form());
        let signer = signer().signature_method(HmacSha256);
        let explanation = signer.explain(&mut explained).unwrap();
        signer.sign(&mut signed).unwrap();

        assert_eq!(explained.headers(), signed.headers());
        let signature = text(escaped(explanation.signature().expose().as_bytes()));
        let header = signed.headers()["authorization"].to_str().unwrap();
        assert!(header.ends_with(&format!("oauth_signature=\"{signature}\"")), "{header}");
        assert_eq!(explanation.signature_method(), "HMAC-SHA256");
        assert_eq!(explanation.base_string_uri(), "https://api.example.com/a%20b");
        assert_eq!(
            explanation.base_string().unwrap().expose(),
            "POST&https%3A%2F%2Fapi.example.com%2Fa%2520b&a%3D%2526%253D%26b%3D1%26c%3Da%2520b%26flag%3D%26\
             oauth_consumer_key%3Dclient%26oauth_nonce%3Dn%26oauth_signature_method%3DHMAC-SHA256%26\
             oauth_timestamp%3D0%26oauth_token%3Dhush-2%26oauth_version%3D1.0%26x_auth_PassWord%3Dhush-4"
        );
    }

    #[test]
    fn parameters_are_sorted_and_encoded_once() {
        let explanation = signer().explain(&mut form()).unwrap();
        let parameters: Vec<_> = explanation.parameters().collect();
        assert_eq!(parameters[..4], [("a", "%26%3D"), ("b", "1"), ("c", "a%20b"), ("flag", "")]);
        assert_eq!(parameters.last(), Some(&("x_auth_PassWord", REDACTED)));
    }

    #[test]
    fn what_is_printed_differs_from_the_base_string_by_secrets_only() {
        let explanation = signer().explain(&mut form()).unwrap();
        let whole = explanation.base_string().unwrap().expose();
        let printed = whole.replace("hush-2", REDACTED).replace("hush-4", REDACTED);
        assert!(explanation.to_string().contains(&format!("\nbase string: {printed}\n")), "{explanation}");
    }

    #[test]
    fn no_secret_is_printed() {
        for signer in [signer(), signer().signature_method(Plaintext)] {
            let explanation = signer.verifier("hush-5").explain(&mut form()).unwrap();
            let printed = format!("{explanation} {explanation:?} {explanation:#?}");
            assert!(!printed.contains("hush"), "{printed}");
            assert!(printed.contains("c=a%20b"));
        }
    }

    #[test]
    fn plaintext_has_no_base_string() {
        let explanation = signer().signature_method(Plaintext).explain(&mut form()).unwrap();
        assert!(explanation.base_string().is_none());
        assert_eq!(explanation.signature().expose(), "hush-1&hush-3");
        assert!(explanation.to_string().contains("\nbase string: none"));
    }
}
