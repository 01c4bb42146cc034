//! Signing and sending: at once, after what a request has to wait for, and once more.

use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Version;
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use pin_project_lite::pin_project;
use tower::BoxError;
use tower::Service;

use crate::body::Gathered;
use crate::body::Rebuild;
use crate::error::Error;
use crate::lanes::Share;
use crate::lanes::Spread;
use crate::oauth1::OAuthProblem;
use crate::oauth1::head::Head;
use crate::oauth1::instruction::Instruction;
use crate::oauth1::layer::Identity;
use crate::oauth1::layer::Shared;
use crate::oauth1::layer::Target;
use crate::oauth1::signers::Prepared;
use crate::oauth1::skew::Stamp;
use crate::oauth1::spare::Spare;
use crate::oauth1::view::View;
use crate::observe;

/// What ends with the wrapped service having the request.
pub(super) type Sending<F> = Pin<Box<dyn Future<Output = Result<Sent<F>, BoxError>> + Send>>;

/// A request that the wrapped service has.
pub(super) struct Sent<F> {
    pub(super) future: F,
    pub(super) watch: Watch<F>,
}

/// What is needed to understand the response to a signed request.
pub(super) struct Watch<F> {
    held: Held<F>,
    /// None when the layer has one identity.
    prepared: Option<Arc<Prepared>>,
    /// None when the layer does not look at clocks.
    stamp: Option<Stamp>,
}

/// The settings of the layer, by themselves or with a request.
enum Held<F> {
    Shared(Share<Shared>),
    Again(Pin<Box<dyn Again<F> + Send>>),
}

/// A request that can be sent again.
///
/// Only what is behind it knows the types of service and body, so that the future of a response need not.
trait Again<F> {
    /// The settings of the layer.
    fn shared(&self) -> Option<&Shared>;

    /// Signs the request anew and sends it; `None` if that may not be.
    fn send(self: Pin<Box<Self>>, prepared: Option<Arc<Prepared>>) -> Option<Sending<F>>;
}

pin_project! {
    /// What is kept of a request, in one piece of memory: while its body is read, and until it was accepted.
    pub(super) struct Kept<S, B> {
        // None when the request is not sent again.
        copied: Option<Copied<S>>,
        // For another time.
        body: Option<Body<B>>,
        // It is read where it lies, because it may not be moved then.
        #[pin]
        unread: Option<B>,
    }
}

/// A copy of a request without its body.
pub(super) struct Copied<S> {
    spare: Share<Spare<S>>,
    head: Head,
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
pub(super) enum Draft<S, B> {
    /// Its body is not looked at.
    Whole(Request<B>, Option<Pin<Box<Kept<S, B>>>>),
    /// Its body is read first.
    Unread(Parts, Unread<S, B>),
}

/// The body of a request, while it is read.
pub(super) struct Unread<S, B> {
    kept: Pin<Box<Kept<S, B>>>,
    gathered: Gathered,
    rebuild: Rebuild<B>,
}

impl<S, B> Kept<S, B> {
    /// To send a request again with this `body`.
    pub(super) fn to_send_again(copied: Copied<S>, body: B) -> Pin<Box<Self>> {
        Box::pin(Self { copied: Some(copied), body: Some(Body::Unread(body)), unread: None })
    }
}

impl<S> Copied<S> {
    pub(super) fn of(spare: &Spread<Spare<S>>, view: &View<'_>, version: Version) -> Self {
        Self { spare: spare.share(), head: Head::of(view, version) }
    }
}

impl<S, B> Unread<S, B> {
    /// Of a body that is to be read within this limit in bytes.
    pub(super) fn new(body: B, copied: Option<Copied<S>>, limit: usize, rebuild: Rebuild<B>) -> Self {
        let kept = Box::pin(Kept { copied, body: None, unread: Some(body) });
        Self { kept, gathered: Gathered::new(limit), rebuild }
    }

    /// Reads the body; without a context only as far as it is at hand.
    pub(super) fn poll_read(&mut self, context: Option<&mut Context<'_>>) -> Poll<Result<Bytes, Error>> {
        match self.kept.as_mut().project().unread.as_pin_mut() {
            Some(body) => self.rebuild.poll_read(body, context, &mut self.gathered),
            None => Poll::Ready(Ok(Bytes::new())),
        }
    }
}

/// Signs a request whose body was read, and is these `bytes`, and sends it.
#[inline]
pub(super) fn send_read<S, B>(
    (shared, share): (&Shared, impl FnOnce() -> Share<Shared>),
    service: &mut S,
    mut head: Parts,
    (read, bytes): (Unread<S, B>, Bytes),
    prepared: Option<Arc<Prepared>>,
    target: Target<'_>,
) -> Result<Sent<S::Future>, Error>
where
    S: Service<Request<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    B: Send + 'static,
{
    let Unread { mut kept, rebuild, .. } = read;
    let (instruction, stamp) = instruct(shared, prepared.as_ref(), &View::of_parts(&head), &bytes, target)?;
    let form = instruction.apply_to_parts(&mut head)?;
    let mut this = kept.as_mut().project();
    this.unread.set(None);
    let (body, held) = if this.copied.is_some() {
        let body = rebuild.make(form.unwrap_or_else(|| bytes.clone()));
        *this.body = Some(Body::Read(bytes, rebuild));
        (body, Held::Again(kept))
    } else {
        (rebuild.make(form.unwrap_or(bytes)), Held::Shared(share()))
    };
    let watch = Watch { held, prepared, stamp };
    Ok(Sent { future: service.call(Request::from_parts(head, body)), watch })
}

/// Signs a request whose body is not looked at, and sends it.
#[inline]
pub(super) fn send_whole<S, B>(
    (shared, share): (&Shared, impl FnOnce() -> Share<Shared>),
    service: &mut S,
    mut request: Request<B>,
    kept: Option<Pin<Box<Kept<S, B>>>>,
    prepared: Option<Arc<Prepared>>,
    target: Target<'_>,
) -> Result<Sent<S::Future>, Error>
where
    S: Service<Request<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    B: Send + 'static,
{
    // There is no new body: a form would have been read.
    let (instruction, stamp) = instruct(shared, prepared.as_ref(), &View::of(&request), &[], target)?;
    instruction.apply(&mut request)?;
    let held = match kept {
        Some(kept) => Held::Again(kept),
        None => Held::Shared(share()),
    };
    let watch = Watch { held, prepared, stamp };
    Ok(Sent { future: service.call(request), watch })
}

impl<S, B> Draft<S, B>
where
    S: Service<Request<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    B: Send + 'static,
{
    /// Waits for the credentials of its key and until its body was read, signs the request, and sends it through the
    /// `service`, which is ready.
    pub(super) fn send(
        self,
        shared: Share<Shared>,
        mut service: S,
        identity: Identity,
        target: Target<'_>,
    ) -> impl Future<Output = Result<Sent<S::Future>, BoxError>> + Send + use<S, B> {
        let (stand_in, server) = (target.stand_in.cloned(), target.server);
        async move {
            let prepared = shared.prepare(identity).await?;
            let target = Target { stand_in: stand_in.as_ref(), server };
            let shared = (&*shared, || shared.again());
            Ok(match self {
                Self::Whole(request, kept) => {
                    send_whole(shared, &mut service, request, kept, prepared, target)?
                }
                Self::Unread(head, mut unread) => {
                    let bytes = poll_fn(|context| unread.poll_read(Some(context))).await?;
                    send_read(shared, &mut service, head, (unread, bytes), prepared, target)?
                }
            })
        }
    }
}

impl<S, B> Again<S::Future> for Kept<S, B>
where
    S: Service<Request<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    B: Send + 'static,
{
    fn shared(&self) -> Option<&Shared> {
        self.copied.as_ref().map(|copied| &**copied.spare.shared())
    }

    fn send(mut self: Pin<Box<Self>>, prepared: Option<Arc<Prepared>>) -> Option<Sending<S::Future>> {
        let this = self.as_mut().project();
        let (Copied { spare, head }, body) = (this.copied.take()?, this.body.take()?);
        let (mut service, mut head, shared) = (spare.get()?, head.restore()?, spare.shared().share());
        // A predicate may have changed its mind since the request went out the first time.
        let target = shared.target(&head.uri).ok().flatten()?;
        let (stand_in, server) = (target.stand_in.cloned(), target.server);
        let retry = observe::retry("clock_corrected");
        let span = retry.span().clone();
        retry.sent();
        Some(Box::pin(span.around(async move {
            poll_fn(|context| service.poll_ready(context)).await.map_err(Into::into)?;
            let target = Target { stand_in: stand_in.as_ref(), server };
            let read = match &body {
                Body::Read(bytes, _) => bytes,
                Body::Unread(_) => &Bytes::new(),
            };
            let view = View::of_parts(&head);
            let (instruction, stamp) = instruct(&shared, prepared.as_ref(), &view, read, target)?;
            let form = instruction.apply_to_parts(&mut head)?;
            let body = match body {
                Body::Read(bytes, rebuild) => rebuild.make(form.unwrap_or(bytes)),
                Body::Unread(body) => body,
            };
            // Not a third time.
            let watch = Watch { held: Held::Shared(shared), prepared, stamp };
            Ok(Sent { future: service.call(Request::from_parts(head, body)), watch })
        })))
    }
}

impl<F> Watch<F> {
    /// Whether there is nothing to learn from the response, as from nearly all.
    #[inline]
    pub(super) fn is_plain<R>(&self, response: &Response<R>) -> bool {
        (response.status().is_success() || response.status().is_redirection())
            && !response.headers().contains_key(WWW_AUTHENTICATE)
            && !self.stamp.as_ref().is_some_and(Stamp::is_by_a_guess)
    }

    /// Learns from the response. What is returned sends the request once more, in the place of this response.
    #[inline(never)]
    pub(super) fn look<R>(self, response: &mut Response<R>) -> Option<Sending<F>> {
        let Self { held, prepared, stamp } = self;
        let shared = match &held {
            Held::Shared(shared) => shared,
            Held::Again(again) => again.shared()?,
        };
        let status = response.status();
        let problem = OAuthProblem::from_headers(response.headers());
        if status == StatusCode::UNAUTHORIZED || problem.is_some() {
            observe::refused(status.as_u16());
        }
        let is_token_refused = problem.as_ref().is_some_and(OAuthProblem::is_token_refused);
        if let (StatusCode::UNAUTHORIZED, true, Some(prepared)) = (status, is_token_refused, &prepared) {
            shared.forget_refused(prepared);
        }
        let is_corrected = shared.skew.as_ref().zip(stamp).is_some_and(|(skew, stamp)| {
            let clock = shared.signer(prepared.as_ref()).shared_clock();
            skew.hear(clock, &stamp, status, response.headers(), problem.as_ref())
        });
        if let (true, Held::Again(again)) = (is_corrected, held) {
            if let Some(sending) = again.send(prepared) {
                return Some(sending);
            }
        }
        if let Some(problem) = problem {
            response.extensions_mut().insert(problem);
        }
        None
    }
}

/// Says what to change in a request so that it is signed now.
#[inline]
fn instruct(
    shared: &Shared,
    prepared: Option<&Arc<Prepared>>,
    view: &View<'_>,
    body: &[u8],
    target: Target<'_>,
) -> Result<(Instruction, Option<Stamp>), Error> {
    let signer = shared.signer(prepared);
    let skew = shared.skew.as_ref().zip(target.server);
    let stamp = skew.map(|(skew, server)| skew.stamp(signer.shared_clock(), server));
    let instruction = match &stamp {
        Some(stamp) => signer.instruct_at(view, body, target.stand_in, stamp.seconds)?,
        None => signer.instruct(view, body, target.stand_in)?,
    };
    let (method, placement) = signer.manner();
    shared.signatures.signed(method, placement.as_str());
    Ok((instruction, stamp))
}
