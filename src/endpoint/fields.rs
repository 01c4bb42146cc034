//! Reads answers that are neither tokens nor nothing: a few fields, or a refusal.

use std::time::SystemTime;

use serde_json::Map;
use serde_json::Value;

use crate::endpoint::caller::Answer;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth2::response;
use crate::protocol::oauth2::response::Answered;
use crate::protocol::oauth2::response::Purpose;
use crate::protocol::oauth2::response::ResponseRules;
use crate::transport::Endpoint;

/// The fields of a successful answer, of JSON or a form; an error wherever it stands, since some come with status 200.
pub(super) fn fields(endpoint: &Endpoint, answer: &Answer) -> Result<Map<String, Value>, Error> {
    let answered = Answered {
        status: answer.response.status(),
        headers: answer.response.headers(),
        body: answer.response.body(),
        sent: &answer.sent,
        purpose: Purpose::Grant,
        now: SystemTime::now(),
    };
    let fields =
        response::read(answered, &ResponseRules::lenient()).map_err(|error| error.at(endpoint.shown()))?;
    if fields.is_alone {
        Ok(fields.map)
    } else {
        Err(unusable(endpoint, answer, "it is JSON, but not an object"))
    }
}

/// An answer of which nothing can be made.
pub(super) fn unusable(endpoint: &Endpoint, answer: &Answer, detail: &'static str) -> Error {
    Error::new(ErrorKind::UnusableResponse)
        .with_status(answer.response.status())
        .at(endpoint.shown())
        .detail(detail)
}
