//! The future of a response.

use std::fmt;
use std::future::Future;
use std::mem;
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
use crate::oauth2::express::Noted;
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
        state: State<S::Future, S, B, S::Response, P>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, S, B, R, P> {
        /// The token was at hand, or there is none: nothing was added to the inner future but a note.
        Sent { #[pin] future: F, note: Note<S, B, P> },
        /// A token had to be waited for, a body to be read, or a request to be sent again.
        Cold { future: ColdFuture<R> },
        /// The request was not sent.
        Failed { error: Option<Error> },
    }
}

type ColdFuture<R> = Pin<Box<dyn Future<Output = Result<R, BoxError>> + Send>>;

/// What is to be done with the response. The future is moved with it, so it is small.
enum Note<S, B, P> {
    /// Nothing.
    Deliver,
    /// It is to be understood.
    Express(Noted),
    /// The same, and the request may be sent again.
    Watch(Box<Watch<S, B, P>>),
}

/// What is done when the token turns out to be refused.
struct Watch<S, B, P> {
    sent: Sent,
    again: Option<Again<S, B>>,
    policy: P,
}

impl<S, B, P> ResponseFuture<S, B, P>
where
    S: Service<Request<B>>,
{
    pub(super) fn passed(future: S::Future) -> Self {
        Self { state: State::Sent { future, note: Note::Deliver } }
    }

    #[inline]
    pub(super) fn noted(future: S::Future, noted: Noted) -> Self {
        Self { state: State::Sent { future, note: Note::Express(noted) } }
    }

    pub(super) fn watched(future: S::Future, sent: Sent, again: Option<Again<S, B>>, policy: P) -> Self {
        Self { state: State::Sent { future, note: Note::Watch(Box::new(Watch { sent, again, policy })) } }
    }

    pub(super) fn cold(future: impl Future<Output = Result<S::Response, BoxError>> + Send + 'static) -> Self {
        Self { state: State::Cold { future: Box::pin(future) } }
    }

    pub(super) fn failed(error: Error) -> Self {
        Self { state: State::Failed { error: Some(error) } }
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

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Nearly every future ends here, and whoever polls it takes this in as its own code; so it is short.
        if let StateProjection::Sent { future, note: Note::Express(noted) } =
            self.as_mut().project().state.project()
        {
            return match ready!(future.poll(context)) {
                Ok(response) if noted.is_plain(&response) => Poll::Ready(Ok(response)),
                Ok(response) => noted.understand(response),
                Err(error) => Poll::Ready(Err(error.into())),
            };
        }
        self.poll_with_care(context)
    }
}

impl<S, B, R, P> ResponseFuture<S, B, P>
where
    S: Service<Request<B>, Response = Response<R>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Send + 'static,
    R: Send + 'static,
    P: BodyPolicy<B> + DrainPolicy<R>,
{
    #[inline(never)]
    fn poll_with_care(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Response<R>, BoxError>> {
        let mut state = self.as_mut().project().state;
        loop {
            let sending = match state.as_mut().project() {
                StateProjection::Sent { future, note } => {
                    let response = ready!(future.poll(context)).map_err(Into::into)?;
                    match mem::replace(note, Note::Deliver) {
                        Note::Deliver => return Poll::Ready(Ok(response)),
                        Note::Express(noted) => return noted.understand(response),
                        Note::Watch(watch) => match watch.look(response) {
                            Ok(response) => return Poll::Ready(response),
                            Err(sending) => sending,
                        },
                    }
                }
                StateProjection::Cold { future } => return future.as_mut().poll(context),
                StateProjection::Failed { error } => {
                    // Polled again after it was ready: an error, rather than a panic.
                    let error = error.take().unwrap_or_else(|| Error::new(ErrorKind::Abandoned));
                    return Poll::Ready(Err(error.into()));
                }
            };
            state.set(State::Cold { future: sending });
        }
    }
}

impl<S, B, P> Watch<S, B, P> {
    /// What comes of a response: it, an error, or the response to the request that is sent again.
    fn look<R>(
        self,
        mut response: Response<R>,
    ) -> Result<Result<Response<R>, BoxError>, ColdFuture<Response<R>>>
    where
        S: Service<Request<B>, Response = Response<R>> + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Send + 'static,
        R: Send + 'static,
        P: BodyPolicy<B> + DrainPolicy<R>,
    {
        let Self { sent, again, policy } = self;
        match (sent.look(&mut response), again) {
            (Verdict::Fail(error), _) => Ok(Err(error.into())),
            (Verdict::Refused, Some(again)) => Err(Box::pin(sent.send_again(again, response, policy))),
            (Verdict::Refused, None) | (Verdict::Deliver, _) => Ok(Ok(response)),
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
