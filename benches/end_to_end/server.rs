//! The server: it answers everything, and counts.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::header::AUTHORIZATION;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

#[derive(Default)]
struct Counts {
    requests: AtomicUsize,
    credentials: AtomicUsize,
}

/// What came in since the last time.
pub struct Seen {
    pub requests: usize,
    pub credentials: usize,
}

pub struct Server {
    pub origin: String,
    counts: Arc<Counts>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of this machine");
        let origin = format!("http://{}", listener.local_addr().expect("it is bound"));
        let counts = Arc::<Counts>::default();
        let counting = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let counts = Arc::clone(&counting);
                tokio::spawn(async move {
                    let service = service_fn(move |request| ready(answer(&counts, &request)));
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { origin, counts }
    }

    pub fn take(&self) -> Seen {
        Seen {
            requests: self.counts.requests.swap(0, Ordering::Relaxed),
            credentials: self.counts.credentials.swap(0, Ordering::Relaxed),
        }
    }
}

fn answer(counts: &Counts, request: &Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    counts.requests.fetch_add(1, Ordering::Relaxed);
    if request.headers().contains_key(AUTHORIZATION) {
        counts.credentials.fetch_add(1, Ordering::Relaxed);
    }
    Ok(Response::new(Full::new(Bytes::from_static(b"[{\"id\":1,\"text\":\"Hello\"}]"))))
}
