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
use crate::body::Rebuild;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::oauth1::OAuth1Layer;
use crate::oauth1::ResponseFuture;
use crate::oauth1::layer::Decision;
use crate::oauth1::layer::Shared;
use crate::oauth1::view::View;
use crate::origin::Origin;

/// A service whose requests are signed. See the [module docs](super).
///
/// Errors of the wrapped service come out as they were, in a box.
#[derive(Clone, Debug)]
#[must_use]
pub struct OAuth1<S, P = FromBytes> {
    inner: S,
    shared: Arc<Shared>,
    policy: P,
}

impl<S, P> OAuth1<S, P> {
    /// Wraps `inner` as `layer` does.
    pub fn new(inner: S, layer: OAuth1Layer<P>) -> Self {
        Self { inner, shared: layer.shared, policy: layer.policy }
    }

    /// The wrapped service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The wrapped service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The wrapped service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, P, B, R> Service<Request<B>> for OAuth1<S, P>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
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
        match self.shared.decide(&request) {
            Err(error) => ResponseFuture::failed(error),
            Ok(Decision::Pass) => ResponseFuture::calling(self.inner.call(request)),
            Ok(Decision::Sign(origin)) if !self.shared.signer.reads_body(request.headers()) => {
                match sign(&self.shared, request, origin) {
                    Ok(request) => ResponseFuture::calling(self.inner.call(request)),
                    Err(error) => ResponseFuture::failed(error),
                }
            }
            Ok(Decision::Sign(origin)) => match self.policy.rebuild() {
                Some(rebuild) => {
                    let origin = origin.cloned();
                    // The service that is ready goes with the future; the clone that stays has to become so.
                    let clone = self.inner.clone();
                    let ready = std::mem::replace(&mut self.inner, clone);
                    ResponseFuture::signing(read_and_sign(
                        self.shared.clone(),
                        ready,
                        request,
                        rebuild,
                        origin,
                    ))
                }
                None => ResponseFuture::failed(Error::new(ErrorKind::BodyUnreadable)),
            },
        }
    }
}

/// Signs a request whose body is not looked at.
fn sign<B>(
    shared: &Shared,
    mut request: Request<B>,
    origin: Option<&Origin<'_>>,
) -> Result<Request<B>, Error> {
    // There is no new body: a form would have been read.
    shared.signer.instruct(&View::of(&request), &[], origin)?.apply(&mut request)?;
    Ok(request)
}

/// Reads the body, signs the request, and sends it with the same body.
async fn read_and_sign<S, B>(
    shared: Arc<Shared>,
    mut ready: S,
    request: Request<B>,
    rebuild: Rebuild<B>,
    origin: Option<Origin<'static>>,
) -> Result<S::Future, Error>
where
    S: Service<Request<B>>,
{
    let (mut parts, body) = request.into_parts();
    let body = rebuild.read(body, shared.form_limit).await?;
    let instruction = shared.signer.instruct(&View::of_parts(&parts), &body, origin.as_ref())?;
    let body = instruction.apply_to_parts(&mut parts)?.unwrap_or(body);
    Ok(ready.call(Request::from_parts(parts, rebuild.make(body))))
}
