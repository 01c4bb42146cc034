//! The service: what happens to a request at once.

use std::fmt;
use std::task::Context;
use std::task::Poll;

use http::Request;
use http::Response;
use http::header::AUTHORIZATION;
use tower::BoxError;
use tower::Service;

use crate::body::BodyPolicy;
use crate::body::DrainPolicy;
use crate::body::Replay;
use crate::body::Untouched;
use crate::oauth2::OAuth2Layer;
use crate::oauth2::ResponseFuture;
use crate::oauth2::express::Last;
use crate::oauth2::layer::Plan;
use crate::oauth2::layer::Wanted;
use crate::oauth2::send::Again;
use crate::oauth2::send::Cold;
use crate::oauth2::send::Reading;
use crate::oauth2::send::Sent;
use crate::transport::CloneService;

/// Puts OAuth 2 tokens on the requests of the service inside. See the [module docs](super).
///
/// # What it asks for
/// It is a [`Service`] when these hold; the compiler may only say that it is not.
///
/// | what | has to be | if it is not |
/// |---|---|---|
/// | the service inside | `Service<Request<B>, Response = Response<R>> + Clone + Send + 'static` | tower's `BufferLayer` inside of this layer can be cloned: see [`CloneService`](crate::CloneService) |
/// | its future, its error | `Send`, `Into<BoxError>` | tower's `map_err` changes errors |
/// | the bodies `B`, `R` | `Send + 'static` | |
/// | `B` with [`FromBytes`](crate::body::FromBytes) or [`Buffered`](crate::body::Buffered) | `Body + From<Bytes>` | [`body_fn`](crate::body::body_fn) says how one is made; or stay with [`Untouched`] |
/// | `R` with any policy but [`Untouched`] | `Body` | |
#[derive(Clone)]
#[must_use]
pub struct OAuth2<S, P = Untouched> /* No `Service`? See "What it asks for" in its docs. */ {
    inner: S,
    layer: OAuth2Layer<P>,
    last: Last,
}

impl<S, P> OAuth2<S, P> {
    pub(super) fn new(inner: S, layer: OAuth2Layer<P>) -> Self {
        Self { inner, layer, last: Last::default() }
    }

    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Gives the service inside back.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R, P> Service<Request<B>> for OAuth2<S, P>
where
    S: Service<Request<B>, Response = Response<R>> + CloneService + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Send + 'static,
    R: Send + 'static,
    P: BodyPolicy<B> + DrainPolicy<R>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B, P>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    #[inline]
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let shared = &self.layer.shared;
        let Some(usual) = shared.usual(&request) else {
            return self.call_with_care(request, None);
        };
        let replay = self.layer.policy.replay(request.body());
        if matches!(replay, Replay::Never) {
            if let Some((value, noted)) = shared.ticket(usual, &mut self.last) {
                // A map that is full fails the request, on the way of those that need more care.
                if request.headers_mut().try_insert(AUTHORIZATION, value).is_ok() {
                    return ResponseFuture::noted(self.inner.call(request), noted);
                }
            }
        }
        self.call_with_care(request, Some(replay))
    }
}

impl<S, P> OAuth2<S, P> {
    /// Finds out what a request needs, whatever it is like, and sends it: at once if there is a token and the body is not in
    /// the way.
    #[inline(never)]
    fn call_with_care<B, R>(
        &mut self,
        mut request: Request<B>,
        replay: Option<Replay<B>>,
    ) -> ResponseFuture<S, B, P>
    where
        S: Service<Request<B>, Response = Response<R>> + CloneService + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Send + 'static,
        R: Send + 'static,
        P: BodyPolicy<B> + DrainPolicy<R>,
    {
        let shared = &self.layer.shared;
        let wanted = match shared.plan_for(&request) {
            Ok(Plan::Token(wanted)) => wanted,
            Ok(Plan::Pass) => return ResponseFuture::passed(self.inner.call(request)),
            Err(error) => return ResponseFuture::failed(error),
        };
        let mut reading = match Reading::of(shared, &self.layer.policy, &request, replay) {
            Ok(reading) => reading,
            Err(error) => return ResponseFuture::failed(error),
        };
        if matches!(reading, Reading::Record(_)) {
            (reading, request) = reading.begin(request);
        }
        if let Reading::Leave(second) = &mut reading {
            let rush = wanted.rush();
            let attached = match &wanted {
                Wanted::Given(given) => Some((shared.attach(&mut request, given.published(), rush), 0, None)),
                Wanted::Current(whose) => shared.current(whose, |published| {
                    // Copied before it gets its token.
                    let again = second.take().map(|body| Again::new(self.inner.clone(), &request, body));
                    (shared.attach(&mut request, published, rush), published.serial, again)
                }),
                Wanted::Another(_) => None,
            };
            if let Some((attached, serial, again)) = attached {
                if let Err(error) = attached {
                    return ResponseFuture::failed(error);
                }
                let whose = wanted.whose();
                if again.is_none() {
                    if let Some(noted) = shared.noted(whose.as_ref(), serial) {
                        return ResponseFuture::noted(self.inner.call(request), noted);
                    }
                }
                let sent = Sent { shared: shared.share(), whose, serial };
                let policy = self.layer.policy.clone();
                return ResponseFuture::watched(self.inner.call(request), sent, again, policy);
            }
        }
        // The service that is ready goes with the request; its clone stays here, to become ready in its turn.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        let cold = Cold { shared: shared.share(), wanted, policy: self.layer.policy.clone() };
        ResponseFuture::cold(cold.send(ready, request, reading))
    }
}

impl<S: fmt::Debug, P: fmt::Debug> fmt::Debug for OAuth2<S, P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OAuth2").field("inner", &self.inner).field("layer", &self.layer).finish()
    }
}
