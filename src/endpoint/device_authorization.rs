//! The device authorization endpoint (RFC 8628 §3.1).

use std::fmt;
use std::time::Duration;

use crate::endpoint::ClientAuth;
use crate::endpoint::TokenEndpoint;
use crate::endpoint::caller::Caller;
use crate::endpoint::fields;
use crate::error::ConfigError;
use crate::error::Error;
use crate::protocol::oauth2::device;
use crate::protocol::oauth2::form::Form;
use crate::secret::Secret;
use crate::transport::Endpoint;
use crate::transport::HttpService;

/// A device authorization endpoint (RFC 8628 §3.1): gives out the code that a user types in somewhere else.
///
/// [`grant::DeviceAuthorization`](crate::grant::DeviceAuthorization) is the whole grant. The limits of calls are those of
/// [`TokenEndpoint`].
#[derive(Clone, Debug)]
pub struct DeviceAuthorizationEndpoint {
    endpoint: Endpoint,
    caller: Caller,
}

/// What the device has to show, and what it may ask with (RFC 8628 §3.2).
///
/// `Debug` does not show the codes.
#[derive(Clone)]
#[non_exhaustive]
pub struct DeviceAuthorizationResponse {
    /// What the device asks with.
    pub device_code: Secret,
    /// What the user types in. Show it: it says what is approved.
    pub user_code: String,
    /// Where the user types it in (`verification_uri`, or Google's `verification_url`).
    pub verification_uri: String,
    /// The same with the code in it, for a QR code; show the code all the same (RFC 8628 §3.3.1).
    pub verification_uri_complete: Option<String>,
    /// How long the codes are good, from the answer on; 15 minutes if the server does not say.
    pub expires_in: Duration,
    /// The least time between two questions; 5 seconds if the server does not say, and 1 second at least.
    pub interval: Duration,
}

impl DeviceAuthorizationEndpoint {
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

    /// Sends client secrets and receives codes over plain http, to any host.
    pub fn dangerously_allow_http(mut self) -> Self {
        self.caller.allow_http();
        self
    }

    /// Asks for codes, with `scope` and whatever else among the parameters.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused), and those of any call of an endpoint.
    pub async fn authorize<'a>(
        &self,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)> + Send,
    ) -> Result<DeviceAuthorizationResponse, Error> {
        let mut form = Form::default();
        // Also beside a Basic header: RFC 8628 §3.1 wants it wherever the client has nothing to prove itself with, and
        // several servers always do.
        form.push("client_id", self.caller.auth.client_id());
        for (name, value) in parameters {
            form.push(name.to_owned(), value);
        }
        let answer = self.caller.post(&self.endpoint, form).await?;
        let read = device::read(fields::fields(&self.endpoint, &answer)?);
        let read = read.map_err(|detail| fields::unusable(&self.endpoint, &answer, detail))?;
        Ok(DeviceAuthorizationResponse {
            device_code: read.device_code,
            user_code: read.user_code,
            verification_uri: read.verification_uri,
            verification_uri_complete: read.verification_uri_complete,
            expires_in: read.expires_in,
            interval: read.interval,
        })
    }
}

impl fmt::Debug for DeviceAuthorizationResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DeviceAuthorizationResponse")
            .field("device_code", &self.device_code)
            .field("verification_uri", &self.verification_uri)
            .field("expires_in", &self.expires_in)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
