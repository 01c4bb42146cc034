//! The revocation endpoint (RFC 7009).

use std::time::Duration;

use crate::endpoint::ClientAuth;
use crate::endpoint::TokenEndpoint;
use crate::endpoint::answer;
use crate::endpoint::caller::Caller;
use crate::error::ConfigError;
use crate::error::Error;
use crate::protocol::oauth2::form::Form;
use crate::secret::Secret;
use crate::token::TokenRevocation;
use crate::token::TokenTypeHint;
use crate::transport::Endpoint;
use crate::transport::HttpService;

/// A revocation endpoint: ends tokens before their time (RFC 7009).
///
/// Given to the manager, it ends a whole grant when somebody logs out:
///
/// ```
/// use tower_oauth::{ClientAuth, TokenKey, TokenManager};
/// use tower_oauth::endpoint::{RevocationEndpoint, TokenEndpoint};
/// use tower_oauth::grant::RefreshToken;
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let auth = ClientAuth::basic("client id", "client secret");
/// let tokens = TokenEndpoint::new("https://auth.example.com/token", auth, tower_oauth::client())?;
/// let revocation = RevocationEndpoint::beside(&tokens, "https://auth.example.com/revoke")?;
/// let manager = TokenManager::builder(RefreshToken::at(tokens)).revocation(revocation).build();
/// manager.revoke(&TokenKey::new("alice")).await?;
/// # Ok(())
/// # }
/// ```
///
/// Timeouts and limits are those of a [`TokenEndpoint`].
#[derive(Clone, Debug)]
pub struct RevocationEndpoint {
    endpoint: Endpoint,
    caller: Caller,
}

impl RevocationEndpoint {
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

    /// Ends `token`. Ending a refresh token ends its access tokens at most servers, and the whole grant (RFC 7009 §2.1). A
    /// token that the server does not know, or no longer, counts as ended (§2.2).
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedTokenType`](crate::ErrorKind::UnsupportedTokenType) when the server cannot end tokens of this
    /// kind, such as JWTs that nobody asks it about; [`ErrorKind::Refused`](crate::ErrorKind::Refused) when it refuses the
    /// client; [`ErrorKind::UnexpectedStatus`](crate::ErrorKind::UnexpectedStatus) with
    /// [`retry_after`](Error::retry_after) when it is too busy (503), in which case the token is still good; the kinds of
    /// a failed call.
    pub async fn revoke(&self, token: &Secret, hint: TokenTypeHint) -> Result<(), Error> {
        let mut form = Form::default();
        form.push_secret("token", token);
        form.push("token_type_hint", hint.as_str());
        let answer = self.caller.post(&self.endpoint, form).await?;
        match answer::refusal(&self.endpoint, &answer.response, &answer.sent) {
            Some(error) if is_unsupported_type(&error) => Err(error.into_unsupported_token_type()),
            // Nothing has to be in the answer, so it does not matter if nothing can be read.
            Some(error) if error.server().is_some() || !answer.response.status().is_success() => Err(error),
            _ => Ok(()),
        }
    }
}

fn is_unsupported_type(error: &Error) -> bool {
    error.server().is_some_and(|server| server.code() == "unsupported_token_type")
}

impl TokenRevocation for RevocationEndpoint {
    async fn revoke(&self, token: &Secret, hint: TokenTypeHint) -> Result<(), Error> {
        Self::revoke(self, token, hint).await
    }
}
