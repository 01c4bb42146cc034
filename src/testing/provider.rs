//! The provider itself: which endpoint answers what, and what a test may ask of it.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::time::SystemTime;

use http::Request;
use http::Response;
use http::StatusCode;
use http::request::Parts;
use tower::BoxError;
use tower::Service;

use crate::secret::Secret;
use crate::testing::answer;
use crate::testing::body::Body;
#[cfg(feature = "jwt")]
use crate::testing::bounded::Bounded;
use crate::testing::builder::ProviderBuilder;
use crate::testing::builder::Settings;
use crate::testing::faults::Fault;
use crate::testing::faults::Faults;
use crate::testing::hold::Held;
use crate::testing::hold::Hold;
use crate::testing::hold::Holds;
use crate::testing::incoming;
use crate::testing::incoming::Incoming;
use crate::testing::oauth1;
use crate::testing::oauth2;
use crate::testing::serve;
use crate::testing::serve::Served;
use crate::testing::stats::SeenRequest;
use crate::testing::stats::Stats;

/// Requests that are remembered.
const REMEMBERED: usize = 256;
/// Identifiers of assertions that are remembered.
#[cfg(feature = "jwt")]
const SEEN: usize = 10_000;

/// An OAuth 1.0a and OAuth 2 provider, with resources that it protects, in this process. See the
/// [module docs](super).
///
/// It is a tower service for requests with any body, and clones share everything: settings, tokens, faults, counts.
/// Nothing of it is fit for production.
#[derive(Clone)]
pub struct Provider {
    settings: Arc<Settings>,
    state: Arc<Mutex<State>>,
}

/// Everything that changes. The lock is never held across an await.
#[derive(Default)]
pub(super) struct State {
    pub(super) stats: Stats,
    pub(super) tokens: oauth2::Tokens,
    pub(super) pushed: oauth2::Pushed,
    pub(super) devices: oauth2::Devices,
    pub(super) oauth1: oauth1::Memory,
    /// The identifiers of the assertions of clients (RFC 7523 §3).
    #[cfg(feature = "jwt")]
    pub(super) assertions: Seen,
    faults: Faults,
    holds: Holds,
    /// The last requests, each with its number.
    seen: VecDeque<(u64, SeenRequest)>,
    next_request: u64,
}

/// Identifiers that must not come again.
#[cfg(feature = "jwt")]
pub(super) struct Seen(Bounded<String, ()>);

#[cfg(feature = "jwt")]
impl Seen {
    /// Remembers an identifier; `false` when it was there before.
    pub(super) fn insert(&mut self, identifier: String) -> bool {
        self.0.insert(identifier, ())
    }
}

#[cfg(feature = "jwt")]
impl Default for Seen {
    fn default() -> Self {
        Self(Bounded::new(SEEN))
    }
}

/// What a request has to go through.
struct Arrival {
    number: u64,
    holds: Vec<Held>,
    fault: Option<Fault>,
}

/// A token of [`Provider::issue`], as if a user had logged in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Issued {
    /// The access token.
    pub access_token: Secret,
    /// The refresh token.
    pub refresh_token: Secret,
    /// When the access token expires, by the provider's clock.
    pub expires_at: SystemTime,
    /// The scope, as it was asked for.
    pub scope: String,
}

impl Provider {
    /// A provider with these clients, and the defaults of [`ProviderBuilder`]:
    ///
    /// | what | name | secret |
    /// |---|---|---|
    /// | OAuth 2 client | `test-client` | `test-secret` |
    /// | OAuth 2 public client | `test-app` | |
    /// | user | `test-user` | `test-password` |
    /// | service account (feature `jwt`) | `test-robot@example.com` | the key of [`service_account`](super::service_account) |
    /// | OAuth 1.0a client | `consumer-key` | `consumer-secret` |
    /// | OAuth 1.0a token | `token` | `token-secret` |
    pub fn new() -> Self {
        Self::builder().test_clients().build()
    }

    /// Sets a provider up, which has no clients at first.
    pub fn builder() -> ProviderBuilder {
        ProviderBuilder::new()
    }

    /// Answers HTTP/1.1 on a free port of 127.0.0.1 as well, until what it returns is dropped. Needs a tokio runtime with
    /// I/O and time.
    ///
    /// # Errors
    /// Those of binding the port.
    pub async fn serve(&self) -> io::Result<Served> {
        serve::serve(self.clone()).await
    }

    /// This provider as a service for requests with one body type, for those who take any body type that their service
    /// does, and cannot choose when it takes all of them.
    pub fn client(&self) -> Client {
        Client(self.clone())
    }

    /// A token for this client, as if a user had just logged in. The tokens start a family of their own.
    pub fn issue(&self, client_id: &str, scope: &str) -> Issued {
        let expires_at = self.settings.expiry(self.settings.clock.now());
        self.lock().tokens.issue_to_user(client_id, self.settings.approving_user(), scope, expires_at)
    }

    /// Revokes an access token, behind the client's back; `false` when it is unknown.
    pub fn revoke(&self, access_token: &str) -> bool {
        self.lock().tokens.revoke_access(access_token)
    }

    /// Revokes every access token there is, behind the clients' backs. Refresh tokens stay good.
    pub fn revoke_all_access_tokens(&self) {
        self.lock().tokens.revoke_all_access();
    }

    /// Revokes every login: refresh tokens, and the access tokens got from them.
    pub fn revoke_all_logins(&self) {
        let mut state = self.lock();
        let revoked = state.tokens.revoke_all_families();
        state.stats.families_revoked += revoked;
    }

    /// The user approves on the page of [`/device`](super), after having entered this code; `false` when it is unknown.
    pub fn approve_device(&self, user_code: &str) -> bool {
        self.lock().devices.decide(user_code, true)
    }

    /// The user refuses there.
    pub fn deny_device(&self, user_code: &str) -> bool {
        self.lock().devices.decide(user_code, false)
    }

    /// Lets something go wrong with a request to come. Faults for the same path happen in the order in which they were
    /// injected, one for each request.
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Forgets the faults that have not happened yet.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// Holds every request to `path` until what it returns is released or dropped, so that a test decides when the
    /// endpoint answers, without sleeping.
    pub fn hold(&self, path: impl Into<String>) -> Hold {
        self.lock().holds.add(path.into())
    }

    /// What the provider saw until now.
    pub fn stats(&self) -> Stats {
        let state = self.lock();
        let requests = state.seen.iter().map(|(_, seen)| seen.clone()).collect();
        Stats { requests, ..state.stats.clone() }
    }

    /// Starts counting and remembering anew. Tokens, nonces, faults and holds stay.
    pub fn reset_stats(&self) {
        let mut state = self.lock();
        state.stats = Stats::default();
        state.seen.clear();
    }

    pub(super) fn with(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), state: Arc::default() }
    }

    /// Answers one request.
    pub(super) async fn answer<B>(self, request: Request<B>) -> io::Result<Response<Body>>
    where
        B: http_body::Body,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let arrival = self.arrived(&parts);
        for hold in arrival.holds {
            hold.released().await;
        }
        let answer = match arrival.fault {
            None => self.process(parts, body).await?,
            Some(fault) => {
                if !fault.waits_after_processing() {
                    fault.wait().await;
                }
                let real = if fault.processes() { Some(self.process(parts, body).await?) } else { None };
                if fault.waits_after_processing() {
                    fault.wait().await;
                }
                fault.answer(real).await?
            }
        };
        self.answered(arrival.number, answer.status());
        Ok(answer)
    }

    /// Records an arrival, and says what it has to go through.
    fn arrived(&self, parts: &Parts) -> Arrival {
        let path = incoming::endpoint(parts);
        let seen = SeenRequest::new(parts.method.clone(), path, &parts.headers, self.settings.clock.now());
        let mut state = self.lock();
        if state.seen.len() == REMEMBERED {
            state.seen.pop_front();
        }
        let number = state.next_request;
        state.next_request += 1;
        state.seen.push_back((number, seen));
        if path == "/token" {
            state.stats.token_requests += 1;
        }
        let fault = state.faults.take(path);
        if fault.is_some() {
            state.stats.faults += 1;
        }
        Arrival { number, holds: state.holds.on(path), fault }
    }

    fn answered(&self, number: u64, status: StatusCode) {
        let mut state = self.lock();
        let seen = state.seen.iter_mut().find(|(known, _)| *known == number);
        if let Some((_, seen)) = seen {
            seen.status = Some(status);
        }
    }

    async fn process<B>(&self, parts: Parts, body: B) -> io::Result<Response<Body>>
    where
        B: http_body::Body,
        B::Error: Into<BoxError>,
    {
        let Some(request) = Incoming::read(parts, body, &self.settings.origin).await? else {
            return Ok(answer::text(StatusCode::PAYLOAD_TOO_LARGE, "The form is longer than 1 MiB.\n"));
        };
        let now = self.settings.clock.now();
        Ok(route(&self.settings, &mut self.lock(), now, &request))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, and counts are good enough if something did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The endpoint for a path.
fn route(settings: &Settings, state: &mut State, now: SystemTime, request: &Incoming) -> Response<Body> {
    let path = request.endpoint.as_str();
    let is_under =
        |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match path {
        "/token" => oauth2::token(settings, state, now, request),
        "/authorize" => oauth2::authorize(settings, state, now, request),
        "/par" => oauth2::push(settings, state, now, request),
        "/device_authorization" => oauth2::device_authorization(settings, state, now, request),
        "/device" => oauth2::device(state, request),
        "/introspect" => oauth2::introspect(settings, state, now, request),
        "/tokeninfo" => oauth2::tokeninfo(state, now, request),
        "/revoke" => oauth2::revoke(settings, state, request),
        "/oauth1/initiate" => oauth1::initiate(settings, state, now, request),
        "/oauth1/authorize" => oauth1::authorize(state, request),
        "/oauth1/token" => oauth1::token(settings, state, now, request),
        _ if is_under("/oauth1/resource") => oauth1::resource(settings, state, now, request),
        _ if is_under("/resource") => oauth2::resource(state, now, request),
        _ if is_under("/grpc") || oauth2::is_grpc(request) => oauth2::grpc(state, now, request),
        _ => answer::text(
            StatusCode::NOT_FOUND,
            "The provider has /token, /authorize, /revoke, /resource, /grpc, /oauth1/initiate, /oauth1/authorize, \
             /oauth1/token and /oauth1/resource.\n",
        ),
    }
}

impl Default for Provider {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Provider").field("origin", &self.settings.origin).finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for Provider
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = io::Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        ResponseFuture(Box::pin(self.clone().answer(request)))
    }
}

/// A [`Provider`] for requests with one body type; see [`Provider::client`].
#[derive(Clone, Debug)]
pub struct Client(Provider);

impl Service<Request<Body>> for Client {
    type Response = Response<Body>;
    type Error = io::Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        self.0.call(request)
    }
}

/// The answer of a [`Provider`] that is called in the same process.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture(Pin<Box<dyn Future<Output = io::Result<Response<Body>>> + Send>>);

impl ResponseFuture {
    pub(super) fn failed(error: io::Error) -> Self {
        Self(Box::pin(std::future::ready(Err(error))))
    }
}

impl Future for ResponseFuture {
    type Output = io::Result<Response<Body>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ResponseFuture")
    }
}
