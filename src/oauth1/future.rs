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
use crate::error::ErrorKind;
use crate::oauth1::send::Sending;
use crate::oauth1::send::Sent;
use crate::oauth1::send::Watch;

pin_project! {
    /// The response to a request that went through [`OAuth1`](super::OAuth1).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
        // None for a request that was not signed.
        watch: Option<Watch<F>>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        /// The wrapped service has the request.
        Calling { #[pin] future: F },
        /// The request was not sent.
        Failed { error: Option<BoxError> },
        /// Something is waited for. It ends with the wrapped service having the request.
        Waiting { future: Sending<F> },
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn passed(future: F) -> Self {
        Self { state: State::Calling { future }, watch: None }
    }

    pub(super) fn sent(sent: Sent<F>) -> Self {
        Self { state: State::Calling { future: sent.future }, watch: Some(sent.watch) }
    }

    pub(super) fn failed(error: Error) -> Self {
        Self { state: State::Failed { error: Some(error.into()) }, watch: None }
    }

    pub(super) fn waiting(future: impl Future<Output = Result<Sent<F>, BoxError>> + Send + 'static) -> Self {
        Self { state: State::Waiting { future: Box::pin(future) }, watch: None }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Calling { future } => {
                    let mut response = ready!(future.poll(context)).map_err(Into::into)?;
                    // Nothing large is moved before it is known that something is amiss.
                    if this.watch.as_ref().is_none_or(|watch| watch.is_plain(&response)) {
                        return Poll::Ready(Ok(response));
                    }
                    let sending = this.watch.take().and_then(|watch| watch.look(&mut response));
                    let Some(future) = sending else { return Poll::Ready(Ok(response)) };
                    State::Waiting { future }
                }
                StateProjection::Failed { error } => {
                    // Polled again after it was ready: an error, rather than a panic.
                    let abandoned = || Error::new(ErrorKind::Abandoned).into();
                    return Poll::Ready(Err(error.take().unwrap_or_else(abandoned)));
                }
                StateProjection::Waiting { future } => match ready!(future.as_mut().poll(context)) {
                    Ok(Sent { future, watch }) => {
                        *this.watch = Some(watch);
                        State::Calling { future }
                    }
                    Err(error) => State::Failed { error: Some(error) },
                },
            };
            this.state.as_mut().set(next);
        }
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.state {
            State::Calling { .. } => "ResponseFuture(sent)",
            State::Failed { .. } => "ResponseFuture(failed)",
            State::Waiting { .. } => "ResponseFuture(waiting)",
        })
    }
}
