//! A server on a port of this machine: any tower service, over HTTP/1.1 and HTTP/2, with TLS or without. It writes down what
//! reaches it, credentials included, before the service sees it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use http::Uri;
use http::Version;
use http::header::AUTHORIZATION;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::BoxError;
use tower::Service;
use tower::ServiceExt;

/// The authority that signed the server's certificate.
pub const AUTHORITY: &[u8] = include_bytes!("../../client/certificates/authority.pem");
const SERVER: &[u8] = include_bytes!("../../client/certificates/server.pem");
const SERVER_KEY: &[u8] = include_bytes!("../../client/certificates/server.key");

/// hyper-util's client over hyper-rustls, which speaks plain http too.
pub type Hyper<B> = legacy::Client<hyper_rustls::HttpsConnector<HttpConnector>, B>;

/// How requests get to a server.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    pub tls: bool,
    pub version: Version,
}

/// HTTP/1.1 and HTTP/2, in plain text (where HTTP/2 is known beforehand) and over TLS (where ALPN decides).
pub const WIRES: [Wire; 4] = [
    Wire { tls: false, version: Version::HTTP_11 },
    Wire { tls: false, version: Version::HTTP_2 },
    Wire { tls: true, version: Version::HTTP_11 },
    Wire { tls: true, version: Version::HTTP_2 },
];

impl Wire {
    /// A client that speaks this version, and trusts the authority of these tests.
    pub fn client<B>(self) -> Hyper<B>
    where
        B: http_body::Body<Data: Send> + Send,
    {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(AUTHORITY).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
        let is_http2 = self.version == Version::HTTP_2;
        let connector =
            if is_http2 { connector.enable_all_versions().build() } else { connector.enable_http1().build() };
        // Over TLS both sides agree on HTTP/2; in plain text the client has to know.
        legacy::Client::builder(TokioExecutor::new()).http2_only(is_http2 && !self.tls).build(connector)
    }
}

/// What reached the server.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub uri: Uri,
    pub version: Version,
    pub headers: HeaderMap,
}

impl Seen {
    /// The value of `Authorization`.
    pub fn authorization(&self) -> Option<&str> {
        self.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap())
    }

    /// A parameter of an OAuth 1 `Authorization`.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let after = self.authorization()?.split_once(&format!("{name}=\""))?.1;
        after.split('"').next()
    }
}

/// A server; it ends, with every connection, when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    tls: bool,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    accepting: AbortHandle,
}

impl Server {
    /// `service` on a free port.
    pub async fn start<S, B>(service: S, tls: bool) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let log = Arc::clone(&seen);
        let service = service.map_request(move |request: Request<Incoming>| {
            log.lock().unwrap().push(Seen {
                method: request.method().clone(),
                uri: request.uri().clone(),
                version: request.version(),
                headers: request.headers().clone(),
            });
            request
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::<AtomicUsize>::default();
        let acceptor = tls.then(acceptor);
        let accepting = tokio::spawn(accept(listener, acceptor, service, Arc::clone(&connections)));
        Self { address, tls, seen, connections, accepting: accepting.abort_handle() }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Such as `http://127.0.0.1:49152`.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }

    /// The URL of a path that starts with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// The requests whose path starts with `path`, oldest first.
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.uri.path().starts_with(path)).cloned().collect()
    }

    /// `Authorization` of the requests whose path starts with `path`; all of them must have one.
    pub fn authorizations(&self, path: &str) -> Vec<String> {
        self.seen(path).iter().map(|seen| seen.authorization().expect("Authorization").to_owned()).collect()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn acceptor() -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_slice(SERVER).unwrap()];
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(SERVER_KEY).unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn accept<S, B>(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    service: S,
    connections: Arc<AtomicUsize>,
) -> Infallible
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    // The connections end with it.
    let mut tasks = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.fetch_add(1, Ordering::SeqCst);
        let (acceptor, service) = (acceptor.clone(), service.clone());
        tasks.spawn(async move {
            match acceptor {
                None => connection(stream, service).await,
                // A client that does not like the certificate goes away here.
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        connection(stream, service).await;
                    }
                }
            }
        });
    }
}

async fn connection<S, B>(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    // An error means that the client went away, or that the service wanted the connection to be dropped.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await;
}
