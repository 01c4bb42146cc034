//! What a browser asked, and what it is told.

use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::body::Incoming;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::grant::AuthorizationGrant;
use crate::grant::AuthorizationResponse;
use crate::grant::PendingAuthorization;
use crate::loopback::page;
use crate::loopback::page::Page;

/// The largest form that is read, in bytes.
const FORM_LIMIT: usize = 64 * 1024;

type Outcome = Result<AuthorizationGrant, Error>;

/// The login that is waited for, and what came of it.
pub(super) struct Desk {
    path: String,
    application: Option<String>,
    state: Mutex<State>,
}

enum State {
    Waiting(Box<PendingAuthorization>),
    Done(Box<Outcome>),
    /// The outcome is on its way to the caller.
    Over,
}

impl Desk {
    pub(super) fn new(path: String, application: Option<String>, pending: PendingAuthorization) -> Self {
        Self { path, application, state: Mutex::new(State::Waiting(Box::new(pending))) }
    }

    /// What came of the login, once.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Over) {
            State::Done(outcome) => Some(*outcome),
            other => {
                *state = other;
                None
            }
        }
    }

    /// Answers one request, whatever it is; `true` when that ends the login.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> (Response<Full<Bytes>>, bool) {
        match self.read(request).await {
            Ok(response) => self.judge(response),
            Err(answer) => (answer, false),
        }
    }

    /// What the browser brought, or the answer to a request that brings nothing.
    async fn read(&self, request: Request<Incoming>) -> Result<AuthorizationResponse, Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        if parts.uri.path() != self.path {
            return Err(page::empty(StatusCode::NOT_FOUND));
        }
        match parts.method {
            Method::GET => Ok(AuthorizationResponse::from(&parts.uri)),
            Method::POST if is_form(&parts.headers) => match Limited::new(body, FORM_LIMIT).collect().await {
                Ok(form) => Ok(AuthorizationResponse::from_form(form.to_bytes())),
                Err(_) => Err(page::empty(StatusCode::PAYLOAD_TOO_LARGE)),
            },
            Method::POST => Err(page::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
            // Above all no `HEAD`, with which something may look at the URL before the browser does.
            _ => {
                let mut response = page::empty(StatusCode::METHOD_NOT_ALLOWED);
                let allowed = header::HeaderValue::from_static("GET, POST");
                response.headers_mut().insert(header::ALLOW, allowed);
                Err(response)
            }
        }
    }

    fn judge(&self, response: AuthorizationResponse) -> (Response<Full<Bytes>>, bool) {
        let application = self.application.as_deref();
        if !response.is_answer() {
            return (page::empty(StatusCode::NOT_FOUND), false);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = match std::mem::replace(&mut *state, State::Over) {
            State::Waiting(pending) if pending.is_answered_by(&response) => pending,
            other => {
                let is_over = !matches!(other, State::Waiting(_));
                *state = other;
                drop(state);
                let page = if is_over { Page::Over } else { Page::OtherLogin };
                return (page::page(page, application), false);
            }
        };
        let outcome = pending.complete(response);
        let page = match &outcome {
            Ok(_) => Page::Success,
            Err(error) if error.kind() == ErrorKind::AuthorizationDenied => Page::Denied,
            Err(error) => Page::Failure(error.clone()),
        };
        *state = State::Done(Box::new(outcome));
        drop(state);
        (page::page(page, application), true)
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|media_type| media_type.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_that_of_the_table() {
        let what = "largest form that a loopback receiver reads";
        crate::defaults::assert_documented(what, format!("{FORM_LIMIT} bytes"));
    }
}
