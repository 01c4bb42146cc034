//! The error that an answer names, wherever it names it.

use std::cmp::Reverse;

use serde_json::Map;
use serde_json::Value;

use crate::error::ServerError;
use crate::protocol::oauth2::form::form_encode;
use crate::protocol::oauth2::response::values::number;
use crate::protocol::oauth2::response::values::plain;
use crate::secret::REDACTED;
use crate::secret::Secret;

/// The code of an error whose server gives none.
const NO_CODE: &str = "error";

/// What servers call the description.
const DESCRIPTIONS: [&str; 8] =
    ["error_description", "message", "msg", "error_msg", "errmsg", "error_message", "description", "detail"];

/// An error as it was found.
pub(super) struct Refusal {
    code: String,
    description: Option<String>,
    uri: Option<String>,
}

impl Refusal {
    /// The error of RFC 6749 §5.2 and nothing else.
    pub(super) fn strictly(fields: &Map<String, Value>) -> Option<Self> {
        let text = |name| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let code = text("error").filter(|code| !code.is_empty())?;
        Some(Self { code, description: text("error_description"), uri: text("error_uri") })
    }

    /// The error of an answer, which may stand beside a token.
    pub(super) fn of(fields: &Map<String, Value>) -> Option<Self> {
        let uri = fields.get("error_uri").and_then(Value::as_str).map(str::to_owned);
        let around = || description(fields);
        let (code, description) = match fields.get("error") {
            Some(Value::Object(error)) => (code_of(error), description(error).or_else(around)),
            Some(error) if is_said(error) => (plain(error), around()),
            _ => match ["error_code", "errcode", "errorCode"].iter().find_map(|name| said(fields, name)) {
                Some(code) => (code, around()),
                None if is_refused(fields) => first_of_errors(fields),
                None => return None,
            },
        };
        Some(Self { code, description, uri })
    }

    /// The error of an answer that has no token: a code, or a status, with a message.
    pub(super) fn in_place_of_token(fields: &Map<String, Value>) -> Option<Self> {
        if let Some(Value::Array(errors)) = fields.get("errors").filter(|errors| is_said(errors)) {
            if !errors.is_empty() {
                let (code, description) = first_of_errors(fields);
                return Some(Self { code, description, uri: None });
            }
        }
        let description = description(fields)?;
        // A text says more than a number, which often is the HTTP status once more.
        let codes = ["code", "status"].map(|name| fields.get(name).filter(|code| is_said(code)));
        let is_success =
            |code: &&&Value| ["ok", "success", "200"].contains(&plain(code).to_ascii_lowercase().as_str());
        let mut codes = codes.iter().flatten().filter(|code| !is_success(code));
        let first = codes.next()?;
        let code =
            if first.is_string() { first } else { codes.find(|code| code.is_string()).unwrap_or(first) };
        Some(Self { code: plain(code), description: Some(description), uri: None })
    }

    /// The error without what was sent.
    pub(super) fn into_server_error<'a>(self, sent: impl Iterator<Item = &'a Secret>) -> ServerError {
        let clean = Cleaner::new(sent);
        let description = self.description.map(|text| clean.clean(&text));
        let uri = self.uri.map(|text| clean.clean(&text));
        // A word of the specifications says nothing of a secret, however short that is; cut up, it would mean nothing.
        let code = if is_specified(&self.code) { self.code } else { clean.clean(&self.code) };
        ServerError::new(&code).description(description.as_deref()).uri(uri.as_deref())
    }
}

/// Whether it is a code of RFC 6749 §4.1.2.1 and §5.2, RFC 8628 §3.5, RFC 7009 §2.2.1, RFC 8693 §2.2.2 or RFC 6750 §3.1.
fn is_specified(code: &str) -> bool {
    matches!(
        code,
        "access_denied"
            | "authorization_pending"
            | "expired_token"
            | "insufficient_scope"
            | "invalid_client"
            | "invalid_grant"
            | "invalid_request"
            | "invalid_scope"
            | "invalid_target"
            | "invalid_token"
            | "server_error"
            | "slow_down"
            | "temporarily_unavailable"
            | "unauthorized_client"
            | "unsupported_grant_type"
            | "unsupported_response_type"
            | "unsupported_token_type"
    )
}

/// Takes what was sent out of what a server says.
pub(super) struct Cleaner(Vec<Secret>);

impl Cleaner {
    pub(super) fn new<'a>(sent: impl Iterator<Item = &'a Secret>) -> Self {
        // A server may repeat them as they are, or as they were written in the form.
        let sent = sent.flat_map(|secret| [secret.clone(), Secret::new(form_encode(secret.expose()))]);
        let mut sent: Vec<_> = sent.filter(|secret| !secret.is_empty()).collect();
        // One may be a part of another: what is left of the longer one would still say something.
        sent.sort_by_key(|secret| Reverse(secret.expose().len()));
        Self(sent)
    }

    pub(super) fn clean(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose(), REDACTED))
    }
}

/// Whether the answer says of itself that it is a refusal.
fn is_refused(fields: &Map<String, Value>) -> bool {
    ["ok", "success"].iter().any(|name| match fields.get(*name) {
        Some(Value::Bool(success)) => !success,
        Some(Value::String(success)) => success == "false",
        _ => false,
    })
}

/// Whether a value says that there is an error, and not that there is none.
fn is_said(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty() && number(value) != Some(0.0),
        Value::Number(_) => number(value) != Some(0.0),
        _ => true,
    }
}

fn said(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).filter(|value| is_said(value)).map(plain)
}

/// The code in an object that describes an error.
fn code_of(error: &Map<String, Value>) -> String {
    let names = ["type", "errorType", "errorCode", "error_code", "code", "error", "status"];
    names.iter().find_map(|name| said(error, name)).unwrap_or_else(|| NO_CODE.to_owned())
}

fn description(fields: &Map<String, Value>) -> Option<String> {
    let texts = DESCRIPTIONS.iter().filter_map(|name| fields.get(*name).and_then(Value::as_str));
    texts.filter(|text| !text.is_empty()).map(str::to_owned).next()
}

fn first_of_errors(fields: &Map<String, Value>) -> (String, Option<String>) {
    match fields.get("errors").and_then(|errors| errors.get(0)) {
        Some(Value::Object(error)) => (code_of(error), description(error)),
        Some(Value::String(text)) => (text.clone(), description(fields)),
        _ => (NO_CODE.to_owned(), description(fields)),
    }
}
