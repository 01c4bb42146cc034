//! What a token endpoint answers (RFC 6749 §5), read as servers really write it.
//!
//! | leniency | because |
//! |---|---|
//! | JSON or a form, whatever the content type says | GitHub and Facebook answered forms; others label JSON as text |
//! | an error is looked for first, at any status | GitHub and Zoho answer errors with status 200 |
//! | `error` may be an object with `code`, `type` and `message` | Meta |
//! | `expires_in` may be a text or a fraction; what is no number is as if it were missing | PayPal, Entra v1 |
//! | a negative `expires_in` has already ended | clocks of servers |
//! | `scope` may be a list; a text is split at spaces, or at commas if there are none | Twitch, GitHub |
//! | `token_type` may be missing and is `Bearer` then | LinkedIn, Slack, Shopify |
//! | an empty `refresh_token` is as if it were missing | Cognito clients stored it |
//! | `access_token` may be missing beside a `refresh_token` | Azure AD B2C; the old refresh token is spent all the same |
//! | unknown fields are kept | `instance_url`, `id_token`, `open_id` … |

use std::cmp::Reverse;
use std::time::Duration;

use http::HeaderMap;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde_json::Map;
use serde_json::Value;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::ServerError;
use crate::protocol::oauth2::form::form_decode;
use crate::protocol::oauth2::form::form_encode;
use crate::secret::REDACTED;
use crate::secret::Secret;

/// The longest `Retry-After` that is believed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The fields of a successful answer.
pub(crate) struct TokenResponse {
    /// Empty when there is only a refresh token, which must not be lost for that.
    pub(crate) access_token: Secret,
    pub(crate) token_type: Option<String>,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) refresh_in: Option<Duration>,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) refresh_expires_in: Option<Duration>,
    pub(crate) scope: Option<Vec<String>>,
    pub(crate) extra: Map<String, Value>,
}

/// Reads an answer. `sent` are the secrets of the request, which are taken out of what the server says of it.
pub(crate) fn parse<'a>(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    sent: impl Iterator<Item = &'a Secret>,
) -> Result<TokenResponse, Error> {
    let fields = fields(body);
    if let Some(server) = fields.as_ref().ok().and_then(|fields| server_error(fields, sent)) {
        let error = Error::new(ErrorKind::Refused).with_status(status).with_server(server);
        return Err(with_retry_after(error, headers));
    }
    if !status.is_success() {
        let error = Error::new(ErrorKind::UnexpectedStatus).with_status(status);
        return Err(with_retry_after(error, headers));
    }
    let unusable = |detail| Error::new(ErrorKind::UnusableResponse).with_status(status).detail(detail);
    let mut fields = fields.map_err(unusable)?;
    let access_token = text(&mut fields, "access_token").unwrap_or_default();
    let refresh_token = text(&mut fields, "refresh_token").filter(|token| !token.is_empty());
    if access_token.is_empty() && refresh_token.is_none() {
        return Err(unusable("it has no access_token"));
    }
    Ok(TokenResponse {
        access_token: Secret::new(access_token),
        token_type: text(&mut fields, "token_type").filter(|token_type| !token_type.is_empty()),
        expires_in: fields.remove("expires_in").as_ref().and_then(seconds),
        refresh_in: fields.remove("refresh_in").as_ref().and_then(seconds),
        refresh_token: refresh_token.map(Secret::new),
        refresh_expires_in: fields.remove("refresh_token_expires_in").as_ref().and_then(seconds),
        scope: fields.remove("scope").and_then(scope),
        extra: fields,
    })
}

/// The fields of a body, or why it has none.
fn fields(body: &[u8]) -> Result<Map<String, Value>, &'static str> {
    let body = String::from_utf8_lossy(body);
    let body = body.trim_start_matches('\u{feff}').trim();
    match body.bytes().next() {
        None => Err("it is empty"),
        Some(b'{') => serde_json::from_str(body).map_err(|_| "it is not valid JSON"),
        Some(b'<') => Err("it is a page of HTML or XML, not JSON"),
        Some(b'[' | b'"') => Err("it is JSON, but not an object"),
        Some(_) if body.contains('=') => {
            Ok(form_decode(body).map(|(name, value)| (name, Value::String(value))).collect())
        }
        Some(_) => Err("it is neither JSON nor a form"),
    }
}

/// The error that an answer names, if it names one.
fn server_error<'a>(
    fields: &Map<String, Value>,
    sent: impl Iterator<Item = &'a Secret>,
) -> Option<ServerError> {
    let field = |name| fields.get(name).and_then(Value::as_str);
    let (code, message) = match fields.get("error")? {
        Value::String(code) if !code.is_empty() => (code.clone(), None),
        Value::Object(error) => {
            let code = ["type", "code", "error"].iter().find_map(|name| error.get(*name));
            let code = code.map_or_else(|| "error".to_owned(), plain);
            (code, error.get("message").and_then(Value::as_str))
        }
        Value::Null | Value::Bool(false) | Value::String(_) => return None,
        other => (plain(other), None),
    };
    // A server may repeat them as they are, or as they were written in the form.
    let sent = sent.flat_map(|secret| [secret.clone(), Secret::new(form_encode(secret.expose()))]);
    let mut sent: Vec<_> = sent.filter(|secret| !secret.is_empty()).collect();
    // One may be a part of another: what is left of the longer one would still say something.
    sent.sort_by_key(|secret| Reverse(secret.expose().len()));
    let clean = |text: &str| {
        sent.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose(), REDACTED))
    };
    let description = field("error_description").or(message).map(clean);
    let uri = field("error_uri").map(clean);
    Some(ServerError::new(&clean(&code)).description(description.as_deref()).uri(uri.as_deref()))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Option<String> {
    match fields.remove(name)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn seconds(value: &Value) -> Option<Duration> {
    // What is longer than a duration can be is no end.
    Duration::try_from_secs_f64(number(value)?.max(0.0)).ok()
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        _ => return None,
    };
    Some(number).filter(|number| !number.is_nan())
}

fn scope(value: Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => {
            let separator = if text.contains(' ') { ' ' } else { ',' };
            Some(text.split(separator).filter(|scope| !scope.is_empty()).map(str::to_owned).collect())
        }
        Value::Array(list) => Some(list.iter().map(plain).collect()),
        _ => None,
    }
}

fn with_retry_after(error: Error, headers: &HeaderMap) -> Error {
    let value = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    match value.and_then(|value| number(&Value::String(value.to_owned()))) {
        Some(delay) => {
            let delay = Duration::try_from_secs_f64(delay.max(0.0)).unwrap_or(LONGEST_RETRY_AFTER);
            error.with_retry_after(delay.min(LONGEST_RETRY_AFTER))
        }
        None => error,
    }
}

#[cfg(test)]
mod tests;
