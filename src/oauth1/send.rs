//! Signing and sending: at once, after what a request has to wait for, and once more.

use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::StatusCode;
use http::request::Parts;
use tower::BoxError;
use tower::Service;

use crate::body::Rebuild;
use crate::error::Error;
use crate::oauth1::OAuthProblem;
use crate::oauth1::instruction::Instruction;
use crate::oauth1::layer::Identity;
use crate::oauth1::layer::Shared;
use crate::oauth1::signers::Prepared;
use crate::oauth1::skew::Stamp;
use crate::oauth1::view::View;
use crate::observe;
use crate::origin::Admission;
use crate::origin::Origin;

/// What ends with the wrapped service having the request.
pub(super) type Sending<F> = Pin<Box<dyn Future<Output = Result<Sent<F>, BoxError>> + Send>>;

/// A request that the wrapped service has.
pub(super) struct Sent<F> {
    pub(super) future: F,
    pub(super) watch: Watch<F>,
}

/// What is needed to understand the response to a signed request.
pub(super) struct Watch<F> {
    shared: Arc<Shared>,
    prepared: Arc<Prepared>,
    /// None when the layer does not look at clocks.
    stamp: Option<Stamp>,
    again: Option<Box<dyn Again<F> + Send>>,
}

/// A request that can be sent again.
///
/// Only what is behind it knows the types of service and body, so that the future of a response need not.
trait Again<F> {
    /// Signs the request anew and sends it; `None` if that may not be.
    fn send(self: Box<Self>, shared: Arc<Shared>, prepared: Arc<Prepared>) -> Option<Sending<F>>;
}

/// A copy of a request.
pub(super) struct Copied<S, B> {
    /// A clone that was not asked whether it is ready.
    service: S,
    head: Parts,
    body: Body<B>,
}

/// The body of a request.
enum Body<B> {
    /// One that was read, and how to make it again.
    Read(Bytes, Rebuild<B>),
    /// One that signing does not look at.
    Unread(B),
}

/// What is done with a body before it is sent.
pub(super) enum Reading<B> {
    /// It is read, within this limit in bytes, and made again.
    Read(usize, Rebuild<B>),
    /// It is left alone. With a second one, the request can be sent again.
    Leave(Option<B>),
}

/// A request that has to wait: for the credentials of its key, or until its body was read.
pub(super) struct Waiting<S, B> {
    pub(super) shared: Arc<Shared>,
    pub(super) ready: S,
    pub(super) request: Request<B>,
    pub(super) reading: Reading<B>,
    pub(super) identity: Identity,
    pub(super) stand_in: Option<Origin<'static>>,
}

/// Signs a request whose body is not looked at, and sends it.
pub(super) fn send_now<S, B>(
    shared: &Arc<Shared>,
    service: &mut S,
    mut request: Request<B>,
    again: Option<Box<Copied<S, B>>>,
    prepared: Arc<Prepared>,
    stand_in: Option<&Origin<'_>>,
) -> Result<Sent<S::Future>, Error>
where
    S: Service<Request<B>> + Send + 'static,
    S::Error: Into<BoxError>,
    B: Send + 'static,
{
    // There is no new body: a form would have been read.
    let (instruction, stamp) = instruct(shared, &prepared, &View::of(&request), &[], stand_in)?;
    instruction.apply(&mut request)?;
    let again = again.map(|again| again as Box<dyn Again<S::Future> + Send>);
    let watch = Watch { shared: Arc::clone(shared), prepared, stamp, again };
    Ok(Sent { future: service.call(request), watch })
}

impl<S, B> Waiting<S, B>
where
    S: Service<Request<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    B: Send + 'static,
{
    /// Waits, signs the request, and sends it.
    pub(super) async fn send(self) -> Result<Sent<S::Future>, BoxError> {
        let Self { shared, mut ready, request, reading, identity, stand_in } = self;
        let prepared = shared.prepare(identity).await?;
        let (limit, rebuild) = match reading {
            Reading::Read(limit, rebuild) => (limit, rebuild),
            Reading::Leave(second) => {
                let again = second.map(|body| Copied::of(ready.clone(), &request, body));
                return Ok(send_now(&shared, &mut ready, request, again, prepared, stand_in.as_ref())?);
            }
        };
        let (head, body) = request.into_parts();
        let bytes = rebuild.read(body, limit).await?;
        let copied = shared.skew.is_some().then(|| (ready.clone(), head.clone()));
        let body = Body::Read(bytes, rebuild);
        let Signed { request, body, stamp } = sign(&shared, &prepared, head, body, stand_in.as_ref())?;
        let again = copied.zip(body).map(|((service, head), body)| -> Box<dyn Again<S::Future> + Send> {
            Box::new(Copied { service, head, body })
        });
        let watch = Watch { shared, prepared, stamp, again };
        Ok(Sent { future: ready.call(request), watch })
    }
}

impl<S, B> Copied<S, B> {
    /// Of `first`, with another body.
    pub(super) fn of(service: S, first: &Request<B>, body: B) -> Box<Self> {
        let mut copy = Request::new(());
        *copy.method_mut() = first.method().clone();
        *copy.uri_mut() = first.uri().clone();
        *copy.version_mut() = first.version();
        *copy.headers_mut() = first.headers().clone();
        *copy.extensions_mut() = first.extensions().clone();
        let (head, ()) = copy.into_parts();
        Box::new(Self { service, head, body: Body::Unread(body) })
    }
}

impl<S, B> Again<S::Future> for Copied<S, B>
where
    S: Service<Request<B>> + Send + 'static,
    S::Error: Into<BoxError>,
    B: Send + 'static,
{
    fn send(self: Box<Self>, shared: Arc<Shared>, prepared: Arc<Prepared>) -> Option<Sending<S::Future>> {
        let Self { mut service, head, body } = *self;
        // A predicate may have changed its mind since the request went out the first time.
        let stand_in = match shared.admit(&head.uri) {
            Ok(Admission::Absolute) => None,
            Ok(Admission::Relative(origin)) => Some(origin.clone()),
            Ok(Admission::Foreign) | Err(_) => return None,
        };
        let retry = observe::retry("clock_corrected");
        let span = retry.span().clone();
        retry.sent();
        Some(Box::pin(span.around(async move {
            poll_fn(|context| service.poll_ready(context)).await.map_err(Into::into)?;
            let Signed { request, stamp, .. } = sign(&shared, &prepared, head, body, stand_in.as_ref())?;
            // Not a third time.
            let watch = Watch { shared, prepared, stamp, again: None };
            Ok(Sent { future: service.call(request), watch })
        })))
    }
}

impl<F> Watch<F> {
    /// Learns from the response. What is returned sends the request once more, in the place of this response.
    pub(super) fn look<R>(self, response: &mut Response<R>) -> Option<Sending<F>> {
        let Self { shared, prepared, stamp, again } = self;
        let status = response.status();
        let problem = OAuthProblem::from_headers(response.headers());
        if status == StatusCode::UNAUTHORIZED || problem.is_some() {
            observe::refused(status.as_u16());
        }
        if status == StatusCode::UNAUTHORIZED && problem.as_ref().is_some_and(OAuthProblem::is_token_refused)
        {
            shared.forget_refused(&prepared);
        }
        if let (Some(skew), Some(stamp)) = (&shared.skew, stamp) {
            let clock = prepared.signer.shared_clock();
            let is_corrected = skew.hear(clock, &stamp, status, response.headers(), problem.as_ref());
            let again = again.filter(|_| is_corrected);
            if let Some(sending) =
                again.and_then(|again| again.send(Arc::clone(&shared), Arc::clone(&prepared)))
            {
                return Some(sending);
            }
        }
        if let Some(problem) = problem {
            response.extensions_mut().insert(problem);
        }
        None
    }
}

/// A request with its signature.
struct Signed<B> {
    request: Request<B>,
    /// What was read of the body, for another time.
    body: Option<Body<B>>,
    stamp: Option<Stamp>,
}

/// Signs a request.
fn sign<B>(
    shared: &Shared,
    prepared: &Prepared,
    mut head: Parts,
    body: Body<B>,
    stand_in: Option<&Origin<'_>>,
) -> Result<Signed<B>, Error> {
    let read = match &body {
        Body::Read(bytes, _) => bytes,
        Body::Unread(_) => &Bytes::new(),
    };
    let (instruction, stamp) = instruct(shared, prepared, &View::of_parts(&head), read, stand_in)?;
    let form = instruction.apply_to_parts(&mut head)?;
    let (body, again) = match body {
        Body::Read(bytes, rebuild) => {
            let body = rebuild.make(form.unwrap_or_else(|| bytes.clone()));
            (body, Some(Body::Read(bytes, rebuild)))
        }
        Body::Unread(body) => (body, None),
    };
    Ok(Signed { request: Request::from_parts(head, body), body: again, stamp })
}

/// Says what to change in a request so that it is signed now.
fn instruct(
    shared: &Shared,
    prepared: &Prepared,
    view: &View<'_>,
    body: &[u8],
    stand_in: Option<&Origin<'_>>,
) -> Result<(Instruction, Option<Stamp>), Error> {
    let signer = &prepared.signer;
    let stamp = shared.skew.as_ref().and_then(|skew| match stand_in {
        Some(origin) => Some(skew.stamp(signer.shared_clock(), origin)),
        None => Origin::of(view.uri).map(|origin| skew.stamp(signer.shared_clock(), &origin)),
    });
    let instruction = match &stamp {
        Some(stamp) => signer.instruct_at(view, body, stand_in, stamp.seconds)?,
        None => signer.instruct(view, body, stand_in)?,
    };
    let (method, placement) = signer.manner();
    shared.signatures.signed(method, placement.as_str());
    Ok((instruction, stamp))
}
