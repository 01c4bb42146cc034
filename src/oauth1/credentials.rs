//! Who signs.

use std::fmt;

use crate::protocol::oauth1::signature::SharedSecrets;
use crate::secret::Secret;

/// The credentials of a client, and those of a token if it acts for a resource owner (RFC 5849 §1.1).
///
/// Providers call the first pair "consumer key and secret" or "API key and secret", the second "access token and
/// secret". `Debug` shows the client identifier only.
///
/// ```
/// use tower_oauth::oauth1::Credentials;
///
/// // The client for itself ("two-legged"): no `oauth_token` is sent.
/// let client = Credentials::new("dpf43f3p2l4k3l03", "kd94hf93k423kf44");
/// // The client for a user.
/// let user = client.clone().token("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00");
/// ```
#[derive(Clone)]
pub struct Credentials {
    client: String,
    client_secret: Secret,
    token: Option<Token>,
}

#[derive(Clone)]
struct Token {
    // Not secret by itself, but it says who somebody is.
    identifier: Secret,
    secret: Secret,
}

impl Credentials {
    /// The client's identifier (`oauth_consumer_key`) and its secret, which is empty where a provider gives none.
    pub fn new(client: impl Into<String>, client_secret: impl Into<Secret>) -> Self {
        Self { client: client.into(), client_secret: client_secret.into(), token: None }
    }

    /// A client that has no secret, because it signs with a private key (the RSA methods) or its provider gives it none.
    pub fn without_secret(client: impl Into<String>) -> Self {
        Self::new(client, "")
    }

    /// Adds a token (`oauth_token`) and its secret. An empty token is sent as an empty parameter; without this call, no
    /// such parameter is sent.
    pub fn token(mut self, token: impl Into<Secret>, token_secret: impl Into<Secret>) -> Self {
        self.token = Some(Token { identifier: token.into(), secret: token_secret.into() });
        self
    }

    pub(super) fn client_identifier(&self) -> &str {
        &self.client
    }

    pub(super) fn token_identifier(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.identifier.expose())
    }

    pub(super) fn secrets(&self) -> SharedSecrets<'_> {
        let token_secret = self.token.as_ref().map_or("", |token| token.secret.expose());
        SharedSecrets::new(self.client_secret.expose(), token_secret)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("client", &self.client)
            .field("client_secret", &self.client_secret)
            .field("token", &self.token.as_ref().map(|token| &token.identifier))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_client_identifier_is_shown() {
        let credentials = Credentials::new("client-7", "hunter2").token("hunter3", "hunter4");
        let shown = format!("{credentials:?}");
        assert!(shown.contains("client-7") && !shown.contains("hunter"), "{shown}");
    }
}
