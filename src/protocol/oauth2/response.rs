//! What a token endpoint answers (RFC 6749 §5), read as servers really write it.
//!
//! [`ResponseRules`] has the table of all leniencies, each with its reason.

use std::borrow::Cow;
use std::time::Duration;
use std::time::SystemTime;

use http::HeaderMap;
use http::StatusCode;
use serde_json::Map;
use serde_json::Value;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::secret::Secret;

mod fields;
mod preview;
mod refusal;
mod retry_after;
mod rules;
mod strict;
mod token;
mod values;

use fields::Fields;
use fields::Unreadable;
use refusal::Cleaner;
use refusal::Refusal;

pub use rules::ErrorPattern;
pub use rules::ResponseRules;
pub use rules::TokenField;

pub(crate) use fields::mended;
pub(crate) use rules::Purpose;

/// An answer, and what has to be known to read it.
#[derive(Clone, Copy)]
pub(crate) struct Answered<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    /// The secrets of the request, which are taken out of what the server says of it.
    pub(crate) sent: &'a [Secret],
    pub(crate) purpose: Purpose,
    /// For a `Retry-After` that is a date.
    pub(crate) now: SystemTime,
}

/// The fields of a successful answer.
pub(crate) struct TokenResponse {
    /// Empty when there is only a refresh token, which must not be lost for that.
    pub(crate) access_token: Secret,
    /// Why the token is of no use, although its refresh token is to be kept.
    pub(crate) fault: Option<Error>,
    pub(crate) token_type: Option<String>,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) expires_at: Option<SystemTime>,
    pub(crate) refresh_in: Option<Duration>,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) refresh_expires_in: Option<Duration>,
    pub(crate) scope: Option<Vec<String>>,
    pub(crate) extra: Map<String, Value>,
}

/// Reads the answer of a token endpoint.
pub(crate) fn parse(answered: Answered<'_>, rules: &ResponseRules) -> Result<TokenResponse, Error> {
    let mut fields = read(answered, rules)?;
    let mut around = Map::new();
    if let Some(pointer) = rules.pointer(answered.purpose) {
        let mut whole = Value::Object(std::mem::take(&mut fields.map));
        let Some(Value::Object(token)) = whole.pointer_mut(pointer).map(Value::take) else {
            let Value::Object(whole) = whole else { return Err(no_object(answered)) };
            let refusal = in_place_of_token(answered, rules, &whole);
            return Err(refusal.unwrap_or_else(|| no_object(answered)));
        };
        if let Some(refusal) = refusal(answered, rules, &token) {
            return Err(refusal);
        }
        if let Value::Object(whole) = whole {
            around = whole;
        }
        fields.map = token;
    }
    let mut token = token::read(answered, rules, fields)
        .map_err(|error| in_place_of_token(answered, rules, &around).unwrap_or(error))?;
    // What is left of the object that held the token is null.
    for (name, value) in around.into_iter().filter(|(_, value)| !value.is_null()) {
        token.extra.entry(name).or_insert(value);
    }
    Ok(token)
}

/// Reads any answer of an authorization server that holds fields: an error is found wherever it stands.
pub(crate) fn read(answered: Answered<'_>, rules: &ResponseRules) -> Result<Fields, Error> {
    let fields = fields::read(answered.body);
    if let Ok(fields) = &fields {
        if let Some(error) = refusal_of(answered, rules, fields) {
            return Err(error);
        }
    }
    if !answered.status.is_success() {
        let error = Error::new(ErrorKind::UnexpectedStatus).with_status(answered.status);
        return Err(with_delay(answered, error, fields.as_ref().ok().map(|fields| &fields.map)));
    }
    fields.map_err(|unreadable| match unreadable {
        Unreadable::Other(why) => unusable(answered, why),
        Unreadable::Page => {
            let preview = preview::of(answered.body, &Cleaner::new(answered.sent.iter()));
            let page = "it is a page of HTML or XML, not JSON";
            unusable(
                answered,
                if preview.is_empty() { page.into() } else { format!("{page}: \u{201c}{preview}\u{201d}") },
            )
        }
    })
}

/// The error that an answer names as a whole.
fn refusal_of(answered: Answered<'_>, rules: &ResponseRules, fields: &Fields) -> Option<Error> {
    if rules.is_strict {
        let fault = || strict::fault_of_error(answered.status, answered.headers, fields);
        return if answered.status.is_success() || fault().is_some() {
            None
        } else {
            Refusal::strictly(&fields.map).map(|refusal| refused(answered, rules, refusal, &fields.map))
        };
    }
    refusal(answered, rules, &fields.map).or_else(|| {
        // At a success, it is looked for when there is no token.
        if answered.status.is_success() { None } else { in_place_of_token(answered, rules, &fields.map) }
    })
}

/// The error that an object names, even if it has a token.
fn refusal(answered: Answered<'_>, rules: &ResponseRules, fields: &Map<String, Value>) -> Option<Error> {
    Refusal::of(fields).filter(|_| !rules.is_strict).map(|refusal| refused(answered, rules, refusal, fields))
}

/// The error that an object names where it has no token.
fn in_place_of_token(
    answered: Answered<'_>,
    rules: &ResponseRules,
    fields: &Map<String, Value>,
) -> Option<Error> {
    Refusal::in_place_of_token(fields)
        .filter(|_| !rules.is_strict)
        .map(|refusal| refused(answered, rules, refusal, fields))
}

fn refused(
    answered: Answered<'_>,
    rules: &ResponseRules,
    refusal: Refusal,
    fields: &Map<String, Value>,
) -> Error {
    let server = refusal.into_server_error(answered.sent.iter());
    let error = Error::new(ErrorKind::Refused).with_status(answered.status).with_server(server);
    with_delay(answered, rules.classify(error, answered.purpose), Some(fields))
}

fn unusable(answered: Answered<'_>, why: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::UnusableResponse).with_status(answered.status).detail(why)
}

fn no_object(answered: Answered<'_>) -> Error {
    unusable(answered, "it has no object where the token should be")
}

fn with_delay(answered: Answered<'_>, error: Error, fields: Option<&Map<String, Value>>) -> Error {
    match retry_after::delay(answered.headers, fields, answered.now) {
        Some(delay) => error.with_retry_after(delay),
        None => error,
    }
}

#[cfg(test)]
mod leniency_tests;
#[cfg(test)]
mod strict_tests;
#[cfg(test)]
mod tests;
