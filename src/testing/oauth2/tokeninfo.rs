//! The endpoint by which Google says what an access token is worth, to whoever holds it.

use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use http::Response;
use http::StatusCode;
use serde_json::json;

use crate::testing::answer;
use crate::testing::body::Body;
use crate::testing::form::Parameters;
use crate::testing::incoming::Incoming;
use crate::testing::oauth2::tokens::Worth;
use crate::testing::provider::State;

/// Answers with numbers as texts, as Google does.
pub(in crate::testing) fn tokeninfo(state: &State, now: SystemTime, request: &Incoming) -> Response<Body> {
    let asked = Parameters::once(request.query_bytes()).ok();
    let token = asked.as_ref().and_then(|asked| asked.find("access_token")).unwrap_or_default();
    let Worth::Valid(approval) = state.tokens.worth(token, now) else {
        let refusal = json!({ "error": "invalid_token", "error_description": "Invalid Value" });
        return answer::json(StatusCode::BAD_REQUEST, &refusal);
    };
    let seconds_since = |start| {
        let end = state.tokens.expires_at(token)?;
        Some(end.duration_since(start).ok()?.as_secs().to_string())
    };
    let answer = json!({
        "azp": approval.client,
        "aud": approval.client,
        "scope": approval.scope,
        "exp": seconds_since(UNIX_EPOCH),
        "expires_in": seconds_since(now),
        "access_type": "offline",
    });
    answer::json(StatusCode::OK, &answer)
}
