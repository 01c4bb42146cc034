//! An HTTP client with TLS.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use http::HeaderValue;
use http::Request;
use http::Response;
use http::header::USER_AGENT;
use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioTimer;
use tower::BoxError;
use tower::Service;
use tower_http::set_header::SetRequestHeader;
use tower_http::timeout::ResponseBodyTimeout;

use crate::adapter::ClientCertificate;
use crate::adapter::Proxy;
use crate::adapter::RequestBody;
use crate::adapter::ResponseBody;
use crate::adapter::RootCertificates;
use crate::adapter::connect::Bounded;
use crate::adapter::connect::Route;
use crate::adapter::tls;
use crate::adapter::tls::Trust;
use crate::error::ConfigError;
use crate::error::Error;
use crate::error::ErrorKind;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
const AGENT: &str = concat!("tower-oauth/", env!("CARGO_PKG_VERSION"));

type Hyper = legacy::Client<Bounded<HttpsConnector<Route>>, RequestBody>;
type Inner = SetRequestHeader<ResponseBodyTimeout<Hyper>, HeaderValue>;

/// A client with the defaults of [`ClientBuilder`].
///
/// ```
/// use tower_oauth::{ClientAuth, ClientCredentials, OAuth2Layer, Origins};
/// use tower::ServiceBuilder;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_oauth::ConfigError> {
/// let http = tower_oauth::client();
/// let auth = ClientAuth::basic("client id", "client secret");
/// let grant = ClientCredentials::new("https://auth.example.com/token", auth, http.clone())?;
/// let api = ServiceBuilder::new()
///     .layer(OAuth2Layer::new(Origins::one("https://api.example.com")?, grant))
///     .service(http);
/// # let _ = api;
/// # Ok(())
/// # }
/// ```
pub fn client() -> Client {
    ClientBuilder::new().build()
}

/// An HTTP/1.1 and HTTP/2 client, over TLS or not, as a tower service. It follows no redirects and keeps connections.
///
/// It serves token endpoints and as the service inside of a layer alike. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    inner: Result<Inner, Error>,
    response_timeout: Duration,
}

/// Sets up a [`Client`].
///
/// | what | default |
/// |---|---|
/// | [`connect_timeout`](Self::connect_timeout) | 10 s for the name, TCP, the proxy and TLS |
/// | [`response_timeout`](Self::response_timeout) | 30 s until the head of the response |
/// | [`body_timeout`](Self::body_timeout) | 30 s without a byte of the body |
/// | [`user_agent`](Self::user_agent) | `tower-oauth/` and the version |
/// | [`root_certificates`](Self::root_certificates) | Mozilla's list, as compiled in |
/// | [`client_certificate`](Self::client_certificate) | none |
/// | [`proxy`](Self::proxy) | none, whatever the environment says |
/// | cryptography | *ring*, for this client alone: no process-wide default is set |
///
/// ```
/// use tower_oauth::adapter::{ClientBuilder, ClientCertificate, Proxy, RootCertificates};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/client/certificates"))?;
/// let http = ClientBuilder::new()
///     .root_certificates(RootCertificates::none().pem(&std::fs::read("authority.pem")?)?)
///     .client_certificate(ClientCertificate::from_pem(
///         &std::fs::read("client.pem")?,
///         &std::fs::read("client.key")?,
///     )?)
///     .proxy(Proxy::new("http://proxy.example.com:3128")?)
///     .build();
/// # let _ = http;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientBuilder {
    trust: Trust,
    client_certificate: Option<ClientCertificate>,
    proxy: Option<Proxy>,
    connect_timeout: Duration,
    response_timeout: Duration,
    body_timeout: Duration,
    user_agent: HeaderValue,
}

impl ClientBuilder {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            trust: Trust::Roots(RootCertificates::mozilla()),
            client_certificate: None,
            proxy: None,
            connect_timeout: CONNECT_TIMEOUT,
            response_timeout: RESPONSE_TIMEOUT,
            body_timeout: BODY_TIMEOUT,
            user_agent: HeaderValue::from_static(AGENT),
        }
    }

    /// Whom the client trusts to say who a server is.
    pub fn root_certificates(mut self, roots: RootCertificates) -> Self {
        self.trust = Trust::Roots(roots);
        self
    }

    /// Takes any certificate of any server for good, expired ones and those for other names too, so that whoever is on the
    /// way can read and change everything, tokens and secrets above all. For tests; [`RootCertificates::none`] with the
    /// certificate of the test's own authority is better there too.
    pub fn dangerously_accept_any_certificate(mut self) -> Self {
        self.trust = Trust::Anybody;
        self
    }

    /// How the client proves who it is in TLS, to servers that ask.
    pub fn client_certificate(mut self, certificate: ClientCertificate) -> Self {
        self.client_certificate = Some(certificate);
        self
    }

    /// Goes through a proxy, except to this machine.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// The longest time until there is a connection: with the name, TCP, the proxy's tunnel and TLS.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The longest time from the request to the head of the response.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// The longest time without a byte of the response's body.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// What requests say in `User-Agent`, unless they say something themselves.
    ///
    /// # Errors
    /// [`ConfigError::InvalidHeader`] when the text cannot be the value of a header.
    pub fn user_agent(mut self, agent: &str) -> Result<Self, ConfigError> {
        self.user_agent =
            HeaderValue::from_str(agent).map_err(|_| ConfigError::InvalidHeader { name: "user-agent" })?;
        Ok(self)
    }

    /// The client.
    pub fn build(self) -> Client {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let route = Route::new(tcp, self.proxy);
        let inner = tls::configuration(self.trust, self.client_certificate)
            .map(|configuration| {
                let connector = HttpsConnectorBuilder::new()
                    .with_tls_config(configuration)
                    .https_or_http()
                    .enable_all_versions()
                    .wrap_connector(route);
                let hyper = legacy::Client::builder(TokioExecutor::new())
                    .pool_timer(TokioTimer::new())
                    .build::<_, RequestBody>(Bounded::new(connector, self.connect_timeout));
                let timed = ResponseBodyTimeout::new(hyper, self.body_timeout);
                SetRequestHeader::if_not_present(timed, USER_AGENT, self.user_agent)
            })
            // The provider knows every version of TLS that is asked of it, so nobody will see this.
            .map_err(|error| Error::new(ErrorKind::Transport).detail("no TLS").caused_by(error));
        Client { inner, response_timeout: self.response_timeout }
    }
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl Service<Request<RequestBody>> for Client {
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match &mut self.inner {
            Ok(inner) => inner.poll_ready(context).map_err(Into::into),
            Err(error) => Poll::Ready(Err(error.clone().into())),
        }
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let limit = self.response_timeout;
        let response = match &mut self.inner {
            Ok(inner) => inner.call(request),
            Err(error) => {
                let error = error.clone();
                return Box::pin(async move { Err(error.into()) });
            }
        };
        Box::pin(async move {
            let response = tokio::time::timeout(limit, response).await.map_err(|_| {
                Error::new(ErrorKind::Timeout).detail(format!("no response within {limit:?}"))
            })??;
            Ok(response.map(ResponseBody::new))
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let builder = ClientBuilder::new();
        assert_documented("time to connect", builder.connect_timeout);
        assert_documented("time to the head of a response", builder.response_timeout);
        assert_documented("time without a byte of the response's body", builder.body_timeout);
    }

    #[test]
    fn tls_can_be_set_up_and_a_user_agent_must_be_a_header() {
        assert!(ClientBuilder::new().build().inner.is_ok());
        let error = ClientBuilder::new().user_agent("a\nb").unwrap_err();
        assert_eq!(error, ConfigError::InvalidHeader { name: "user-agent" });
    }
}
