//! The provider on a loopback port.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::task::JoinSet;

use crate::testing::provider::Provider;

/// Pause after a connection could not be accepted, for want of file descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A provider that answers HTTP/1.1 on a port of this machine, until this is dropped; see
/// [`Provider::serve`](super::Provider::serve).
///
/// Dropping it closes the port and every connection.
#[derive(Debug)]
#[must_use = "the provider is served only as long as this is kept"]
pub struct Served {
    address: SocketAddr,
    accepting: AbortHandle,
}

impl Served {
    /// The origin, such as `http://127.0.0.1:49152`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of a path that starts with `/`, such as `http://127.0.0.1:49152/token`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

pub(super) async fn serve(provider: Provider) -> io::Result<Served> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let accepting = tokio::spawn(accept(listener, provider)).abort_handle();
    Ok(Served { address, accepting })
}

async fn accept(listener: TcpListener, provider: Provider) -> Infallible {
    // Its connections end with it.
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, provider.clone()));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, provider: Provider) {
    let answer = service_fn(move |request: Request<Incoming>| provider.clone().answer(request));
    // An error means that the client went away, or that a fault dropped the connection: nothing to do in either case.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}
