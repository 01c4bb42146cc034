//! What the flow is for.

use std::fmt;
use std::time::Duration;
use std::time::SystemTime;

use serde_json::Map;
use serde_json::Value;

use crate::error::Error;
use crate::oauth1::flow::stored::ACCESS_TOKEN;
use crate::oauth1::flow::stored::Stored;
use crate::protocol::oauth1::token_response::TokenResponse;
use crate::secret::Secret;

/// An access token ("token credentials", RFC 5849 §2.3) and its secret, with everything else that the provider said.
///
/// [`Flow::authorized`](super::Flow::authorized) makes credentials of it. `Debug` shows the names of the extra fields
/// only.
///
/// ```
/// use tower_oauth::oauth1::flow::AccessToken;
///
/// // One that was kept elsewhere.
/// let token = AccessToken::new("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00").with_session_handle("s0m3h4ndl3");
/// let kept = token.to_json();
/// assert_eq!(AccessToken::from_json(kept.expose())?, token);
/// # Ok::<(), tower_oauth::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct AccessToken {
    token: Secret,
    token_secret: Secret,
    session_handle: Option<Secret>,
    obtained_at: Option<SystemTime>,
    extra: Map<String, Value>,
}

impl AccessToken {
    /// A token that came some other way.
    pub fn new(token: impl Into<Secret>, token_secret: impl Into<Secret>) -> Self {
        Self {
            token: token.into(),
            token_secret: token_secret.into(),
            session_handle: None,
            obtained_at: None,
            extra: Map::new(),
        }
    }

    /// Sets the session handle, with which the token can be renewed.
    pub fn with_session_handle(mut self, handle: impl Into<Secret>) -> Self {
        self.session_handle = Some(handle.into());
        self
    }

    /// The token.
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// Its secret.
    pub fn token_secret(&self) -> &Secret {
        &self.token_secret
    }

    /// What [renews](super::Flow::renew_access_token) the token (`oauth_session_handle`).
    pub fn session_handle(&self) -> Option<&Secret> {
        self.session_handle.as_ref()
    }

    /// The lifetime of the token from the moment at which it was received (`oauth_expires_in`). Most providers give none.
    pub fn expires_in(&self) -> Option<Duration> {
        self.seconds("oauth_expires_in")
    }

    /// The moment at which the token expires, by the flow's clock.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.obtained_at?.checked_add(self.expires_in()?)
    }

    /// For how long the token can be renewed, from the moment at which it was received
    /// (`oauth_authorization_expires_in`).
    pub fn authorization_expires_in(&self) -> Option<Duration> {
        self.seconds("oauth_authorization_expires_in")
    }

    /// The moment after which the resource owner has to be asked again, by the flow's clock.
    pub fn authorization_expires_at(&self) -> Option<SystemTime> {
        self.obtained_at?.checked_add(self.authorization_expires_in()?)
    }

    /// Another field of the provider's answer, such as `user_id` or `screen_name`. What came as a form is text.
    pub fn extra(&self, name: &str) -> Option<&Value> {
        self.extra.get(name)
    }

    /// All other fields of the provider's answer. They may be personal, or secret.
    pub fn extras(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.extra.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The token as JSON, with its secrets in the clear.
    pub fn to_json(&self) -> Secret {
        Stored::new(ACCESS_TOKEN, &self.token, &self.token_secret, &self.extra)
            .session_handle(self.session_handle.as_ref())
            .obtained_at(self.obtained_at)
            .into_json()
    }

    /// Reads what [`to_json`](Self::to_json) wrote, in this or an earlier version of the crate.
    ///
    /// # Errors
    /// [`ErrorKind::UnreadableToken`](crate::ErrorKind::UnreadableToken) when the text is something else. The message says
    /// where it went wrong, and nothing of the text.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let stored = Stored::from_json(ACCESS_TOKEN, json)?;
        Ok(Self {
            token: stored.token(),
            token_secret: stored.token_secret(),
            session_handle: stored.stored_session_handle(),
            obtained_at: stored.moment(),
            extra: stored.extra,
        })
    }

    pub(super) fn received(mut response: TokenResponse, now: SystemTime) -> Self {
        Self {
            session_handle: response.take_secret("oauth_session_handle"),
            token: response.token,
            token_secret: response.token_secret,
            obtained_at: Some(now),
            extra: response.extra,
        }
    }

    /// A field that counts seconds. One that is no number is as if it were missing, and a negative one has ended.
    fn seconds(&self, name: &str) -> Option<Duration> {
        let seconds = match self.extra.get(name)? {
            Value::Number(number) => number.as_f64()?,
            Value::String(text) => text.trim().parse::<f64>().ok()?,
            _ => return None,
        };
        // What is longer than a duration can be is no end, and what is no number fails too.
        if seconds < 0.0 { Some(Duration::ZERO) } else { Duration::try_from_secs_f64(seconds).ok() }
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AccessToken")
            .field("token", &self.token)
            .field("token_secret", &self.token_secret)
            .field("session_handle", &self.session_handle)
            .field("expires_at", &self.expires_at())
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lifetimes_may_be_texts_or_numbers_and_are_counted_from_the_receipt() {
        for (value, expected) in [
            (json!("1800"), Some(Duration::from_secs(1800))),
            (json!(1800), Some(Duration::from_secs(1800))),
            (json!(" 1.5 "), Some(Duration::from_millis(1500))),
            (json!("-5"), Some(Duration::ZERO)),
            (json!("soon"), None),
            (json!("NaN"), None),
            (json!(1e300), None),
            (json!([1]), None),
        ] {
            let mut token = AccessToken::new("a", "b");
            token.extra.insert("oauth_expires_in".to_owned(), value.clone());
            assert_eq!(token.expires_in(), expected, "{value}");
            assert_eq!(token.expires_at(), None, "{value}");
            token.obtained_at = Some(SystemTime::UNIX_EPOCH);
            assert_eq!(
                token.expires_at(),
                expected.map(|lifetime| SystemTime::UNIX_EPOCH + lifetime),
                "{value}"
            );
            assert_eq!(token.authorization_expires_at(), None);
        }
    }
}
