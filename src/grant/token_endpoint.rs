//! A token endpoint, the client that is known there, and the way to it.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::header::ACCEPT;
use http::header::CONTENT_TYPE;
use http_body::Body;
use tower::BoxError;
use tower::Service;

use crate::error::ConfigError;
use crate::error::Error;
use crate::grant::ClientAuth;
use crate::protocol::oauth2::form::Form;
use crate::protocol::oauth2::response;
use crate::token::AccessScope;
use crate::token::SourceRequest;
use crate::token::Token;
use crate::transport::Endpoint;
use crate::transport::Transport;

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
    auth: ClientAuth,
    transport: Transport,
}

impl TokenEndpoint {
    /// The endpoint at `url`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when `url` is not an absolute http or https URL.
    pub fn new<S, Q, R>(url: &str, auth: ClientAuth, http: S) -> Result<Self, ConfigError>
    where
        S: Service<Request<Q>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        Q: From<Bytes> + Send + 'static,
        R: Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        Ok(Self { endpoint: Endpoint::parse(url)?, auth, transport: Transport::new(http) })
    }

    /// The longest time of one call.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.transport.timeout(timeout);
        self
    }

    /// The largest answer that is read, in bytes.
    pub fn response_limit(mut self, limit: usize) -> Self {
        self.transport.response_limit(limit);
        self
    }

    /// Sends client secrets and receives tokens over plain http, to any host.
    pub fn dangerously_allow_http(mut self) -> Self {
        self.transport.allow_http();
        self
    }

    /// Asks for a token with the parameters of a grant.
    pub(super) async fn exchange(&self, mut form: Form) -> Result<Token, Error> {
        let mut request =
            Request::post(self.endpoint.uri().clone()).body(Bytes::new()).map_err(Error::transient)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        // Without it, GitHub answers a form.
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        self.auth.apply(&mut form, headers);
        *request.body_mut() = form.encode();
        let answer = self.transport.send(&self.endpoint, request).await?;
        let auth = self.auth.secrets();
        let secrets = form.secrets().chain(&auth);
        response::parse(answer.status(), answer.headers(), answer.body(), secrets)
            .map(token)
            .map_err(|error| error.at(self.endpoint.shown()))
    }
}

/// Adds `scope` and `resource`: what the request asks for, or else what the grant was set up with.
pub(super) fn push_scope(form: &mut Form, request: &SourceRequest, default: &AccessScope) {
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
