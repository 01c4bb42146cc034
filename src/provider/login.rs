//! From what is known of a provider to the grants in which somebody logs in.

use crate::endpoint::DeviceAuthorizationEndpoint;
use crate::endpoint::TokenEndpoint;
use crate::error::ConfigError;
use crate::grant::AuthorizationCode;
use crate::grant::DeviceAuthorization;
use crate::provider::Pkce;
use crate::provider::Provider;

impl Provider {
    /// The authorization code grant, as the provider wants it: its parameters, the names that it gives to others, what
    /// separates scopes, PKCE unless it refuses that, and its issuer where it has one.
    ///
    /// ```
    /// use tower_oauth::provider;
    /// # fn http() -> impl tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>,
    /// #     Response = http::Response<http_body_util::Full<bytes::Bytes>>, Error = std::convert::Infallible,
    /// #     Future: Send> + Clone + Send + 'static {
    /// #     tower::service_fn(|_| async { Ok(http::Response::default()) })
    /// # }
    ///
    /// let google = provider::google();
    /// let flow = google
    ///     .authorization_code(google.token_endpoint("client id", "client secret", http())?)?
    ///     .redirect_uri("https://app.example.com/callback")
    ///     .scope("openid email");
    /// let (url, pending) = flow.request().build()?;
    /// assert!(url.contains("access_type=offline"));
    /// # let _ = pending;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::MissingEndpoint`] where nobody logs in, and those of [`AuthorizationCode::at`] and
    /// [`AuthorizationCode::parameter`] when something was changed to what cannot be used.
    pub fn authorization_code(&self, endpoint: TokenEndpoint) -> Result<AuthorizationCode, ConfigError> {
        let url = self.authorization_url.as_deref().ok_or_else(|| self.missing("authorization_endpoint"))?;
        let mut flow = AuthorizationCode::at(url, endpoint)?
            .client_id_parameter(self.client_id_parameter().to_owned())
            .scope_parameter(self.scope_parameter.clone())
            .scope_separator(self.scope_separator.clone());
        if let Some(mode) = self.response_mode {
            flow = flow.response_mode(mode);
        }
        if self.pkce == Pkce::Refused {
            flow = flow.without_pkce();
        }
        if let Some(issuer) = self.issuer.as_deref() {
            flow = flow.issuer(issuer);
        }
        self.authorization_parameters
            .iter()
            .try_fold(flow, |flow, (name, value)| flow.parameter(name.clone(), value.clone()))
    }

    /// The device authorization grant.
    ///
    /// # Errors
    /// [`ConfigError::MissingEndpoint`] where there is none, and [`ConfigError::InvalidEndpoint`] when its URL was changed to
    /// one that cannot be used.
    pub fn device_authorization(&self, endpoint: TokenEndpoint) -> Result<DeviceAuthorization, ConfigError> {
        let url = self.device_authorization_url.as_deref();
        let url = url.ok_or_else(|| self.missing("device_authorization_endpoint"))?;
        let devices = DeviceAuthorizationEndpoint::beside(&endpoint, url)?;
        Ok(DeviceAuthorization::at(devices, endpoint))
    }

    fn missing(&self, name: &'static str) -> ConfigError {
        ConfigError::MissingEndpoint { name, issuer: self.name.clone().into_owned() }
    }
}
