//! The JWT bearer grant (RFC 7523 §2.1).

use crate::endpoint::ClientAuth;
use crate::endpoint::TokenEndpoint;
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
pub(super) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Trades a JWT for an access token (RFC 7523 §2.1): one that is signed here, in the name of the client or of a user, or
/// one that somebody else made.
///
/// An [`Assertion`](crate::endpoint::Assertion) is signed anew for each token, and is for the endpoint's URL unless it says
/// otherwise. A refresh token is used where the server gives one, which RFC 7521 §4.1 advises against. Most servers want no
/// other proof of who the client is: [`ClientAuth::omitted`].
///
/// ```
/// use tower_oauth::{ClientAuth, TokenManager};
/// use tower_oauth::endpoint::{Assertion, PrivateKey};
/// use tower_oauth::grant::JwtBearer;
/// # fn http() -> impl tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>,
/// #     Response = http::Response<http_body_util::Full<bytes::Bytes>>, Error = std::convert::Infallible,
/// #     Future: Send> + Clone + Send + 'static {
/// #     tower::service_fn(|_| async { Ok(http::Response::default()) })
/// # }
///
/// # let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/keys/rsa2048-a.pem");
/// let key = PrivateKey::from_pem(std::fs::read(file)?)?;
/// let assertion = Assertion::signed_by(key).issuer("3MVG99OxTyEMCQ3i").subject("user@example.com");
/// let grant = JwtBearer::new("https://login.example.com/token", ClientAuth::omitted(), http(), assertion)?;
/// let manager = TokenManager::builder(grant).build();
/// # let _ = manager;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct JwtBearer {
    wanted: Wanted,
    assertion: SecurityToken,
}

impl JwtBearer {
    /// Trades `assertion` at the token endpoint `url`, which is reached through `http`.
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

    /// Trades `assertion` at `endpoint`.
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

    /// Adds a parameter to the token request, such as `requested_token_use`.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.wanted.parameter(name, value);
        self
    }
}

impl TokenSource for JwtBearer {
    async fn token(&self, request: SourceRequest) -> Result<Token, Error> {
        let fill = |mut form: Form| async {
            let assertion = self.assertion.get(request.key(), self.wanted.endpoint.url()).await?;
            form.push_secret("assertion", &assertion);
            Ok(form)
        };
        self.wanted.token(GRANT_TYPE, &request, fill).await
    }
}
