//! Reads answers that are JSON objects, and refusals.

use std::time::SystemTime;

use bytes::Bytes;
use http::Response;
use serde_json::Map;
use serde_json::Value;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth2::response;
use crate::protocol::oauth2::response::Answered;
use crate::protocol::oauth2::response::Purpose;
use crate::protocol::oauth2::response::ResponseRules;
use crate::secret::Secret;
use crate::transport::Endpoint;

/// The answer if it is a success; else what the server said, without the secrets in `sent`.
pub(super) fn success<'a>(
    endpoint: &Endpoint,
    response: &'a Response<Bytes>,
    sent: &[Secret],
) -> Result<&'a Response<Bytes>, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    // Without success, this is always the error.
    let error = refusal(endpoint, response, sent);
    Err(error
        .unwrap_or_else(|| Error::new(ErrorKind::UnexpectedStatus).at(endpoint.shown()).with_status(status)))
}

/// What the server said against it, at any status.
pub(super) fn refusal(endpoint: &Endpoint, response: &Response<Bytes>, sent: &[Secret]) -> Option<Error> {
    let answered = Answered {
        status: response.status(),
        headers: response.headers(),
        body: response.body(),
        sent,
        purpose: Purpose::Grant,
        now: SystemTime::now(),
    };
    response::read(answered, &ResponseRules::lenient()).err().map(|error| error.at(endpoint.shown()))
}

/// The members of a successful answer.
pub(super) fn object(
    endpoint: &Endpoint,
    response: &Response<Bytes>,
    sent: &[Secret],
) -> Result<Map<String, Value>, Error> {
    let response = success(endpoint, response, sent)?;
    let detail = match serde_json::from_slice(response.body()) {
        Ok(Value::Object(members)) => return Ok(members),
        Ok(_) => "it is JSON, but not an object",
        Err(_) if response.body().is_empty() => "it is empty",
        Err(_) => "it is not valid JSON",
    };
    Err(unusable(endpoint, response, detail))
}

pub(super) fn unusable(endpoint: &Endpoint, response: &Response<Bytes>, detail: &'static str) -> Error {
    Error::new(ErrorKind::UnusableResponse).detail(detail).at(endpoint.shown()).with_status(response.status())
}
