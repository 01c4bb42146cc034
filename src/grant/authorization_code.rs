//! The authorization code grant (RFC 6749 §4.1) with PKCE (RFC 7636).

use std::borrow::Cow;

use crate::endpoint::AuthorizationServer;
use crate::endpoint::ClientAuth;
use crate::endpoint::TokenEndpoint;
use crate::error::ConfigError;
use crate::error::Error;
use crate::grant::RefreshToken;
use crate::origin::is_secure;
use crate::protocol::oauth2::authorize::AuthorizationGrant;
use crate::protocol::oauth2::authorize::AuthorizationRequest;
use crate::protocol::oauth2::authorize::AuthorizationResponse;
use crate::protocol::oauth2::authorize::PendingAuthorization;
use crate::protocol::oauth2::authorize::ResponseMode;
use crate::protocol::oauth2::authorize::ResponseType;
use crate::protocol::oauth2::form::Form;
use crate::protocol::oauth2::pkce::CodeChallengeMethod;
use crate::token::SourceRequest;
use crate::token::Token;
use crate::token::TokenKey;
use crate::token::TokenManager;
use crate::token::TokenSource;
use crate::transport::Endpoint;
use crate::transport::HttpService;

/// Somebody logs in with a browser (RFC 6749 §4.1), protected by PKCE (RFC 7636, `S256`), `state` and the issuer (RFC 9207).
///
/// Three steps: [`request`](Self::request) makes the URL that the browser has to open, and a [`PendingAuthorization`] to keep;
/// the server sends the browser back to the redirect URI; [`log_in`](Self::log_in) checks what came, exchanges the code, and
/// gives the token to a [`TokenManager`]. As a [`TokenSource`] it renews that token with its refresh token from then on.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use http_body_util::Full;
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_oauth::grant::{AuthorizationCode, PendingAuthorization};
/// use tower_oauth::testing::{Body, Provider};
/// use tower_oauth::{ClientAuth, OAuth2Layer, Origins, TokenKey, TokenManager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// # let provider = Provider::new();
/// # let http = provider.client();
/// # let open_in_browser = |url: String| async {
/// #     let page = provider.clone().oneshot(Request::get(url).body(Body::default())?).await?;
/// #     Ok::<_, tower::BoxError>(page.headers()["location"].to_str()?.to_owned())
/// # };
/// let auth = ClientAuth::basic("test-client", "test-secret");
/// let flow = AuthorizationCode::new("http://localhost/authorize", "http://localhost/token", auth, http.clone())?
///     .redirect_uri("http://localhost:8080/callback")
///     .issuer("http://localhost")
///     .scope("orders:read");
/// let manager = TokenManager::builder(flow.clone()).build();
///
/// // A user wants to log in: keep `pending` in the session of this browser, and send it to `url`.
/// let (url, pending) = flow.request().parameter("prompt", "login")?.build()?;
/// let session = pending.to_json();
///
/// // The browser comes back to the redirect URI.
/// let callback = open_in_browser(url).await?;
/// let pending = PendingAuthorization::from_json(session.expose())?;
/// let alice = TokenKey::new("alice");
/// flow.log_in(&manager, &alice, pending, callback).await?;
///
/// // From now on there are tokens for Alice.
/// let api = ServiceBuilder::new()
///     .layer(OAuth2Layer::with_manager(Origins::one("http://localhost")?, manager).key_per_request())
///     .service(http);
/// let mut request = Request::get("http://localhost/resource").body(Body::default())?;
/// request.extensions_mut().insert(alice);
/// assert_eq!(api.oneshot(request).await?.status(), 200);
/// # Ok(())
/// # }
/// ```
///
/// [`exchange`](Self::exchange) is [`log_in`](Self::log_in) without a manager. Where something that the callback says has to be
/// looked at in between, [`PendingAuthorization::complete`] and [`redeem`](Self::redeem) are its two halves.
///
/// # Security
/// - The code is sent once, to one endpoint, by one way of authentication: nothing here tries a second one.
/// - [`PendingAuthorization`] says how it has to be kept.
/// - Set [`issuer`](Self::issuer) when users can log in with more than one server: it tells whose answer it is.
#[derive(Clone, Debug)]
pub struct AuthorizationCode {
    endpoint: TokenEndpoint,
    request: AuthorizationRequest,
    parameters: Vec<(String, String)>,
    refresh: RefreshToken,
}

impl AuthorizationCode {
    /// A client that is known at the token endpoint `token_url`, which is reached through `http`, and whose users log in at
    /// `authorization_url`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when one of them is not an absolute http or https URL, or when the authorization
    /// endpoint has a fragment or parameters that the request sets.
    pub fn new<S, Q, R>(
        authorization_url: &str,
        token_url: &str,
        auth: ClientAuth,
        http: S,
    ) -> Result<Self, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        Self::at(authorization_url, TokenEndpoint::new(token_url, auth, http)?)
    }

    /// A client that is known at `endpoint`.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn at(authorization_url: &str, endpoint: TokenEndpoint) -> Result<Self, ConfigError> {
        let is_secure = is_secure(Endpoint::parse(authorization_url)?.uri());
        let request = AuthorizationRequest::new(
            authorization_url,
            is_secure,
            endpoint.client_id(),
            ResponseType::Code,
        )?;
        Ok(Self { refresh: RefreshToken::at(endpoint.clone()), endpoint, request, parameters: Vec::new() })
    }

    /// A client that is known at `server`, with what the server says of itself: both endpoints, and its issuer, which an
    /// answer has to name if the server says that it does (`authorization_response_iss_parameter_supported`).
    ///
    /// # Errors
    /// Those of [`AuthorizationServer::token_endpoint`], [`ConfigError::MissingEndpoint`] when the server names no
    /// authorization endpoint, and those of [`new`](Self::new).
    pub fn with_server(server: &AuthorizationServer) -> Result<Self, ConfigError> {
        let metadata = server.metadata();
        let url = metadata.authorization_endpoint().ok_or_else(|| ConfigError::MissingEndpoint {
            name: "authorization_endpoint",
            issuer: metadata.issuer().to_owned(),
        })?;
        let flow = Self::at(url, server.token_endpoint()?)?;
        Ok(if metadata.authorization_response_iss_parameter_supported() {
            flow.require_issuer(metadata.issuer())
        } else {
            flow.issuer(metadata.issuer())
        })
    }

    /// Where the server sends the browser back to. It goes to the server as it is, since some want something else than a URL
    /// (eBay's RuName). Needed unless the server knows a single one.
    pub fn redirect_uri(mut self, redirect_uri: impl Into<Box<str>>) -> Self {
        self.request = self.request.redirect_uri(redirect_uri);
        self
    }

    /// Asks for these scope tokens, separated by spaces, in every request.
    pub fn scope(mut self, scope: &str) -> Self {
        self.request = self.request.scope(scope);
        self
    }

    /// What the authorization endpoint calls `scope`, such as Slack's `user_scope`.
    pub fn scope_parameter(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.request.scope_name(name.into());
        self
    }

    /// What stands between scope tokens in the URL: a space (RFC 6749 §3.3) unless a provider wants a comma.
    pub fn scope_separator(mut self, separator: impl Into<Cow<'static, str>>) -> Self {
        self.request.scope_separator(separator.into());
        self
    }

    /// How the answer comes back: in the query of the redirect URI unless a provider wants a form post, as Apple does.
    pub fn response_mode(mut self, mode: ResponseMode) -> Self {
        self.request = self.request.response_mode(mode);
        self
    }

    /// The issuer identifier of the server. An answer that names another one is refused (RFC 9207 §2.4); one that names none
    /// is taken.
    pub fn issuer(mut self, issuer: impl Into<Box<str>>) -> Self {
        self.request.issuer(issuer.into(), false);
        self
    }

    /// Like [`issuer`](Self::issuer), for a server that always names it: its metadata says
    /// `authorization_response_iss_parameter_supported`. An answer that names none is refused.
    pub fn require_issuer(mut self, issuer: impl Into<Box<str>>) -> Self {
        self.request.issuer(issuer.into(), true);
        self
    }

    /// How PKCE's code challenge is made; `S256` by default.
    pub fn code_challenge_method(mut self, method: CodeChallengeMethod) -> Self {
        self.request.code_challenge_method(Some(method));
        self
    }

    /// Leaves PKCE out, for a server that refuses what it does not know. `state` still protects the login, but not
    /// a code that somebody else gets to see.
    pub fn without_pkce(mut self) -> Self {
        self.request.code_challenge_method(None);
        self
    }

    /// Sets a parameter of every authorization request, such as Google's `access_type=offline`.
    ///
    /// # Errors
    /// Those of [`AuthorizationRequest::parameter`].
    pub fn parameter(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        self.request = self.request.parameter(name, value)?;
        Ok(self)
    }

    /// Adds a parameter to the token request.
    pub fn token_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// What the authorization endpoint calls the `client_id`, such as TikTok's `client_key`.
    pub fn client_id_parameter(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.request.client_id_name(name.into());
        self
    }

    /// Lets users type their passwords in over plain http, and sends client secrets and receives tokens that way, to any
    /// host.
    pub fn dangerously_allow_http(mut self) -> Self {
        self.request.allow_http();
        self.endpoint = self.endpoint.dangerously_allow_http();
        self.refresh = RefreshToken::at(self.endpoint.clone());
        self
    }

    /// Begins a login.
    pub fn request(&self) -> AuthorizationRequest {
        self.request.clone()
    }

    /// Ends a login: checks the answer, exchanges its code, and hands the token to `manager` as that of `key`, in place of
    /// one that is there.
    ///
    /// # Errors
    /// Those of [`exchange`](Self::exchange) and of [`TokenManager::put`].
    pub async fn log_in(
        &self,
        manager: &TokenManager,
        key: &TokenKey,
        pending: PendingAuthorization,
        response: impl Into<AuthorizationResponse>,
    ) -> Result<(), Error> {
        let grant = pending.complete(response)?;
        manager.put(key, self.redeem(grant).await?).await
    }

    /// Checks the answer and exchanges its code (RFC 6749 §4.1.3).
    ///
    /// # Errors
    /// Those of [`PendingAuthorization::complete`], before anything is sent, and those of [`redeem`](Self::redeem).
    pub async fn exchange(
        &self,
        pending: PendingAuthorization,
        response: impl Into<AuthorizationResponse>,
    ) -> Result<Token, Error> {
        let grant = pending.complete(response)?;
        self.redeem(grant).await
    }

    /// Exchanges a code. Where the answer does not say which scope was granted, it is the one that was asked for
    /// (RFC 6749 §5.1).
    ///
    /// # Errors
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) with `invalid_grant` when the code is no longer good, and those of
    /// any call of a token endpoint. The code may be spent after each of them: begin a new login.
    pub async fn redeem(&self, grant: AuthorizationGrant) -> Result<Token, Error> {
        let mut form = Form::new("authorization_code");
        form.push_secret("code", grant.code());
        if let Some(redirect_uri) = grant.redirect_uri() {
            form.push("redirect_uri", redirect_uri);
        }
        if let Some(verifier) = grant.code_verifier() {
            form.push_secret("code_verifier", verifier);
        }
        for (name, value) in &self.parameters {
            form.push(name.clone(), value);
        }
        let token = self.endpoint.exchange(form).await?;
        Ok(with_scope_asked_for(token, grant.scopes()))
    }
}

/// Renews what a login brought: [`RefreshToken`] with the same endpoint.
impl TokenSource for AuthorizationCode {
    async fn token(&self, request: SourceRequest) -> Result<Token, Error> {
        self.refresh.token(request).await
    }
}

/// RFC 6749 §5.1: an answer that does not name the scope grants what was asked for.
pub(super) fn with_scope_asked_for(token: Token, scopes: &[String]) -> Token {
    if token.scope().is_some() || scopes.is_empty() {
        return token;
    }
    token.with_scope(scopes.iter().cloned())
}
