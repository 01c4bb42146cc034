//! Calls endpoints in the name of a client: what all endpoints share.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::header::ACCEPT;
use http::header::CONTENT_TYPE;

use crate::endpoint::ClientAuth;
use crate::error::Error;
use crate::protocol::oauth2::form::Form;
use crate::secret::Secret;
use crate::transport::Endpoint;
use crate::transport::HttpService;
use crate::transport::Transport;

/// A client, and the way to the endpoints at which it is known.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) auth: ClientAuth,
    pub(super) transport: Transport,
}

/// What an endpoint answered, and the secrets that have to be taken out of whatever is said of it.
pub(super) struct Answer {
    pub(super) response: Response<Bytes>,
    pub(super) sent: Vec<Secret>,
}

impl Caller {
    pub(super) fn new<S, Q, R>(auth: ClientAuth, http: S) -> Self
    where
        S: HttpService<Q, R>,
    {
        Self { auth, transport: Transport::new(http) }
    }

    pub(super) fn timeout(&mut self, timeout: Duration) {
        self.transport.timeout(timeout);
    }

    pub(super) fn response_limit(&mut self, limit: usize) {
        self.transport.response_limit(limit);
    }

    pub(super) fn allow_http(&mut self) {
        self.transport.allow_http();
    }

    /// Sends a form with the proof of who the client is, and asks for JSON.
    pub(super) async fn post(&self, endpoint: &Endpoint, form: Form) -> Result<Answer, Error> {
        let request = Request::post(endpoint.uri().clone()).body(Bytes::new()).map_err(Error::transient)?;
        self.send(endpoint, request, form).await
    }

    /// Like [`post`](Self::post), with a request that has headers already.
    pub(super) async fn send(
        &self,
        endpoint: &Endpoint,
        mut request: Request<Bytes>,
        mut form: Form,
    ) -> Result<Answer, Error> {
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        // Without it, GitHub answers a form.
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        let mut sent = self.auth.apply(endpoint, &mut form, headers).await?;
        *request.body_mut() = form.encode();
        sent.extend(form.secrets().cloned());
        let response = self.transport.send(endpoint, request).await?;
        Ok(Answer { response, sent })
    }
}
