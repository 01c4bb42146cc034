//! A pending login as it is kept.

use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth2::authorize::PendingAuthorization;
use crate::protocol::oauth2::authorize::ResponseMode;
use crate::protocol::oauth2::authorize::ResponseType;
use crate::secret::Secret;

/// The version that is written.
const VERSION: u32 = 1;
const KIND: &str = "pending_authorization";

/// Fields may be added; a field that is missing has its default.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    version: u32,
    kind: String,
    state: Zeroizing<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code_verifier: Option<Zeroizing<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redirect_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    requires_issuer: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<Zeroizing<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    response_type: String,
    response_mode: String,
}

impl Stored {
    pub(super) fn of(pending: &PendingAuthorization) -> Self {
        let text = |secret: &Secret| Zeroizing::new(secret.expose().to_owned());
        Self {
            version: VERSION,
            kind: KIND.to_owned(),
            state: text(&pending.state),
            code_verifier: pending.code_verifier.as_ref().map(text),
            redirect_uri: pending.redirect_uri.clone(),
            issuer: pending.issuer.clone(),
            requires_issuer: pending.requires_issuer,
            nonce: pending.nonce.as_ref().map(text),
            scopes: pending.scopes.clone(),
            response_type: pending.response_type.as_str().to_owned(),
            response_mode: pending.response_mode.as_str().to_owned(),
        }
    }

    pub(super) fn from_json(json: &str) -> Result<Self, Error> {
        // Without the words of the parser, which quote the text.
        serde_json::from_str(json)
            .map_err(|error| unreadable(format!("line {} column {}", error.line(), error.column())))
    }

    pub(super) fn into_pending(self) -> Result<PendingAuthorization, Error> {
        if self.version > VERSION {
            let version = self.version;
            return Err(unreadable(format!("it has version {version}, and this program knows {VERSION}")));
        }
        if self.kind != KIND {
            return Err(unreadable(format!("it is not of the kind `{KIND}`")));
        }
        // An empty state would be that of any answer with an empty one.
        if self.state.is_empty() {
            return Err(unreadable("its state is empty"));
        }
        let secret = |text: Zeroizing<String>| Secret::new(text.as_str());
        let types = [ResponseType::Code, ResponseType::Token];
        let modes = [ResponseMode::Query, ResponseMode::Fragment, ResponseMode::FormPost];
        let response_type = types.into_iter().find(|known| known.as_str() == self.response_type);
        let response_mode = modes.into_iter().find(|known| known.as_str() == self.response_mode);
        Ok(PendingAuthorization {
            state: secret(self.state),
            code_verifier: self.code_verifier.map(secret),
            redirect_uri: self.redirect_uri,
            issuer: self.issuer,
            requires_issuer: self.requires_issuer,
            nonce: self.nonce.map(secret),
            scopes: self.scopes,
            response_type: response_type.ok_or_else(|| unreadable("its response type is unknown"))?,
            response_mode: response_mode.ok_or_else(|| unreadable("its response mode is unknown"))?,
        })
    }
}

fn unreadable(why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::UnreadableToken).detail(why)
}
