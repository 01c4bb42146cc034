//! How a client proves who it is to an authorization server (RFC 6749 §2.3).

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::HeaderValue;
use http::header::AUTHORIZATION;

#[cfg(feature = "jwt")]
use crate::endpoint::Assertion;
use crate::endpoint::SecretSource;
#[cfg(feature = "jwt")]
use crate::endpoint::SigningKey;
#[cfg(feature = "jwt")]
use crate::endpoint::assertion::Defaults;
use crate::error::Error;
use crate::protocol::oauth2::form::Form;
use crate::protocol::oauth2::form::form_encode;
#[cfg(feature = "jwt")]
use crate::protocol::oauth2::jwt::SecretKey;
use crate::secret::Secret;
use crate::transport::Endpoint;

mod custom;
#[cfg(test)]
mod tests;

pub use custom::ClientRequest;

use custom::CustomAuth;
use custom::FromFn;

/// The type of an assertion that is a JWT (RFC 7523 §2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The type of an assertion that is SAML (RFC 7522 §2.2).
const SAML2_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";

/// How a client proves who it is: a value that edits the form and the headers of a request to an endpoint.
///
/// | method | made by |
/// |---|---|
/// | `client_secret_basic` (RFC 6749 §2.3.1) | [`basic`](Self::basic), [`basic_raw`](Self::basic_raw) |
/// | `client_secret_post` (RFC 6749 §2.3.1) | [`post`](Self::post) |
/// | `client_secret_jwt` (RFC 7523 §2.2) | [`secret_jwt`](Self::secret_jwt), feature `jwt` |
/// | `private_key_jwt` (RFC 7523 §2.2) | [`private_key_jwt`](Self::private_key_jwt), feature `jwt` |
/// | an assertion that somebody else signs (RFC 7523 §2.2, RFC 7522 §2.2) | [`assertion`](Self::assertion), [`saml2_assertion`](Self::saml2_assertion) |
/// | `tls_client_auth`, `self_signed_tls_client_auth` (RFC 8705 §2) | [`tls`](Self::tls) |
/// | `none`: a public client | [`none`](Self::none) |
/// | no client at all | [`omitted`](Self::omitted) |
/// | anything else | [`custom`](Self::custom) |
///
/// A secret is sent in one place, the one that was chosen; there is no trying out, because a server that refuses the first
/// try may have spent a one-time code. An empty secret is a secret and is sent; a client without one is [`none`](Self::none).
///
/// ```
/// use tower_oauth::ClientAuth;
///
/// let auth = ClientAuth::basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw");
/// assert!(!format!("{auth:?}").contains("7Fjfp0ZBr1KtDRbnfVdmIw"));
/// ```
///
/// # Secrets that change
/// Wherever a secret is asked for, a [`SecretSource`] will do, which is asked for each request: a file that a platform
/// keeps fresh, a closure that asks a vault, a JWT as Apple wants it.
#[derive(Clone, Debug)]
pub struct ClientAuth {
    client_id: Box<str>,
    include_client_id: IncludeClientId,
    method: Method,
}

/// Whether a request names the client in its body (`client_id`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IncludeClientId {
    /// Where it is not named otherwise: always but with Basic and [`ClientAuth::custom`].
    #[default]
    Automatic,
    /// Always.
    Always,
    /// Never, even where nothing else says who the client is.
    Never,
}

#[derive(Clone)]
enum Method {
    None,
    Omitted,
    Basic {
        secret: SecretSource,
        encoded: bool,
    },
    Post {
        secret: SecretSource,
    },
    Assertion {
        assertion: SecretSource,
    },
    Saml2Assertion {
        assertion: SecretSource,
    },
    #[cfg(feature = "jwt")]
    SignedAssertion(Box<Assertion>),
    Tls,
    Custom(Arc<dyn CustomAuth>),
}

impl ClientAuth {
    /// `client_secret_basic`: id and secret in the `Authorization` header, each form-encoded first (RFC 6749 §2.3.1).
    pub fn basic(client_id: impl Into<Box<str>>, secret: impl Into<SecretSource>) -> Self {
        Self::new(client_id, Method::Basic { secret: secret.into(), encoded: true })
    }

    /// Like [`basic`](Self::basic), without form-encoding, for servers that do not decode. It makes a difference only
    /// for ids and secrets with characters other than letters, digits and `*-._`.
    pub fn basic_raw(client_id: impl Into<Box<str>>, secret: impl Into<SecretSource>) -> Self {
        Self::new(client_id, Method::Basic { secret: secret.into(), encoded: false })
    }

    /// `client_secret_post`: id and secret in the body of the request.
    pub fn post(client_id: impl Into<Box<str>>, secret: impl Into<SecretSource>) -> Self {
        Self::new(client_id, Method::Post { secret: secret.into() })
    }

    /// `none`: a public client, which only says its id, in the body of the request.
    pub fn none(client_id: impl Into<Box<str>>) -> Self {
        Self::new(client_id, Method::None)
    }

    /// No client: nothing is added to the request. For grants whose assertion says everything, such as those of Google's
    /// service accounts (RFC 7521 §4.1).
    pub fn omitted() -> Self {
        Self::new("", Method::Omitted)
    }

    /// `client_secret_jwt` (RFC 7523 §2.2): a JWT that is signed with the client secret, by HS256 unless the
    /// [`SecretKey`] says HS384 or HS512. The secret itself is not sent. Each request gets a JWT of its own; see
    /// [`Assertion`] for what is in it, and [`assertion_audience`](Self::assertion_audience).
    #[cfg(feature = "jwt")]
    pub fn secret_jwt(client_id: impl Into<Box<str>>, secret: impl Into<SecretKey>) -> Self {
        Self::signed_assertion(client_id, Assertion::signed_by(secret.into()))
    }

    /// `private_key_jwt` (RFC 7523 §2.2): a JWT that is signed with a private key, in memory or elsewhere. Each request gets
    /// a JWT of its own; see [`Assertion`] for what is in it, and [`assertion_audience`](Self::assertion_audience).
    ///
    /// ```
    /// use tower_oauth::ClientAuth;
    /// use tower_oauth::endpoint::PrivateKey;
    ///
    /// # let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/keys/p256.pem");
    /// let key = PrivateKey::from_pem(std::fs::read(file)?)?.with_key_id("2026-01");
    /// let auth = ClientAuth::private_key_jwt("client id", key).assertion_audience("https://auth.example.com");
    /// # let _ = auth;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "jwt")]
    pub fn private_key_jwt(client_id: impl Into<Box<str>>, key: impl SigningKey) -> Self {
        Self::signed_assertion(client_id, Assertion::signed_by(key))
    }

    /// Like [`private_key_jwt`](Self::private_key_jwt), with claims, times or a clock of your own. Issuer and subject are the
    /// client, and the audience is the URL of the endpoint, unless `assertion` says otherwise.
    #[cfg(feature = "jwt")]
    pub fn signed_assertion(client_id: impl Into<Box<str>>, assertion: Assertion) -> Self {
        Self::new(client_id, Method::SignedAssertion(Box::new(assertion)))
    }

    /// A JWT that somebody else signs (RFC 7523 §2.2): a federated token, which is read for each request.
    ///
    /// ```
    /// use tower_oauth::ClientAuth;
    /// use tower_oauth::endpoint::SecretSource;
    ///
    /// let auth = ClientAuth::assertion("client id", SecretSource::file("/var/run/secrets/tokens/federated"));
    /// # let _ = auth;
    /// ```
    pub fn assertion(client_id: impl Into<Box<str>>, assertion: impl Into<SecretSource>) -> Self {
        Self::new(client_id, Method::Assertion { assertion: assertion.into() })
    }

    /// A SAML 2 assertion (RFC 7522 §2.2), given as XML; it is base64url-encoded here.
    pub fn saml2_assertion(client_id: impl Into<Box<str>>, assertion: impl Into<SecretSource>) -> Self {
        Self::new(client_id, Method::Saml2Assertion { assertion: assertion.into() })
    }

    /// Mutual TLS (RFC 8705 §2), by a certificate of an authority that the server trusts or a self-signed one: the HTTP
    /// client has it, and the request only says the client's id. Servers often have other URLs for it
    /// (`mtls_endpoint_aliases`).
    pub fn tls(client_id: impl Into<Box<str>>) -> Self {
        Self::new(client_id, Method::Tls)
    }

    /// Whatever `function` adds to the request. It gets what there is and gives it back changed.
    ///
    /// Stripe wants its secret key as a bearer token:
    ///
    /// ```
    /// use tower_oauth::{ClientAuth, Secret};
    ///
    /// let key = Secret::new("sk_test_123");
    /// let auth = ClientAuth::custom("ca_123", move |mut request| {
    ///     let key = key.clone();
    ///     async move {
    ///         request.authorize("Bearer", &key)?;
    ///         Ok(request)
    ///     }
    /// });
    /// # let _ = auth;
    /// ```
    pub fn custom<F, A>(client_id: impl Into<Box<str>>, function: F) -> Self
    where
        F: Fn(ClientRequest) -> A + Send + Sync + 'static,
        A: Future<Output = Result<ClientRequest, Error>> + Send + 'static,
    {
        Self::new(client_id, Method::Custom(Arc::new(FromFn(function))))
    }

    /// Whether the client is named in the body (`client_id`); automatic by default. Some servers want it there beside Basic.
    pub fn include_client_id(mut self, include: IncludeClientId) -> Self {
        self.include_client_id = include;
        self
    }

    /// Whom signed assertions are for (`aud`), unless they say it themselves. By default that is the URL of the endpoint;
    /// the issuer identifier of the authorization server is what newer servers want, and what every endpoint of one takes.
    /// Makes no difference to other methods.
    #[cfg(feature = "jwt")]
    pub fn assertion_audience(mut self, audience: impl Into<String>) -> Self {
        if let Method::SignedAssertion(assertion) = &mut self.method {
            assertion.set_audience(audience.into());
        }
        self
    }

    /// The client identifier; empty when there is none.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The names under which servers list this way to prove who one is (RFC 7591 §2); none for a way that is not listed, or
    /// need not be.
    pub(super) fn registered_names(&self) -> &'static [&'static str] {
        match &self.method {
            Method::None | Method::Omitted | Method::Saml2Assertion { .. } | Method::Custom(_) => &[],
            Method::Basic { .. } => &["client_secret_basic"],
            Method::Post { .. } => &["client_secret_post"],
            Method::Assertion { .. } => &["private_key_jwt", "client_secret_jwt"],
            #[cfg(feature = "jwt")]
            Method::SignedAssertion(_) => &["private_key_jwt", "client_secret_jwt"],
            Method::Tls => &["tls_client_auth", "self_signed_tls_client_auth"],
        }
    }

    /// Whether the proof is the certificate of the TLS connection.
    pub(super) fn is_mutual_tls(&self) -> bool {
        matches!(self.method, Method::Tls)
    }

    /// Adds the proof to a request to `endpoint`; gives the secrets that are in it and not in the form, which have to be
    /// taken out of what the server says.
    ///
    /// It is async because a proof may have to be made elsewhere, such as by a key management service.
    pub(super) async fn apply(
        &self,
        endpoint: &Endpoint,
        form: &mut Form,
        headers: &mut HeaderMap,
    ) -> Result<Vec<Secret>, Error> {
        self.name_client(form);
        match &self.method {
            Method::None | Method::Omitted | Method::Tls => {}
            Method::Post { secret } => form.push_secret("client_secret", &secret.get().await?),
            Method::Basic { secret, encoded } => {
                let secret = secret.get().await?;
                let pair = self.basic_value(&secret, *encoded);
                // Base64 is always a valid value.
                if let Ok(mut value) = HeaderValue::try_from(format!("Basic {}", pair.expose())) {
                    value.set_sensitive(true);
                    headers.insert(AUTHORIZATION, value);
                }
                return Ok(vec![secret, pair]);
            }
            Method::Assertion { assertion } => {
                form.push("client_assertion_type", JWT_BEARER);
                form.push_secret("client_assertion", &assertion.get().await?);
            }
            Method::Saml2Assertion { assertion } => {
                form.push("client_assertion_type", SAML2_BEARER);
                form.push_secret("client_assertion", &base64url(&assertion.get().await?));
            }
            #[cfg(feature = "jwt")]
            Method::SignedAssertion(assertion) => {
                let defaults =
                    Defaults { client_id: Some(&self.client_id), audience: Some(endpoint.shown()) };
                form.push("client_assertion_type", JWT_BEARER);
                form.push_secret("client_assertion", &assertion.sign_with(defaults).await?);
            }
            Method::Custom(custom) => {
                let request = ClientRequest::new(endpoint, std::mem::take(form), std::mem::take(headers));
                let (changed, fields, secrets) = custom.apply(request).await?.into_parts();
                (*form, *headers) = (changed, fields);
                return Ok(secrets);
            }
        }
        Ok(Vec::new())
    }

    fn new(client_id: impl Into<Box<str>>, method: Method) -> Self {
        Self { client_id: client_id.into(), include_client_id: IncludeClientId::Automatic, method }
    }

    /// Says in the form who the client is, if that is wanted and nobody did.
    fn name_client(&self, form: &mut Form) {
        let is_named_otherwise =
            matches!(self.method, Method::Omitted | Method::Basic { .. } | Method::Custom(_));
        let include = match self.include_client_id {
            IncludeClientId::Automatic => !is_named_otherwise,
            IncludeClientId::Always => true,
            IncludeClientId::Never => false,
        };
        if include && form.find("client_id").is_none() {
            form.push("client_id", &*self.client_id);
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

impl fmt::Debug for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "none",
            Self::Omitted => "omitted",
            Self::Basic { .. } => "client_secret_basic",
            Self::Post { .. } => "client_secret_post",
            Self::Assertion { .. } => "assertion",
            Self::Saml2Assertion { .. } => "saml2_assertion",
            #[cfg(feature = "jwt")]
            Self::SignedAssertion(assertion) => {
                return formatter.debug_tuple("signed_assertion").field(assertion).finish();
            }
            Self::Tls => "tls_client_auth",
            Self::Custom(_) => "custom",
        })
    }
}

/// How SAML assertions travel (RFC 7522 §2.1): base64url, without padding or line breaks.
pub(crate) fn base64url(assertion: &Secret) -> Secret {
    Secret::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(assertion.expose()))
}
