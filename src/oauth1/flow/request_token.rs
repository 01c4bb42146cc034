//! What is kept between the first leg and the third.

use std::fmt;

use serde_json::Map;
use serde_json::Value;

use crate::error::Error;
use crate::oauth1::flow::stored::REQUEST_TOKEN;
use crate::oauth1::flow::stored::Stored;
use crate::protocol::oauth1::token_response::TokenResponse;
use crate::secret::Secret;

/// A login that waits for the resource owner: the request token ("temporary credentials", RFC 5849 §2.1) and its secret.
///
/// Whoever starts a login keeps this until the resource owner comes back, in the session of that browser: the callback
/// has to be about this very token. [`to_json`](Self::to_json) and [`from_json`](Self::from_json) take it through any
/// store of texts. `Debug` shows the names of the extra fields only.
///
/// ```
/// use tower_oauth::oauth1::flow::RequestToken;
///
/// let kept = r#"{"version":1,"kind":"oauth1_request_token","token":"hh5s93j4hdidpola","token_secret":"hdhd0244k9j7ao03"}"#;
/// let request_token = RequestToken::from_json(kept)?;
/// assert_eq!(request_token.to_json().expose(), kept);
/// assert!(!format!("{request_token:?}").contains("hh5s"));
/// # Ok::<(), tower_oauth::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct RequestToken {
    token: Secret,
    token_secret: Secret,
    extra: Map<String, Value>,
}

impl RequestToken {
    /// The token, by which the callback names this login.
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// Another field of the provider's answer, such as Yahoo's `xoauth_request_auth_url`. What came as a form is text.
    pub fn extra(&self, name: &str) -> Option<&Value> {
        self.extra.get(name)
    }

    /// All other fields of the provider's answer.
    pub fn extras(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.extra.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// This login as JSON, with its secret in the clear.
    pub fn to_json(&self) -> Secret {
        Stored::new(REQUEST_TOKEN, &self.token, &self.token_secret, &self.extra).into_json()
    }

    /// Reads what [`to_json`](Self::to_json) wrote, in this or an earlier version of the crate.
    ///
    /// # Errors
    /// [`ErrorKind::UnreadableToken`](crate::ErrorKind::UnreadableToken) when the text is something else. The message says
    /// where it went wrong, and nothing of the text.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let stored = Stored::from_json(REQUEST_TOKEN, json)?;
        Ok(Self { token: stored.token(), token_secret: stored.token_secret(), extra: stored.extra })
    }

    pub(super) fn received(response: TokenResponse) -> Self {
        Self { token: response.token, token_secret: response.token_secret, extra: response.extra }
    }

    pub(super) fn token_secret(&self) -> &Secret {
        &self.token_secret
    }
}

impl fmt::Debug for RequestToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RequestToken")
            .field("token", &self.token)
            .field("token_secret", &self.token_secret)
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .finish()
    }
}
