//! What a layer may do with a request's body.
//!
//! A layer never changes the type of a body, because SDKs fix it. Whether a body can be *read and given back* (a
//! form has to be read to be signed) and whether it can be *sent again* (after a 401) depends on that type, so each
//! layer has one policy:
//!
//! | policy | body types | reads and gives back | sends again |
//! |---|---|---|---|
//! | [`Untouched`] | any | nothing | nothing |
//! | [`FromBytes`] | `Body + From<Bytes>` | forms | empty bodies, and forms that were read |
//! | [`Buffered`] | `Body + From<Bytes>` | forms | bodies whose size is known to be within its limit |
//! | [`Recording`] | `Body<Data = Bytes>` that can wrap another body | forms | bodies of which no more than its limit was sent: streams, too |
//! | [`body_fn`] | `Body` | forms, through your closure | what your closure can duplicate |
//!
//! `Clone` on a body means nothing here: some bodies share one stream among their clones.
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use tower_oauth::body::body_fn;
//!
//! // For a body without `From<Bytes>`: how to make one, and how to duplicate one (here: only when it is empty).
//! let policy = body_fn(Full::<Bytes>::new, |body: &Full<Bytes>| {
//!     http_body::Body::is_end_stream(body).then(|| Full::new(Bytes::new()))
//! });
//! # let _ = policy;
//! ```

mod reading;
mod recording;

use std::fmt;
use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Buf;
use bytes::Bytes;
use http_body::Body;
use tower::BoxError;

use crate::error::Error;

pub use recording::RecordedBody;
pub use recording::Recorder;
pub use recording::Recording;

pub(crate) use reading::Gathered;
pub(crate) use reading::ReadError;
pub(crate) use reading::read_all;
#[cfg(feature = "oauth2")]
pub(crate) use recording::Recorded;

/// Bytes of a refused response that are read, so that its connection can be used again.
const DRAIN_LIMIT: usize = 64 * 1024;
/// How long the rest of a refused response is waited for.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// What may be done with request bodies of type `B`. Sealed; the policies are in the [module docs](self).
#[diagnostic::on_unimplemented(
    message = "the body policy `{Self}` of a tower-oauth layer cannot handle request bodies of type `{B}`",
    label = "this body is not `http_body::Body + From<Bytes> + Send + 'static`",
    note = "such bodies are what `FromBytes` (the default of `OAuth1Layer`) and `Buffered` can handle",
    note = "for any other body, say how one is made: `.body_policy(tower_oauth::body::body_fn(…, …))`, or (tonic) \
            `.body_policy(tower_oauth::body::Recording::new(Body::new))`, or leave all bodies alone: `.body_policy(tower_oauth::body::Untouched)` (the default of `OAuth2Layer`)"
)]
pub trait BodyPolicy<B>: sealed::Sealed + Clone + Send + Sync + 'static {
    /// How to read a body and make it again; `None` when bodies must not be read.
    fn rebuild(&self) -> Option<Rebuild<B>>;

    /// Whether `body` can be sent a second time.
    fn replay(&self, body: &B) -> Replay<B>;
}

/// What is done with the body of a refused response before the request is sent again. Sealed, and implemented by
/// every policy; those that replay need `R` to be a [`Body`], so that the connection can be kept.
#[diagnostic::on_unimplemented(
    message = "the body policy `{Self}` of a tower-oauth layer cannot read response bodies of type `{R}`",
    label = "this response body is not `http_body::Body + Send + 'static`",
    note = "a refused response is read before its request is sent again; `.body_policy(tower_oauth::body::Untouched)` does \
            neither, and takes any response body that is `Send`"
)]
pub trait DrainPolicy<R>: sealed::Sealed {
    /// Reads what is left of `body`, within 64 KiB and one second.
    fn drain(&self, body: R) -> impl Future<Output = ()> + Send;
}

mod sealed {
    pub trait Sealed {}
}

/// How to send a body a second time.
#[derive(Debug)]
#[non_exhaustive]
pub enum Replay<B> {
    /// It cannot be.
    Never,
    /// By this second body.
    With(B),
    /// By reading it first. Its size is known to be within the limit, in bytes.
    AfterReading(usize),
    /// By recording it while it is sent.
    Recording(Recorder<B>),
}

/// How to read a body and make it again.
pub struct Rebuild<B> {
    poll: PollRead<B>,
    make: Make<B>,
}

type PollRead<B> = fn(Pin<&mut B>, Option<&mut Context<'_>>, &mut Gathered) -> Poll<Result<Bytes, Error>>;

enum Make<B> {
    From(fn(Bytes) -> B),
    With(Arc<Build<B>>),
}

impl<B> Rebuild<B> {
    fn new(make: Make<B>) -> Self
    where
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self { poll: reading::poll_request::<B>, make }
    }

    /// Reads `body` to its end.
    ///
    /// # Errors
    /// [`ErrorKind::BodyTooLarge`](crate::ErrorKind::BodyTooLarge) when it is longer than `limit` bytes,
    /// [`ErrorKind::BodyFailed`](crate::ErrorKind::BodyFailed) when it fails or has trailers, which could not be given back.
    #[cfg(feature = "oauth2")]
    pub(crate) async fn read(&self, body: B, limit: usize) -> Result<Bytes, Error> {
        let mut body = pin!(body);
        let mut gathered = Gathered::new(limit);
        poll_fn(|context| self.poll_read(body.as_mut(), Some(context), &mut gathered)).await
    }

    /// Reads `body` on, and is ready at its end. Without a context it is read only if its bytes are at hand; what was read so
    /// is not lost.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn poll_read(
        &self,
        body: Pin<&mut B>,
        context: Option<&mut Context<'_>>,
        gathered: &mut Gathered,
    ) -> Poll<Result<Bytes, Error>> {
        (self.poll)(body, context, gathered)
    }

    /// A body of these bytes.
    pub(crate) fn make(&self, bytes: Bytes) -> B {
        match &self.make {
            Make::From(make) => make(bytes),
            Make::With(make) => make(bytes),
        }
    }
}

impl<B> fmt::Debug for Rebuild<B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Rebuild")
    }
}

/// Any body; none is read, none is sent twice. A refused request is delivered with its refusal, and the next one is
/// right. The default of [`OAuth2Layer`](crate::oauth2::OAuth2Layer).
#[derive(Clone, Copy, Debug, Default)]
pub struct Untouched;

impl sealed::Sealed for Untouched {}

impl<B> BodyPolicy<B> for Untouched {
    fn rebuild(&self) -> Option<Rebuild<B>> {
        None
    }

    fn replay(&self, _: &B) -> Replay<B> {
        Replay::Never
    }
}

impl<R: Send> DrainPolicy<R> for Untouched {
    async fn drain(&self, _: R) {}
}

/// Bodies that can be made from [`Bytes`]: forms are read and given back, empty bodies can be sent again. The default
/// of [`OAuth1Layer`](crate::oauth1::OAuth1Layer).
#[derive(Clone, Copy, Debug, Default)]
pub struct FromBytes;

impl sealed::Sealed for FromBytes {}

#[diagnostic::do_not_recommend]
impl<B> BodyPolicy<B> for FromBytes
where
    B: Body + From<Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn rebuild(&self) -> Option<Rebuild<B>> {
        Some(Rebuild::new(Make::From(B::from)))
    }

    fn replay(&self, body: &B) -> Replay<B> {
        if is_empty(body) { Replay::With(B::from(Bytes::new())) } else { Replay::Never }
    }
}

#[diagnostic::do_not_recommend]
impl<R: Body + Send + 'static> DrainPolicy<R> for FromBytes {
    async fn drain(&self, body: R) {
        drain(body).await;
    }
}

/// Like [`FromBytes`], and reads other bodies too when their size is known to be within a limit, so that they can be
/// sent again. A stream of unknown length is never read.
#[derive(Clone, Copy, Debug)]
pub struct Buffered {
    limit: usize,
}

impl Buffered {
    /// Reads bodies of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit }
    }
}

impl Default for Buffered {
    /// A limit of 64 KiB.
    fn default() -> Self {
        Self::new(64 * 1024)
    }
}

impl sealed::Sealed for Buffered {}

#[diagnostic::do_not_recommend]
impl<B> BodyPolicy<B> for Buffered
where
    B: Body + From<Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn rebuild(&self) -> Option<Rebuild<B>> {
        FromBytes.rebuild()
    }

    fn replay(&self, body: &B) -> Replay<B> {
        if is_empty(body) {
            return Replay::With(B::from(Bytes::new()));
        }
        let limit = u64::try_from(self.limit).unwrap_or(u64::MAX);
        match body.size_hint().upper() {
            Some(upper) if upper <= limit => Replay::AfterReading(self.limit),
            _ => Replay::Never,
        }
    }
}

#[diagnostic::do_not_recommend]
impl<R: Body + Send + 'static> DrainPolicy<R> for Buffered {
    async fn drain(&self, body: R) {
        drain(body).await;
    }
}

/// The policy for a body type that has its own ways: see [`body_fn`].
pub struct BodyFn<B> {
    rebuild: Arc<Build<B>>,
    duplicate: Arc<Duplicate<B>>,
}

type Build<B> = dyn Fn(Bytes) -> B + Send + Sync;
type Duplicate<B> = dyn Fn(&B) -> Option<B> + Send + Sync;

/// A policy from two closures: `rebuild` makes a body of bytes that were read, `duplicate` gives a second body with
/// the same contents, or `None` when it cannot.
pub fn body_fn<B>(
    rebuild: impl Fn(Bytes) -> B + Send + Sync + 'static,
    duplicate: impl Fn(&B) -> Option<B> + Send + Sync + 'static,
) -> BodyFn<B> {
    BodyFn { rebuild: Arc::new(rebuild), duplicate: Arc::new(duplicate) }
}

// By hand, because a derive would ask for `B: Clone`.
impl<B> Clone for BodyFn<B> {
    fn clone(&self) -> Self {
        Self { rebuild: Arc::clone(&self.rebuild), duplicate: Arc::clone(&self.duplicate) }
    }
}

impl<B> fmt::Debug for BodyFn<B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BodyFn")
    }
}

impl<B> sealed::Sealed for BodyFn<B> {}

impl<B> BodyPolicy<B> for BodyFn<B>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn rebuild(&self) -> Option<Rebuild<B>> {
        Some(Rebuild::new(Make::With(Arc::clone(&self.rebuild))))
    }

    fn replay(&self, body: &B) -> Replay<B> {
        (self.duplicate)(body).map_or(Replay::Never, Replay::With)
    }
}

#[diagnostic::do_not_recommend]
impl<B, R: Body + Send + 'static> DrainPolicy<R> for BodyFn<B> {
    async fn drain(&self, body: R) {
        drain(body).await;
    }
}

fn is_empty<B: Body>(body: &B) -> bool {
    body.is_end_stream() || body.size_hint().exact() == Some(0)
}

/// Reads what is left of a response's body, so that its connection can be used again.
async fn drain<R: Body>(body: R) {
    let mut body = pin!(body);
    let read = async {
        let mut length = 0;
        while let Some(Ok(frame)) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
            length += frame.data_ref().map_or(0, Buf::remaining);
            if length > DRAIN_LIMIT {
                break;
            }
        }
    };
    // What does not end in time is dropped, and its connection with it.
    let _ = tokio::time::timeout(DRAIN_TIME, read).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_continued;
    use crate::defaults::assert_documented;

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let bytes = |limit: usize| format!("{limit} bytes");
        let buffered = Buffered::default().limit;
        assert_documented("largest body that `Buffered` reads to send it again", bytes(buffered));
        let drained = "part of a refused response that is read, to keep its connection";
        assert_documented(drained, bytes(DRAIN_LIMIT));
        assert_continued(drained, DRAIN_TIME);
    }
}
