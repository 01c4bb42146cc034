//! What each client puts on its requests for the judge, and learns from the answers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, Request, Response};
use tower::Service;

use super::clock::SoakClock;

/// Who sends.
pub const CLIENT: HeaderName = HeaderName::from_static("soak-client");
/// Which request it is; the same when it is sent again.
pub const REQUEST: HeaderName = HeaderName::from_static("soak-request");
/// The moment by which the token was chosen, in nanoseconds since the beginning.
pub const CHOSEN: HeaderName = HeaderName::from_static("soak-chosen");
/// The refusals that the client knew of before the token was chosen.
pub const KNOWN: HeaderName = HeaderName::from_static("soak-known");
/// On an answer of 401: the number of the refusal.
pub const REFUSAL: HeaderName = HeaderName::from_static("soak-refusal");

/// Refusals that a client remembers; the tokens of older ones have ended long ago.
const REMEMBERED: usize = 16;

/// The refusals that a client knows of: those whose answers went all the way through its layer.
#[derive(Clone, Default)]
pub struct Knowledge(Arc<Mutex<VecDeque<u64>>>);

impl Knowledge {
    fn list(&self) -> Vec<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    fn add(&self, refusals: &[u64]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for refusal in refusals {
            if !known.contains(refusal) {
                known.push_back(*refusal);
            }
        }
        while known.len() > REMEMBERED {
            known.pop_front();
        }
    }
}

/// One request on its way, in its extensions: made before the layer sees it, and shared by both times it is sent.
#[derive(Clone)]
pub struct Errand {
    number: u64,
    known: Arc<[u64]>,
    /// The refusals that answered it. When it is sent again, the layer has dealt with those before.
    refusals: Arc<Mutex<Vec<u64>>>,
    knowledge: Knowledge,
}

impl Errand {
    pub fn new(number: u64, knowledge: &Knowledge) -> Self {
        let known = knowledge.list().into();
        Self { number, known, refusals: Arc::default(), knowledge: knowledge.clone() }
    }

    /// The layer has given its answer, so that whatever it was told has come to the client's knowledge.
    pub fn done(self) {
        self.knowledge.add(&self.refusals());
    }

    fn refusals(&self) -> Vec<u64> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The innermost service, right above the HTTP client.
#[derive(Clone)]
pub struct Courier<S> {
    client: usize,
    inner: S,
}

impl<S> Courier<S> {
    pub fn new(client: usize, inner: S) -> Self {
        Self { client, inner }
    }
}

impl<S, B, R> Service<Request<B>> for Courier<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let errand = request.extensions().get::<Errand>().cloned();
        let headers = request.headers_mut();
        headers.insert(CLIENT, HeaderValue::from(self.client));
        headers.insert(CHOSEN, HeaderValue::from(SoakClock::chosen().as_nanos() as u64));
        if let Some(errand) = &errand {
            headers.insert(REQUEST, HeaderValue::from(errand.number));
            let earlier = errand.refusals();
            if !earlier.is_empty() {
                errand.knowledge.add(&earlier);
            }
            for refusal in errand.known.iter().chain(&earlier) {
                headers.append(KNOWN, HeaderValue::from(*refusal));
            }
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            let refusal = response.headers().get(REFUSAL).and_then(|value| value.to_str().ok()?.parse().ok());
            if let (Some(refusal), Some(errand)) = (refusal, errand) {
                errand.refusals.lock().unwrap_or_else(PoisonError::into_inner).push(refusal);
            }
            Ok(response)
        })
    }
}
