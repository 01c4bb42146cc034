//! Client authentication of one's own.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header::AUTHORIZATION;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth2::form::Form;
use crate::secret::Secret;
use crate::transport::Endpoint;

/// A request to an endpoint, for [`ClientAuth::custom`](crate::ClientAuth::custom) to add its proof to.
///
/// What is added as a secret is taken out of whatever the server says of it, and header values are marked sensitive.
pub struct ClientRequest {
    endpoint: Box<str>,
    form: Form,
    headers: HeaderMap,
    secrets: Vec<Secret>,
}

impl ClientRequest {
    pub(super) fn new(endpoint: &Endpoint, form: Form, headers: HeaderMap) -> Self {
        Self { endpoint: endpoint.shown().into(), form, headers, secrets: Vec::new() }
    }

    /// The endpoint's URL, without query.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A parameter of the form, such as `grant_type`. It may be a secret: an authorization code, a refresh token.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.form.find(name)
    }

    /// The form as it is now, encoded, for proofs that cover the body. There are secrets in it.
    pub fn form(&self) -> Bytes {
        self.form.encode()
    }

    /// The headers as they are now.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Adds a parameter.
    pub fn add_parameter(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.form.push(name, value);
    }

    /// Adds a parameter that is secret.
    pub fn add_secret_parameter(&mut self, name: impl Into<Cow<'static, str>>, value: &Secret) {
        self.form.push_secret(name, value);
    }

    /// Sets a header to a secret.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`] when no header may carry the value.
    pub fn set_header(&mut self, name: HeaderName, value: &Secret) -> Result<(), Error> {
        let mut header = HeaderValue::try_from(value.expose()).map_err(|_| {
            Error::new(ErrorKind::InvalidToken).detail("the client's proof is no header value")
        })?;
        header.set_sensitive(true);
        self.headers.insert(name, header);
        self.secrets.push(value.clone());
        Ok(())
    }

    /// Sets `Authorization` to `scheme` and a secret.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`] when no header may carry them.
    pub fn authorize(&mut self, scheme: &str, credentials: &Secret) -> Result<(), Error> {
        self.set_header(AUTHORIZATION, &Secret::new(format!("{scheme} {}", credentials.expose())))?;
        self.secrets.push(credentials.clone());
        Ok(())
    }

    pub(super) fn into_parts(self) -> (Form, HeaderMap, Vec<Secret>) {
        (self.form, self.headers, self.secrets)
    }
}

impl fmt::Debug for ClientRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientRequest")
            .field("endpoint", &self.endpoint)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

pub(super) trait CustomAuth: Send + Sync {
    fn apply(&self, request: ClientRequest) -> Applied<'_>;
}

type Applied<'a> = Pin<Box<dyn Future<Output = Result<ClientRequest, Error>> + Send + 'a>>;

/// A closure that adds a proof.
pub(super) struct FromFn<F>(pub(super) F);

impl<F, A> CustomAuth for FromFn<F>
where
    F: Fn(ClientRequest) -> A + Send + Sync,
    A: Future<Output = Result<ClientRequest, Error>> + Send + 'static,
{
    fn apply(&self, request: ClientRequest) -> Applied<'_> {
        Box::pin((self.0)(request))
    }
}
