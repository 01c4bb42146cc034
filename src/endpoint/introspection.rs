//! The introspection endpoint (RFC 7662).

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;

use crate::endpoint::ClientAuth;
use crate::endpoint::TokenEndpoint;
use crate::endpoint::answer;
use crate::endpoint::caller::Caller;
use crate::error::ConfigError;
use crate::error::Error;
use crate::protocol::oauth2::form::Form;
use crate::protocol::oauth2::introspection::Introspection;
use crate::secret::Secret;
use crate::transport::Endpoint;
use crate::transport::HttpService;

/// An introspection endpoint: says to a resource server what a token is worth (RFC 7662).
///
/// ```
/// use tower_oauth::{ClientAuth, Secret};
/// use tower_oauth::endpoint::IntrospectionEndpoint;
/// # async fn example(token: Secret) -> Result<(), Box<dyn std::error::Error>> {
/// let auth = ClientAuth::basic("resource server", "its secret");
/// let endpoint =
///     IntrospectionEndpoint::new("https://auth.example.com/introspect", auth, tower_oauth::client())?;
/// let answer = endpoint.introspect(&token).await?;
/// let may_read = answer.is_active()
///     && answer.audiences().any(|audience| audience == "https://api.example.com")
///     && answer.scope().any(|scope| scope == "orders:read");
/// # let _ = may_read;
/// # Ok(())
/// # }
/// ```
///
/// The answer is not kept: each call asks the server. Timeouts and limits are those of a [`TokenEndpoint`].
#[derive(Clone, Debug)]
pub struct IntrospectionEndpoint {
    endpoint: Endpoint,
    caller: Caller,
}

impl IntrospectionEndpoint {
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

    /// The endpoint at `url`, for the same client and with the same HTTP client as `token_endpoint`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when `url` is not an absolute http or https URL.
    pub fn beside(token_endpoint: &TokenEndpoint, url: &str) -> Result<Self, ConfigError> {
        Ok(Self { endpoint: Endpoint::parse(url)?, caller: token_endpoint.caller().clone() })
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

    /// Sends tokens and client secrets over plain http, to any host.
    pub fn dangerously_allow_http(mut self) -> Self {
        self.caller.allow_http();
        self
    }

    /// Asks what `token` is worth.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) when the server refuses the client itself;
    /// [`ErrorKind::UnusableResponse`](crate::ErrorKind::UnusableResponse) when the answer does not say clearly what the
    /// token is worth, or is a signed JWT (RFC 9701), which is not read here; the kinds of a failed call.
    pub async fn introspect(&self, token: &Secret) -> Result<Introspection, Error> {
        let mut form = Form::default();
        form.push_secret("token", token);
        let answer = self.caller.post(&self.endpoint, form).await?;
        let response = answer::success(&self.endpoint, &answer.response, &answer.sent)?;
        if is_jwt(response) {
            let detail = "it is a signed JWT (RFC 9701), and JSON was asked for";
            return Err(answer::unusable(&self.endpoint, response, detail));
        }
        let members = answer::object(&self.endpoint, response, &answer.sent)?;
        Introspection::read(members).map_err(|why| answer::unusable(&self.endpoint, response, why))
    }
}

fn is_jwt(response: &Response<Bytes>) -> bool {
    let value =
        response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/jwt" || media_type.ends_with("+jwt")
}
