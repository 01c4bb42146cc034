//! The registration endpoint (RFC 7591), and what may be done with a registration afterwards (RFC 7592).

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::header::ACCEPT;
use http::header::AUTHORIZATION;
use http::header::CONTENT_TYPE;

use crate::endpoint::answer;
use crate::error::ConfigError;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::origin::Origin;
use crate::protocol::oauth2::registration::ClientMetadata;
use crate::protocol::oauth2::registration::Registration;
use crate::secret::Secret;
use crate::transport::Endpoint;
use crate::transport::HttpService;
use crate::transport::Transport;

/// A registration endpoint: makes a client known to a server (RFC 7591).
///
/// ```
/// use tower_oauth::{ClientAuth, ClientCredentials};
/// use tower_oauth::endpoint::{ClientMetadata, RegistrationEndpoint};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let http = tower_oauth::client();
/// let endpoint = RegistrationEndpoint::new("https://auth.example.com/register", http.clone())?;
/// let metadata = ClientMetadata::new()
///     .grant_type("client_credentials")
///     .token_endpoint_auth_method("client_secret_basic");
/// let client = endpoint.register(&metadata).await?;
/// // Keep `client.to_json()` in a safe place, and use the client.
/// let secret = client.client_secret().ok_or("the server gave no secret")?;
/// let auth = ClientAuth::basic(client.client_id(), secret.clone());
/// let grant = ClientCredentials::new("https://auth.example.com/token", auth, http)?;
/// # let _ = grant;
/// # Ok(())
/// # }
/// ```
///
/// Timeouts and limits are those of a [`TokenEndpoint`](crate::endpoint::TokenEndpoint).
#[derive(Clone, Debug)]
pub struct RegistrationEndpoint {
    endpoint: Endpoint,
    initial_access_token: Option<Secret>,
    transport: Transport,
}

impl RegistrationEndpoint {
    /// The endpoint at `url`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when `url` is not an absolute http or https URL.
    pub fn new<S, Q, R>(url: &str, http: S) -> Result<Self, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        let endpoint = Endpoint::parse(url)?;
        Ok(Self { endpoint, initial_access_token: None, transport: Transport::new(http) })
    }

    pub(super) fn at(endpoint: Endpoint, transport: Transport) -> Self {
        Self { endpoint, initial_access_token: None, transport }
    }

    /// The token that a server wants which does not let everybody register (RFC 7591 §3).
    pub fn initial_access_token(mut self, token: impl Into<Secret>) -> Self {
        self.initial_access_token = Some(token.into());
        self
    }

    /// The longest time of one call.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.transport.timeout(timeout);
        self
    }

    /// The largest answer that is read, in bytes.
    pub fn response_limit(mut self, limit: usize) -> Self {
        self.transport.response_limit(limit);
        self
    }

    /// Sends tokens and receives client secrets over plain http, to any host.
    pub fn dangerously_allow_http(mut self) -> Self {
        self.transport.allow_http();
        self
    }

    /// Registers a client.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] with the server's code, such as `invalid_redirect_uri`, `invalid_client_metadata`,
    /// `invalid_software_statement` or `unapproved_software_statement` (RFC 7591 §3.2.2);
    /// [`ErrorKind::UnusableResponse`] when the answer has no client; the kinds of a failed call.
    pub async fn register(&self, metadata: &ClientMetadata) -> Result<Registration, Error> {
        let token = self.initial_access_token.as_ref();
        let sent: Vec<Secret> = token.into_iter().chain(metadata.secrets()).cloned().collect();
        let response = self.call(&self.endpoint, Method::POST, token, Some(metadata.to_json())).await?;
        read(&self.endpoint, &response, &sent)
    }

    /// What the server has of a client now (RFC 7592 §2.1). Keep the answer in place of `client`: the secret and the
    /// registration access token may have been replaced.
    ///
    /// # Errors
    /// [`ErrorKind::MissingEndpoint`] when the server gave no `registration_client_uri` and `registration_access_token`;
    /// [`ErrorKind::ForeignEndpoint`] when that URI has another origin than this endpoint; those of
    /// [`register`](Self::register).
    pub async fn read(&self, client: &Registration) -> Result<Registration, Error> {
        self.manage(client, Method::GET, None).await
    }

    /// Replaces the metadata of a client by `metadata`; what is not in it, the server may reset (RFC 7592 §2.2). Begin with
    /// [`Registration::metadata`] to change only a part. Keep the answer in place of `client`.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub async fn update(
        &self,
        client: &Registration,
        metadata: &ClientMetadata,
    ) -> Result<Registration, Error> {
        self.manage(client, Method::PUT, Some(metadata)).await
    }

    /// Ends a registration, and at most servers every token of the client (RFC 7592 §2.3).
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub async fn delete(&self, client: &Registration) -> Result<(), Error> {
        let (endpoint, token) = self.configuration(client)?;
        let sent: Vec<Secret> = client.secrets().cloned().collect();
        let response = self.call(&endpoint, Method::DELETE, Some(token), None).await?;
        answer::success(&endpoint, &response, &sent)?;
        Ok(())
    }

    async fn manage(
        &self,
        client: &Registration,
        method: Method,
        metadata: Option<&ClientMetadata>,
    ) -> Result<Registration, Error> {
        let (endpoint, token) = self.configuration(client)?;
        let sent = client.secrets().chain(metadata.into_iter().flat_map(ClientMetadata::secrets));
        let sent: Vec<Secret> = sent.cloned().collect();
        let body = metadata.map(|metadata| metadata.to_update(client));
        let response = self.call(&endpoint, method, Some(token), body).await?;
        Ok(read(&endpoint, &response, &sent)?.or_as_before(client))
    }

    /// Where a registration is looked after, and with which token.
    fn configuration<'a>(&self, client: &'a Registration) -> Result<(Endpoint, &'a Secret), Error> {
        let missing = |detail: &'static str| Error::new(ErrorKind::MissingEndpoint).detail(detail);
        let token = client.registration_access_token();
        let token = token.ok_or_else(|| missing("the server gave no `registration_access_token`"))?;
        let uri = client.registration_client_uri();
        let uri = uri.ok_or_else(|| missing("the server gave no `registration_client_uri`"))?;
        let unusable = |_| {
            let detail = "its `registration_client_uri` is not an absolute http or https URL";
            Error::new(ErrorKind::UnusableResponse).detail(detail).at(self.endpoint.shown())
        };
        let endpoint = Endpoint::parse(uri).map_err(unusable)?;
        // The token must not follow wherever an answer points.
        if Origin::of(endpoint.uri()) != Origin::of(self.endpoint.uri()) {
            let detail = "`registration_client_uri` has another origin than the registration endpoint";
            return Err(Error::new(ErrorKind::ForeignEndpoint).detail(detail).at(endpoint.shown()));
        }
        Ok((endpoint, token))
    }

    async fn call(
        &self,
        endpoint: &Endpoint,
        method: Method,
        token: Option<&Secret>,
        body: Option<String>,
    ) -> Result<Response<Bytes>, Error> {
        let json = HeaderValue::from_static("application/json");
        let mut request = Request::builder()
            .method(method)
            .uri(endpoint.uri().clone())
            .header(ACCEPT, json.clone())
            .body(Bytes::new())
            .map_err(Error::transient)?;
        if let Some(token) = token {
            let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
            let mut value = value.map_err(|_| Error::new(ErrorKind::InvalidToken).at(endpoint.shown()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        if let Some(body) = body {
            request.headers_mut().insert(CONTENT_TYPE, json);
            *request.body_mut() = body.into();
        }
        self.transport.send(endpoint, request).await
    }
}

fn read(endpoint: &Endpoint, response: &Response<Bytes>, sent: &[Secret]) -> Result<Registration, Error> {
    let members = answer::object(endpoint, response, sent)?;
    Registration::read(members).map_err(|why| answer::unusable(endpoint, response, why))
}
