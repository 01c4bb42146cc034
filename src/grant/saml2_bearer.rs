//! The SAML 2.0 bearer assertion grant (RFC 7522 §2.1).

use crate::endpoint::ClientAuth;
use crate::endpoint::TokenEndpoint;
use crate::endpoint::base64url;
use crate::error::ConfigError;
use crate::error::Error;
use crate::grant::SecurityToken;
use crate::grant::wanted::Wanted;
use crate::protocol::oauth2::form::Form;
use crate::token::SourceRequest;
use crate::token::Token;
use crate::token::TokenSource;
use crate::transport::HttpService;

/// The name of the grant.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:saml2-bearer";

/// Trades a SAML 2 assertion for an access token (RFC 7522 §2.1).
///
/// The assertion is the XML of a signed `<Assertion>`, from an identity provider; it is base64url-encoded here. It is asked
/// for anew for each token, since it lives for minutes. A refresh token is used where the server gives one.
///
/// ```
/// use tower_oauth::{ClientAuth, Error, Secret, TokenKey, TokenManager};
/// use tower_oauth::grant::{Saml2Bearer, SecurityToken};
/// # fn http() -> impl tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>,
/// #     Response = http::Response<http_body_util::Full<bytes::Bytes>>, Error = std::convert::Infallible,
/// #     Future: Send> + Clone + Send + 'static {
/// #     tower::service_fn(|_| async { Ok(http::Response::default()) })
/// # }
/// # async fn ask_identity_provider(_user: &str) -> Result<Secret, std::io::Error> { Ok(Secret::new("<Assertion/>")) }
///
/// let assertion = SecurityToken::per_key(|user: TokenKey| async move {
///     ask_identity_provider(user.as_str()).await.map_err(Error::transient)
/// });
/// let auth = ClientAuth::basic("client id", "client secret");
/// let grant = Saml2Bearer::new("https://auth.example.com/token", auth, http(), assertion)?;
/// let manager = TokenManager::builder(grant).build();
/// # let _ = manager;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Saml2Bearer {
    wanted: Wanted,
    assertion: SecurityToken,
}

impl Saml2Bearer {
    /// Trades `assertion`, which is XML, at the token endpoint `url`, which is reached through `http`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when `url` is not an absolute http or https URL.
    pub fn new<S, Q, R>(
        url: &str,
        auth: ClientAuth,
        http: S,
        assertion: impl Into<SecurityToken>,
    ) -> Result<Self, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        TokenEndpoint::new(url, auth, http).map(|endpoint| Self::at(endpoint, assertion))
    }

    /// Trades `assertion`, which is XML, at `endpoint`.
    pub fn at(endpoint: TokenEndpoint, assertion: impl Into<SecurityToken>) -> Self {
        Self { wanted: Wanted::at(endpoint), assertion: assertion.into() }
    }

    /// Asks for these scope tokens, separated by spaces, when a request asks for nothing in particular.
    pub fn scope(mut self, scope: &str) -> Self {
        self.wanted.scope(scope);
        self
    }

    /// Asks for a token that is good for this resource (RFC 8707), when a request asks for nothing in particular.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.wanted.resource(resource);
        self
    }

    /// Adds a parameter to the token request.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.wanted.parameter(name, value);
        self
    }
}

impl TokenSource for Saml2Bearer {
    async fn token(&self, request: SourceRequest) -> Result<Token, Error> {
        let fill = |mut form: Form| async {
            let assertion = self.assertion.get(request.key(), self.wanted.endpoint.url()).await?;
            form.push_secret("assertion", &base64url(&assertion));
            Ok(form)
        };
        self.wanted.token(GRANT_TYPE, &request, fill).await
    }
}
