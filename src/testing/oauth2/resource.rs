//! What a bearer token protects (RFC 6750).

use std::time::SystemTime;

use http::HeaderMap;
use http::HeaderName;
use http::Response;
use http::StatusCode;
use http::header;
use serde_json::json;

use crate::testing::answer;
use crate::testing::body::Body;
use crate::testing::incoming::Incoming;
use crate::testing::oauth2::tokens::Approval;
use crate::testing::oauth2::tokens::Worth;
use crate::testing::provider::State;

/// Says whose token it was and what was sent, or challenges.
pub(in crate::testing) fn resource(state: &mut State, now: SystemTime, request: &Incoming) -> Response<Body> {
    match judge(state, now, &request.headers) {
        Ok(approval) => answer::json(
            StatusCode::OK,
            &json!({
                "client_id": approval.client,
                "user": approval.user,
                "scope": approval.scope,
                "method": request.method.as_str(),
                "path": request.path,
                "body_length": request.body_length,
            }),
        ),
        Err(refusal) => refusal.challenge(),
    }
}

/// The same for gRPC, where a refusal is a status of its own in an answer of 200 (`UNAUTHENTICATED`, 16).
pub(in crate::testing) fn grpc(state: &mut State, now: SystemTime, request: &Incoming) -> Response<Body> {
    let (status, message) = match judge(state, now, &request.headers) {
        Ok(_) => ("0", ""),
        Err(refusal) => ("16", refusal.description()),
    };
    let response = answer::typed(StatusCode::OK, "application/grpc", String::new());
    let response = answer::with(response, HeaderName::from_static("grpc-status"), status);
    answer::with(response, HeaderName::from_static("grpc-message"), message)
}

/// Whether the request is a gRPC call, by its media type.
pub(in crate::testing) fn is_grpc(request: &Incoming) -> bool {
    let media_type = request.headers.get(header::CONTENT_TYPE);
    media_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

#[derive(Clone, Copy)]
enum Refusal {
    Missing,
    Malformed,
    Expired,
    Revoked,
    Unknown,
}

impl Refusal {
    fn description(self) -> &'static str {
        match self {
            Self::Missing => "there is no access token",
            Self::Malformed => "there is more than one Authorization header, or no single token in it",
            Self::Expired => "the access token expired",
            Self::Revoked => "the access token was revoked",
            Self::Unknown => "the access token is unknown",
        }
    }

    /// The answer of RFC 6750 §3.
    fn challenge(self) -> Response<Body> {
        let description = self.description();
        let (status, error) = match self {
            // A request without credentials is not told what is wrong with them (RFC 6750 §3.1).
            Self::Missing => (StatusCode::UNAUTHORIZED, None),
            Self::Malformed => (StatusCode::BAD_REQUEST, Some("invalid_request")),
            Self::Expired | Self::Revoked | Self::Unknown => {
                (StatusCode::UNAUTHORIZED, Some("invalid_token"))
            }
        };
        let mut challenge = r#"Bearer realm="provider""#.to_owned();
        if let Some(error) = error {
            challenge.push_str(&format!(
                r#", error="{error}", error_description="{}""#,
                answer::quoted(description)
            ));
        }
        let body = json!({ "error": error.unwrap_or("unauthorized"), "error_description": description });
        answer::with(answer::json(status, &body), header::WWW_AUTHENTICATE, &challenge)
    }
}

fn judge(state: &mut State, now: SystemTime, headers: &HeaderMap) -> Result<Approval, Refusal> {
    let counts = &mut state.stats.resource;
    let token = match bearer(headers) {
        Ok(token) => token,
        Err(refusal) => {
            counts.missing += 1;
            return Err(refusal);
        }
    };
    let (count, verdict) = match state.tokens.worth(token, now) {
        Worth::Valid(approval) => (&mut counts.valid, Ok(approval)),
        Worth::Expired => (&mut counts.expired, Err(Refusal::Expired)),
        Worth::Revoked => (&mut counts.revoked, Err(Refusal::Revoked)),
        Worth::Unknown => (&mut counts.unknown, Err(Refusal::Unknown)),
    };
    *count += 1;
    verdict
}

/// The token of the one `Authorization` header (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(if headers.contains_key(header::AUTHORIZATION) {
            Refusal::Malformed
        } else {
            Refusal::Missing
        });
    };
    let value = value.to_str().map_err(|_| Refusal::Malformed)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Refusal::Missing);
    }
    let token = token.trim();
    if token.is_empty() || token.contains(' ') { Err(Refusal::Malformed) } else { Ok(token) }
}
