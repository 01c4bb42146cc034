//! What is measured.

use std::convert::Infallible;
use std::future::Future as _;
use std::future::Ready;
use std::future::ready;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http_body_util::Full;
use tower::BoxError;
use tower::Layer;
use tower::Service;
use tower_oauth::Clock;
use tower_oauth::OAuth1Layer;
use tower_oauth::Origins;
use tower_oauth::oauth1::Credentials;
use tower_oauth::oauth1::Signer;

use crate::case::CLIENT;
use crate::case::CLIENT_SECRET;
use crate::case::Case;
use crate::case::TOKEN;
use crate::case::TOKEN_SECRET;

/// The nonce and the time of the signatures that are compared. It is as long as the nonces of a signer, so that the limits
/// hash as many blocks.
pub const NONCE: &str = "kYjzVBB8Y0ZFabxSWbWovY3uY";
pub const SECONDS: u64 = 1_318_622_958;

/// Drops the request and answers.
#[derive(Clone, Copy, Debug)]
pub struct Leaf;

impl Service<Request<Full<Bytes>>> for Leaf {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        drop(std::hint::black_box(request));
        ready(Ok(Response::new(())))
    }
}

pub fn credentials() -> Credentials {
    Credentials::new(CLIENT, CLIENT_SECRET).token(TOKEN, TOKEN_SECRET)
}

pub fn signer() -> Signer {
    Signer::new(credentials())
}

/// A signer whose signatures are always the same.
pub fn fixed(signer: Signer, nonce: &str, seconds: u64) -> Signer {
    struct Fixed(u64);
    impl Clock for Fixed {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(self.0)
        }
    }
    let nonce = nonce.to_owned();
    signer.clock(Fixed(seconds)).nonce_fn(move || nonce.clone())
}

/// The layer with its defaults over a leaf.
pub fn layered(
    signer: Signer,
) -> impl Service<Request<Full<Bytes>>, Response = Response<()>, Error = BoxError> {
    let origins = Origins::one("https://api.example.com").unwrap();
    OAuth1Layer::with_signer(origins, signer).layer(Leaf)
}

/// One request through a service, from readiness to response.
pub fn call<S>(service: &mut S, request: Request<Full<Bytes>>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<()>>,
    S::Error: std::fmt::Debug,
{
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready());
    let mut future = pin!(service.call(request));
    let Poll::Ready(response) = future.as_mut().poll(&mut context) else {
        panic!("the leaf answers at once")
    };
    std::hint::black_box(response.unwrap());
}

/// Signs the same head again and again, which is put back as it was.
pub struct Again {
    signer: Signer,
    head: Parts,
    body: Bytes,
}

impl Again {
    pub fn new(signer: Signer, case: &Case) -> Self {
        Self { signer, head: case.head(), body: case.body() }
    }

    pub fn header(&mut self) -> HeaderValue {
        self.signer.sign_parts(&mut self.head, &self.body).unwrap();
        self.head.headers.remove(AUTHORIZATION).unwrap()
    }

    pub fn query(&mut self) {
        let uri = self.head.uri.clone();
        self.signer.sign_parts(&mut self.head, &self.body).unwrap();
        self.head.uri = uri;
    }
}
