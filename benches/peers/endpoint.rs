//! A token endpoint on this machine, for peers that will have one.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A token endpoint that gives a new token to everybody.
#[derive(Clone)]
pub(crate) struct Endpoint {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    requests: AtomicU64,
    /// Seconds that the next tokens live.
    lifetime: AtomicU64,
    /// Milliseconds that an answer takes.
    delay: AtomicU64,
    first_answer: Mutex<Option<Instant>>,
}

impl Endpoint {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("there is a port");
        let address = listener.local_addr().expect("it has an address");
        let state = Arc::new(State {
            requests: AtomicU64::new(0),
            lifetime: AtomicU64::new(86_400),
            delay: AtomicU64::new(0),
            first_answer: Mutex::new(None),
        });
        let endpoint = Self { address, state };
        let served = endpoint.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&served.state);
                let service = service_fn(move |_| {
                    let state = Arc::clone(&state);
                    async move { Ok::<_, Infallible>(state.answer().await) }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        endpoint
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// From now on tokens live so long, and an answer takes so long; nothing has been counted yet.
    pub(crate) fn begin(&self, lifetime: Duration, delay: Duration) {
        self.state.lifetime.store(lifetime.as_secs(), Ordering::SeqCst);
        self.state.delay.store(delay.as_millis() as u64, Ordering::SeqCst);
        self.state.requests.store(0, Ordering::SeqCst);
        *self.state.first_answer.lock().expect("nobody fell") = None;
    }

    /// Requests since `begin`.
    pub(crate) fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// When the first answer since `begin` was given.
    pub(crate) fn first_answer(&self) -> Option<Instant> {
        *self.state.first_answer.lock().expect("nobody fell")
    }

    /// The JSON of a new token.
    pub(crate) async fn token(&self) -> String {
        self.state.token().await
    }
}

impl State {
    async fn answer(&self) -> Response<Full<Bytes>> {
        let body = self.token().await;
        let response = Response::builder().header(CONTENT_TYPE, "application/json");
        response.body(Full::from(body)).expect("it is a response")
    }

    async fn token(&self) -> String {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(self.delay.load(Ordering::SeqCst))).await;
        let lifetime = self.lifetime.load(Ordering::SeqCst);
        self.first_answer.lock().expect("nobody fell").get_or_insert_with(Instant::now);
        // As long as those of the large providers.
        format!(r#"{{"access_token":"ya29.{number:0>150}","token_type":"Bearer","expires_in":{lifetime}}}"#)
    }
}
