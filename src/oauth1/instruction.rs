//! What signing changes in a request.

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Request;
use http::Uri;
use http::header::AUTHORIZATION;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::uri::PathAndQuery;
use tower::BoxError;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth1::header::Placement;

/// The one change that makes a request a signed request.
#[derive(Debug)]
pub(super) enum Instruction {
    /// This is the body to send.
    Form(Bytes),
    /// This is the `Authorization`.
    Header(HeaderValue),
    /// This is the URI. In a box, because it is so much larger than the others, which are handed on several times.
    Query(Box<Uri>),
}

impl Instruction {
    /// `attachment` is the header's value, or the pairs to append.
    pub(super) fn new(
        placement: Placement,
        attachment: &[u8],
        uri: &Uri,
        body: &[u8],
    ) -> Result<Self, Error> {
        match placement {
            Placement::Form => Ok(Self::Form(joined(body, attachment).into())),
            Placement::Header => {
                let attachment = Bytes::copy_from_slice(attachment);
                let mut value = HeaderValue::from_maybe_shared(attachment).map_err(unfit)?;
                value.set_sensitive(true);
                Ok(Self::Header(value))
            }
            Placement::Query => {
                let query = joined(uri.query().unwrap_or_default().as_bytes(), attachment);
                let path_and_query = [uri.path().as_bytes(), b"?", &query].concat();
                let mut parts = uri.clone().into_parts();
                parts.path_and_query =
                    Some(PathAndQuery::from_maybe_shared(Bytes::from(path_and_query)).map_err(unfit)?);
                Ok(Self::Query(Box::new(Uri::from_parts(parts).map_err(unfit)?)))
            }
        }
    }

    /// Changes `request`. The body, if it is to change, is given to the caller. Whatever the place, an `Authorization`
    /// that is there already is somebody else's, and goes no further.
    pub(super) fn apply<B>(self, request: &mut Request<B>) -> Result<Option<Bytes>, Error> {
        match self {
            Self::Form(form) => {
                request.headers_mut().remove(AUTHORIZATION);
                correct_length(request.headers_mut(), form.len())?;
                return Ok(Some(form));
            }
            Self::Header(value) => insert(request.headers_mut(), AUTHORIZATION, value)?,
            Self::Query(uri) => {
                request.headers_mut().remove(AUTHORIZATION);
                *request.uri_mut() = *uri;
            }
        }
        Ok(None)
    }

    /// As [`apply`](Self::apply).
    pub(super) fn apply_to_parts(self, parts: &mut Parts) -> Result<Option<Bytes>, Error> {
        match self {
            Self::Form(form) => {
                parts.headers.remove(AUTHORIZATION);
                correct_length(&mut parts.headers, form.len())?;
                return Ok(Some(form));
            }
            Self::Header(value) => insert(&mut parts.headers, AUTHORIZATION, value)?,
            Self::Query(uri) => {
                parts.headers.remove(AUTHORIZATION);
                parts.uri = *uri;
            }
        }
        Ok(None)
    }
}

/// Both texts, with an `&` between them if there is something before it (RFC 5849 §3.5.2, §3.5.3).
fn joined(present: &[u8], pairs: &[u8]) -> Vec<u8> {
    let separator: &[u8] = if present.is_empty() { b"" } else { b"&" };
    [present, separator, pairs].concat()
}

fn correct_length(headers: &mut HeaderMap, length: usize) -> Result<(), Error> {
    if headers.contains_key(CONTENT_LENGTH) { insert(headers, CONTENT_LENGTH, length.into()) } else { Ok(()) }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) -> Result<(), Error> {
    headers.try_insert(name, value).map(drop).map_err(unfit)
}

fn unfit(error: impl Into<BoxError>) -> Error {
    Error::new(ErrorKind::Signature)
        .detail("the signed request would be longer than it may be")
        .caused_by(error)
}
