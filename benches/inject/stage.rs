//! What is measured: requests that go through a stack of services to a leaf that answers at once.
//!
//! The leaf puts the request aside, and it is sent again, with a new header in place of the last one. So neither the
//! allocations of a new request, nor the growth of its header map, nor the removal of a header hide what the layers cost.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::future::Ready;
use std::future::ready;
use std::hint::black_box;
use std::pin::Pin;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use http::HeaderMap;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::header::ACCEPT;
use http::header::AUTHORIZATION;
use tower::Layer;
use tower::Service;
use tower_oauth::OAuth2Layer;
use tower_oauth_benches::Goal;
use tower_oauth_benches::Ratios;
use tower_oauth_benches::thread_time;

thread_local! {
    /// The request that reached the leaf.
    static ARRIVED: Cell<Option<Request<()>>> = const { Cell::new(None) };
}

/// A service that answers at once.
#[derive(Clone)]
pub(crate) struct Leaf;

impl Service<Request<()>> for Leaf {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        ARRIVED.set(Some(request));
        ready(Ok(Response::new(())))
    }
}

/// Passes everything on.
#[derive(Clone)]
pub(crate) struct PassThrough<S>(S);

pub(crate) struct PassThroughLayer;

impl<S> Layer<S> for PassThroughLayer {
    type Service = PassThrough<S>;

    fn layer(&self, inner: S) -> PassThrough<S> {
        PassThrough(inner)
    }
}

impl<S, R> Service<R> for PassThrough<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}

/// Puts a header on each request that can be had at once.
pub(crate) struct WithHeader<S, H> {
    pub(crate) inner: S,
    pub(crate) header: H,
}

impl<S, H, B> Service<Request<B>> for WithHeader<S, H>
where
    S: Service<Request<B>>,
    H: FnMut() -> Option<HeaderValue>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let value = (self.header)().expect("it is warm");
        request.headers_mut().insert(AUTHORIZATION, value);
        self.inner.call(request)
    }
}

/// A request on its rounds: through a service, and back.
pub(crate) struct Rounds<S> {
    service: S,
    request: Option<Request<()>>,
}

impl<S> Rounds<S>
where
    S: Service<Request<()>, Response = Response<()>>,
    S::Error: std::fmt::Debug,
{
    pub(crate) fn new(service: S) -> Self {
        let mut request = Request::new(());
        *request.uri_mut() = http::Uri::from_static("https://api.example.com/orders?page=1");
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        *request.headers_mut() = headers;
        Self { service, request: Some(request) }
    }

    /// One round, with what has to be done to the request before.
    pub(crate) fn send_with(&mut self, prepare: impl FnOnce(&mut Request<()>)) {
        prepare(self.request.as_mut().expect("it came back"));
        let response = now(self.call()).expect("the leaf answers");
        black_box(response);
        self.request = ARRIVED.take();
    }

    /// One round.
    pub(crate) fn send(&mut self) {
        self.send_with(|_| ());
    }

    /// The first half of a round.
    fn call(&mut self) -> S::Future {
        let mut context = Context::from_waker(Waker::noop());
        assert!(self.service.poll_ready(&mut context).is_ready());
        self.service.call(self.request.take().expect("it came back"))
    }
}

/// What a future gives that hardly ever has to wait.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::hint::spin_loop();
    }
}

/// How many futures are polled one after the other.
const BATCH: usize = 64;
/// How many batches make a sample: a single one is shorter than a disturbance.
const BATCHES: usize = 24;

/// What the layer's future adds to the leaf's: from its first poll until it is gone.
pub(crate) fn future(ratios: &mut Ratios, warm: &mut dyn FnMut(&OAuth2Layer)) {
    let layer = crate::layer(crate::manager(1));
    warm(&layer);
    let mut ours = Rounds::new(layer.layer(Leaf));
    let mut leaf = Rounds::new(Leaf);
    let size = (size_of_call(&mut ours), size_of_call(&mut leaf));
    let mut differences: Vec<_> = (0..301)
        .map(|_| {
            let pairs = (0..BATCHES).map(|_| batch(&mut ours) - batch(&mut leaf));
            pairs.sum::<f64>() / BATCHES as f64
        })
        .collect();
    differences.sort_by(f64::total_cmp);
    let at = |share: f64| differences[((differences.len() - 1) as f64 * share) as usize];
    println!("\nfuture: {} bytes, the leaf's {} bytes", size.0, size.1);
    println!("added by the future: {:.2} ns (p10 {:.2}, p90 {:.2})", at(0.5), at(0.1), at(0.9));
    ratios.add("inject_future_ns", at(0.5), Goal::AtMost(5.0));
}

fn size_of_call<S>(rounds: &mut Rounds<S>) -> usize
where
    S: Service<Request<()>, Response = Response<()>>,
    S::Error: std::fmt::Debug,
{
    let size = size_of_val(&rounds.call());
    rounds.request = ARRIVED.take();
    size
}

/// Nanoseconds to poll and drop a future.
fn batch<S>(rounds: &mut Rounds<S>) -> f64
where
    S: Service<Request<()>, Response = Response<()>>,
    S::Error: std::fmt::Debug,
    S::Future: Unpin,
{
    let mut futures: Vec<_> = (0..BATCH)
        .map(|_| {
            if rounds.request.is_none() {
                rounds.request = ARRIVED.take();
            }
            Some(rounds.call())
        })
        .collect();
    let mut context = Context::from_waker(Waker::noop());
    let before = thread_time();
    for place in &mut futures {
        if let Some(future) = place {
            // Looked at where it is: a move would be the harness's, not the future's.
            let polled = Pin::new(future).poll(&mut context);
            let Poll::Ready(Ok(response)) = &polled else { panic!("the leaf answers at once") };
            black_box(response.status());
        }
        *place = None;
    }
    let spent = thread_time() - before;
    rounds.request = ARRIVED.take();
    spent.as_nanos() as f64 / BATCH as f64
}
