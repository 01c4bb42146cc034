//! The device authorization grant (RFC 8628).

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;
use tokio::time::sleep_until;

use crate::endpoint::AuthorizationServer;
use crate::endpoint::ClientAuth;
use crate::endpoint::DeviceAuthorizationEndpoint;
use crate::endpoint::DeviceAuthorizationResponse;
use crate::endpoint::TokenEndpoint;
use crate::error::ConfigError;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::grant::RefreshToken;
use crate::grant::authorization_code::with_scope_asked_for;
use crate::protocol::oauth2::device;
use crate::protocol::oauth2::form::Form;
use crate::token::SourceRequest;
use crate::token::Token;
use crate::token::TokenKey;
use crate::token::TokenManager;
use crate::token::TokenSource;
use crate::transport::HttpService;

/// The longest pause after a question that did not arrive.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Somebody logs in on another device, with a code that this one shows (RFC 8628): for televisions, terminals, and whatever else
/// has no browser.
///
/// ```
/// use tower_oauth::grant::DeviceAuthorization;
/// use tower_oauth::testing::Provider;
/// use tower_oauth::{ClientAuth, TokenKey, TokenManager};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), tower_oauth::Error> {
/// # let provider = Provider::new();
/// # let http = provider.client();
/// # let auth = ClientAuth::none("test-app");
/// # let flow = DeviceAuthorization::new("http://localhost/device_authorization", "http://localhost/token", auth, http)
/// #     .expect("URLs")
/// #     .scope("orders:read");
/// let manager = TokenManager::builder(flow.clone()).build();
///
/// let pending = flow.start().await?;
/// println!("Open {} and enter the code {}", pending.verification_uri(), pending.user_code());
/// # provider.approve_device(pending.user_code());
/// let token = pending.wait_with(|progress| println!("{progress:?}")).await?;
/// manager.put(&TokenKey::default(), token).await?;
/// # Ok(())
/// # }
/// ```
///
/// As a [`TokenSource`] it renews that token with its refresh token from then on.
#[derive(Clone, Debug)]
pub struct DeviceAuthorization {
    device_endpoint: DeviceAuthorizationEndpoint,
    token_endpoint: TokenEndpoint,
    scopes: Vec<String>,
    parameters: Vec<(String, String)>,
    refresh: RefreshToken,
}

/// A login that waits for somebody to approve it on another device.
///
/// Dropping it, or the future that waits for it, ends the asking.
#[derive(Debug)]
#[must_use = "nobody asks until `wait`"]
pub struct PendingDeviceAuthorization {
    token_endpoint: TokenEndpoint,
    response: DeviceAuthorizationResponse,
    scopes: Vec<String>,
    ends_at: Instant,
}

/// What happens while a device waits.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DeviceProgress {
    /// Nobody has decided yet; the next question is after `pause`.
    #[non_exhaustive]
    Waiting {
        /// The time until then.
        pause: Duration,
    },
    /// The server wants to be asked less often (`slow_down`, or status 429): after `pause` from now on.
    #[non_exhaustive]
    SlowedDown {
        /// The time between two questions.
        pause: Duration,
    },
    /// The question did not arrive, or the server has troubles of its own; the next one is after `pause`, which doubles
    /// each time.
    #[non_exhaustive]
    RetryingAfterError {
        /// What went wrong.
        error: Error,
        /// The time until then.
        pause: Duration,
    },
}

impl DeviceAuthorization {
    /// A client that is known at both URLs, which are reached through `http`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when one of them is not an absolute http or https URL.
    pub fn new<S, Q, R>(
        device_authorization_url: &str,
        token_url: &str,
        auth: ClientAuth,
        http: S,
    ) -> Result<Self, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        let token_endpoint = TokenEndpoint::new(token_url, auth, http)?;
        let device_endpoint = DeviceAuthorizationEndpoint::beside(&token_endpoint, device_authorization_url)?;
        Ok(Self::at(device_endpoint, token_endpoint))
    }

    /// A client that is known at these endpoints.
    pub fn at(device_endpoint: DeviceAuthorizationEndpoint, token_endpoint: TokenEndpoint) -> Self {
        let refresh = RefreshToken::at(token_endpoint.clone());
        Self { device_endpoint, token_endpoint, scopes: Vec::new(), parameters: Vec::new(), refresh }
    }

    /// A client that is known at `server`, with the endpoints that the server names.
    ///
    /// # Errors
    /// Those of [`AuthorizationServer::token_endpoint`].
    pub fn with_server(server: &AuthorizationServer) -> Result<Self, ConfigError> {
        Ok(Self::at(server.device_authorization_endpoint()?, server.token_endpoint()?))
    }

    /// Asks for these scope tokens, separated by spaces.
    pub fn scope(mut self, scope: &str) -> Self {
        self.scopes.extend(scope.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned));
        self
    }

    /// Names a resource for which a token will be wanted (RFC 8707), in addition to others.
    pub fn resource(self, resource: impl Into<String>) -> Self {
        self.parameter("resource", resource)
    }

    /// Adds a parameter to the request for codes, such as Auth0's `audience`.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Begins a login: gets the codes (RFC 8628 §3.1).
    ///
    /// # Errors
    /// Those of [`DeviceAuthorizationEndpoint::authorize`].
    pub async fn start(&self) -> Result<PendingDeviceAuthorization, Error> {
        let scope = self.scopes.join(" ");
        let scope = (!scope.is_empty()).then_some(("scope", scope.as_str()));
        let parameters = self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let response = self.device_endpoint.authorize(scope.into_iter().chain(parameters)).await?;
        let now = Instant::now();
        Ok(PendingDeviceAuthorization {
            token_endpoint: self.token_endpoint.clone(),
            // A life beyond what the clock can tell has no end; a year is as good.
            ends_at: now.checked_add(response.expires_in).unwrap_or(now + Duration::from_secs(31_536_000)),
            response,
            scopes: self.scopes.clone(),
        })
    }

    /// The whole login: shows what [`start`](Self::start) brought, waits, and hands the token to `manager` as that of `key`.
    ///
    /// # Errors
    /// Those of [`start`](Self::start), [`PendingDeviceAuthorization::wait`] and [`TokenManager::put`].
    pub async fn log_in(
        &self,
        manager: &TokenManager,
        key: &TokenKey,
        show: impl FnOnce(&PendingDeviceAuthorization) + Send,
    ) -> Result<(), Error> {
        let pending = self.start().await?;
        show(&pending);
        manager.put(key, pending.wait().await?).await
    }
}

/// Renews what a login brought: [`RefreshToken`] with the same endpoint.
impl TokenSource for DeviceAuthorization {
    async fn token(&self, request: SourceRequest) -> Result<Token, Error> {
        self.refresh.token(request).await
    }
}

impl PendingDeviceAuthorization {
    /// What the user types in.
    pub fn user_code(&self) -> &str {
        &self.response.user_code
    }

    /// Where the user types it in.
    pub fn verification_uri(&self) -> &str {
        &self.response.verification_uri
    }

    /// The same with the code in it, for a QR code. Show the code all the same: the user has to compare it.
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.response.verification_uri_complete.as_deref()
    }

    /// How long the codes are good, from the server's answer on.
    pub fn expires_in(&self) -> Duration {
        self.response.expires_in
    }

    /// The whole answer of the server.
    pub fn response(&self) -> &DeviceAuthorizationResponse {
        &self.response
    }

    /// Asks until somebody has decided (RFC 8628 §3.4), as often as the server allows, and gives the token.
    ///
    /// # Errors
    /// - [`ErrorKind::AuthorizationDenied`]: they refused.
    /// - [`ErrorKind::AuthorizationExpired`]: they took too long; nothing is asked beyond the time that the server gave.
    /// - [`ErrorKind::Refused`], and those of any call of a token endpoint that are not
    ///   [transient](Error::is_transient).
    pub async fn wait(self) -> Result<Token, Error> {
        self.wait_with(|_| ()).await
    }

    /// Like [`wait`](Self::wait); tells what happens meanwhile.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait).
    pub async fn wait_with(self, mut progress: impl FnMut(&DeviceProgress) + Send) -> Result<Token, Error> {
        let mut interval = self.response.interval;
        let mut pause = interval;
        progress(&DeviceProgress::Waiting { pause });
        loop {
            self.sleep(pause).await?;
            let mut named_interval = None;
            let outcome = self
                .token_endpoint
                .exchange_and_look(self.form(), |body| named_interval = device::interval(body))
                .await;
            let error = match outcome {
                Ok(token) => return Ok(with_scope_asked_for(token, &self.scopes)),
                Err(error) => error,
            };
            let event = match Answer::of(&error) {
                Answer::Pending => {
                    pause = interval;
                    DeviceProgress::Waiting { pause }
                }
                Answer::SlowDown => {
                    interval = match named_interval {
                        Some(named) if named > interval => named,
                        _ => interval.saturating_add(device::SLOW_DOWN),
                    };
                    pause = interval.max(error.retry_after().unwrap_or_default());
                    DeviceProgress::SlowedDown { pause }
                }
                Answer::Unreachable => {
                    // RFC 8628 §3.5 wants the pauses to double.
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE.max(interval));
                    pause = pause.max(error.retry_after().unwrap_or_default());
                    DeviceProgress::RetryingAfterError { error, pause }
                }
                Answer::Final(kind) => return Err(kind.map_or(error.clone(), |kind| error.with_kind(kind))),
            };
            progress(&event);
        }
    }

    /// Sleeps, but no longer than the codes are good.
    async fn sleep(&self, pause: Duration) -> Result<(), Error> {
        let next = Instant::now().checked_add(pause).filter(|next| *next < self.ends_at);
        sleep_until(next.unwrap_or(self.ends_at)).await;
        if next.is_none() { Err(Error::new(ErrorKind::AuthorizationExpired)) } else { Ok(()) }
    }

    fn form(&self) -> Form {
        let mut form = Form::new("urn:ietf:params:oauth:grant-type:device_code");
        form.push_secret("device_code", &self.response.device_code);
        form
    }
}

/// What a failed question means.
enum Answer {
    Pending,
    SlowDown,
    Unreachable,
    /// The end, and the kind that says it better than the error does.
    Final(Option<ErrorKind>),
}

impl Answer {
    fn of(error: &Error) -> Self {
        match error.server().map(|server| server.code()) {
            Some("authorization_pending") => Self::Pending,
            Some("slow_down") => Self::SlowDown,
            // Microsoft calls it declined.
            Some("access_denied" | "authorization_declined") => {
                Self::Final(Some(ErrorKind::AuthorizationDenied))
            }
            Some("expired_token" | "code_expired") => Self::Final(Some(ErrorKind::AuthorizationExpired)),
            // Whoever limits requests need not know RFC 8628.
            _ if error.status() == Some(StatusCode::TOO_MANY_REQUESTS) => Self::SlowDown,
            _ if error.is_transient() => Self::Unreachable,
            _ => Self::Final(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pause_is_that_of_the_table() {
        let what = "longest pause of a device after a question that did not arrive, which doubles it";
        crate::defaults::assert_documented(what, LONGEST_PAUSE);
    }
}
