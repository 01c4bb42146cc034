//! The endpoints beside the token endpoint, against servers that answer what they are told to.

mod authorization_server;
mod discovery;
mod introspection;
mod registration;
mod revocation;

use std::convert::Infallible;
use std::future::Ready;
use std::future::ready;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use futures_util::FutureExt;
use http::Request;
use http::Response;
use http_body_util::BodyExt;
use http_body_util::Full;
use serde_json::Value;
use tower::Service;

type Answers = dyn Fn(&Request<Bytes>) -> Response<Full<Bytes>> + Send + Sync;

/// An HTTP client that reaches nobody: a closure answers, and what was sent is kept.
#[derive(Clone)]
struct Server {
    answers: Arc<Answers>,
    seen: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl Server {
    fn new(answers: impl Fn(&Request<Bytes>) -> Response<Full<Bytes>> + Send + Sync + 'static) -> Self {
        Self { answers: Arc::new(answers), seen: Arc::default() }
    }

    /// Answers every request alike.
    fn always(status: u16, headers: &'static [(&'static str, &'static str)], body: &'static str) -> Self {
        Self::new(move |_| answer(status, headers, body))
    }

    fn seen(&self) -> Vec<Request<Bytes>> {
        self.seen.lock().unwrap().clone()
    }

    /// The URLs that were asked for, in order.
    fn urls(&self) -> Vec<String> {
        self.seen().iter().map(|request| request.uri().to_string()).collect()
    }

    /// The only request, with its body as text.
    fn only(&self) -> (http::request::Parts, String) {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        let (parts, body) = seen.remove(0).into_parts();
        (parts, String::from_utf8(body.to_vec()).unwrap())
    }
}

impl Service<Request<Full<Bytes>>> for Server {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let body = body.collect().now_or_never().unwrap().unwrap().to_bytes();
        let request = Request::from_parts(parts, body);
        let answer = (self.answers)(&request);
        self.seen.lock().unwrap().push(request);
        ready(Ok(answer))
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Full::new(body.into())).unwrap()
}

fn json(value: &Value) -> Response<Full<Bytes>> {
    answer(200, &[("content-type", "application/json")], value.to_string())
}

fn not_found() -> Response<Full<Bytes>> {
    answer(404, &[], "<html>not here</html>")
}
