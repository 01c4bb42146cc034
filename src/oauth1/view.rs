//! A request, as far as signing looks at it.

use http::Extensions;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Uri;
use http::header::AUTHORIZATION;
use http::header::CONTENT_TYPE;
use http::header::HOST;
use http::request::Parts;

use crate::protocol::oauth1::params;

/// Characters of a `Content-Type` that an error shows.
const SHOWN: usize = 100;

/// Everything of a request but its body.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) extensions: &'a Extensions,
}

impl<'a> View<'a> {
    pub(super) fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    pub(super) fn of_parts(parts: &'a Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            extensions: &parts.extensions,
        }
    }

    pub(super) fn is_form(headers: &HeaderMap) -> bool {
        headers.get(CONTENT_TYPE).is_some_and(|content_type| params::is_form(content_type.as_bytes()))
    }

    /// The `Host` header, if the caller set one.
    pub(super) fn host(&self) -> Option<&'a [u8]> {
        self.headers.get(HOST).map(HeaderValue::as_bytes)
    }

    /// What an error says of the `Content-Type`.
    pub(super) fn describe_content_type(&self) -> String {
        match self.headers.get(CONTENT_TYPE) {
            Some(content_type) => {
                let shown: String =
                    content_type.as_bytes().escape_ascii().map(char::from).take(SHOWN).collect();
                format!("its `Content-Type` is `{shown}`")
            }
            None => "it has no `Content-Type`".to_owned(),
        }
    }

    pub(super) fn authorizations(&self) -> impl Iterator<Item = &'a [u8]> {
        self.headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes)
    }
}
