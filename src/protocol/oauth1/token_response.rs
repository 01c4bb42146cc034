//! What a provider answers to a request for a token (RFC 5849 §2.1, §2.3), read as providers really write it.
//!
//! | leniency | because |
//! |---|---|
//! | JSON or a form, whatever the content type says | forms come labelled as text or HTML, and some providers answer JSON |
//! | white space around the whole does not count | a line end would become part of the last value |
//! | values in JSON may be numbers or booleans | `"oauth_expires_in": 3600`, `"oauth_callback_confirmed": true` |
//! | `oauth_problem` is looked for first, at any status, in the body and in `WWW-Authenticate` | refusals with status 200 |
//! | `True` confirms a callback as `true` does | servers written in Python |
//! | a token secret may be empty, though not missing | a signature with an empty secret is a signature |
//! | unknown fields are kept, those that come twice as a list | `user_id`, `screen_name`, `oauth_session_handle` … |

use std::time::Duration;

use http::HeaderMap;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde_json::Map;
use serde_json::Value;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth1::problem::Report;
use crate::secret::Secret;

mod fields;
mod problem;
mod redaction;

pub(crate) use fields::pairs;
pub(crate) use problem::error_of;

use redaction::Redaction;

/// The longest `Retry-After` that is believed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The fields of a successful answer.
pub(crate) struct TokenResponse {
    pub(crate) token: Secret,
    pub(crate) token_secret: Secret,
    /// All the others.
    pub(crate) extra: Map<String, Value>,
}

impl TokenResponse {
    /// Whether the provider knows the callback, which is how OAuth 1.0a is told from 1.0 (§2.1).
    pub(crate) fn confirms_callback(&self) -> bool {
        match self.extra.get("oauth_callback_confirmed") {
            Some(Value::Bool(confirmed)) => *confirmed,
            Some(Value::String(confirmed)) => confirmed.trim().eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// Takes a secret field out of the others; one that is empty is as if it were missing.
    pub(crate) fn take_secret(&mut self, name: &str) -> Option<Secret> {
        let value = self.extra.remove(name).as_ref().and_then(fields::text)?;
        Some(value).filter(|value| !value.is_empty()).map(Secret::new)
    }
}

/// Reads an answer. `sent` are the secrets of the request, which are taken out of what the server says of it.
///
/// # Errors
/// - [`ErrorKind::Refused`], or [`ErrorKind::AuthorizationDenied`] where the problem says so: the answer names an
///   `oauth_problem`, or its status is one of those of §3.2.
/// - [`ErrorKind::UnexpectedStatus`]: it is none of those, and no success.
/// - [`ErrorKind::UnusableResponse`]: it is a success without token or token secret.
///
/// Each says how the answer begins.
pub(crate) fn parse(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    sent: &[Secret],
) -> Result<TokenResponse, Error> {
    let fields = fields::read(body);
    let known = fields.as_ref().ok();
    // What was received must not be shown either: half an answer may hold half of the credentials.
    let received = known.map(redaction::secrets).unwrap_or_default();
    let redaction = Redaction::of(sent.iter().chain(&received));
    let begins = redaction.excerpt(body, known.is_some());
    let begins = begins.map(|excerpt| format!("the answer begins: {excerpt}"));

    if let Some(report) = Report::in_body(body).or_else(|| Report::in_headers(headers)) {
        let error = error_of(&report, |text| redaction.apply(text), begins).with_status(status);
        return Err(with_retry_after(error, headers));
    }
    let failed = |kind, why: Option<&str>| {
        let error = Error::new(kind).with_status(status);
        let details: Vec<&str> = why.into_iter().chain(begins.as_deref()).collect();
        if details.is_empty() { error } else { error.detail(details.join("; ")) }
    };
    if !status.is_success() {
        let error =
            failed(if is_refusal(status) { ErrorKind::Refused } else { ErrorKind::UnexpectedStatus }, None);
        return Err(with_retry_after(error, headers));
    }
    let unusable = |why: &str| failed(ErrorKind::UnusableResponse, Some(why));
    let mut fields = fields.map_err(unusable)?;
    let mut take = |name: &str| {
        let text = fields.remove(name).as_ref().and_then(fields::text);
        let text = text.ok_or_else(|| unusable(&format!("it has no {name}")))?;
        // Put there in the place of bytes that are no text. No request could be signed with it.
        if text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(unusable(&format!("its {name} is not UTF-8")));
        }
        Ok(text)
    };
    let (token, token_secret) = (take("oauth_token")?, take("oauth_token_secret")?);
    if token.is_empty() {
        return Err(unusable("its oauth_token is empty"));
    }
    Ok(TokenResponse { token: Secret::new(token), token_secret: Secret::new(token_secret), extra: fields })
}

/// The statuses with which a server refuses a request because of what it says, or who says it (§3.2).
fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

fn with_retry_after(error: Error, headers: &HeaderMap) -> Error {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    match seconds.map(Duration::from_secs) {
        Some(delay) => error.with_retry_after(delay.min(LONGEST_RETRY_AFTER)),
        None => error,
    }
}

#[cfg(test)]
mod tests;
