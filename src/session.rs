//! A client for scripts, over any stack.
//!
//! Whoever comes from `requests_oauthlib.OAuth2Session` or Authlib's clients writes a line for each request. [`Session`] gives
//! them that, and hides nothing: it holds a tower service, which does all the work, and gives it back.
//!
//! ```
//! use serde_json::{Value, json};
//! use tower::ServiceBuilder;
//! use tower_oauth::{ClientAuth, ClientCredentials, OAuth2Layer, Origins, Session};
//! # use tower_oauth::testing::Provider;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! # let provider = Provider::new().serve().await?;
//! # let (api, token_url) = (provider.origin(), provider.url("/token"));
//! let http = tower_oauth::client();
//! let auth = ClientAuth::basic("test-client", "test-secret");
//! let grant = ClientCredentials::new(&token_url, auth, http.clone())?;
//! let layer = OAuth2Layer::new(Origins::one(&api)?, grant);
//! let session = Session::new(ServiceBuilder::new().layer(layer).service(http));
//!
//! let url = format!("{api}/resource/orders");
//! let orders: Value = session.get(&url).query([("page", "2")]).send().await?.error_for_status()?.json().await?;
//! # assert_eq!(orders["method"], "GET");
//! let created = session.post(&url).json(&json!({ "article": "tea" })).send().await?;
//! println!("{}", created.status());
//! # assert_eq!(created.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! What it does not do: keep cookies, follow redirects, try again, wait with a time-out of its own. These are layers, and go
//! around or into the service.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;

use bytes::Bytes;
use http::Method;
use http::Request;
use http::Response;
use tower::BoxError;
use tower::Service;

use crate::adapter::RequestBody;

mod request;
mod response;

pub use request::RequestBuilder;
pub use response::SessionResponse;

/// The largest response that is read, in bytes.
const RESPONSE_LIMIT: usize = 16 * 1024 * 1024;

/// A tower service for HTTP, with methods to write requests. See the [module docs](self).
///
/// | `S` | has to be |
/// |---|---|
/// | the service | `Service<Request<Q>, Response = Response<R>> + Clone` |
/// | its error | `Into<BoxError>` |
/// | the request body `Q` | `From<Bytes>`; [`RequestBody`] for [`client()`](crate::client) |
/// | the response body `R` | `Body`, with an error that is `Into<BoxError>` |
pub struct Session<S, Q = RequestBody> {
    service: S,
    response_limit: usize,
    body: PhantomData<fn(Q)>,
}

impl<S, Q> Session<S, Q> {
    /// Wraps a service: most often a layer of this crate around an HTTP client.
    pub fn new<R>(service: S) -> Self
    where
        S: Service<Request<Q>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        Q: From<Bytes>,
    {
        Self { service, response_limit: RESPONSE_LIMIT, body: PhantomData }
    }

    /// The largest response that is read into memory, in bytes; 16 MiB by default. What is longer is an error. It does not
    /// hold for a body that you read yourself, from [`SessionResponse::into_inner`].
    pub fn response_limit(mut self, bytes: usize) -> Self {
        self.response_limit = bytes;
        self
    }

    /// The service.
    pub fn get_ref(&self) -> &S {
        &self.service
    }

    /// The service.
    pub fn into_inner(self) -> S {
        self.service
    }
}

/// Requests. A URL is absolute, unless the service knows where relative ones go; if it is none, [`RequestBuilder::send`] says
/// so.
impl<S: Clone, Q> Session<S, Q> {
    /// A `GET` request.
    pub fn get(&self, url: &str) -> RequestBuilder<S, Q> {
        self.request(Method::GET, url)
    }

    /// A `POST` request.
    pub fn post(&self, url: &str) -> RequestBuilder<S, Q> {
        self.request(Method::POST, url)
    }

    /// A `PUT` request.
    pub fn put(&self, url: &str) -> RequestBuilder<S, Q> {
        self.request(Method::PUT, url)
    }

    /// A `PATCH` request.
    pub fn patch(&self, url: &str) -> RequestBuilder<S, Q> {
        self.request(Method::PATCH, url)
    }

    /// A `DELETE` request.
    pub fn delete(&self, url: &str) -> RequestBuilder<S, Q> {
        self.request(Method::DELETE, url)
    }

    /// A request of any method.
    pub fn request(&self, method: Method, url: &str) -> RequestBuilder<S, Q> {
        RequestBuilder::new(self.clone(), method, url)
    }

    /// Sends a request that was made elsewhere.
    ///
    /// # Errors
    /// Those of the service.
    pub async fn execute<R>(&self, request: Request<Q>) -> Result<SessionResponse<R>, BoxError>
    where
        S: Service<Request<Q>, Response = Response<R>>,
        S::Error: Into<BoxError>,
    {
        let uri = request.uri().clone();
        let mut service = self.service.clone();
        poll_fn(|context| service.poll_ready(context)).await.map_err(Into::into)?;
        let response = service.call(request).await.map_err(Into::into)?;
        Ok(SessionResponse::new(response, &uri, self.response_limit))
    }
}

// By hand, because a derive would ask for `Q: Clone`.
impl<S: Clone, Q> Clone for Session<S, Q> {
    fn clone(&self) -> Self {
        Self { service: self.service.clone(), response_limit: self.response_limit, body: PhantomData }
    }
}

impl<S, Q> fmt::Debug for Session<S, Q> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("response_limit", &self.response_limit)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;

    #[test]
    fn the_default_is_that_of_the_table() {
        assert_documented("largest response that a `Session` reads", format!("{RESPONSE_LIMIT} bytes"));
    }
}
