//! The slow paths: waiting for a token, and sending a request again.

use std::future::poll_fn;
use std::sync::Arc;

use http::HeaderValue;
use http::Request;
use http::Response;
use http::header::AUTHORIZATION;
use tower::BoxError;
use tower::Service;

use crate::body::BodyPolicy;
use crate::body::DrainPolicy;
use crate::body::Replay;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::oauth2::layer::Shared;
use crate::token::Identity;

/// A request that went out with a token.
pub(super) struct Sent {
    pub(super) shared: Arc<Shared>,
    pub(super) identity: Identity,
    /// Of the token.
    pub(super) serial: u64,
}

/// All that is needed to send a request a second time.
pub(super) struct Again<S, B> {
    /// A clone that has not been asked whether it is ready.
    service: S,
    request: Request<B>,
}

/// A request that has to wait.
pub(super) struct Cold<P> {
    pub(super) shared: Arc<Shared>,
    pub(super) identity: Identity,
    /// Whether a new token was asked for.
    pub(super) fresh: bool,
    pub(super) policy: P,
}

impl<S, B> Again<S, B> {
    /// Of `first`, with another body.
    pub(super) fn new<A>(service: S, first: &Request<A>, body: B) -> Self {
        let mut request = Request::new(body);
        *request.method_mut() = first.method().clone();
        *request.uri_mut() = first.uri().clone();
        *request.version_mut() = first.version();
        *request.headers_mut() = first.headers().clone();
        *request.extensions_mut() = first.extensions().clone();
        Self { service, request }
    }
}

impl Sent {
    /// Whether `response` refuses the token; then it is not given out again.
    pub(super) fn is_refused_by<R>(&self, response: &Response<R>) -> bool {
        let is_refused = self.shared.refusal.matches(response);
        if is_refused {
            self.shared.manager.refused(&self.identity, self.serial);
        }
        is_refused
    }

    /// Gets another token and sends the request with it, once. Where there is no other token, `refusal` is delivered.
    pub(super) async fn send_again<S, B, R, P>(
        mut self,
        mut again: Again<S, B>,
        refusal: Response<R>,
        policy: P,
    ) -> Result<Response<R>, BoxError>
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        P: DrainPolicy<R>,
    {
        let Ok(published) = self.shared.manager.acquire(&self.identity).await else {
            return Ok(refusal);
        };
        policy.drain(refusal.into_body()).await;
        poll_fn(|context| again.service.poll_ready(context)).await.map_err(Into::into)?;
        self.serial = published.serial;
        attach(&mut again.request, published.header.clone());
        let response = again.service.call(again.request).await.map_err(Into::into)?;
        // Also a second refusal counts against the token; it is delivered all the same.
        self.is_refused_by(&response);
        Ok(response)
    }
}

impl<P> Cold<P> {
    /// Waits for a token, reads the body if it is to be sent again, and sends the request through the ready `service`.
    pub(super) async fn send<S, B, R>(
        self,
        mut service: S,
        request: Request<B>,
        replay: Replay<B>,
    ) -> Result<Response<R>, BoxError>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        P: BodyPolicy<B> + DrainPolicy<R>,
    {
        let Self { shared, identity, fresh, policy } = self;
        let (mut request, second) = double(&policy, request, replay).await?;
        let published = if fresh {
            shared.manager.acquire_another(&identity).await?
        } else {
            shared.manager.acquire(&identity).await?
        };
        attach(&mut request, published.header.clone());
        let again = second.map(|body| Again::new(service.clone(), &request, body));
        let sent = Sent { shared, identity, serial: published.serial };
        drop(published);
        let response = service.call(request).await.map_err(Into::into)?;
        match again {
            Some(again) if sent.is_refused_by(&response) => sent.send_again(again, response, policy).await,
            Some(_) => Ok(response),
            None => {
                sent.is_refused_by(&response);
                Ok(response)
            }
        }
    }
}

/// A second body for the request, if it may be sent again.
async fn double<B, P: BodyPolicy<B>>(
    policy: &P,
    request: Request<B>,
    replay: Replay<B>,
) -> Result<(Request<B>, Option<B>), Error> {
    let limit = match replay {
        Replay::Never => return Ok((request, None)),
        Replay::With(body) => return Ok((request, Some(body))),
        Replay::AfterReading(limit) => limit,
    };
    let (parts, body) = request.into_parts();
    let rebuild = policy.rebuild().ok_or_else(|| Error::new(ErrorKind::BodyUnreadable))?;
    let bytes = rebuild.read(body, limit).await?;
    let second = rebuild.make(bytes.clone());
    Ok((Request::from_parts(parts, rebuild.make(bytes)), Some(second)))
}

/// Replaces whatever `Authorization` there is.
fn attach<B>(request: &mut Request<B>, header: HeaderValue) {
    request.headers_mut().insert(AUTHORIZATION, header);
}
