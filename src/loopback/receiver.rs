//! The receiver: a socket, and the loop that waits.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::grant::AuthorizationGrant;
use crate::grant::PendingAuthorization;
use crate::grant::ResponseMode;
use crate::loopback::answer::Desk;

/// How long it waits for the browser.
const TIMEOUT: Duration = Duration::from_secs(300);
/// How long a connection may take, the answer included.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections at a time; browsers open a few that they may never use.
const CONNECTIONS: usize = 32;
/// Pause after a connection could not be accepted, for want of file descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
/// The path of the redirect URI.
const PATH: &str = "/callback";

/// A port of this machine that waits for one browser; see the [module docs](super).
///
/// Dropping it, or the future of [`receive`](Self::receive), closes the port.
pub struct Receiver {
    listener: TcpListener,
    redirect_uri: String,
    path: String,
    application: Option<String>,
    timeout: Duration,
}

/// Sets a [`Receiver`] up; see [`Receiver::builder`].
///
/// | what | default |
/// |---|---|
/// | address | 127.0.0.1 |
/// | port | a free one |
/// | path | `/callback` |
/// | how long it waits | 5 minutes |
#[derive(Clone, Debug)]
#[must_use = "nothing is bound until `bind`"]
pub struct ReceiverBuilder {
    ip: IpAddr,
    is_localhost: bool,
    port: u16,
    path: String,
    application: Option<String>,
    timeout: Duration,
}

impl Receiver {
    /// Binds a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Those of binding.
    pub async fn bind() -> io::Result<Self> {
        Self::builder().bind().await
    }

    /// Sets one up otherwise.
    pub fn builder() -> ReceiverBuilder {
        ReceiverBuilder {
            ip: Ipv4Addr::LOCALHOST.into(),
            is_localhost: false,
            port: 0,
            path: PATH.to_owned(),
            application: None,
            timeout: TIMEOUT,
        }
    }

    /// Where the browser has to be sent back to, such as `http://127.0.0.1:49152/callback`. Servers allow any port there
    /// (RFC 8252 §7.3).
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Waits for the answer to this login, and checks it, before the browser is told how it went.
    ///
    /// # Errors
    /// - [`ErrorKind::AuthorizationExpired`]: nobody came in time.
    /// - [`ErrorKind::InvalidAuthorizationResponse`], at once: the login expects its answer in the fragment.
    /// - Those of [`PendingAuthorization::complete`] but for [`ErrorKind::MissingState`] and [`ErrorKind::StateMismatch`]:
    ///   what belongs to another login is not waited for.
    pub async fn receive(self, pending: PendingAuthorization) -> Result<AuthorizationGrant, Error> {
        if pending.response_mode() == ResponseMode::Fragment {
            let detail = "the answer is expected in the fragment, which browsers do not send to servers";
            return Err(Error::new(ErrorKind::InvalidAuthorizationResponse).detail(detail));
        }
        let timeout = self.timeout;
        tokio::time::timeout(timeout, self.wait(pending)).await.unwrap_or_else(|_| {
            let detail = format!("nobody came back within {timeout:?}");
            Err(Error::new(ErrorKind::AuthorizationExpired).detail(detail))
        })
    }

    async fn wait(self, pending: PendingAuthorization) -> Result<AuthorizationGrant, Error> {
        let desk = Arc::new(Desk::new(self.path, self.application, pending));
        // Connections end with it, and so do those that browsers keep in reserve.
        let mut connections = JoinSet::new();
        loop {
            let happened = poll_fn(|context| {
                if let Poll::Ready(Some(ended)) = connections.poll_join_next(context) {
                    return Poll::Ready(Happened::Ended { has_decided: ended.unwrap_or(false) });
                }
                if connections.len() < CONNECTIONS {
                    return self.listener.poll_accept(context).map(Happened::Accepted);
                }
                Poll::Pending
            });
            match happened.await {
                Happened::Accepted(Ok((stream, _))) => {
                    connections.spawn(serve(stream, Arc::clone(&desk)));
                }
                Happened::Accepted(Err(_)) => tokio::time::sleep(ACCEPT_PAUSE).await,
                // Only now, because the browser has got its page.
                Happened::Ended { has_decided: true } => {
                    if let Some(outcome) = desk.outcome() {
                        return outcome;
                    }
                }
                Happened::Ended { has_decided: false } => {}
            }
        }
    }
}

enum Happened {
    Accepted(io::Result<(TcpStream, SocketAddr)>),
    Ended { has_decided: bool },
}

/// Answers one request; whether it was the one that ends the login.
async fn serve(stream: TcpStream, desk: Arc<Desk>) -> bool {
    let has_decided = Arc::new(AtomicBool::new(false));
    let decided = Arc::clone(&has_decided);
    let answer = service_fn(move |request: Request<Incoming>| {
        let (desk, decided) = (Arc::clone(&desk), Arc::clone(&decided));
        async move {
            let (response, is_last) = desk.answer(request).await;
            decided.fetch_or(is_last, Ordering::Relaxed);
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(CONNECTION_TIMEOUT)
        .serve_connection(TokioIo::new(stream), answer);
    // An error means that the browser went away; what it brought is there all the same.
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
    has_decided.load(Ordering::Relaxed)
}

impl ReceiverBuilder {
    /// Binds `[::1]`, and says so in the redirect URI.
    pub fn ipv6(mut self) -> Self {
        self.ip = Ipv6Addr::LOCALHOST.into();
        self
    }

    /// Says `localhost` in the redirect URI, for servers that know no addresses. RFC 8252 §8.3 advises against it: what the
    /// name means is up to the machine.
    pub fn localhost(mut self) -> Self {
        self.is_localhost = true;
        self
    }

    /// Binds this port, for servers that have to know it beforehand.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The path of the redirect URI.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        self.path = if path.starts_with('/') { path } else { format!("/{path}") };
        self
    }

    /// The name of the program, for the pages.
    pub fn application(mut self, name: impl Into<String>) -> Self {
        self.application = Some(name.into());
        self
    }

    /// How long it waits for the browser.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Binds the port.
    ///
    /// # Errors
    /// Those of binding: the port is taken, or this machine has no such address.
    pub async fn bind(self) -> io::Result<Receiver> {
        let listener = TcpListener::bind(SocketAddr::new(self.ip, self.port)).await?;
        let address = listener.local_addr()?;
        let redirect_uri = if self.is_localhost {
            format!("http://localhost:{}{}", address.port(), self.path)
        } else {
            format!("http://{address}{}", self.path)
        };
        // What the browser asks for, without a query of the redirect URI's own.
        let path = self.path.split('?').next().unwrap_or_default().to_owned();
        Ok(Receiver { listener, redirect_uri, path, application: self.application, timeout: self.timeout })
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Receiver")
            .field("redirect_uri", &self.redirect_uri)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_continued;
    use crate::defaults::assert_documented;

    #[test]
    fn the_defaults_are_those_of_the_table() {
        assert_documented("how long a loopback receiver waits for the browser", TIMEOUT);
        assert_continued("how long a loopback receiver waits for the browser", CONNECTION_TIMEOUT);
        assert_documented("connections of a loopback receiver at a time", CONNECTIONS);
        assert_documented("path of a loopback receiver", format!("`{PATH}`"));
    }
}
