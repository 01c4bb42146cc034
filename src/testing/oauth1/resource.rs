//! What a signature protects.

use std::time::SystemTime;

use http::Response;
use http::StatusCode;
use serde_json::json;

use crate::testing::answer;
use crate::testing::body::Body;
use crate::testing::builder::Settings;
use crate::testing::incoming::Incoming;
use crate::testing::oauth1::verifier::Signer;
use crate::testing::oauth1::verifier::verify;
use crate::testing::provider::State;

/// Says what was verified, or why it was not. With a token or without (two-legged).
pub(in crate::testing) fn resource(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
) -> Response<Body> {
    match verify(settings, state, now, request, Signer::ClientOrToken) {
        Err(problem) => problem.into_response(),
        Ok(verified) => answer::json(
            StatusCode::OK,
            &json!({
                "client": verified.client,
                "token": verified.token,
                "signature_method": verified.signature_method,
                "placement": verified.placement,
                "method": request.method.as_str(),
                "path": request.path,
                "parameters": verified.parameters,
                "body_length": request.body_length,
            }),
        ),
    }
}
