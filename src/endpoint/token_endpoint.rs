//! The token endpoint.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use http::HeaderMap;
use http::Response;

use crate::endpoint::ClientAuth;
use crate::endpoint::caller::Caller;
use crate::error::ConfigError;
use crate::error::Error;
use crate::protocol::oauth2::form::Form;
use crate::protocol::oauth2::request::RequestRules;
use crate::protocol::oauth2::request::TokenRequest;
use crate::protocol::oauth2::response;
use crate::protocol::oauth2::response::Answered;
use crate::protocol::oauth2::response::Purpose;
use crate::protocol::oauth2::response::ResponseRules;
use crate::protocol::oauth2::response::TokenResponse;
use crate::token::AccessScope;
use crate::token::SourceRequest;
use crate::token::Token;
use crate::transport::Endpoint;
use crate::transport::HttpService;

/// A token endpoint (RFC 6749 §3.2), the client that is known there, and an HTTP client.
///
/// The HTTP client is any tower service whose request body can be made from `Bytes`. It must not be a stack that itself
/// waits for the token. Whatever it does, redirects are refused, and an answer has a largest size and a deadline:
///
/// | what | default |
/// |---|---|
/// | [`timeout`](Self::timeout) | 20 s |
/// | [`response_limit`](Self::response_limit) | 1 MiB |
/// | plain http | refused, except to this machine |
/// | [`request_rules`](Self::request_rules) | as RFC 6749 says |
/// | [`response_rules`](Self::response_rules) | [lenient](ResponseRules::lenient) |
///
/// # Providers that want something else
/// The rules say what differs, as data; a [`Provider`](crate::provider::Provider) has them ready. For what they cannot
/// say there are hooks: closures that edit a request just before it is sent, or an answer before it is read.
///
/// ```
/// use tower_oauth::ClientAuth;
/// use tower_oauth::endpoint::{RequestRules, ResponseRules, TokenEndpoint};
/// # fn http() -> impl tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>,
/// #     Response = http::Response<http_body_util::Full<bytes::Bytes>>, Error = std::convert::Infallible,
/// #     Future: Send> + Clone + Send + 'static {
/// #     tower::service_fn(|_| async { Ok(http::Response::default()) })
/// # }
///
/// let auth = ClientAuth::post("client id", "client secret");
/// let endpoint = TokenEndpoint::new("https://auth.example.com/token", auth, http())?
///     .refresh_url("https://auth.example.com/refresh")?
///     .request_rules(RequestRules::new().json().scope_separator(","))
///     .response_rules(ResponseRules::lenient().token_at("/data")?)
///     .access_token_request(|request| request.set("device", "4711"))
///     .access_token_response(|response| {
///         if response.body().is_empty() {
///             *response.status_mut() = http::StatusCode::BAD_GATEWAY;
///         }
///     });
/// # let _ = endpoint;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenEndpoint {
    endpoint: Endpoint,
    refresh_endpoint: Option<Endpoint>,
    caller: Caller,
    request_rules: Arc<RequestRules>,
    refresh_request_rules: Option<Arc<RequestRules>>,
    response_rules: Arc<ResponseRules>,
    hooks: Hooks,
}

/// What edits requests and answers, for renewals and for everything else.
#[derive(Clone, Default)]
struct Hooks {
    access_token_request: Option<RequestHook>,
    access_token_response: Option<ResponseHook>,
    refresh_token_request: Option<RequestHook>,
    refresh_token_response: Option<ResponseHook>,
}

type RequestHook = Arc<dyn Fn(&mut TokenRequest<'_>) + Send + Sync>;
type ResponseHook = Arc<dyn Fn(&mut Response<Bytes>) + Send + Sync>;

impl TokenEndpoint {
    /// The endpoint at `url`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when `url` is not an absolute http or https URL.
    pub fn new<S, Q, R>(url: &str, auth: ClientAuth, http: S) -> Result<Self, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        Ok(Self::at(Endpoint::parse(url)?, Caller::new(auth, http)))
    }

    pub(super) fn at(endpoint: Endpoint, caller: Caller) -> Self {
        Self {
            endpoint,
            refresh_endpoint: None,
            caller,
            request_rules: Arc::default(),
            refresh_request_rules: None,
            response_rules: Arc::default(),
            hooks: Hooks::default(),
        }
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The longest time of one call.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.caller.timeout(timeout);
        self
    }

    /// The largest answer that is read, in bytes.
    pub fn response_limit(mut self, limit: usize) -> Self {
        self.caller.response_limit(limit);
        self
    }

    /// Sends client secrets and receives tokens over plain http, to any host.
    pub fn dangerously_allow_http(mut self) -> Self {
        self.caller.allow_http();
        self
    }

    /// Renews tokens with their refresh token at this URL.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when `url` is not an absolute http or https URL.
    pub fn refresh_url(mut self, url: &str) -> Result<Self, ConfigError> {
        self.refresh_endpoint = Some(Endpoint::parse(url)?);
        Ok(self)
    }

    /// What requests look like.
    pub fn request_rules(mut self, rules: RequestRules) -> Self {
        self.request_rules = Arc::new(rules);
        self
    }

    /// What requests with a refresh token look like, where they differ from the others.
    pub fn refresh_request_rules(mut self, rules: RequestRules) -> Self {
        self.refresh_request_rules = Some(Arc::new(rules));
        self
    }

    /// How answers are read.
    pub fn response_rules(mut self, rules: ResponseRules) -> Self {
        self.response_rules = Arc::new(rules);
        self
    }

    /// Edits each request for a token just before it is sent, except for renewals with a refresh token. It comes after the
    /// rules and after the proof of who the client is.
    pub fn access_token_request(
        mut self,
        hook: impl Fn(&mut TokenRequest<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.hooks.access_token_request = Some(Arc::new(hook));
        self
    }

    /// Edits each answer to such a request before it is read. Redirects and answers that are too long do not come here.
    pub fn access_token_response(
        mut self,
        hook: impl Fn(&mut Response<Bytes>) + Send + Sync + 'static,
    ) -> Self {
        self.hooks.access_token_response = Some(Arc::new(hook));
        self
    }

    /// Edits each renewal with a refresh token just before it is sent.
    pub fn refresh_token_request(
        mut self,
        hook: impl Fn(&mut TokenRequest<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.hooks.refresh_token_request = Some(Arc::new(hook));
        self
    }

    /// Edits each answer to a renewal before it is read.
    pub fn refresh_token_response(
        mut self,
        hook: impl Fn(&mut Response<Bytes>) + Send + Sync + 'static,
    ) -> Self {
        self.hooks.refresh_token_response = Some(Arc::new(hook));
        self
    }

    /// The endpoint's URL, without query.
    pub(crate) fn url(&self) -> &str {
        self.endpoint.shown()
    }

    /// The identifier of the client.
    pub(crate) fn client_id(&self) -> &str {
        self.caller.auth.client_id()
    }

    /// Asks for a token with the parameters of a grant.
    pub(crate) async fn exchange(&self, form: Form) -> Result<Token, Error> {
        self.exchange_and_look(form, |_| ()).await
    }

    /// The same for a grant that has to `look` at more of the answer than a token or an error can say.
    pub(crate) async fn exchange_and_look(
        &self,
        form: Form,
        look: impl FnOnce(&[u8]) + Send,
    ) -> Result<Token, Error> {
        let purpose = Purpose::of(&form);
        let hooks = &self.hooks;
        let (endpoint, rules, request_hook, response_hook) = match purpose {
            Purpose::Grant => (
                &self.endpoint,
                &self.request_rules,
                &hooks.access_token_request,
                &hooks.access_token_response,
            ),
            Purpose::Refresh => (
                self.refresh_endpoint.as_ref().unwrap_or(&self.endpoint),
                self.refresh_request_rules.as_ref().unwrap_or(&self.request_rules),
                &hooks.refresh_token_request,
                &hooks.refresh_token_response,
            ),
        };
        let edit = |form: &mut Form, headers: &mut HeaderMap| {
            if let Some(hook) = request_hook {
                hook(&mut TokenRequest::new(form, headers));
            }
        };
        let mut answer = self.caller.send(endpoint, HeaderMap::new(), form, rules, edit).await?;
        if let Some(hook) = response_hook {
            hook(&mut answer.response);
        }
        look(answer.response.body());
        let answered = Answered {
            status: answer.response.status(),
            headers: answer.response.headers(),
            body: answer.response.body(),
            sent: &answer.sent,
            purpose,
            now: SystemTime::now(),
        };
        let at = |error: Error| error.at(endpoint.shown());
        let response = response::parse(answered, &self.response_rules).map_err(|error| {
            let hint = answer
                .hint
                .filter(|_| error.server().is_some_and(|server| server.code() == "invalid_client"));
            at(match hint {
                Some(hint) => error.detail(hint),
                None => error,
            })
        })?;
        Ok(token(response, at))
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Hooks")
            .field("access_token_request", &self.access_token_request.is_some())
            .field("access_token_response", &self.access_token_response.is_some())
            .field("refresh_token_request", &self.refresh_token_request.is_some())
            .field("refresh_token_response", &self.refresh_token_response.is_some())
            .finish()
    }
}

/// Adds `scope` and `resource`: what the request asks for, or else what the grant was set up with.
pub(crate) fn push_scope(form: &mut Form, request: &SourceRequest, default: &AccessScope) {
    let scope = if request.scope().is_empty() { default } else { request.scope() };
    let scopes: Vec<&str> = scope.scopes().collect();
    if !scopes.is_empty() {
        form.push("scope", scopes.join(" "));
    }
    for resource in scope.resources() {
        form.push("resource", resource);
    }
}

fn token(response: TokenResponse, at: impl Fn(Error) -> Error) -> Token {
    let mut token = Token::new(response.access_token);
    if let Some(fault) = response.fault {
        token = token.with_fault(at(fault));
    }
    if let Some(token_type) = response.token_type {
        token = token.with_token_type(token_type);
    }
    if let Some(lifetime) = response.expires_in {
        token = token.expires_in(lifetime);
    }
    if let Some(moment) = response.expires_at {
        token = token.with_expires_at(moment);
    }
    if let Some(delay) = response.refresh_in {
        token = token.with_refresh_in(delay);
    }
    if let Some(refresh_token) = response.refresh_token {
        token = token.with_refresh_token(refresh_token);
    }
    if let Some(lifetime) = response.refresh_expires_in {
        token = token.refresh_expires_in(lifetime);
    }
    if let Some(scope) = response.scope {
        token = token.with_scope(scope);
    }
    response.extra.into_iter().fold(token, |token, (name, value)| token.with_extra(name, value))
}
