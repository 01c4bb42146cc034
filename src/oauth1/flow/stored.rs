//! Tokens as JSON, for where they are kept.

use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::secret::Secret;

/// The version that is written.
const VERSION: u32 = 1;

pub(super) const REQUEST_TOKEN: &str = "oauth1_request_token";
pub(super) const ACCESS_TOKEN: &str = "oauth1_access_token";

/// The stored form of both kinds of token. Fields may be added; a field that is missing has its default.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    version: u32,
    kind: String,
    token: Zeroizing<String>,
    token_secret: Zeroizing<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_handle: Option<Zeroizing<String>>,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    obtained_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) extra: Map<String, Value>,
}

impl Stored {
    pub(super) fn new(kind: &str, token: &Secret, token_secret: &Secret, extra: &Map<String, Value>) -> Self {
        Self {
            version: VERSION,
            kind: kind.to_owned(),
            token: Zeroizing::new(token.expose().to_owned()),
            token_secret: Zeroizing::new(token_secret.expose().to_owned()),
            session_handle: None,
            obtained_at: None,
            extra: extra.clone(),
        }
    }

    pub(super) fn session_handle(mut self, handle: Option<&Secret>) -> Self {
        self.session_handle = handle.map(|handle| Zeroizing::new(handle.expose().to_owned()));
        self
    }

    pub(super) fn obtained_at(mut self, moment: Option<SystemTime>) -> Self {
        let since = moment.and_then(|moment| moment.duration_since(UNIX_EPOCH).ok());
        self.obtained_at = since.and_then(|since| u64::try_from(since.as_millis()).ok());
        self
    }

    pub(super) fn into_json(self) -> Secret {
        // Writing these types into memory cannot fail: all keys are strings.
        Secret::new(serde_json::to_string(&self).unwrap_or_default())
    }

    pub(super) fn from_json(kind: &str, json: &str) -> Result<Self, Error> {
        let unreadable = |why: String| Error::new(ErrorKind::UnreadableToken).detail(why);
        let stored: Self = serde_json::from_str(json)
            // Without the words of the parser, which quote the text.
            .map_err(|error| unreadable(format!("line {} column {}", error.line(), error.column())))?;
        if stored.version > VERSION {
            let version = stored.version;
            return Err(unreadable(format!("it has version {version}, and this program knows {VERSION}")));
        }
        if stored.kind != kind {
            return Err(unreadable(format!("it is not of the kind `{kind}`")));
        }
        Ok(stored)
    }

    pub(super) fn token(&self) -> Secret {
        Secret::new(self.token.as_str())
    }

    pub(super) fn token_secret(&self) -> Secret {
        Secret::new(self.token_secret.as_str())
    }

    pub(super) fn stored_session_handle(&self) -> Option<Secret> {
        self.session_handle.as_ref().map(|handle| Secret::new(handle.as_str()))
    }

    pub(super) fn moment(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.obtained_at?))
    }
}
