//! Grants that have no type of their own (RFC 6749 §4.5).

use crate::endpoint::ClientAuth;
use crate::endpoint::SecretSource;
use crate::endpoint::TokenEndpoint;
use crate::error::ConfigError;
use crate::error::Error;
use crate::grant::wanted::Wanted;
use crate::protocol::oauth2::form::Form;
use crate::token::SourceRequest;
use crate::token::Token;
use crate::token::TokenSource;
use crate::transport::HttpService;

/// Any grant, by its name and its parameters (RFC 6749 §4.5).
///
/// A refresh token is used where the server gives one; otherwise the same is asked again.
///
/// ```
/// use tower_oauth::{ClientAuth, TokenManager};
/// use tower_oauth::grant::ExtensionGrant;
/// # fn http() -> impl tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>,
/// #     Response = http::Response<http_body_util::Full<bytes::Bytes>>, Error = std::convert::Infallible,
/// #     Future: Send> + Clone + Send + 'static {
/// #     tower::service_fn(|_| async { Ok(http::Response::default()) })
/// # }
///
/// let auth = ClientAuth::post("client id", "client secret");
/// let grant = ExtensionGrant::new("https://graph.example.com/token", auth, http(), "fb_exchange_token")?
///     .secret_parameter("fb_exchange_token", "a token of short life")
///     .parameter("set_token_expires_in_60_days", "true");
/// let manager = TokenManager::builder(grant).build();
/// # let _ = manager;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExtensionGrant {
    wanted: Wanted,
    grant_type: String,
    secrets: Vec<(String, SecretSource)>,
}

impl ExtensionGrant {
    /// The grant with this name (`grant_type`), often a URI, at the token endpoint `url`, which is reached through `http`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when `url` is not an absolute http or https URL.
    pub fn new<S, Q, R>(
        url: &str,
        auth: ClientAuth,
        http: S,
        grant_type: impl Into<String>,
    ) -> Result<Self, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        TokenEndpoint::new(url, auth, http).map(|endpoint| Self::at(endpoint, grant_type))
    }

    /// The grant with this name, at `endpoint`.
    pub fn at(endpoint: TokenEndpoint, grant_type: impl Into<String>) -> Self {
        Self { wanted: Wanted::at(endpoint), grant_type: grant_type.into(), secrets: Vec::new() }
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

    /// Adds a parameter, after those that are secret and the scope.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.wanted.parameter(name, value);
        self
    }

    /// Adds a parameter that is secret. Its source is asked for each token.
    pub fn secret_parameter(mut self, name: impl Into<String>, value: impl Into<SecretSource>) -> Self {
        self.secrets.push((name.into(), value.into()));
        self
    }
}

impl TokenSource for ExtensionGrant {
    async fn token(&self, request: SourceRequest) -> Result<Token, Error> {
        let fill = |mut form: Form| async {
            for (name, value) in &self.secrets {
                form.push_secret(name.clone(), &value.get().await?);
            }
            Ok(form)
        };
        self.wanted.token(&self.grant_type, &request, fill).await
    }
}
