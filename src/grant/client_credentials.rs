//! The client credentials grant (RFC 6749 §4.4).

use crate::endpoint::ClientAuth;
use crate::endpoint::TokenEndpoint;
use crate::endpoint::push_scope;
use crate::error::ConfigError;
use crate::error::Error;
use crate::protocol::oauth2::form::Form;
use crate::token::AccessScope;
use crate::token::SourceRequest;
use crate::token::Token;
use crate::token::TokenSource;
use crate::transport::HttpService;

/// A service that acts for itself (RFC 6749 §4.4): asks for a new token whenever one is wanted.
///
/// ```
/// use tower_oauth::{ClientAuth, ClientCredentials};
/// # fn http() -> impl tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>,
/// #     Response = http::Response<http_body_util::Full<bytes::Bytes>>, Error = std::convert::Infallible,
/// #     Future: Send> + Clone + Send + 'static {
/// #     tower::service_fn(|_| async { Ok(http::Response::default()) })
/// # }
///
/// let auth = ClientAuth::basic("client id", "client secret");
/// let grant = ClientCredentials::new("https://auth.example.com/token", auth, http())?
///     .scope("orders:read")
///     .parameter("audience", "https://api.example.com");
/// # let _ = grant;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    endpoint: TokenEndpoint,
    scope: AccessScope,
    parameters: Vec<(String, String)>,
}

impl ClientCredentials {
    /// A client that is known at the token endpoint `url`, which is reached through `http`; see [`TokenEndpoint`] for
    /// what can be set there.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when `url` is not an absolute http or https URL.
    pub fn new<S, Q, R>(url: &str, auth: ClientAuth, http: S) -> Result<Self, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        TokenEndpoint::new(url, auth, http).map(Self::at)
    }

    /// A client that is known at `endpoint`.
    pub fn at(endpoint: TokenEndpoint) -> Self {
        Self { endpoint, scope: AccessScope::new(), parameters: Vec::new() }
    }

    /// Asks for these scope tokens, separated by spaces, when a request asks for nothing in particular.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = self.scope.scope(scope);
        self
    }

    /// Asks for a token that is good for this resource (RFC 8707), when a request asks for nothing in particular.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.scope = self.scope.resource(resource);
        self
    }

    /// Adds a parameter to the token request, such as `audience`.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }
}

impl TokenSource for ClientCredentials {
    async fn token(&self, request: SourceRequest) -> Result<Token, Error> {
        let mut form = Form::new("client_credentials");
        push_scope(&mut form, &request, &self.scope);
        for (name, value) in &self.parameters {
            form.push(name.clone(), value);
        }
        self.endpoint.exchange(form).await
    }
}
