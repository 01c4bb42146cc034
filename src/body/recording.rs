//! Bodies that are recorded while they are sent.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderMap;
use http_body::Body;
use http_body::Frame;
use http_body::SizeHint;
use tower::BoxError;

use crate::body::BodyPolicy;
use crate::body::DrainPolicy;
use crate::body::Make;
use crate::body::Rebuild;
use crate::body::Replay;
use crate::body::drain;
use crate::body::is_empty;
use crate::body::sealed::Sealed;
use crate::error::Error;
use crate::error::ErrorKind;

/// Keeps what is sent of a body until the head of the response is there, so that a refused request can be sent again: what
/// was kept first, and then whatever the body still brings. For bodies that cannot be read beforehand, such as gRPC's, where
/// one message and a stream look the same; and for those that cannot be made from [`Bytes`].
///
/// Nothing is delayed and nothing is read ahead. A request of which more than the [limit](Self::limit) was sent before it was
/// refused is not sent again, and its refusal is delivered.
///
/// ```
/// use tower_oauth::body::Recording;
/// # use bytes::Bytes;
/// # use http_body_util::combinators::UnsyncBoxBody;
/// # use http_body_util::BodyExt;
/// # use tower::BoxError;
///
/// // How to make a body of this type from another one. For tonic it is `tonic::body::Body::new`.
/// let policy = Recording::new(|body| UnsyncBoxBody::<Bytes, BoxError>::new(body));
/// # let _ = policy;
/// ```
///
/// [`OAuth1Layer`](crate::oauth1::OAuth1Layer), which sends again only what it signed or what is empty, uses it to read and
/// give back forms.
pub struct Recording<B> {
    wrap: Arc<Wrap<B>>,
    limit: usize,
}

type Wrap<B> = dyn Fn(RecordedBody<B>) -> B + Send + Sync;

impl<B> Recording<B> {
    /// Records bodies, and makes what is sent in their place with `wrap`; up to 64 KiB of each.
    pub fn new(wrap: impl Fn(RecordedBody<B>) -> B + Send + Sync + 'static) -> Self {
        Self { wrap: Arc::new(wrap), limit: 64 * 1024 }
    }

    /// How much of a body is kept, in bytes; 65 536 by default.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }
}

// By hand, because a derive would ask for `B: Clone`.
impl<B> Clone for Recording<B> {
    fn clone(&self) -> Self {
        Self { wrap: Arc::clone(&self.wrap), limit: self.limit }
    }
}

impl<B> fmt::Debug for Recording<B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Recording").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl<B> Sealed for Recording<B> {}

impl<B> BodyPolicy<B> for Recording<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn rebuild(&self) -> Option<Rebuild<B>> {
        let wrap = Arc::clone(&self.wrap);
        Some(Rebuild::new(Make::With(Arc::new(move |bytes| wrap(RecordedBody::of(bytes))))))
    }

    fn replay(&self, body: &B) -> Replay<B> {
        if is_empty(body) {
            return Replay::With((self.wrap)(RecordedBody::of(Bytes::new())));
        }
        Replay::Recording(Recorder(self.clone()))
    }
}

impl<B, R: Body + Send + 'static> DrainPolicy<R> for Recording<B> {
    async fn drain(&self, body: R) {
        drain(body).await;
    }
}

/// Records one body. See [`Replay::Recording`].
#[derive(Debug)]
pub struct Recorder<B>(
    // OAuth 1 does not send again what it did not sign.
    #[cfg_attr(not(feature = "oauth2"), allow(dead_code))] Recording<B>,
);

impl<B> Recorder<B> {
    /// What to send in the place of `body`, and what gives it a second time.
    #[cfg(feature = "oauth2")]
    pub(crate) fn record(self, body: B) -> (B, Recorded<B>) {
        let Recording { wrap, limit } = self.0;
        let state = Arc::new(Mutex::new(State::new(Some(Box::pin(body)), limit)));
        let first = RecordedBody { turn: Turn::First, kept: None, trailers: None, state: Arc::clone(&state) };
        (wrap(first), Recorded { wrap, state })
    }
}

/// What was recorded of a body. Recording ends when it is dropped.
#[cfg(feature = "oauth2")]
pub(crate) struct Recorded<B> {
    wrap: Arc<Wrap<B>>,
    state: Arc<Mutex<State<B>>>,
}

#[cfg(feature = "oauth2")]
impl<B> Recorded<B> {
    /// The body a second time; `None` when it was too long, or has failed. The first one is of no use any more.
    pub(crate) fn again(self) -> Option<B> {
        let mut state = lock(&self.state);
        if !state.is_whole {
            return None;
        }
        state.turn = Turn::Second;
        let kept = Some(std::mem::take(&mut state.kept).freeze()).filter(|kept| !kept.is_empty());
        let trailers = state.trailers.take();
        // Whoever still waits for the next frame to send it learns that there is none.
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        let state = Arc::clone(&self.state);
        Some((self.wrap)(RecordedBody { turn: Turn::Second, kept, trailers, state }))
    }
}

#[cfg(feature = "oauth2")]
impl<B> Drop for Recorded<B> {
    fn drop(&mut self) {
        lock(&self.state).forget();
    }
}

/// A body that is recorded while it is sent, or the same body a second time. See [`Recording`].
pub struct RecordedBody<B> {
    turn: Turn,
    /// What was sent before, or was there from the beginning.
    kept: Option<Bytes>,
    trailers: Option<HeaderMap>,
    state: Arc<Mutex<State<B>>>,
}

/// Which of the two bodies the rest belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    #[cfg_attr(not(feature = "oauth2"), allow(dead_code))]
    Second,
}

/// What both bodies share. The lock is held while the rest is polled, never over an await.
struct State<B> {
    turn: Turn,
    /// What nobody has read yet; `None` at the end.
    rest: Option<Pin<Box<B>>>,
    kept: BytesMut,
    trailers: Option<HeaderMap>,
    /// How much may be kept, in bytes.
    limit: usize,
    /// Whether all that was read was kept.
    is_whole: bool,
    /// Of whoever waits for the next frame.
    waker: Option<Waker>,
}

impl<B> State<B> {
    fn new(rest: Option<Pin<Box<B>>>, limit: usize) -> Self {
        let (kept, trailers) = (BytesMut::new(), None);
        Self { turn: Turn::First, rest, kept, trailers, limit, is_whole: true, waker: None }
    }

    fn forget(&mut self) {
        self.is_whole = false;
        self.kept = BytesMut::new();
        self.trailers = None;
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        if !self.is_whole {
            return;
        }
        if let Some(data) = frame.data_ref() {
            if data.len() > self.limit - self.kept.len() {
                self.forget();
            } else {
                self.kept.extend_from_slice(data);
            }
        } else {
            self.trailers = frame.trailers_ref().cloned();
        }
    }
}

fn lock<B>(state: &Mutex<State<B>>) -> MutexGuard<'_, State<B>> {
    // When a body panics, its panic goes on; what was recorded is not touched by it.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B> RecordedBody<B> {
    /// A body of these bytes.
    fn of(bytes: Bytes) -> Self {
        let state = Arc::new(Mutex::new(State::new(None, 0)));
        let kept = Some(bytes).filter(|bytes| !bytes.is_empty());
        Self { turn: Turn::First, kept, trailers: None, state }
    }
}

impl<B> Body for RecordedBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Some(kept) = this.kept.take() {
            return Poll::Ready(Some(Ok(Frame::data(kept))));
        }
        if let Some(trailers) = this.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let mut state = lock(&this.state);
        if state.turn != this.turn {
            // An end would say that this was all of it.
            let error =
                Error::new(ErrorKind::BodyFailed).detail("the request was refused, and is sent again");
            return Poll::Ready(Some(Err(error.into())));
        }
        let Some(rest) = &mut state.rest else { return Poll::Ready(None) };
        match rest.as_mut().poll_frame(context) {
            Poll::Pending => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
            Poll::Ready(Some(Ok(frame))) => {
                state.keep(&frame);
                if frame.is_trailers() {
                    state.rest = None;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                state.forget();
                state.rest = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                state.rest = None;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let state = lock(&self.state);
        let is_at_end = state.rest.as_ref().is_none_or(|rest| rest.is_end_stream());
        self.kept.is_none() && self.trailers.is_none() && self.turn == state.turn && is_at_end
    }

    fn size_hint(&self) -> SizeHint {
        let kept = self.kept.as_ref().and_then(|kept| u64::try_from(kept.len()).ok()).unwrap_or(0);
        let rest = lock(&self.state).rest.as_ref().map_or(SizeHint::with_exact(0), |rest| rest.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(kept));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(kept)) {
            hint.set_upper(upper);
        }
        hint
    }
}

impl<B> fmt::Debug for RecordedBody<B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RecordedBody")
    }
}

#[cfg(test)]
mod tests;
