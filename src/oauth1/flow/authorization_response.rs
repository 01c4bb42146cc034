//! What the resource owner brings back.

use std::fmt;

use crate::protocol::oauth1::callback::Callback;
use crate::secret::Secret;

/// What the callback says, once it is known to be about this login and to be an approval (RFC 5849 §2.2).
///
/// `Debug` shows the names of the parameters only.
#[derive(Clone)]
pub struct AuthorizationResponse {
    verifier: Option<Secret>,
    parameters: Vec<(String, String)>,
}

/// What shows that the resource owner approved (`oauth_verifier`): an [`AuthorizationResponse`], or the text that the
/// provider showed to the resource owner, who typed it in. An empty text is none.
#[derive(Clone, Debug)]
pub struct Verifier(Option<Secret>);

impl AuthorizationResponse {
    /// The verifier; `None` from providers that give none, where that was
    /// [allowed](super::Flow::allow_missing_verifier).
    pub fn verifier(&self) -> Option<&Secret> {
        self.verifier.as_ref()
    }

    /// Another parameter of the callback, such as QuickBooks' `realmId`; the first of this name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// All parameters of the callback but token and verifier, in order.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn received(callback: Callback) -> Self {
        Self { verifier: callback.verifier, parameters: callback.parameters }
    }
}

impl fmt::Debug for AuthorizationResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AuthorizationResponse")
            .field("verifier", &self.verifier)
            .field("parameters", &self.parameters().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

impl Verifier {
    pub(super) fn into_secret(self) -> Option<Secret> {
        self.0.filter(|verifier| !verifier.is_empty())
    }
}

impl From<AuthorizationResponse> for Verifier {
    fn from(response: AuthorizationResponse) -> Self {
        Self(response.verifier)
    }
}

impl From<&AuthorizationResponse> for Verifier {
    fn from(response: &AuthorizationResponse) -> Self {
        Self(response.verifier.clone())
    }
}

impl From<Secret> for Verifier {
    fn from(verifier: Secret) -> Self {
        Self(Some(verifier))
    }
}

impl From<&str> for Verifier {
    fn from(verifier: &str) -> Self {
        Secret::new(verifier).into()
    }
}

impl From<String> for Verifier {
    fn from(verifier: String) -> Self {
        Secret::new(verifier).into()
    }
}
