//! The service: what happens to a request at once.

use std::fmt;
use std::sync::Arc;
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
use crate::oauth2::layer::Plan;
use crate::oauth2::send::Again;
use crate::oauth2::send::Cold;
use crate::oauth2::send::Sent;

/// Puts OAuth 2 tokens on the requests of the service inside. See the [module docs](super).
#[derive(Clone)]
#[must_use]
pub struct OAuth2<S, P = Untouched> {
    inner: S,
    layer: OAuth2Layer<P>,
}

impl<S, P> OAuth2<S, P> {
    pub(super) fn new(inner: S, layer: OAuth2Layer<P>) -> Self {
        Self { inner, layer }
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
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
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

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let shared = &self.layer.shared;
        let (identity, fresh) = match shared.plan_for(&request) {
            Ok(Plan::Token(identity, fresh)) => (identity, fresh),
            Ok(Plan::Pass) => return ResponseFuture::passed(self.inner.call(request)),
            Ok(Plan::Given(given)) => {
                request.headers_mut().insert(AUTHORIZATION, given.header());
                return ResponseFuture::passed(self.inner.call(request));
            }
            Err(error) => return ResponseFuture::failed(error),
        };
        let replay = self.layer.policy.replay(request.body());
        if !fresh && !matches!(replay, Replay::AfterReading(_)) {
            let current =
                shared.manager.current(&identity, |published| (published.header.clone(), published.serial));
            if let Some((header, serial)) = current {
                request.headers_mut().insert(AUTHORIZATION, header);
                let again = match replay {
                    Replay::With(body) => Some(Box::new(Again::new(self.inner.clone(), &request, body))),
                    _ => None,
                };
                let sent = Sent { shared: Arc::clone(shared), identity, serial };
                return ResponseFuture::sent(
                    self.inner.call(request),
                    sent,
                    again,
                    self.layer.policy.clone(),
                );
            }
        }
        // The service that is ready goes with the request; its clone stays here, to become ready in its turn.
        let clone = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, clone);
        let cold = Cold { shared: Arc::clone(shared), identity, fresh, policy: self.layer.policy.clone() };
        ResponseFuture::cold(cold.send(ready, request, replay))
    }
}

impl<S: fmt::Debug, P: fmt::Debug> fmt::Debug for OAuth2<S, P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OAuth2").field("inner", &self.inner).field("layer", &self.layer).finish()
    }
}
