//! What happens to a request behind the hot path: waiting for a token, understanding the response, and sending again.

use std::future::poll_fn;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::request::Parts;
use tower::BoxError;
use tower::Service;

use crate::body::BodyPolicy;
use crate::body::DrainPolicy;
use crate::body::Rebuild;
use crate::body::Recorded;
use crate::body::Recorder;
use crate::body::Replay;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::lanes::Share;
use crate::oauth2::Refusal;
use crate::oauth2::insufficiency::Insufficiency;
use crate::oauth2::layer::Shared;
use crate::oauth2::layer::Wanted;
use crate::oauth2::layer::Whose;
use crate::oauth2::placement::check_form;
use crate::observe::Retry;
use crate::token::Identity;
use crate::token::Published;
use crate::token::Rush;
use crate::token::TokenManager;

/// A request that went out with a token.
pub(super) struct Sent {
    pub(super) shared: Share<Shared>,
    /// None when the token was not the manager's.
    pub(super) whose: Option<Whose>,
    /// Of the token.
    pub(super) serial: u32,
}

/// What a response means.
pub(super) enum Verdict {
    Deliver,
    /// The token was refused; it is not given out again.
    Refused,
    Fail(Error),
}

/// All that is needed to send a request a second time.
pub(super) struct Again<S, B> {
    /// A clone that has not been asked whether it is ready.
    service: S,
    /// Without a token.
    head: Parts,
    body: Body<B>,
}

/// What is done with a body before it is sent.
pub(super) enum Reading<B> {
    /// It is left alone. With a second one, the request can be sent again.
    Leave(Option<Body<B>>),
    /// It is recorded while it is sent, so that it can be sent again.
    Record(Recorder<B>),
    /// It is read, within this limit in bytes, so that it can be sent again.
    Whole(usize, Rebuild<B>),
    /// It is a form, which is read within this limit, and gets the token.
    Form(usize, Rebuild<B>),
}

/// A body that is ready to be sent.
pub(super) enum Body<B> {
    Whole(B),
    /// What was recorded of one that was sent.
    Recorded(Recorded<B>),
    /// A form that gets the token.
    Form(Bytes, Rebuild<B>),
}

/// A request that has to wait.
pub(super) struct Cold<P> {
    pub(super) shared: Share<Shared>,
    pub(super) wanted: Wanted,
    pub(super) policy: P,
}

impl<B> Reading<B> {
    /// What has to be done with the body of `request`. The policy is asked, unless it was before.
    pub(super) fn of<P: BodyPolicy<B>>(
        shared: &Shared,
        policy: &P,
        request: &Request<B>,
        replay: Option<Replay<B>>,
    ) -> Result<Self, Error> {
        if shared.attachment.as_ref().is_some_and(|attachment| attachment.is_form()) {
            check_form(request)?;
            return Ok(Self::Form(shared.form_limit, rebuild(policy)?));
        }
        Ok(match replay.unwrap_or_else(|| policy.replay(request.body())) {
            Replay::Never => Self::Leave(None),
            Replay::With(second) => Self::Leave(Some(Body::Whole(second))),
            Replay::AfterReading(limit) => Self::Whole(limit, rebuild(policy)?),
            Replay::Recording(recorder) => Self::Record(recorder),
        })
    }

    /// The same for a request whose body is recorded from now on, if that is to be.
    pub(super) fn begin(self, request: Request<B>) -> (Self, Request<B>) {
        let Self::Record(recorder) = self else { return (self, request) };
        let (head, body) = request.into_parts();
        let (body, recorded) = recorder.record(body);
        (Self::Leave(Some(Body::Recorded(recorded))), Request::from_parts(head, body))
    }
}

impl<S, B> Again<S, B> {
    /// The same, if its body can still be had.
    fn ready(mut self) -> Option<Self> {
        if let Body::Recorded(recorded) = self.body {
            self.body = Body::Whole(recorded.again()?);
        }
        Some(self)
    }

    /// Of `first`, which has no token yet, with another body.
    pub(super) fn new<A>(service: S, first: &Request<A>, body: Body<B>) -> Self {
        let mut copy = Request::new(());
        *copy.method_mut() = first.method().clone();
        *copy.uri_mut() = first.uri().clone();
        *copy.version_mut() = first.version();
        *copy.headers_mut() = first.headers().clone();
        *copy.extensions_mut() = first.extensions().clone();
        let (head, ()) = copy.into_parts();
        Self { service, head, body }
    }
}

impl Sent {
    fn identity(&self) -> Option<&Identity> {
        self.shared.identity(self.whose.as_ref()?)
    }

    /// Whether there is nothing to be understood about a response: so it is with nearly every one.
    #[inline]
    pub(super) fn is_plain<R>(&self, response: &Response<R>) -> bool {
        response.status().is_success() && !self.shared.refusal.is_possible_in_success()
    }

    /// Understands a response, and puts into its extensions what it lacks.
    #[inline(never)]
    pub(super) fn look<R>(&self, response: &mut Response<R>) -> Verdict {
        if self.is_plain(response) {
            return Verdict::Deliver;
        }
        let Shared { manager, refusal, insufficiency_is_error, .. } = &*self.shared;
        let token = (Some(manager), self.identity(), self.serial);
        look(response, token, refusal, *insufficiency_is_error)
    }

    /// Gets another token and sends the request with it, once. Where there is no other token, `refusal` is delivered.
    pub(super) async fn send_again<S, B, R, P>(
        self,
        again: Again<S, B>,
        refusal: Response<R>,
        policy: P,
    ) -> Result<Response<R>, BoxError>
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        P: DrainPolicy<R>,
    {
        // Nobody has to wait for a token that could not be used.
        let Some(again) = again.ready() else { return Ok(refusal) };
        let retry = self.shared.manager.telemetry().retry();
        let span = retry.span().clone();
        span.around(self.send_for(retry, again, refusal, policy)).await
    }

    async fn send_for<S, B, R, P>(
        mut self,
        retry: Retry,
        again: Again<S, B>,
        refusal: Response<R>,
        policy: P,
    ) -> Result<Response<R>, BoxError>
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        P: DrainPolicy<R>,
    {
        let Some(identity) = self.identity() else { return Ok(refusal) };
        let Ok(published) = self.shared.manager.acquire(identity).await else {
            retry.without_token();
            return Ok(refusal);
        };
        retry.sent();
        policy.drain(refusal.into_body()).await;
        let Again { mut service, head, body } = again;
        poll_fn(|context| service.poll_ready(context)).await.map_err(Into::into)?;
        self.serial = published.serial;
        let rush = self.whose.as_ref().map_or(Rush::Certain, Whose::rush);
        let request = complete(&self.shared, head, body, &published, rush)?;
        drop(published);
        let mut response = service.call(request).await.map_err(Into::into)?;
        // Also a second refusal counts against the token; it is delivered all the same.
        match self.look(&mut response) {
            Verdict::Deliver | Verdict::Refused => Ok(response),
            Verdict::Fail(error) => Err(error.into()),
        }
    }
}

/// Understands the response to a request that had a token of this manager, identity and serial number.
pub(super) fn look<R>(
    response: &mut Response<R>,
    (manager, identity, serial): (Option<&TokenManager>, Option<&Identity>, u32),
    refusal: &Refusal,
    insufficiency_is_error: bool,
) -> Verdict {
    let lack = Insufficiency::of(response, || {
        manager?.glance(identity?, |published| published.token.access_token().clone())
    });
    if refusal.matches(response, lack.is_some()) {
        if let Some(manager) = manager {
            manager.telemetry().refused(response.status().as_u16());
        }
        if let (Some(manager), Some(identity)) = (manager, identity) {
            manager.refused(identity, serial);
            return Verdict::Refused;
        }
    }
    match lack {
        Some(lack) if insufficiency_is_error => Verdict::Fail(lack.into_error(response.status())),
        Some(lack) => {
            lack.put_into(response);
            Verdict::Deliver
        }
        None => Verdict::Deliver,
    }
}

impl<P> Cold<P> {
    /// Reads the body if that is to be, waits for a token, and sends the request through the ready `service`.
    pub(super) async fn send<S, B, R>(
        self,
        mut service: S,
        request: Request<B>,
        reading: Reading<B>,
    ) -> Result<Response<R>, BoxError>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
        S::Error: Into<BoxError>,
        P: BodyPolicy<B> + DrainPolicy<R>,
    {
        let Self { shared, wanted, policy } = self;
        let (head, body) = request.into_parts();
        let (body, second) = read(&policy, body, reading).await?;
        let published = shared.acquire(&wanted).await?;
        let again = second.map(|body| Again { service: service.clone(), head: head.clone(), body });
        let request = complete(&shared, head, body, &published, wanted.rush())?;
        let serial = published.serial;
        drop(published);
        let sent = Sent { shared, whose: wanted.whose(), serial };
        let mut response = service.call(request).await.map_err(Into::into)?;
        match (sent.look(&mut response), again) {
            (Verdict::Fail(error), _) => Err(error.into()),
            (Verdict::Refused, Some(again)) => sent.send_again(again, response, policy).await,
            (Verdict::Refused, None) | (Verdict::Deliver, _) => Ok(response),
        }
    }
}

/// Reads a body, if it is to be read, and gives a second one, if the request may be sent again.
async fn read<B, P: BodyPolicy<B>>(
    policy: &P,
    body: B,
    reading: Reading<B>,
) -> Result<(Body<B>, Option<Body<B>>), Error> {
    match reading {
        Reading::Leave(second) => Ok((Body::Whole(body), second)),
        Reading::Record(recorder) => {
            let (body, recorded) = recorder.record(body);
            Ok((Body::Whole(body), Some(Body::Recorded(recorded))))
        }
        Reading::Whole(limit, rebuild) => {
            let bytes = rebuild.read(body, limit).await?;
            let second = rebuild.make(bytes.clone());
            Ok((Body::Whole(rebuild.make(bytes)), Some(Body::Whole(second))))
        }
        Reading::Form(limit, make) => {
            let bytes = make.read(body, limit).await?;
            let second = Body::Form(bytes.clone(), rebuild(policy)?);
            Ok((Body::Form(bytes, make), Some(second)))
        }
    }
}

fn rebuild<B, P: BodyPolicy<B>>(policy: &P) -> Result<Rebuild<B>, Error> {
    policy.rebuild().ok_or_else(|| Error::new(ErrorKind::BodyUnreadable))
}

/// Puts the token on a request.
fn complete<B>(
    shared: &Shared,
    mut head: Parts,
    body: Body<B>,
    published: &Published,
    rush: Rush,
) -> Result<Request<B>, Error> {
    shared.attach(&mut head, published, rush)?;
    let body = match (body, &shared.attachment) {
        (Body::Form(form, rebuild), Some(attachment)) => {
            rebuild.make(attachment.fill(&mut head.headers, &form, published)?)
        }
        (Body::Form(form, rebuild), None) => rebuild.make(form),
        (Body::Whole(body), _) => body,
        // Made ready before the request is completed.
        (Body::Recorded(recorded), _) => recorded.again().ok_or_else(|| Error::new(ErrorKind::BodyFailed))?,
    };
    Ok(Request::from_parts(head, body))
}
