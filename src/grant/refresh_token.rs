//! The refresh token grant (RFC 6749 §6).

use crate::endpoint::ClientAuth;
use crate::endpoint::TokenEndpoint;
use crate::endpoint::push_scope;
use crate::error::ConfigError;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth2::form::Form;
use crate::secret::Secret;
use crate::token::AccessScope;
use crate::token::Record;
use crate::token::SourceRequest;
use crate::token::Token;
use crate::token::TokenSource;
use crate::transport::HttpService;

/// Renews tokens with their refresh token (RFC 6749 §6), and follows its rotation.
///
/// The first token of each key comes from a login and goes to [`TokenManager::put`](crate::TokenManager::put).
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::{ClientAuth, Token, TokenKey, TokenManager};
/// use tower_oauth::grant::RefreshToken;
/// # fn http() -> impl tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>,
/// #     Response = http::Response<http_body_util::Full<bytes::Bytes>>, Error = std::convert::Infallible,
/// #     Future: Send> + Clone + Send + 'static {
/// #     tower::service_fn(|_| async { Ok(http::Response::default()) })
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let auth = ClientAuth::basic("client id", "client secret");
/// let manager =
///     TokenManager::builder(RefreshToken::new("https://auth.example.com/token", auth, http())?).build();
///
/// // After a login:
/// let alice = TokenKey::new("alice");
/// let token = Token::new("access").expires_in(Duration::from_secs(3600)).with_refresh_token("refresh");
/// manager.put(&alice, token).await?;
/// assert_eq!(manager.token(&alice).await?.access_token().expose(), "access");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RefreshToken {
    endpoint: TokenEndpoint,
}

impl RefreshToken {
    /// A client that is known at the token endpoint `url`, which is reached through `http`.
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
        Self { endpoint }
    }
}

impl TokenSource for RefreshToken {
    async fn token(&self, request: SourceRequest) -> Result<Token, Error> {
        let Some(record) = request.previous() else {
            return Err(Error::new(ErrorKind::NoToken));
        };
        let Some(refresh_token) = record.refresh_token() else {
            return Err(
                Error::new(ErrorKind::ReauthorizationRequired).detail("the login brought no refresh token")
            );
        };
        renew(&self.endpoint, &request, refresh_token).await
    }
}

/// Uses the refresh token of a grant that can also begin anew; `begin` is how, for when there is none, or it is of no more
/// use.
pub(super) async fn renew_or_begin(
    endpoint: &TokenEndpoint,
    request: &SourceRequest,
    begin: impl Future<Output = Result<Token, Error>> + Send,
) -> Result<Token, Error> {
    if let Some(refresh_token) = request.previous().and_then(Record::refresh_token) {
        match renew(endpoint, request, refresh_token).await {
            Err(error) if error.kind() == ErrorKind::ReauthorizationRequired => {}
            renewed => return renewed,
        }
    }
    begin.await.map(Token::of_new_grant)
}

async fn renew(
    endpoint: &TokenEndpoint,
    request: &SourceRequest,
    refresh_token: &Secret,
) -> Result<Token, Error> {
    let mut form = Form::new("refresh_token");
    form.push_secret("refresh_token", refresh_token);
    push_scope(&mut form, request, &AccessScope::new());
    endpoint.exchange(form).await
}
