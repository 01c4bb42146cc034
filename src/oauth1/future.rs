//! The future of a signed request.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use http::Response;
use pin_project_lite::pin_project;
use tower::BoxError;

use crate::error::Error;

pin_project! {
    /// The response to a request that went through [`OAuth1`](super::OAuth1).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        /// The wrapped service has the request.
        Calling { #[pin] future: F },
        /// The request was not sent.
        Failed { error: Error },
        /// The body is being read. It ends with the wrapped service having the request.
        Signing { future: Signing<F> },
    }
}

type Signing<F> = Pin<Box<dyn Future<Output = Result<F, Error>> + Send>>;

impl<F> ResponseFuture<F> {
    pub(super) fn calling(future: F) -> Self {
        Self { state: State::Calling { future } }
    }

    pub(super) fn failed(error: Error) -> Self {
        Self { state: State::Failed { error } }
    }

    pub(super) fn signing(future: impl Future<Output = Result<F, Error>> + Send + 'static) -> Self {
        Self { state: State::Signing { future: Box::pin(future) } }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = match self.as_mut().project().state.project() {
                StateProjection::Calling { future } => return future.poll(context).map_err(Into::into),
                StateProjection::Failed { error } => return Poll::Ready(Err(error.clone().into())),
                StateProjection::Signing { future } => match ready!(future.as_mut().poll(context)) {
                    Ok(future) => State::Calling { future },
                    Err(error) => State::Failed { error },
                },
            };
            self.as_mut().project().state.set(next);
        }
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ResponseFuture")
    }
}
