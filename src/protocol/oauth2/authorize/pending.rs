//! A login that waits for its answer, and what is left of it when the answer is good.

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Error as _;

use crate::error::Error;
use crate::protocol::oauth2::authorize::AuthorizationResponse;
use crate::protocol::oauth2::authorize::ResponseMode;
use crate::protocol::oauth2::authorize::ResponseType;
use crate::protocol::oauth2::authorize::response;
use crate::protocol::oauth2::authorize::stored::Stored;
use crate::secret::Secret;

/// A login that waits for the resource owner: what the answer is held against (`state`, issuer), and what the code will be
/// exchanged with (PKCE's code verifier, redirect URI).
///
/// Keep it until the answer comes, where only the browser that began the login reaches it: in its session. It is a secret, and
/// whoever could change it could log others in as somebody else, so what keeps it has to be **confidential and protected
/// against changes**: on the server under the session's key, or in a cookie that is encrypted and authenticated. It goes
/// through any store as JSON, by [`to_json`](Self::to_json) or by its `serde` traits, and is versioned. `Debug` shows
/// nothing secret.
///
/// It is good for one answer. Delete it from the session before the answer is looked at.
///
/// ```
/// use tower_oauth::grant::{Implicit, PendingAuthorization};
///
/// let request = Implicit::new("https://auth.example.com/authorize", "client id")?.request();
/// let (_url, pending) = request.state("af0ifjsldkj").build()?;
///
/// let kept = serde_json::to_string(&pending)?;
/// assert_eq!(kept, pending.to_json().expose());
/// assert!(!format!("{pending:?}").contains("af0ifjsldkj"));
///
/// let pending: PendingAuthorization = serde_json::from_str(&kept)?;
/// assert!(pending.is_answered_by(&"/callback#state=af0ifjsldkj&access_token=…".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(PartialEq)]
pub struct PendingAuthorization {
    pub(super) state: Secret,
    pub(super) code_verifier: Option<Secret>,
    pub(super) redirect_uri: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) requires_issuer: bool,
    pub(super) nonce: Option<Secret>,
    pub(super) scopes: Vec<String>,
    pub(super) response_type: ResponseType,
    pub(super) response_mode: ResponseMode,
}

/// An authorization that was given: the answer belonged to the login, and is no error.
///
/// It holds a code that can be exchanged once, by
/// [`AuthorizationCode::redeem`](crate::grant::AuthorizationCode::redeem). In between there is time to look at what else the
/// callback said, such as QuickBooks' `realmId`, or Zoho's `accounts-server`, which says where the code has to go. `Debug` shows
/// the names of these parameters only.
pub struct AuthorizationGrant {
    code: Secret,
    code_verifier: Option<Secret>,
    redirect_uri: Option<String>,
    nonce: Option<Secret>,
    scopes: Vec<String>,
    parameters: Vec<(String, String)>,
}

impl PendingAuthorization {
    /// The `state`, by which an answer names this login: a key for a place where many of them are kept. Such a place has to
    /// know the browser as well, or anybody could log it in as somebody else.
    pub fn state(&self) -> &Secret {
        &self.state
    }

    /// Where the answer is expected.
    pub fn redirect_uri(&self) -> Option<&str> {
        self.redirect_uri.as_deref()
    }

    /// How the answer is expected.
    pub fn response_mode(&self) -> ResponseMode {
        self.response_mode
    }

    /// Whether the answer has the `state` of this login. It may still be a refusal.
    pub fn is_answered_by(&self, response: &AuthorizationResponse) -> bool {
        response::belongs_to(response, self)
    }

    /// Checks the answer, in this order: each parameter is there once; the `state` is that of this login, compared in
    /// constant time; the issuer, where it is named or has to be, is the right one (RFC 9207); it is no error; it came by the
    /// way that was asked for; there is a code.
    ///
    /// # Errors
    /// - [`ErrorKind::MissingState`](crate::ErrorKind::MissingState),
    ///   [`ErrorKind::StateMismatch`](crate::ErrorKind::StateMismatch): it belongs to another login, or is forged.
    /// - [`ErrorKind::IssuerMismatch`](crate::ErrorKind::IssuerMismatch): it comes from another server.
    /// - [`ErrorKind::AuthorizationDenied`](crate::ErrorKind::AuthorizationDenied): the resource owner refused.
    /// - [`ErrorKind::Refused`](crate::ErrorKind::Refused): the server refused; [`Error::server`] has its words.
    /// - [`ErrorKind::InvalidAuthorizationResponse`](crate::ErrorKind::InvalidAuthorizationResponse): it makes no sense.
    pub fn complete(self, response: impl Into<AuthorizationResponse>) -> Result<AuthorizationGrant, Error> {
        let (code, parameters) = self.check(&response.into())?;
        Ok(AuthorizationGrant {
            code,
            code_verifier: self.code_verifier,
            redirect_uri: self.redirect_uri,
            nonce: self.nonce,
            scopes: self.scopes,
            parameters,
        })
    }

    /// This login as JSON, with its secrets in the clear.
    pub fn to_json(&self) -> Secret {
        // Writing into memory cannot fail: all keys are strings.
        Secret::new(serde_json::to_string(self).unwrap_or_default())
    }

    /// Reads what [`to_json`](Self::to_json) wrote, in this or an earlier version of the crate.
    ///
    /// # Errors
    /// [`ErrorKind::UnreadableToken`](crate::ErrorKind::UnreadableToken) when the text is something else. The message says
    /// where it went wrong, and nothing of the text.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        Stored::from_json(json)?.into_pending()
    }

    /// The code or access token of a good answer, and its other parameters.
    fn check(&self, answer: &AuthorizationResponse) -> Result<(Secret, Vec<(String, String)>), Error> {
        let mut parameters = response::check(answer, self)?;
        let mut credential = String::new();
        parameters.retain_mut(|(name, value)| match name.as_str() {
            "code" if self.response_type == ResponseType::Code => {
                credential = std::mem::take(value);
                false
            }
            "state" => false,
            _ => true,
        });
        Ok((Secret::new(credential), parameters))
    }

    /// The parameters of an answer to a request for a token.
    pub(crate) fn complete_implicit(
        &self,
        response: &AuthorizationResponse,
    ) -> Result<Vec<(String, String)>, Error> {
        Ok(self.check(response)?.1)
    }

    /// The scope that was asked for.
    pub(crate) fn scopes(&self) -> &[String] {
        &self.scopes
    }
}

impl Serialize for PendingAuthorization {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Stored::of(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PendingAuthorization {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Stored::deserialize(deserializer)?.into_pending().map_err(D::Error::custom)
    }
}

impl fmt::Debug for PendingAuthorization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PendingAuthorization")
            .field("state", &self.state)
            .field("code_verifier", &self.code_verifier)
            .field("redirect_uri", &self.redirect_uri)
            .field("issuer", &self.issuer)
            .field("nonce", &self.nonce)
            .field("scopes", &self.scopes)
            .field("response_mode", &self.response_mode)
            .finish_non_exhaustive()
    }
}

impl AuthorizationGrant {
    /// The code. It is good once.
    pub fn code(&self) -> &Secret {
        &self.code
    }

    /// The `nonce` of the request, which the ID token has to repeat (OpenID Connect Core §3.1.3.7).
    pub fn nonce(&self) -> Option<&Secret> {
        self.nonce.as_ref()
    }

    /// Another parameter of the callback; the first of this name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// All parameters of the callback but `code` and `state`, in order.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn code_verifier(&self) -> Option<&Secret> {
        self.code_verifier.as_ref()
    }

    pub(crate) fn redirect_uri(&self) -> Option<&str> {
        self.redirect_uri.as_deref()
    }

    /// The scope that was asked for.
    pub(crate) fn scopes(&self) -> &[String] {
        &self.scopes
    }
}

impl fmt::Debug for AuthorizationGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AuthorizationGrant")
            .field("code", &self.code)
            .field("redirect_uri", &self.redirect_uri)
            .field("scopes", &self.scopes)
            .field("parameters", &self.parameters().map(|(name, _)| name).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
