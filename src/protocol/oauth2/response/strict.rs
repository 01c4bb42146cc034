//! What RFC 6749 §5.1 and §5.2 demand of an answer.

use http::HeaderMap;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use crate::protocol::oauth2::response::Answered;
use crate::protocol::oauth2::response::ResponseRules;
use crate::protocol::oauth2::response::TokenField;
use crate::protocol::oauth2::response::fields::Fields;
use crate::protocol::oauth2::response::fields::NO_OBJECT;

/// What an error answer does wrong (RFC 6749 §5.2).
pub(super) fn fault_of_error(
    status: StatusCode,
    headers: &HeaderMap,
    fields: &Fields,
) -> Option<&'static str> {
    let is_right_status = matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
    if is_right_status { fault_of_body(headers, fields) } else { Some("its status is not 400 or 401") }
}

/// What a successful answer does wrong (RFC 6749 §5.1).
pub(super) fn fault_of_token(
    answered: Answered<'_>,
    fields: &Fields,
    rules: &ResponseRules,
) -> Option<&'static str> {
    let value = |field, name| rules.names(field, &[name]).iter().find_map(|name| fields.map.get(&**name));
    let text = |field, name| value(field, name).map(|value| value.as_str().unwrap_or_default());
    let is_token = |text: &str| !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if answered.status != StatusCode::OK {
        Some("its status is not 200")
    } else if fields.map.contains_key("error") {
        Some("it has an error, and the status 200")
    } else if !text(TokenField::AccessToken, "access_token").is_some_and(is_token) {
        Some("it has no access_token")
    } else if !text(TokenField::TokenType, "token_type").is_some_and(is_token) {
        Some("it has no token_type")
    } else if !text(TokenField::RefreshToken, "refresh_token").is_none_or(is_token) {
        Some("its refresh_token is no token")
    } else if !text(TokenField::Scope, "scope").is_none_or(is_scope) {
        Some("its scope is no list of scopes with one space between two")
    } else if !value(TokenField::ExpiresIn, "expires_in").is_none_or(Value::is_u64) {
        Some("its expires_in is no number of seconds")
    } else {
        fault_of_body(answered.headers, fields)
    }
}

/// What the body does wrong, whatever it says.
fn fault_of_body(headers: &HeaderMap, fields: &Fields) -> Option<&'static str> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !fields.is_json {
        Some("it is not JSON")
    } else if !fields.is_alone {
        Some(NO_OBJECT)
    } else if !media_type.eq_ignore_ascii_case("application/json") {
        Some("its content type is not application/json")
    } else if fields.has_duplicates {
        Some("a field comes twice")
    } else {
        None
    }
}

/// RFC 6749 §3.3.
fn is_scope(scope: &str) -> bool {
    let is_letter = |byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~');
    scope.split(' ').all(|token| !token.is_empty() && token.bytes().all(is_letter))
}
