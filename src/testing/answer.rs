//! How answers are put together.

use bytes::Bytes;
use http::HeaderName;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header;
use serde_json::Value;

use crate::testing::body::Body;

/// An answer of JSON.
pub(super) fn json(status: StatusCode, value: &Value) -> Response<Body> {
    typed(status, "application/json", value.to_string())
}

/// An answer in plain text.
pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    typed(status, "text/plain; charset=utf-8", text.into())
}

/// An answer without body that sends the browser on.
pub(super) fn redirect(to: &str) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::FOUND;
    with(response, header::LOCATION, to)
}

/// An answer of this media type. Answers are never stored: most of them carry a credential (RFC 6749 §5.1).
pub(super) fn typed(status: StatusCode, media_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The same answer with one more header. A value that no header may carry is left out.
pub(super) fn with(mut response: Response<Body>, name: HeaderName, value: &str) -> Response<Body> {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// Text inside of a quoted string of a header (RFC 9110 §5.6.4).
pub(super) fn quoted(text: &str) -> String {
    let printable = text.chars().filter(|character| matches!(character, ' '..='~'));
    printable.filter(|character| !matches!(character, '"' | '\\')).collect()
}
