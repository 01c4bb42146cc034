//! Token exchange (RFC 8693).

use std::borrow::Cow;

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
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Trades one token for another (RFC 8693): a user's token for one that a service behind accepts, perhaps in the name of an
/// actor.
///
/// The subject is asked for whenever a token is wanted. Where the server gives a refresh token, that one is used first: it
/// outlives the subject's token. What kind of token came back is in
/// [`extra("issued_token_type")`](Token::extra); servers that leave it out, though they must not, are forgiven.
///
/// In a proxy, the token of each user's login becomes one for the service behind it:
///
/// ```
/// use tower_oauth::{ClientAuth, TokenManager};
/// use tower_oauth::grant::{RefreshToken, SecurityToken, TokenExchange, TokenType};
/// # fn http() -> impl tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>,
/// #     Response = http::Response<http_body_util::Full<bytes::Bytes>>, Error = std::convert::Infallible,
/// #     Future: Send> + Clone + Send + 'static {
/// #     tower::service_fn(|_| async { Ok(http::Response::default()) })
/// # }
///
/// let url = "https://auth.example.com/token";
/// let auth = ClientAuth::basic("client id", "client secret");
/// let logins = TokenManager::builder(RefreshToken::new(url, auth.clone(), http())?).build();
///
/// let subject = SecurityToken::from_manager(logins);
/// let grant = TokenExchange::new(url, auth, http(), subject, TokenType::ACCESS_TOKEN)?
///     .audience("billing")
///     .scope("invoices:read");
/// let for_billing = TokenManager::builder(grant).build();
/// # let _ = for_billing;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenExchange {
    wanted: Wanted,
    subject: (SecurityToken, TokenType),
    actor: Option<(SecurityToken, TokenType)>,
    requested: Option<TokenType>,
    audiences: Vec<String>,
}

/// What kind of token a text is (RFC 8693 §3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenType(Cow<'static, str>);

impl TokenType {
    /// An OAuth 2 access token, of any form.
    pub const ACCESS_TOKEN: Self = Self::named("urn:ietf:params:oauth:token-type:access_token");
    /// An OAuth 2 refresh token.
    pub const REFRESH_TOKEN: Self = Self::named("urn:ietf:params:oauth:token-type:refresh_token");
    /// An ID token of OpenID Connect.
    pub const ID_TOKEN: Self = Self::named("urn:ietf:params:oauth:token-type:id_token");
    /// A SAML 1.1 assertion, base64url-encoded.
    pub const SAML1: Self = Self::named("urn:ietf:params:oauth:token-type:saml1");
    /// A SAML 2.0 assertion, base64url-encoded.
    pub const SAML2: Self = Self::named("urn:ietf:params:oauth:token-type:saml2");
    /// A JWT of which nothing else is said (RFC 8693 §3, RFC 7519 §9).
    pub const JWT: Self = Self::named("urn:ietf:params:oauth:token-type:jwt");

    /// A type of one's own, by its URI.
    pub fn new(uri: impl Into<String>) -> Self {
        Self(Cow::Owned(uri.into()))
    }

    /// The URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    const fn named(uri: &'static str) -> Self {
        Self(Cow::Borrowed(uri))
    }
}

impl TokenExchange {
    /// Trades `subject` at the token endpoint `url`, which is reached through `http`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when `url` is not an absolute http or https URL.
    pub fn new<S, Q, R>(
        url: &str,
        auth: ClientAuth,
        http: S,
        subject: impl Into<SecurityToken>,
        subject_type: TokenType,
    ) -> Result<Self, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        TokenEndpoint::new(url, auth, http).map(|endpoint| Self::at(endpoint, subject, subject_type))
    }

    /// Trades `subject` at `endpoint`.
    pub fn at(endpoint: TokenEndpoint, subject: impl Into<SecurityToken>, subject_type: TokenType) -> Self {
        Self {
            wanted: Wanted::at(endpoint),
            subject: (subject.into(), subject_type),
            actor: None,
            requested: None,
            audiences: Vec::new(),
        }
    }

    /// Who acts for the subject (`actor_token`): the result is a token of the subject that names the actor too.
    pub fn actor(mut self, actor: impl Into<SecurityToken>, actor_type: TokenType) -> Self {
        self.actor = Some((actor.into(), actor_type));
        self
    }

    /// What kind of token is wanted (`requested_token_type`); the server decides when nothing is said.
    pub fn requested_token_type(mut self, requested: TokenType) -> Self {
        self.requested = Some(requested);
        self
    }

    /// The name of a service that the token is for (`audience`); may be called several times.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// The URL of a service that the token is for (`resource`), when a request asks for nothing in particular; may be called
    /// several times.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.wanted.resource(resource);
        self
    }

    /// Asks for these scope tokens, separated by spaces, when a request asks for nothing in particular.
    pub fn scope(mut self, scope: &str) -> Self {
        self.wanted.scope(scope);
        self
    }

    /// Adds a parameter to the token request.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.wanted.parameter(name, value);
        self
    }
}

impl TokenSource for TokenExchange {
    async fn token(&self, request: SourceRequest) -> Result<Token, Error> {
        let url = self.wanted.endpoint.url();
        let fill = |mut form: Form| async {
            let (subject, subject_type) = &self.subject;
            form.push_secret("subject_token", &subject.get(request.key(), url).await?);
            form.push("subject_token_type", subject_type.as_str());
            if let Some((actor, actor_type)) = &self.actor {
                form.push_secret("actor_token", &actor.get(request.key(), url).await?);
                form.push("actor_token_type", actor_type.as_str());
            }
            if let Some(requested) = &self.requested {
                form.push("requested_token_type", requested.as_str());
            }
            for audience in &self.audiences {
                form.push("audience", audience);
            }
            Ok(form)
        };
        self.wanted.token(GRANT_TYPE, &request, fill).await
    }
}
