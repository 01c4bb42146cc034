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

/// The headers that signing looks at; of several with one name the first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields<'a> {
    content_type: Option<&'a [u8]>,
    /// The `Host` header, if the caller set one.
    pub(super) host: Option<&'a [u8]>,
    pub(super) has_authorization: bool,
}

impl Fields<'_> {
    /// Whether the body is a form.
    pub(super) fn is_form(&self) -> bool {
        self.content_type.is_some_and(params::is_form)
    }
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

    /// The headers that signing looks at.
    ///
    /// All are found in one pass: a request has few headers, and to look one up takes as long as to pass a dozen.
    pub(super) fn fields(&self) -> Fields<'a> {
        let mut fields = Fields::default();
        for (name, value) in self.headers {
            if name == CONTENT_TYPE {
                fields.content_type.get_or_insert(value.as_bytes());
            } else if name == HOST {
                fields.host.get_or_insert(value.as_bytes());
            } else if name == AUTHORIZATION {
                fields.has_authorization = true;
            }
        }
        fields
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
