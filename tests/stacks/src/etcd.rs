//! A real etcd, and a proxy to it.

use std::io::BufRead;
use std::io::BufReader;
use std::net::TcpListener;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use axum::Router;
use axum::body::Body;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Uri;
use http::header::AUTHORIZATION;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::sync::oneshot;

/// An etcd of one member, which ends when it is dropped.
#[derive(Debug)]
pub struct Etcd {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Etcd {
    /// Starts Debian's `etcd` on free ports, and waits until it serves.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, peers) = (free_port(), free_port());
        let (clients, peers) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peers}"));
        let mut process = Command::new("etcd")
            .arg("--data-dir")
            .arg(folder.path())
            .args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
            .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &format!("default={peers}"), "--logger", "zap"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`etcd` starts; Debian has it in the package `etcd-server`");
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (sender, serves) = oneshot::channel();
        // To its end: what it says must be read, or it waits until somebody does.
        thread::spawn(move || {
            let (mut sender, mut said) = (Some(sender), String::new());
            for line in lines.map_while(Result::ok) {
                // Also of the versions after 3.4.
                if line.contains("serving client traffic") {
                    sender.take().map(|sender| sender.send(Ok(())));
                } else if sender.is_some() {
                    said.push_str(&line);
                    said.push('\n');
                }
            }
            sender.map(|sender| sender.send(Err(said)))
        });
        let etcd = Self { process, port, _folder: folder };
        if let Err(said) = serves.await.unwrap() {
            panic!("etcd ended before it served:\n{said}");
        }
        etcd
    }

    /// Passes every request on to this etcd, both bodies as streams, trailers included, and takes its token off.
    pub fn proxy(&self) -> Router {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Body>();
        let port = self.port;
        Router::new().fallback(move |mut request: Request<Body>| {
            let client = client.clone();
            async move {
                // etcd takes whatever is in it for a token of its own, and refuses it.
                request.headers_mut().remove(AUTHORIZATION);
                let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
                let uri = Uri::try_from(format!("http://127.0.0.1:{port}{path}"));
                *request.uri_mut() = uri.unwrap();
                match client.request(request).await {
                    Ok(response) => response.map(Body::new),
                    Err(error) => {
                        let mut response = Response::new(Body::from(format!("{error:?}")));
                        *response.status_mut() = StatusCode::BAD_GATEWAY;
                        response
                    }
                }
            }
        })
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody listens at. Somebody else could take it before etcd does, which would end etcd and fail the test.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
