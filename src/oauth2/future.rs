//! The future of a response.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use http::Request;
use http::Response;
use pin_project_lite::pin_project;
use tower::BoxError;
use tower::Service;

use crate::body::BodyPolicy;
use crate::body::DrainPolicy;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::oauth2::send::Again;
use crate::oauth2::send::Sent;
use crate::oauth2::send::Verdict;

pin_project! {
    /// The response to a request that went through [`OAuth2`](super::OAuth2).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, B, P>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S::Future, S::Response>,
        refusal: Option<OnRefusal<S, B, P>>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, R> {
        /// The token was at hand: nothing was added to the inner future.
        Sent { #[pin] future: F },
        /// A token had to be waited for, a body to be read, or a request to be sent again.
        Cold { future: ColdFuture<R> },
        /// The request was not sent.
        Failed { error: Option<Error> },
    }
}

type ColdFuture<R> = Pin<Box<dyn Future<Output = Result<R, BoxError>> + Send>>;

/// What is done when the token turns out to be refused.
struct OnRefusal<S, B, P> {
    sent: Sent,
    again: Option<Box<Again<S, B>>>,
    policy: P,
}

impl<S, B, P> ResponseFuture<S, B, P>
where
    S: Service<Request<B>>,
{
    pub(super) fn passed(future: S::Future) -> Self {
        Self { state: State::Sent { future }, refusal: None }
    }

    pub(super) fn sent(future: S::Future, sent: Sent, again: Option<Box<Again<S, B>>>, policy: P) -> Self {
        Self { state: State::Sent { future }, refusal: Some(OnRefusal { sent, again, policy }) }
    }

    pub(super) fn cold(future: impl Future<Output = Result<S::Response, BoxError>> + Send + 'static) -> Self {
        Self { state: State::Cold { future: Box::pin(future) }, refusal: None }
    }

    pub(super) fn failed(error: Error) -> Self {
        Self { state: State::Failed { error: Some(error) }, refusal: None }
    }
}

impl<S, B, R, P> Future for ResponseFuture<S, B, P>
where
    S: Service<Request<B>, Response = Response<R>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Send + 'static,
    R: Send + 'static,
    P: BodyPolicy<B> + DrainPolicy<R>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Sent { future } => {
                    let mut outcome = ready!(future.poll(context));
                    // Nothing large is moved before it is known that something is amiss.
                    let verdict = match (&mut outcome, &*this.refusal) {
                        (Ok(response), Some(on_refusal)) => on_refusal.sent.look(response),
                        _ => Verdict::Deliver,
                    };
                    match verdict {
                        Verdict::Deliver => return Poll::Ready(outcome.map_err(Into::into)),
                        Verdict::Refused => {}
                        Verdict::Fail(error) => return Poll::Ready(Err(error.into())),
                    }
                    let response = outcome.map_err(Into::into)?;
                    let Some(OnRefusal { sent, again: Some(again), policy }) = this.refusal.take() else {
                        return Poll::Ready(Ok(response));
                    };
                    this.state
                        .set(State::Cold { future: Box::pin(sent.send_again(*again, response, policy)) });
                }
                StateProjection::Cold { future } => return future.as_mut().poll(context),
                StateProjection::Failed { error } => {
                    // Polled again after it was ready: the same error, rather than a panic.
                    let error = error.take().unwrap_or_else(|| Error::new(ErrorKind::Abandoned));
                    return Poll::Ready(Err(error.into()));
                }
            }
        }
    }
}

impl<S, B, P> fmt::Debug for ResponseFuture<S, B, P>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.state {
            State::Sent { .. } => "ResponseFuture(sent)",
            State::Cold { .. } => "ResponseFuture(waiting)",
            State::Failed { .. } => "ResponseFuture(failed)",
        })
    }
}
