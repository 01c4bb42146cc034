//! Google service accounts: an assertion for an access token, or as one.

use std::time::Duration;

use crate::clock::Clock;
use crate::endpoint::Assertion;
use crate::endpoint::ClientAuth;
use crate::endpoint::TokenEndpoint;
use crate::error::ConfigError;
use crate::error::Error;
use crate::grant::jwt_bearer::GRANT_TYPE;
use crate::protocol::oauth2::form::Form;
use crate::token::AccessScope;
use crate::token::SourceRequest;
use crate::token::Token;
use crate::token::TokenSource;
use crate::transport::HttpService;

pub use crate::protocol::oauth2::service_account::ServiceAccountKey;

/// How long an access token that is signed here is good: the longest that Google takes.
const LIFETIME: Duration = Duration::from_secs(3600);

/// A Google service account (RFC 7523 §2.1): trades a JWT that its key signs for an access token.
///
/// The JWT says who asks (`iss`), for what (`scope`), and for whom: with [`subject`](Self::subject), a user of a domain that
/// has delegated its authority to the account. There is no refresh token; each access token is asked for in this way. For
/// Google's own APIs it can be done without asking anybody: see [`SelfSignedJwt`].
///
/// ```
/// use tower_oauth::TokenManager;
/// use tower_oauth::grant::{ServiceAccount, ServiceAccountKey};
/// # fn http() -> impl tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>,
/// #     Response = http::Response<http_body_util::Full<bytes::Bytes>>, Error = std::convert::Infallible,
/// #     Future: Send> + Clone + Send + 'static {
/// #     tower::service_fn(|_| async { Ok(http::Response::default()) })
/// # }
///
/// # let pem = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/keys/rsa2048-a.pem"));
/// # let json = serde_json::json!({ "type": "service_account", "client_email": "robot@example.com", "private_key": pem });
/// # let json = json.to_string();
/// // let json = std::fs::read("service-account.json")?;
/// let grant = ServiceAccount::new(ServiceAccountKey::from_json(json)?, http())?
///     .scope("https://www.googleapis.com/auth/cloud-platform.read-only")
///     .subject("user@example.com");
/// let manager = TokenManager::builder(grant).build();
/// # let _ = manager;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    endpoint: TokenEndpoint,
    assertion: Assertion,
    scope: AccessScope,
}

impl ServiceAccount {
    /// An account that gets its tokens where its file says (`token_uri`), through `http`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when the `token_uri` cannot be used.
    pub fn new<S, Q, R>(key: ServiceAccountKey, http: S) -> Result<Self, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        let endpoint = TokenEndpoint::new(key.token_uri(), ClientAuth::omitted(), http)?;
        Ok(Self::at(endpoint, key))
    }

    /// An account that gets its tokens at `endpoint`, with assertions that are still for the `token_uri` of its file: for a
    /// proxy, or an endpoint with other times.
    pub fn at(endpoint: TokenEndpoint, key: ServiceAccountKey) -> Self {
        let assertion = Assertion::signed_by(key.key()).issuer(key.client_email()).audience(key.token_uri());
        Self { endpoint, assertion, scope: AccessScope::new() }
    }

    /// Asks for these scope tokens, separated by spaces, when a request asks for nothing in particular.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = self.scope.scope(scope);
        self
    }

    /// Acts for this user (`sub`), whose domain has delegated its authority to the account.
    pub fn subject(mut self, user: impl Into<String>) -> Self {
        self.assertion = self.assertion.subject(user);
        self
    }

    /// Adds a claim to the assertion, such as `target_audience`.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.assertion = self.assertion.claim(name, value);
        self
    }

    /// The clock for the times in the assertion.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.assertion = self.assertion.clock(clock);
        self
    }
}

impl TokenSource for ServiceAccount {
    async fn token(&self, request: SourceRequest) -> Result<Token, Error> {
        let assertion = scoped(&self.assertion, &request, &self.scope);
        let mut form = Form::new(GRANT_TYPE);
        form.push_secret("assertion", &assertion.sign().await?);
        self.endpoint.exchange(form).await
    }
}

/// A JWT that the client signs itself, as the access token: no authorization server is asked.
///
/// Google's APIs take the JWT of a service account, for an audience (the API's URL) or for scopes; GitHub's take that of an
/// app.
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::TokenManager;
/// use tower_oauth::endpoint::{Assertion, PrivateKey};
/// use tower_oauth::grant::{SelfSignedJwt, ServiceAccountKey};
///
/// # let pem = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/keys/rsa2048-a.pem"));
/// # let json = serde_json::json!({ "type": "service_account", "client_email": "robot@example.com", "private_key": pem });
/// # let json = json.to_string();
/// let account = ServiceAccountKey::from_json(json)?;
/// let pubsub = SelfSignedJwt::of_service_account(&account).audience("https://pubsub.googleapis.com/");
///
/// let app = Assertion::signed_by(PrivateKey::from_pem(pem)?)
///     .issuer("123456")
///     .backdated(Duration::from_secs(60))
///     .lifetime(Duration::from_secs(540));
/// let github = SelfSignedJwt::new(app);
/// # let _ = (TokenManager::builder(pubsub).build(), TokenManager::builder(github).build());
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SelfSignedJwt {
    assertion: Assertion,
    scope: AccessScope,
}

impl SelfSignedJwt {
    /// Tokens made by this recipe. Each is good as long as it says.
    pub fn new(assertion: Assertion) -> Self {
        Self { assertion, scope: AccessScope::new() }
    }

    /// Tokens of a service account, good for an hour. They need an [`audience`](Self::audience) or a
    /// [`scope`](Self::scope).
    pub fn of_service_account(key: &ServiceAccountKey) -> Self {
        let assertion = Assertion::signed_by(key.key())
            .issuer(key.client_email())
            .subject(key.client_email())
            .lifetime(LIFETIME);
        Self::new(assertion)
    }

    /// The API that the token is for (`aud`): `https://pubsub.googleapis.com/`.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.assertion = self.assertion.audience(audience);
        self
    }

    /// What the token is good for (`scope`), when a request asks for nothing in particular.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = self.scope.scope(scope);
        self
    }

    /// The clock for the times in the token.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.assertion = self.assertion.clock(clock);
        self
    }
}

impl TokenSource for SelfSignedJwt {
    async fn token(&self, request: SourceRequest) -> Result<Token, Error> {
        let assertion = scoped(&self.assertion, &request, &self.scope);
        let lifetime = assertion.life();
        Ok(Token::new(assertion.sign().await?).expires_in(lifetime))
    }
}

/// The recipe with the scope that is wanted, where one is.
fn scoped(assertion: &Assertion, request: &SourceRequest, default: &AccessScope) -> Assertion {
    let scope = if request.scope().is_empty() { default } else { request.scope() };
    let scopes: Vec<&str> = scope.scopes().collect();
    let assertion = assertion.clone();
    if scopes.is_empty() { assertion } else { assertion.claim("scope", scopes.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lifetime_is_that_of_the_table() {
        let what = "life of an access token that a service account signs itself";
        crate::defaults::assert_documented(what, LIFETIME);
    }
}
