//! The introspection endpoint (RFC 7662).

use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use http::Response;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;

use crate::testing::answer;
use crate::testing::body::Body;
use crate::testing::builder::Settings;
use crate::testing::incoming::Incoming;
use crate::testing::oauth2::client_auth::TokenError;
use crate::testing::oauth2::client_auth::authenticate;
use crate::testing::oauth2::token::form;
use crate::testing::oauth2::tokens::Worth;
use crate::testing::provider::State;

/// Says what an access token of any client is worth.
pub(in crate::testing) fn introspect(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
) -> Response<Body> {
    match try_introspect(settings, state, now, request) {
        Ok(answer) => answer::json(StatusCode::OK, &answer),
        Err(error) => {
            if error.code == "invalid_client" {
                state.stats.invalid_clients += 1;
            }
            error.into_response()
        }
    }
}

fn try_introspect(
    settings: &Settings,
    state: &State,
    now: SystemTime,
    request: &Incoming,
) -> Result<Value, TokenError> {
    let form = form(request)?;
    authenticate(settings, &request.headers, &form)?;
    let missing = || TokenError::new("invalid_request", "token is missing");
    let token = form.find("token").ok_or_else(missing)?;
    // Of all others it is only said that they are of no use (RFC 7662 §2.2).
    let Worth::Valid(approval) = state.tokens.worth(token, now) else {
        return Ok(json!({ "active": false }));
    };
    let expires_at = state.tokens.expires_at(token).and_then(|moment| moment.duration_since(UNIX_EPOCH).ok());
    Ok(json!({
        "active": true,
        "token_type": "Bearer",
        "client_id": approval.client,
        "username": approval.user,
        "scope": approval.scope,
        "exp": expires_at.map(|since| since.as_secs()),
    }))
}
