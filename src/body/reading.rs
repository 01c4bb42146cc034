//! Reading a body to its end.

use std::future::poll_fn;
use std::pin::Pin;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;

use bytes::Buf;
use bytes::BufMut;
use bytes::Bytes;
use bytes::BytesMut;
use http_body::Body;
use tower::BoxError;

use crate::error::Error;
use crate::error::ErrorKind;

/// What was read of a body so far.
pub(crate) struct Gathered {
    /// The most that may be read, in bytes.
    limit: usize,
    is_begun: bool,
    first: Bytes,
    rest: BytesMut,
    has_trailers: bool,
}

/// Why a body could not be read to its end.
pub(crate) enum ReadError {
    TooLarge,
    Failed(BoxError),
}

impl Gathered {
    /// Nothing yet, and at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let (first, rest) = (Bytes::new(), BytesMut::new());
        Self { limit, is_begun: false, first, rest, has_trailers: false }
    }

    /// Reads on, and is ready at the end of the body.
    fn poll<B>(&mut self, mut body: Pin<&mut B>, context: &mut Context<'_>) -> Poll<Result<(), ReadError>>
    where
        B: Body,
        B::Error: Into<BoxError>,
    {
        if !self.is_begun {
            self.is_begun = true;
            if body.size_hint().lower() > u64::try_from(self.limit).unwrap_or(u64::MAX) {
                return Poll::Ready(Err(ReadError::TooLarge));
            }
        }
        while let Some(frame) = ready!(body.as_mut().poll_frame(context)) {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return Poll::Ready(Err(ReadError::Failed(error.into()))),
            };
            let Ok(mut data) = frame.into_data() else {
                self.has_trailers = true;
                continue;
            };
            let length = data.remaining();
            if length > self.limit - self.first.len() - self.rest.len() {
                return Poll::Ready(Err(ReadError::TooLarge));
            }
            // Most bodies are one piece, which is then not copied.
            if self.first.is_empty() {
                self.first = data.copy_to_bytes(length);
            } else {
                self.rest.put(data);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// All of it, after the end.
    fn take(&mut self) -> Bytes {
        let first = std::mem::take(&mut self.first);
        if self.rest.is_empty() {
            return first;
        }
        let mut whole = BytesMut::with_capacity(first.len() + self.rest.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&self.rest);
        whole.freeze()
    }
}

/// Reads a request's body. Without a context only as far as it is at hand.
pub(super) fn poll_request<B>(
    body: Pin<&mut B>,
    context: Option<&mut Context<'_>>,
    gathered: &mut Gathered,
) -> Poll<Result<Bytes, Error>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let outcome = match context {
        Some(context) => ready!(gathered.poll(body, context)),
        // A body that knows its length is one that has its bytes, as a rule. If not, whoever reads on wakes its own task.
        None if body.size_hint().exact().is_some() => {
            ready!(gathered.poll(body, &mut Context::from_waker(Waker::noop())))
        }
        None => return Poll::Pending,
    };
    Poll::Ready(match outcome {
        Ok(()) if gathered.has_trailers => {
            Err(Error::new(ErrorKind::BodyFailed).detail("it has trailers, which could not be given back"))
        }
        Ok(()) => Ok(gathered.take()),
        Err(ReadError::TooLarge) => {
            let detail = format!("the limit is {} bytes", gathered.limit);
            Err(Error::new(ErrorKind::BodyTooLarge).detail(detail))
        }
        Err(ReadError::Failed(error)) => Err(Error::new(ErrorKind::BodyFailed).caused_by(error)),
    })
}

/// Reads `body` to its end, within `limit` bytes; says whether it had trailers.
pub(crate) async fn read_all<B>(body: B, limit: usize) -> Result<(Bytes, bool), ReadError>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let mut body = pin!(body);
    let mut gathered = Gathered::new(limit);
    poll_fn(|context| gathered.poll(body.as_mut(), context)).await?;
    Ok((gathered.take(), gathered.has_trailers))
}
