//! Where the provider is asked.

use crate::error::ConfigError;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::transport::Endpoint;

/// The three endpoints of a provider (RFC 5849 §2), each an absolute URL. One with a query keeps it.
///
/// | here | RFC 5849 | often called |
/// |---|---|---|
/// | request token | Temporary Credential Request | `request_token`, `initiate` |
/// | authorization | Resource Owner Authorization | `authorize`, `authenticate` |
/// | access token | Token Request | `access_token`, `token` |
///
/// ```
/// use tower_oauth::oauth1::flow::Endpoints;
///
/// let tumblr = Endpoints::new(
///     "https://www.tumblr.com/oauth/request_token",
///     "https://www.tumblr.com/oauth/authorize",
///     "https://www.tumblr.com/oauth/access_token",
/// )?;
/// # let _ = tumblr;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Endpoints {
    request_token: Option<Endpoint>,
    authorization: Option<Endpoint>,
    access_token: Endpoint,
}

/// A request of the flow that the client sends and signs. The step between the two is the resource owner's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// For an access token (RFC 5849 §2.3); for its renewal and for xAuth too.
    AccessToken,
    /// For a request token (RFC 5849 §2.1).
    RequestToken,
}

impl Endpoints {
    /// The endpoints for the request token, for the resource owner's authorization, and for the access token.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when one is not an absolute http or https URL.
    pub fn new(request_token: &str, authorization: &str, access_token: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            request_token: Some(Endpoint::parse(request_token)?),
            authorization: Some(Endpoint::parse(authorization)?),
            access_token: Endpoint::parse(access_token)?,
        })
    }

    /// For a provider that has one endpoint only, because there is nothing but xAuth or because tokens are only renewed.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn access_token_only(access_token: &str) -> Result<Self, ConfigError> {
        Ok(Self { request_token: None, authorization: None, access_token: Endpoint::parse(access_token)? })
    }

    pub(super) fn of(&self, step: Step) -> Result<&Endpoint, Error> {
        match step {
            Step::AccessToken => Ok(&self.access_token),
            Step::RequestToken => self.request_token.as_ref().ok_or_else(missing),
        }
    }

    pub(super) fn authorization(&self) -> Result<&Endpoint, Error> {
        self.authorization.as_ref().ok_or_else(missing)
    }
}

fn missing() -> Error {
    Error::new(ErrorKind::MissingEndpoint)
}
