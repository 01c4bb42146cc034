//! A response, whose body is not read yet.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use http::Response;
use http::StatusCode;
use http::Uri;
use http_body::Body;
use serde::de::DeserializeOwned;
use tower::BoxError;

use crate::body::ReadError;
use crate::body::read_all;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::origin::Origin;

/// A response to a request of a [`Session`](super::Session).
pub struct SessionResponse<R> {
    inner: Response<R>,
    limit: usize,
    /// The request's URL without query, for errors.
    shown: String,
}

impl<R> SessionResponse<R> {
    pub(super) fn new(inner: Response<R>, uri: &Uri, limit: usize) -> Self {
        let origin = Origin::of(uri).map(|origin| origin.to_string()).unwrap_or_default();
        Self { inner, limit, shown: origin + uri.path() }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// The response as it came from the service. Layers say more of it in its extensions, such as an
    /// [`OAuthProblem`](crate::oauth1::OAuthProblem).
    pub fn get_ref(&self) -> &Response<R> {
        &self.inner
    }

    /// The response as it came from the service, to read its body piece by piece.
    pub fn into_inner(self) -> Response<R> {
        self.inner
    }

    /// The response, unless its status is 4xx or 5xx.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedStatus`], which says nothing of the body: to see that, look at [`status`](Self::status).
    pub fn error_for_status(self) -> Result<Self, Error> {
        let status = self.status();
        if status.is_client_error() || status.is_server_error() {
            return Err(Error::new(ErrorKind::UnexpectedStatus).at(self.shown).with_status(status));
        }
        Ok(self)
    }
}

/// The body, read to its end, within [`Session::response_limit`](super::Session::response_limit).
impl<R> SessionResponse<R>
where
    R: Body,
    R::Error: Into<BoxError>,
{
    /// The body.
    ///
    /// # Errors
    /// [`ErrorKind::ResponseTooLarge`], and [`ErrorKind::Transport`] when the body breaks off.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let (body, limit, shown) = (self.inner.into_body(), self.limit, self.shown);
        let (bytes, _) = read_all(body, limit).await.map_err(|error| match error {
            ReadError::TooLarge => Error::new(ErrorKind::ResponseTooLarge)
                .detail(format!("the limit is {limit} bytes, and `Session::response_limit` sets another"))
                .at(shown),
            ReadError::Failed(error) => Error::new(ErrorKind::Transport).at(shown).caused_by(error),
        })?;
        Ok(bytes)
    }

    /// The body as text in UTF-8, with a mark (U+FFFD) in the place of what is not.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub async fn text(self) -> Result<String, Error> {
        let bytes = self.bytes().await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and [`ErrorKind::UnusableResponse`], which says where it is not as `T` is, and shows nothing
    /// of it.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let (shown, status) = (self.shown.clone(), self.status());
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let what = if error.is_data() {
                "the JSON is not of the type that was asked for"
            } else {
                "this is no JSON"
            };
            let detail = format!("{what} (line {}, column {})", error.line(), error.column());
            Error::new(ErrorKind::UnusableResponse).detail(detail).at(shown).with_status(status)
        })
    }
}

impl<R> fmt::Debug for SessionResponse<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("SessionResponse");
        debug.field("url", &self.shown).field("status", &self.status()).finish_non_exhaustive()
    }
}
