//! The token endpoint.

use std::time::Duration;

use crate::endpoint::ClientAuth;
use crate::endpoint::caller::Caller;
use crate::error::ConfigError;
use crate::error::Error;
use crate::protocol::oauth2::form::Form;
use crate::protocol::oauth2::response;
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
#[derive(Clone, Debug)]
pub struct TokenEndpoint {
    endpoint: Endpoint,
    caller: Caller,
}

impl TokenEndpoint {
    /// The endpoint at `url`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when `url` is not an absolute http or https URL.
    pub fn new<S, Q, R>(url: &str, auth: ClientAuth, http: S) -> Result<Self, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        Ok(Self { endpoint: Endpoint::parse(url)?, caller: Caller::new(auth, http) })
    }

    pub(super) fn at(endpoint: Endpoint, caller: Caller) -> Self {
        Self { endpoint, caller }
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
        let answer = self.caller.post(&self.endpoint, form).await?;
        let response = &answer.response;
        response::parse(response.status(), response.headers(), response.body(), answer.sent.iter())
            .map(token)
            .map_err(|error| error.at(self.endpoint.shown()))
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

fn token(response: response::TokenResponse) -> Token {
    let mut token = Token::new(response.access_token);
    if let Some(token_type) = response.token_type {
        token = token.with_token_type(token_type);
    }
    if let Some(lifetime) = response.expires_in {
        token = token.expires_in(lifetime);
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
