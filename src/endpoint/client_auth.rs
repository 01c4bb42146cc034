//! How a client proves who it is to a token endpoint (RFC 6749 §2.3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::HeaderValue;
use http::header::AUTHORIZATION;

use crate::error::Error;
use crate::protocol::oauth2::form::Form;
use crate::protocol::oauth2::form::form_encode;
use crate::secret::Secret;
use crate::transport::Endpoint;

/// How a client proves who it is: a value that edits the form and the headers of a request to a token endpoint.
///
/// ```
/// use tower_oauth::ClientAuth;
///
/// let auth = ClientAuth::basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw");
/// assert!(!format!("{auth:?}").contains("7Fjfp0ZBr1KtDRbnfVdmIw"));
/// ```
#[derive(Clone, Debug)]
pub struct ClientAuth {
    client_id: Box<str>,
    method: Method,
}

#[derive(Clone, Debug)]
enum Method {
    None,
    Basic { secret: Secret, encoded: bool },
    Post { secret: Secret },
}

impl ClientAuth {
    /// `client_secret_basic`: id and secret in the `Authorization` header, each form-encoded first (RFC 6749 §2.3.1).
    pub fn basic(client_id: impl Into<Box<str>>, secret: impl Into<Secret>) -> Self {
        Self { client_id: client_id.into(), method: Method::Basic { secret: secret.into(), encoded: true } }
    }

    /// Like [`basic`](Self::basic), without form-encoding, for servers that do not decode. It makes a difference only
    /// for ids and secrets with characters other than letters, digits and `*-._`.
    pub fn basic_raw(client_id: impl Into<Box<str>>, secret: impl Into<Secret>) -> Self {
        Self { client_id: client_id.into(), method: Method::Basic { secret: secret.into(), encoded: false } }
    }

    /// `client_secret_post`: id and secret in the body of the request.
    pub fn post(client_id: impl Into<Box<str>>, secret: impl Into<Secret>) -> Self {
        Self { client_id: client_id.into(), method: Method::Post { secret: secret.into() } }
    }

    /// `none`: a public client, which only says its id, in the body of the request.
    pub fn none(client_id: impl Into<Box<str>>) -> Self {
        Self { client_id: client_id.into(), method: Method::None }
    }

    /// The client identifier.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Adds the proof to a request to `endpoint`; gives the secrets that are in it and not in the form, which have to be
    /// taken out of what the server says.
    ///
    /// It is async because a proof may have to be made elsewhere, such as by a key management service.
    pub(super) async fn apply(
        &self,
        _endpoint: &Endpoint,
        form: &mut Form,
        headers: &mut HeaderMap,
    ) -> Result<Vec<Secret>, Error> {
        match &self.method {
            Method::None => {
                form.push("client_id", &*self.client_id);
                Ok(Vec::new())
            }
            Method::Post { secret } => {
                form.push("client_id", &*self.client_id);
                form.push_secret("client_secret", secret);
                Ok(Vec::new())
            }
            Method::Basic { secret, encoded } => {
                let pair = self.basic_value(secret, *encoded);
                // Base64 is always a valid value.
                if let Ok(mut value) = HeaderValue::try_from(format!("Basic {}", pair.expose())) {
                    value.set_sensitive(true);
                    headers.insert(AUTHORIZATION, value);
                }
                Ok(vec![secret.clone(), pair])
            }
        }
    }

    /// What follows `Basic ` in the header.
    fn basic_value(&self, secret: &Secret, encoded: bool) -> Secret {
        let pair = zeroize::Zeroizing::new(if encoded {
            format!("{}:{}", form_encode(&self.client_id), form_encode(secret.expose()))
        } else {
            format!("{}:{}", self.client_id, secret.expose())
        });
        Secret::new(STANDARD.encode(pair.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(auth: &ClientAuth) -> (String, Option<String>) {
        let (mut form, mut headers) = (Form::default(), HeaderMap::new());
        let endpoint = Endpoint::parse("https://auth.test/token").unwrap();
        tokio_test::block_on(auth.apply(&endpoint, &mut form, &mut headers)).unwrap();
        let header = headers.get(AUTHORIZATION).map(|value| {
            assert!(value.is_sensitive());
            let encoded = value.to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
            String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
        });
        (String::from_utf8(form.encode().to_vec()).unwrap(), header)
    }

    #[test]
    fn basic_form_encodes_both_parts_so_that_a_colon_in_them_cannot_mislead() {
        let auth = ClientAuth::basic("a:b", "cc-secret:with%special +chars");
        let (form, header) = applied(&auth);
        assert_eq!(form, "");
        assert_eq!(header.as_deref(), Some("a%3Ab:cc-secret%3Awith%25special+%2Bchars"));
    }

    #[test]
    fn raw_basic_leaves_both_parts_as_they_are() {
        assert_eq!(applied(&ClientAuth::basic_raw("id", "s+ %")).1.as_deref(), Some("id:s+ %"));
    }

    #[test]
    fn post_puts_both_parts_into_the_body_and_nothing_into_the_header() {
        let (form, header) = applied(&ClientAuth::post("id", "s&t"));
        assert_eq!(form, "client_id=id&client_secret=s%26t");
        assert_eq!(header, None);
    }

    #[test]
    fn a_public_client_says_its_id_and_an_empty_secret_is_still_sent() {
        assert_eq!(applied(&ClientAuth::none("id")).0, "client_id=id");
        assert_eq!(applied(&ClientAuth::post("id", "")).0, "client_id=id&client_secret=");
    }
}
