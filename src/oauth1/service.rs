//! The service: signs a request and passes it on.

use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use http::Request;
use http::Response;
use tower::BoxError;
use tower::Service;

use crate::body::BodyPolicy;
use crate::body::FromBytes;
use crate::body::Replay;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::lanes::Spread;
use crate::oauth1::OAuth1Layer;
use crate::oauth1::ResponseFuture;
use crate::oauth1::layer::Decision;
use crate::oauth1::layer::Identity;
use crate::oauth1::layer::Shared;
use crate::oauth1::send::Copied;
use crate::oauth1::send::Draft;
use crate::oauth1::send::Kept;
use crate::oauth1::send::Reading;
use crate::oauth1::send::Unread;
use crate::oauth1::send::send_read;
use crate::oauth1::send::send_whole;
use crate::oauth1::spare::Spare;
use crate::oauth1::view::View;
use crate::transport::CloneService;

/// A service whose requests are signed. See the [module docs](super).
///
/// Errors of the wrapped service come out as they were, in a box.
///
/// # What it asks for
/// It is a [`Service`] when these hold; the compiler may only say that it is not.
///
/// | what | has to be | if it is not |
/// |---|---|---|
/// | the wrapped service | `Service<Request<B>, Response = Response<R>> + Clone + Send + 'static` | tower's `BufferLayer` inside of this layer can be cloned: see [`CloneService`](crate::CloneService) |
/// | its future, its error | `Send`, `Into<BoxError>` | tower's `map_err` changes errors |
/// | the request body `B` | `Body + From<Bytes> + Send + 'static` | [`body_fn`](crate::body::body_fn) says how one is made; [`Untouched`](crate::body::Untouched) takes any `B: Send + 'static`, and cannot sign forms |
#[derive(Clone, Debug)]
#[must_use]
pub struct OAuth1<S, P = FromBytes> /* No `Service`? Bodies not `From<Bytes>` need `.body_policy(…)` */ {
    inner: S,
    /// For requests that are sent again.
    spare: Arc<Spread<Spare<S>>>,
    shared: Arc<Spread<Shared>>,
    policy: P,
}

impl<S, P> OAuth1<S, P> {
    /// Wraps `inner` as `layer` does.
    pub fn new(inner: S, layer: OAuth1Layer<P>) -> Self {
        let spare = Arc::new(Spread::new(Spare::new(Arc::clone(&layer.shared))));
        Self { inner, spare, shared: layer.shared, policy: layer.policy }
    }

    /// The wrapped service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The wrapped service.
    pub fn get_mut(&mut self) -> &mut S {
        // What is changed counts for requests that are sent again, too.
        self.spare = Arc::new(Spread::new(Spare::new(Arc::clone(&self.shared))));
        &mut self.inner
    }

    /// The wrapped service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, P, B, R> Service<Request<B>> for OAuth1<S, P>
where
    S: Service<Request<B>, Response = Response<R>> + CloneService + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Send + 'static,
    P: BodyPolicy<B>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (identity, target) = match self.shared.decide(&request) {
            Ok(Decision::Sign(identity, target)) => (identity, target),
            Ok(Decision::Pass) => return ResponseFuture::passed(self.inner.call(request)),
            Err(error) => return ResponseFuture::failed(error),
        };
        let reading = match self.reading(&request) {
            Ok(reading) => reading,
            Err(error) => return ResponseFuture::failed(error),
        };
        // Nothing large is moved on the way of nearly every request.
        let (identity, draft) = match (identity, reading) {
            (Identity::Known(prepared), Reading::Leave(second)) => {
                let again = second.map(|body| Kept::to_send_again(self.copied(&request), body));
                let shared = (&**self.shared, || self.shared.share());
                let sent = send_whole(shared, &mut self.inner, request, again, prepared, target);
                return sent.map_or_else(ResponseFuture::failed, ResponseFuture::sent);
            }
            (Identity::Known(prepared), Reading::Read(limit, rebuild)) => {
                let copied = self.copied_if_corrected(&request);
                let (head, body) = request.into_parts();
                let mut unread = Unread::new(body, copied, limit, rebuild);
                match unread.poll_read(None) {
                    Poll::Ready(Ok(bytes)) => {
                        let shared = (&**self.shared, || self.shared.share());
                        let (inner, read) = (&mut self.inner, (unread, bytes));
                        let sent = send_read(shared, inner, head, read, prepared, target);
                        return sent.map_or_else(ResponseFuture::failed, ResponseFuture::sent);
                    }
                    Poll::Ready(Err(error)) => return ResponseFuture::failed(error),
                    Poll::Pending => (Identity::Known(prepared), Draft::Unread(head, unread)),
                }
            }
            (unknown, Reading::Leave(second)) => {
                let again = second.map(|body| Kept::to_send_again(self.copied(&request), body));
                (unknown, Draft::Whole(request, again))
            }
            (unknown, Reading::Read(limit, rebuild)) => {
                let copied = self.copied_if_corrected(&request);
                let (head, body) = request.into_parts();
                (unknown, Draft::Unread(head, Unread::new(body, copied, limit, rebuild)))
            }
        };
        // The service that is ready goes with the future; the clone that stays has to become so.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        ResponseFuture::waiting(draft.send(self.shared.share(), ready, identity, target))
    }
}

impl<S: Clone, P> OAuth1<S, P> {
    /// Whether the body has to be read: to sign it, or to be able to send it again.
    #[inline]
    fn reading<B>(&self, request: &Request<B>) -> Result<Reading<B>, Error>
    where
        P: BodyPolicy<B>,
    {
        if self.shared.template().reads_body(request.headers()) {
            let rebuild = self.policy.rebuild().ok_or_else(|| Error::new(ErrorKind::BodyUnreadable))?;
            return Ok(Reading::Read(self.shared.form_limit, rebuild));
        }
        if self.shared.skew.is_none() {
            return Ok(Reading::Leave(None));
        }
        Ok(match self.policy.replay(request.body()) {
            Replay::Never | Replay::Recording(_) => Reading::Leave(None),
            Replay::With(body) => Reading::Leave(Some(body)),
            Replay::AfterReading(limit) => match self.policy.rebuild() {
                Some(rebuild) => Reading::Read(limit, rebuild),
                None => Reading::Leave(None),
            },
        })
    }

    /// A copy, unless no request is sent again.
    fn copied_if_corrected<B>(&self, request: &Request<B>) -> Option<Copied<S>> {
        self.shared.skew.is_some().then(|| self.copied(request))
    }

    fn copied<B>(&self, request: &Request<B>) -> Copied<S> {
        self.spare.keep(&self.inner);
        Copied::of(&self.spare, &View::of(request), request.version())
    }
}
