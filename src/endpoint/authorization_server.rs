//! A server and a client that it knows, as the source of all endpoints.

use crate::endpoint::ClientAuth;
use crate::endpoint::DeviceAuthorizationEndpoint;
use crate::endpoint::IntrospectionEndpoint;
use crate::endpoint::PushedAuthorizationEndpoint;
use crate::endpoint::RegistrationEndpoint;
use crate::endpoint::RevocationEndpoint;
use crate::endpoint::TokenEndpoint;
use crate::endpoint::caller::Caller;
use crate::error::ConfigError;
use crate::protocol::oauth2::metadata::ServerMetadata;
use crate::transport::Endpoint;
use crate::transport::HttpService;

/// An authorization server as its metadata describes it, and a client that is known there: makes every endpoint.
///
/// ```
/// use tower_oauth::{ClientAuth, ClientCredentials};
/// use tower_oauth::endpoint::{AuthorizationServer, Discovery};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let http = tower_oauth::client();
/// let metadata = Discovery::new("https://auth.example.com", http.clone())?.discover().await?;
/// let auth = ClientAuth::basic("client id", "client secret");
/// let server = AuthorizationServer::new(metadata, auth, http);
/// let grant = ClientCredentials::at(server.token_endpoint()?);
/// let revocation = server.revocation_endpoint()?;
/// # let _ = (grant, revocation);
/// # Ok(())
/// # }
/// ```
///
/// A client that uses mutual TLS gets the endpoints of `mtls_endpoint_aliases`, where there are any (RFC 8705 §5). A client
/// that signs assertions says in them that they are for the server's issuer, unless it was told otherwise.
///
/// ```
/// use tower_oauth::ClientAuth;
/// use tower_oauth::adapter::{ClientBuilder, ClientCertificate};
/// use tower_oauth::endpoint::{AuthorizationServer, ServerMetadata};
/// # fn example(metadata: ServerMetadata, chain: &[u8], key: &[u8]) -> Result<(), tower_oauth::ConfigError> {
/// let certificate = ClientCertificate::from_pem(chain, key)?;
/// let http = ClientBuilder::new().client_certificate(certificate).build();
/// let server = AuthorizationServer::new(metadata, ClientAuth::tls("client id"), http);
/// # let _ = server;
/// # Ok(())
/// # }
/// ```
///
/// Where the metadata lists how clients may prove who they are, a way that is not listed is an error: the server would say
/// no. Not so for public clients and ways of your own, since few servers list those; and what a list does not name and
/// yet works, can be had by `TokenEndpoint::new` and its like.
#[derive(Clone, Debug)]
pub struct AuthorizationServer {
    metadata: ServerMetadata,
    caller: Caller,
}

impl AuthorizationServer {
    /// Puts a server and a client together; nothing is sent.
    pub fn new<S, Q, R>(metadata: ServerMetadata, auth: ClientAuth, http: S) -> Self
    where
        S: HttpService<Q, R>,
    {
        // The audience that every endpoint of a server takes; the token endpoint's URL alone would do for that one.
        #[cfg(feature = "jwt")]
        let auth = auth.assertion_audience(metadata.issuer());
        Self { metadata, caller: Caller::new(auth, http) }
    }

    /// What the server says of itself.
    pub fn metadata(&self) -> &ServerMetadata {
        &self.metadata
    }

    /// The token endpoint.
    ///
    /// # Errors
    /// [`ConfigError::MissingEndpoint`] when the server names none, [`ConfigError::InvalidEndpoint`] when that is no URL,
    /// [`ConfigError::UnsupportedClientAuth`] when the server does not take this client's way to prove who it is.
    pub fn token_endpoint(&self) -> Result<TokenEndpoint, ConfigError> {
        let endpoint = self.endpoint("token_endpoint", TOKEN_METHODS)?;
        Ok(TokenEndpoint::at(endpoint, self.caller.clone()))
    }

    /// The pushed authorization request endpoint (RFC 9126).
    ///
    /// # Errors
    /// Those of [`token_endpoint`](Self::token_endpoint).
    pub fn pushed_authorization_request_endpoint(&self) -> Result<PushedAuthorizationEndpoint, ConfigError> {
        let endpoint = self.endpoint("pushed_authorization_request_endpoint", TOKEN_METHODS)?;
        Ok(PushedAuthorizationEndpoint::at(endpoint, self.caller.clone()))
    }

    /// The device authorization endpoint (RFC 8628).
    ///
    /// # Errors
    /// Those of [`token_endpoint`](Self::token_endpoint).
    pub fn device_authorization_endpoint(&self) -> Result<DeviceAuthorizationEndpoint, ConfigError> {
        let endpoint = self.endpoint("device_authorization_endpoint", TOKEN_METHODS)?;
        Ok(DeviceAuthorizationEndpoint::at(endpoint, self.caller.clone()))
    }

    /// The revocation endpoint (RFC 7009).
    ///
    /// # Errors
    /// Those of [`token_endpoint`](Self::token_endpoint).
    pub fn revocation_endpoint(&self) -> Result<RevocationEndpoint, ConfigError> {
        let endpoint = self.endpoint("revocation_endpoint", "revocation_endpoint_auth_methods_supported")?;
        Ok(RevocationEndpoint::at(endpoint, self.caller.clone()))
    }

    /// The introspection endpoint (RFC 7662).
    ///
    /// # Errors
    /// Those of [`token_endpoint`](Self::token_endpoint).
    pub fn introspection_endpoint(&self) -> Result<IntrospectionEndpoint, ConfigError> {
        let endpoint =
            self.endpoint("introspection_endpoint", "introspection_endpoint_auth_methods_supported")?;
        Ok(IntrospectionEndpoint::at(endpoint, self.caller.clone()))
    }

    /// The registration endpoint (RFC 7591). It does not ask who the client is.
    ///
    /// # Errors
    /// [`ConfigError::MissingEndpoint`], [`ConfigError::InvalidEndpoint`].
    pub fn registration_endpoint(&self) -> Result<RegistrationEndpoint, ConfigError> {
        let name = "registration_endpoint";
        let url = self.metadata.registration_endpoint();
        let endpoint = Endpoint::parse(url.ok_or_else(|| self.missing(name))?)?;
        Ok(RegistrationEndpoint::at(endpoint, self.caller.transport.clone()))
    }

    /// The endpoint with that name in the metadata. `methods` is the list of ways in which clients may prove who they are.
    fn endpoint(&self, name: &'static str, methods: &'static str) -> Result<Endpoint, ConfigError> {
        let auth = &self.caller.auth;
        let url = if auth.is_mutual_tls() {
            self.metadata.mtls_endpoint(name)
        } else {
            self.metadata.field(name).and_then(|url| url.as_str())
        };
        let endpoint = Endpoint::parse(url.ok_or_else(|| self.missing(name))?)?;
        let names = auth.registered_names();
        let Some(listed) = self.metadata.list(methods) else { return Ok(endpoint) };
        if names.is_empty() || names.iter().any(|name| listed.contains(name)) {
            return Ok(endpoint);
        }
        Err(ConfigError::UnsupportedClientAuth {
            endpoint: endpoint.shown().to_owned(),
            method: names.join(" or "),
            supported: listed.join(", "),
        })
    }

    fn missing(&self, name: &'static str) -> ConfigError {
        ConfigError::MissingEndpoint { name, issuer: self.metadata.issuer().to_owned() }
    }
}

const TOKEN_METHODS: &str = "token_endpoint_auth_methods_supported";
