//! A token endpoint on this machine, for peers that will have one.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
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

struct State(Mutex<Scene>);

/// What happens from one `begin` to the next.
#[derive(Clone, Copy)]
struct Scene {
    number: u64,
    requests: u64,
    /// How long tokens live.
    lifetime: Duration,
    /// How long an answer takes.
    delay: Duration,
    first_answer: Option<Instant>,
}

impl Endpoint {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("there is a port");
        let address = listener.local_addr().expect("it has an address");
        let scene = Scene {
            number: 0,
            requests: 0,
            lifetime: Duration::from_secs(86_400),
            delay: Duration::ZERO,
            first_answer: None,
        };
        let state = Arc::new(State(Mutex::new(scene)));
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

    /// From now on tokens live so long, and an answer takes so long; nothing has been counted yet. A request that has come
    /// already gets what was said before.
    pub(crate) fn begin(&self, lifetime: Duration, delay: Duration) {
        let mut scene = self.state.scene();
        *scene = Scene { number: scene.number + 1, requests: 0, lifetime, delay, first_answer: None };
    }

    /// Requests since `begin`.
    pub(crate) fn requests(&self) -> u64 {
        self.state.scene().requests
    }

    /// When the first answer since `begin` was given.
    pub(crate) fn first_answer(&self) -> Option<Instant> {
        self.state.scene().first_answer
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
        let Scene { number, requests, lifetime, delay, .. } = {
            let mut scene = self.scene();
            scene.requests += 1;
            *scene
        };
        // No time at all would still be a tick of the timer.
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut scene = self.scene();
        if scene.number == number {
            scene.first_answer.get_or_insert_with(Instant::now);
        }
        let lifetime = lifetime.as_secs();
        // As long as those of the large providers.
        format!(r#"{{"access_token":"ya29.{requests:0>150}","token_type":"Bearer","expires_in":{lifetime}}}"#)
    }

    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.0.lock().expect("nobody fell")
    }
}
