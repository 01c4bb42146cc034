//! The body of the provider's answers.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use http_body::Frame;
use http_body::SizeHint;

/// The body of an answer: whole, or, when a [`Fault`](super::Fault) asks for it, without end or broken off.
///
/// It is also the body of requests sent through [`Provider::client`](super::Provider::client).
#[derive(Default)]
pub struct Body(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Endless { chunk: Bytes, rested: bool },
    BrokenOff { first: Option<Bytes>, rested: bool },
}

impl Default for Kind {
    fn default() -> Self {
        Self::Whole(None)
    }
}

impl Body {
    /// `chunk` again and again.
    pub(super) fn endless(chunk: Bytes) -> Self {
        Self(Kind::Endless { chunk, rested: false })
    }

    /// `first`, and then an error, at which a server drops the connection.
    pub(super) fn broken_off(first: Bytes) -> Self {
        Self(Kind::BrokenOff { first: Some(first), rested: false })
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::from(Bytes::from(text))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::from(Bytes::from_static(text.as_bytes()))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let data = |bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        match &mut self.0 {
            Kind::Whole(whole) => whole.take().map_or(Poll::Ready(None), data),
            // Every other poll rests, so that a reader that never waits still lets its timeout run.
            Kind::Endless { chunk, rested } => {
                *rested = !*rested;
                if *rested { data(chunk.clone()) } else { rest(context) }
            }
            Kind::BrokenOff { first, rested } => {
                if let Some(first) = first.take() {
                    return data(first);
                }
                // Rests once, so that what came first is sent before the connection is dropped.
                if !*rested {
                    *rested = true;
                    return rest(context);
                }
                Poll::Ready(Some(Err(dropped())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Kind::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(whole) => {
                let length = whole.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Kind::Endless { .. } | Kind::BrokenOff { .. } => SizeHint::new(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Token answers pass through here: never their bytes.
        match &self.0 {
            Kind::Whole(whole) => write!(formatter, "Body({} bytes)", whole.as_ref().map_or(0, Bytes::len)),
            Kind::Endless { .. } => formatter.write_str("Body(endless)"),
            Kind::BrokenOff { .. } => formatter.write_str("Body(broken off)"),
        }
    }
}

/// What a caller gets for a connection that the provider dropped.
pub(super) fn dropped() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the provider dropped the connection, as a fault asked")
}

fn rest<T>(context: &Context<'_>) -> Poll<T> {
    context.waker().wake_by_ref();
    Poll::Pending
}
