//! The pushed authorization request endpoint (RFC 9126).

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::endpoint::ClientAuth;
use crate::endpoint::TokenEndpoint;
use crate::endpoint::caller::Caller;
use crate::endpoint::fields;
use crate::error::ConfigError;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth2::authorize::AuthorizationRequest;
use crate::protocol::oauth2::authorize::PendingAuthorization;
use crate::protocol::oauth2::device;
use crate::protocol::oauth2::form::Form;
use crate::transport::Endpoint;
use crate::transport::HttpService;

/// How long a pushed request is good when the server does not say, which RFC 9126 §2.2 wants it to.
const LIFETIME: Duration = Duration::from_secs(60);

/// A pushed authorization request endpoint (RFC 9126): the parameters of an authorization request go straight to the server,
/// from a client that proves who it is, and the browser gets a short URL with a reference to them.
///
/// ```
/// use tower_oauth::ClientAuth;
/// use tower_oauth::endpoint::{PushedAuthorizationEndpoint, TokenEndpoint};
/// use tower_oauth::grant::AuthorizationCode;
/// # use tower_oauth::testing::Provider;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// # let http = Provider::new().client();
/// let auth = ClientAuth::basic("test-client", "test-secret");
/// let token_endpoint = TokenEndpoint::new("http://localhost/token", auth, http)?;
/// let pushed_requests = PushedAuthorizationEndpoint::beside(&token_endpoint, "http://localhost/par")?;
/// let flow = AuthorizationCode::at("http://localhost/authorize", token_endpoint)?
///     .redirect_uri("https://app.example.com/callback");
///
/// let pushed = pushed_requests.push(flow.request().scope("orders:read")).await?;
/// // Send the browser there, and keep `pending` in its session.
/// let url = pushed.url()?.to_owned();
/// let pending = pushed.into_pending();
/// assert!(url.starts_with("http://localhost/authorize?client_id=test-client&request_uri=urn%3A"));
/// # let _ = pending;
/// # Ok(())
/// # }
/// ```
///
/// The limits of calls are those of [`TokenEndpoint`].
#[derive(Clone, Debug)]
pub struct PushedAuthorizationEndpoint {
    endpoint: Endpoint,
    caller: Caller,
}

/// A request that the server keeps for a short while (RFC 9126 §2.2). `Debug` does not show where.
pub struct PushedAuthorization {
    url: String,
    pending: PendingAuthorization,
    expires_in: Duration,
    pushed_at: Instant,
}

impl PushedAuthorizationEndpoint {
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

    /// The endpoint at `url`, for the same client, over the same HTTP client, with the same limits as `token_endpoint`.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn beside(token_endpoint: &TokenEndpoint, url: &str) -> Result<Self, ConfigError> {
        Ok(Self::at(Endpoint::parse(url)?, token_endpoint.caller().clone()))
    }

    pub(super) fn at(endpoint: Endpoint, caller: Caller) -> Self {
        Self { endpoint, caller }
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

    /// Sends client secrets over plain http, to any host.
    pub fn dangerously_allow_http(mut self) -> Self {
        self.caller.allow_http();
        self
    }

    /// Pushes a request.
    ///
    /// # Errors
    /// - [`ErrorKind::InsecureScheme`] when the authorization endpoint is plain http and not on this machine.
    /// - [`ErrorKind::Refused`] when the server does not like the request, and those of any call of an endpoint.
    pub async fn push(&self, request: AuthorizationRequest) -> Result<PushedAuthorization, Error> {
        request.check()?;
        let (parameters, pending) = request.parameters();
        let mut form = Form::default();
        for (name, value) in parameters {
            form.push(name, value);
        }
        let pushed_at = Instant::now();
        let answer = self.caller.post(&self.endpoint, form).await?;
        let fields = fields::fields(&self.endpoint, &answer)?;
        let request_uri = fields.get("request_uri").and_then(Value::as_str).filter(|uri| !uri.is_empty());
        let request_uri =
            request_uri.ok_or_else(|| fields::unusable(&self.endpoint, &answer, "it has no request_uri"))?;
        let (name, client) = request.client();
        let url = request
            .url(&[(name.to_owned(), client.to_owned()), ("request_uri".to_owned(), request_uri.to_owned())]);
        let expires_in = device::duration(&fields, "expires_in").unwrap_or(LIFETIME);
        Ok(PushedAuthorization { url, pending, expires_in, pushed_at })
    }
}

impl PushedAuthorization {
    /// The URL to open in the resource owner's browser, as long as it is good.
    ///
    /// # Errors
    /// [`ErrorKind::AuthorizationExpired`] when the server no longer knows the request.
    pub fn url(&self) -> Result<&str, Error> {
        if self.pushed_at.elapsed() >= self.expires_in {
            return Err(Error::new(ErrorKind::AuthorizationExpired));
        }
        Ok(&self.url)
    }

    /// How long the server keeps the request, from when it was pushed; a minute if it does not say.
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }

    /// What has to be kept until the answer comes.
    pub fn pending(&self) -> &PendingAuthorization {
        &self.pending
    }

    /// The same, for keeping.
    pub fn into_pending(self) -> PendingAuthorization {
        self.pending
    }
}

impl fmt::Debug for PushedAuthorization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PushedAuthorization")
            .field("pending", &self.pending)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_that_of_the_table() {
        let what = "life of a pushed authorization request whose server does not say";
        crate::defaults::assert_documented(what, LIFETIME);
    }
}
