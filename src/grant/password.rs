//! The resource owner password credentials grant (RFC 6749 §4.3).

use crate::endpoint::ClientAuth;
use crate::endpoint::SecretSource;
use crate::endpoint::TokenEndpoint;
use crate::error::ConfigError;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::grant::wanted::Wanted;
use crate::protocol::oauth2::form::Form;
use crate::token::SourceRequest;
use crate::token::Token;
use crate::token::TokenSource;
use crate::transport::HttpService;

/// The name and the password of one user (RFC 6749 §4.3), for old servers: newer ones do not have this grant any more
/// (RFC 9700 §2.4).
///
/// The password is sent once, if the server answers with a refresh token: that one renews the tokens from then on, and the
/// password comes again only when it has ended. A password that is refused is not sent again before
/// [`TokenManager::put`](crate::TokenManager::put) or a restart, because many servers lock an account after a few attempts.
///
/// ```
/// use tower_oauth::{ClientAuth, TokenManager};
/// use tower_oauth::grant::Password;
/// # fn http() -> impl tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>,
/// #     Response = http::Response<http_body_util::Full<bytes::Bytes>>, Error = std::convert::Infallible,
/// #     Future: Send> + Clone + Send + 'static {
/// #     tower::service_fn(|_| async { Ok(http::Response::default()) })
/// # }
///
/// let auth = ClientAuth::basic("client id", "client secret");
/// let grant = Password::new("https://auth.example.com/token", auth, http(), "johndoe", "A3ddj3w")?.scope("orders:read");
/// let manager = TokenManager::builder(grant).build();
/// # let _ = manager;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Password {
    wanted: Wanted,
    username: String,
    password: SecretSource,
}

impl Password {
    /// A user and their password, for the token endpoint `url`, which is reached through `http`. The password may be asked
    /// for when it is needed: see [`SecretSource`].
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when `url` is not an absolute http or https URL.
    pub fn new<S, Q, R>(
        url: &str,
        auth: ClientAuth,
        http: S,
        username: impl Into<String>,
        password: impl Into<SecretSource>,
    ) -> Result<Self, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        TokenEndpoint::new(url, auth, http).map(|endpoint| Self::at(endpoint, username, password))
    }

    /// A user and their password, for `endpoint`.
    pub fn at(
        endpoint: TokenEndpoint,
        username: impl Into<String>,
        password: impl Into<SecretSource>,
    ) -> Self {
        Self { wanted: Wanted::at(endpoint), username: username.into(), password: password.into() }
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

    /// Adds a parameter to the token request, such as `audience`.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.wanted.parameter(name, value);
        self
    }
}

impl TokenSource for Password {
    async fn token(&self, request: SourceRequest) -> Result<Token, Error> {
        let fill = |mut form: Form| async {
            form.push("username", &self.username);
            form.push_secret("password", &self.password.get().await?);
            Ok(form)
        };
        self.wanted.token("password", &request, fill).await.map_err(refused)
    }
}

/// What the server says of this user is for good, whatever it says: Authlib calls a wrong password an `invalid_request`.
fn refused(error: Error) -> Error {
    let is_about_user =
        error.kind() == ErrorKind::Refused && !error.is_transient() && !error.is_configuration();
    if is_about_user { error.into_reauthorization_required() } else { error }
}
