//! A request on its way into being.

use std::fmt;
use std::fmt::Write;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::Uri;
use http::header::CONTENT_TYPE;
use http::uri::PathAndQuery;
use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use serde::Serialize;
use tower::BoxError;
use tower::Service;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::session::Session;
use crate::session::SessionResponse;
use crate::token_key::TokenKey;

/// What stays as it is in a query or form: the unreserved characters of RFC 3986 §2.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request of a [`Session`]. What cannot be said of a request is told by [`send`](Self::send).
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder<S, Q> {
    session: Session<S, Q>,
    request: Result<Request<Bytes>, BoxError>,
    query: String,
}

impl<S, Q> RequestBuilder<S, Q> {
    pub(super) fn new(session: Session<S, Q>, method: Method, url: &str) -> Self {
        let request = url.parse::<Uri>().map_err(|error| invalid(error.to_string())).and_then(|uri| {
            if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
                return Err(invalid("there is a user name or password in it; set a header in its place"));
            }
            let mut request = Request::new(Bytes::new());
            (*request.method_mut(), *request.uri_mut()) = (method, uri);
            Ok(request)
        });
        Self { session, request: request.map_err(Into::into), query: String::new() }
    }

    /// Adds pairs to the query, after what the URL has of it.
    pub fn query(mut self, pairs: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>) -> Self {
        append(&mut self.query, pairs);
        self
    }

    /// Sets a header.
    pub fn header<N, V>(self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        self.edit(|request| {
            let name = name.try_into().map_err(Into::into)?;
            let value = value.try_into().map_err(Into::into)?;
            Ok(set(request.headers_mut(), name, value)?)
        })
    }

    /// Whose request it is, for a layer that takes its identity from each request (`key_per_request`, `per_request`).
    pub fn key(self, key: TokenKey) -> Self {
        self.extension(key)
    }

    /// Puts something else into the extensions, for a layer to find.
    pub fn extension<T: Clone + Send + Sync + 'static>(self, value: T) -> Self {
        self.edit(|request| {
            request.extensions_mut().insert(value);
            Ok(())
        })
    }

    /// The body, as it is; its `Content-Type` is yours to set.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        self.edit(|request| {
            *request.body_mut() = body.into();
            Ok(())
        })
    }

    /// A form as the body (`application/x-www-form-urlencoded`).
    pub fn form(self, pairs: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>) -> Self {
        let mut form = String::new();
        append(&mut form, pairs);
        self.typed("application/x-www-form-urlencoded", form)
    }

    /// JSON as the body.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => self.typed("application/json", json),
            Err(error) => self.edit(|_| Err(error.into())),
        }
    }

    /// Sends the request; whatever the status of the response, it is no error here.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUri`], what is wrong with a header or the JSON, and those of the service.
    pub async fn send<R>(self) -> Result<SessionResponse<R>, BoxError>
    where
        S: Service<Request<Q>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        Q: From<Bytes>,
    {
        let mut request = self.request?;
        if !self.query.is_empty() {
            let uri = with_query(request.uri(), &self.query)?;
            *request.uri_mut() = uri;
        }
        self.session.execute(request.map(Q::from)).await
    }

    fn typed(self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.body(body).edit(|request| {
            Ok(set(request.headers_mut(), CONTENT_TYPE, HeaderValue::from_static(content_type))?)
        })
    }

    /// Changes the request; the first thing that goes wrong is what is told.
    fn edit(mut self, change: impl FnOnce(&mut Request<Bytes>) -> Result<(), BoxError>) -> Self {
        self.request = self.request.and_then(|mut request| change(&mut request).map(|()| request));
        self
    }
}

impl<S, Q> fmt::Debug for RequestBuilder<S, Q> {
    /// Without URL, headers and body, which may hold secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RequestBuilder").finish_non_exhaustive()
    }
}

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidUri).detail(detail)
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) -> Result<(), http::Error> {
    headers.try_insert(name, value).map(drop).map_err(Into::into)
}

/// Appends pairs with `&` and `=`, everything escaped that is not unreserved.
fn append(text: &mut String, pairs: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>) {
    for (name, value) in pairs {
        let separator = if text.is_empty() { "" } else { "&" };
        let name = utf8_percent_encode(name.as_ref(), ESCAPED);
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{separator}{name}={}", utf8_percent_encode(value.as_ref(), ESCAPED));
    }
}

fn with_query(uri: &Uri, more: &str) -> Result<Uri, Error> {
    let present = uri.query().filter(|query| !query.is_empty()).map(|query| format!("{query}&"));
    let target = format!("{}?{}{more}", uri.path(), present.unwrap_or_default());
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).map_err(|error| invalid(error.to_string()))?);
    Uri::from_parts(parts).map_err(|error| invalid(error.to_string()))
}
