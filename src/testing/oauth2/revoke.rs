//! The revocation endpoint (RFC 7009).

use http::Response;
use http::StatusCode;

use crate::testing::answer;
use crate::testing::body::Body;
use crate::testing::builder::Settings;
use crate::testing::incoming::Incoming;
use crate::testing::oauth2::client_auth::TokenError;
use crate::testing::oauth2::client_auth::authenticate;
use crate::testing::oauth2::token::form;
use crate::testing::provider::State;

/// Revokes an access token, or the whole family of a refresh token. A token that is unknown is no error
/// (RFC 7009 §2.2).
pub(in crate::testing) fn revoke(
    settings: &Settings,
    state: &mut State,
    request: &Incoming,
) -> Response<Body> {
    match try_revoke(settings, state, request) {
        Ok(()) => answer::text(StatusCode::OK, ""),
        Err(error) => {
            if error.code == "invalid_client" {
                state.stats.invalid_clients += 1;
            }
            error.into_response()
        }
    }
}

fn try_revoke(settings: &Settings, state: &mut State, request: &Incoming) -> Result<(), TokenError> {
    let form = form(request)?;
    let client = authenticate(settings, &request.headers, &form)?;
    let missing = || TokenError::new("invalid_request", "token is missing");
    let token = form.find("token").ok_or_else(missing)?;
    match state.tokens.client_of(token) {
        None => Ok(()),
        Some(owner) if owner != client.id => {
            Err(TokenError::new("invalid_grant", "the token was issued to another client"))
        }
        Some(_) => {
            if !state.tokens.revoke_access(token) {
                state.stats.families_revoked += u64::from(state.tokens.revoke_refresh(token));
            }
            Ok(())
        }
    }
}
