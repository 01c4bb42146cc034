//! How token endpoints are called: any HTTP client that is a tower service, inside guards that it cannot take off.
//!
//! A redirect is an error (a 307 would carry secrets to another host), an answer has a largest size and a deadline, and
//! plain http is refused except to this machine.

use std::fmt;
use std::future::Future;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::Uri;
use http_body::Body;
use tower::BoxError;
use tower::Service;

use crate::body::ReadError;
use crate::body::read_all;
use crate::error::ConfigError;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::origin::Origin;
use crate::origin::is_secure;

/// The longest time of one call.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The largest answer, in bytes.
const RESPONSE_LIMIT: usize = 1024 * 1024;

/// The URL of an endpoint.
#[derive(Clone)]
pub(crate) struct Endpoint {
    uri: Uri,
    /// Without query, for errors.
    shown: Box<str>,
}

impl Endpoint {
    /// Reads an absolute http or https URL.
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        let shown: Box<str> = text.split(['?', '#']).next().unwrap_or_default().into();
        let invalid = |reason| {
            // What stands before an `@` may be a password.
            let endpoint = if shown.contains('@') { "(a URL with an `@`)" } else { &shown };
            ConfigError::InvalidEndpoint { endpoint: endpoint.to_owned(), reason }
        };
        let uri: Uri = text.parse().map_err(|_| invalid("it is not a URI"))?;
        if Origin::of(&uri).is_none() {
            return Err(invalid("it has no http or https scheme and host"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(invalid("it has a user name; client credentials go into the client authentication"));
        }
        Ok(Self { uri, shown })
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The URL without its query.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

/// A service that can be cloned: everything that is [`Clone`]. It is a trait of its own for what the compiler says of a
/// service that is not.
///
/// A layer of this crate clones the service inside of it, because a request that waits, or that is sent a second time, takes a
/// service along. A service that cannot be cloned goes into tower's `BufferLayer`, whose handles can:
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tower::buffer::BufferLayer;
/// use tower::util::BoxService;
/// use tower::{BoxError, ServiceBuilder};
/// use tower_oauth::OAuth2Layer;
///
/// type Http = BoxService<Request<Full<Bytes>>, Response<Full<Bytes>>, BoxError>;
///
/// fn api(layer: OAuth2Layer, http: Http) {
///     let api = ServiceBuilder::new().layer(layer).layer(BufferLayer::new(64)).service(http);
///     # let _ = api;
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `Clone`, and the service inside of a tower-oauth layer has to be",
    label = "this service cannot be cloned",
    note = "put tower's buffer between them, whose handles can be cloned: \
            `.layer(<the tower-oauth layer>).layer(tower::buffer::BufferLayer::new(64)).service(…)`",
    note = "a `BoxService` can be a `BoxCloneService` or a `BoxCloneSyncService` instead"
)]
pub trait CloneService: Clone {}

#[diagnostic::do_not_recommend]
impl<S: Clone> CloneService for S {}

/// An HTTP client that can call endpoints: every tower service is one that takes requests whose body can be made from
/// [`Bytes`], and can be cloned. Nothing else implements it.
///
/// | `S` | has to be |
/// |---|---|
/// | the service | `Service<Request<Q>, Response = Response<R>> + Clone + Send + 'static` |
/// | its future, its error | `Send`, `Into<BoxError>` |
/// | the request body `Q` | `From<Bytes> + Send + 'static` |
/// | the response body `R` | `Body + Send + 'static`, with an error that is `Into<BoxError>` |
///
/// A service that is not `Clone` goes into tower's `BufferLayer`: see [`CloneService`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the HTTP client of a tower-oauth endpoint",
    label = "this is no cloneable `Service<http::Request<_>>` whose request bodies are `From<Bytes>`",
    note = "a client is `Service<Request<Q>, Response = Response<R>> + Clone + Send + 'static`, where `Q: From<Bytes> + Send + \
            'static` and `R: http_body::Body + Send + 'static`, its futures are `Send`, and errors are `Into<BoxError>`",
    note = "`tower_oauth::client()` is one (feature `client`); one that is not `Clone` goes into `tower::buffer::BufferLayer`"
)]
pub trait HttpService<Q, R>: sealed::Sealed<Q, R> {}

impl<S: sealed::Sealed<Q, R>, Q, R> HttpService<Q, R> for S {}

mod sealed {
    use super::*;

    /// A client without its type; nobody else can look into it.
    pub struct Erasure(pub(super) Arc<dyn Client>);

    impl fmt::Debug for Erasure {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("Erasure")
        }
    }

    pub trait Sealed<Q, R> {
        #[doc(hidden)]
        fn erase(self) -> Erasure;
    }

    impl<S, Q, R> Sealed<Q, R> for S
    where
        S: Service<Request<Q>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        Q: From<Bytes> + Send + 'static,
        R: Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        fn erase(self) -> Erasure {
            Erasure(Arc::new(Erased { service: Mutex::new(self), body: PhantomData }))
        }
    }
}

/// An HTTP client for endpoints.
#[derive(Clone)]
pub(crate) struct Transport {
    client: Arc<dyn Client>,
    timeout: Duration,
    response_limit: usize,
    allow_http: bool,
}

impl Transport {
    /// Wraps a tower service; its type is erased here.
    pub(crate) fn new<S, Q, R>(service: S) -> Self
    where
        S: HttpService<Q, R>,
    {
        let client = service.erase().0;
        Self { client, timeout: TIMEOUT, response_limit: RESPONSE_LIMIT, allow_http: false }
    }

    pub(crate) fn timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    pub(crate) fn response_limit(&mut self, limit: usize) {
        self.response_limit = limit;
    }

    pub(crate) fn allow_http(&mut self) {
        self.allow_http = true;
    }

    /// Sends a request and reads the whole answer, whatever its status, redirects excepted.
    pub(crate) async fn send(
        &self,
        endpoint: &Endpoint,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        let failed = |kind| Error::new(kind).at(endpoint.shown());
        if !self.allow_http && !is_secure(&endpoint.uri) {
            return Err(failed(ErrorKind::InsecureScheme));
        }
        let exchange = self.client.send(request, self.response_limit);
        let response = tokio::time::timeout(self.timeout, exchange)
            .await
            .map_err(|_| failed(ErrorKind::Timeout).detail(format!("the limit is {:?}", self.timeout)))?
            .map_err(|failure| match failure {
                Failure::Reading(ReadError::TooLarge) => {
                    let detail = format!("the limit is {} bytes", self.response_limit);
                    failed(ErrorKind::ResponseTooLarge).detail(detail)
                }
                Failure::NotReady(error) => broken(endpoint, error).never_sent(),
                Failure::Calling(error) if is_from_connecting(&*error) => {
                    broken(endpoint, error).never_sent()
                }
                Failure::Calling(error) | Failure::Reading(ReadError::Failed(error)) => {
                    broken(endpoint, error)
                }
            })?;
        if response.status().is_redirection() {
            return Err(failed(ErrorKind::Redirected).with_status(response.status()));
        }
        Ok(response)
    }
}

/// Where an exchange broke: what comes before the call, or while connecting, never reached the server.
enum Failure {
    NotReady(BoxError),
    Calling(BoxError),
    Reading(ReadError),
}

/// What goes wrong in a layer or client of ours on the way keeps its kind: a re-entrant client above all, and whatever only
/// a change of the configuration mends.
fn broken(endpoint: &Endpoint, error: BoxError) -> Error {
    match Error::find(&*error) {
        Some(ours)
            if matches!(
                ours.kind(),
                ErrorKind::InvalidUri | ErrorKind::RedirectFollowed | ErrorKind::Reentrant
            ) =>
        {
            ours.clone()
        }
        Some(ours) if matches!(ours.kind(), ErrorKind::Timeout | ErrorKind::Transport) => {
            ours.clone().at(endpoint.shown())
        }
        _ => Error::new(ErrorKind::Transport).at(endpoint.shown()).caused_by(error),
    }
}

/// Whether a client failed before it had a connection, so that nothing can have been sent.
fn is_from_connecting(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable)) {
            return true;
        }
        // hyper-util's client (and reqwest, which is built on it) says so of names that are not found, of connections
        // that time out, and of TLS. Its type is at hand only with the feature `client`, and in one version; its words
        // are not so choosy.
        if error.to_string() == "client error (Connect)" {
            return true;
        }
        next = error.source();
    }
    false
}

impl fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Transport")
            .field("timeout", &self.timeout)
            .field("response_limit", &self.response_limit)
            .field("allow_http", &self.allow_http)
            .finish_non_exhaustive()
    }
}

trait Client: Send + Sync {
    fn send(&self, request: Request<Bytes>, limit: usize) -> Exchange;
}

type Exchange = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Failure>> + Send>>;

/// The mutex is there because services are `Send` and need not be `Sync`; it is held only to clone.
struct Erased<S, Q, R> {
    service: Mutex<S>,
    body: PhantomData<fn(Q) -> R>,
}

impl<S, Q, R> Client for Erased<S, Q, R>
where
    S: Service<Request<Q>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    Q: From<Bytes> + Send + 'static,
    R: Body + Send + 'static,
    R::Error: Into<BoxError>,
{
    fn send(&self, request: Request<Bytes>, limit: usize) -> Exchange {
        let mut service = self.service.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            let ready = poll_fn(|context| service.poll_ready(context)).await;
            ready.map_err(|error| Failure::NotReady(error.into()))?;
            let response = service.call(request.map(Q::from)).await;
            let response = response.map_err(|error| Failure::Calling(error.into()))?;
            let (parts, body) = response.into_parts();
            // What a redirect says is of no interest, and may have no end.
            if parts.status.is_redirection() {
                return Ok(Response::from_parts(parts, Bytes::new()));
            }
            let (bytes, _) = read_all(body, limit).await.map_err(Failure::Reading)?;
            Ok(Response::from_parts(parts, bytes))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;

    #[test]
    fn the_defaults_are_those_of_the_table() {
        assert_documented("longest time of one call", TIMEOUT);
        assert_documented("largest answer", format!("{RESPONSE_LIMIT} bytes"));
    }

    #[test]
    fn an_endpoint_is_an_absolute_url_without_a_password_in_it() {
        for url in
            ["", "/token", "auth.test/token", "ftp://auth.test/", "https://id:hush@auth.test/token", "a b"]
        {
            let error = Endpoint::parse(url).unwrap_err();
            assert!(matches!(error, ConfigError::InvalidEndpoint { .. }), "{url}");
            assert!(!error.to_string().contains("hush"));
        }
        let endpoint = Endpoint::parse("https://auth.test/token?key=hush").unwrap();
        assert_eq!(endpoint.shown(), "https://auth.test/token");
        assert_eq!(endpoint.uri().query(), Some("key=hush"));
    }
}
