//! Answers that go wrong, because a test wants them to.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Response;
use http::StatusCode;

use crate::testing::body::Body;
use crate::testing::body::dropped;

/// Size of the chunks of an endless body, in bytes.
const CHUNK: usize = 16 * 1024;

/// What goes wrong with the next request; see [`Provider::inject`](super::Provider::inject).
///
/// A new fault changes nothing. What is put on it either *decorates* the real answer ([`delay`](Self::delay),
/// [`header`](Self::header)) or *replaces* it (the rest). A replaced request is not processed: no token is issued or
/// spent. With [`after_processing`](Self::after_processing) it is processed first and only its answer is lost,
/// which is how a refresh token is spent without the client learning of its successor.
///
/// ```
/// use std::time::Duration;
/// use http::{HeaderValue, StatusCode, header};
/// use tower_oauth::testing::{Fault, Provider};
///
/// let provider = Provider::new();
/// // The next two token requests are told to come back later; the one after them is never answered.
/// let busy = Fault::new()
///     .status(StatusCode::SERVICE_UNAVAILABLE)
///     .header(header::RETRY_AFTER, HeaderValue::from_static("3"));
/// provider.inject(busy.on("/token").times(2));
/// provider.inject(Fault::new().never_answer().on("/token"));
/// // The next request to any path takes a while.
/// provider.inject(Fault::new().delay(Duration::from_millis(20)));
/// ```
#[derive(Clone)]
#[must_use = "a fault does nothing until `Provider::inject` takes it"]
pub struct Fault {
    path: Option<String>,
    times: u32,
    delay: Option<Duration>,
    headers: HeaderMap,
    status: Option<StatusCode>,
    body: Option<Bytes>,
    ending: Ending,
    after_processing: bool,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Whole,
    Endless,
    Dropped,
    Never,
}

impl Fault {
    /// Nothing goes wrong yet; once, for any path.
    pub fn new() -> Self {
        Self {
            path: None,
            times: 1,
            delay: None,
            headers: HeaderMap::new(),
            status: None,
            body: None,
            ending: Ending::Whole,
            after_processing: false,
        }
    }

    /// Only for requests to this path, without query. Default: to any path.
    pub fn on(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// For this many requests. Default: 1.
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Waits on tokio's clock before the request is processed or, with [`after_processing`](Self::after_processing),
    /// before it is answered.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Puts a header on the answer, in the place of one of the same name.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Answers with this status, and without a body unless [`body`](Self::body) gives one.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Answers with these bytes, and with status 200 unless [`status`](Self::status) says otherwise. Their media type
    /// is whatever [`header`](Self::header) says: none by default.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Answers with a body that does not end: the bytes of [`body`](Self::body), or 16 KiB of spaces, repeated.
    pub fn endless_body(mut self) -> Self {
        self.ending = Ending::Endless;
        self
    }

    /// Drops the connection instead of answering or, with [`body`](Self::body), after these bytes of the answer. A
    /// caller in the same process gets [`std::io::ErrorKind::ConnectionReset`].
    pub fn drop_connection(mut self) -> Self {
        self.ending = Ending::Dropped;
        self
    }

    /// Never answers. A connection stays open until the caller, or the [`Served`](super::Served) provider, is gone.
    pub fn never_answer(mut self) -> Self {
        self.ending = Ending::Never;
        self
    }

    /// Processes the request before its answer is replaced. Default: a replaced request is not processed.
    pub fn after_processing(mut self) -> Self {
        self.after_processing = true;
        self
    }
}

impl Default for Fault {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without headers and body, where a test may have put a token.
        formatter
            .debug_struct("Fault")
            .field("path", &self.path)
            .field("times", &self.times)
            .field("delay", &self.delay)
            .field("status", &self.status)
            .field("ending", &self.ending)
            .field("after_processing", &self.after_processing)
            .finish_non_exhaustive()
    }
}

/// How the provider carries a fault out.
impl Fault {
    /// Whether the request is to be processed at all.
    pub(super) fn processes(&self) -> bool {
        self.after_processing || !self.replaces()
    }

    /// Whether the wait comes after the processing.
    pub(super) fn waits_after_processing(&self) -> bool {
        self.after_processing
    }

    pub(super) async fn wait(&self) {
        if let Some(delay) = self.delay {
            tokio::time::sleep(delay).await;
        }
    }

    /// The answer in the place of `real`, which is `None` when the request was not processed.
    pub(super) async fn answer(self, real: Option<Response<Body>>) -> std::io::Result<Response<Body>> {
        let replaces = self.replaces();
        let body = match (self.ending, self.body) {
            (Ending::Never, _) => return std::future::pending().await,
            (Ending::Dropped, None) => return Err(dropped()),
            (Ending::Dropped, Some(first)) => Body::broken_off(first),
            (Ending::Endless, chunk) => {
                let chunk = chunk.filter(|chunk| !chunk.is_empty());
                Body::endless(chunk.unwrap_or_else(|| Bytes::from(vec![b' '; CHUNK])))
            }
            (Ending::Whole, body) => body.map(Body::from).unwrap_or_default(),
        };
        let mut response = match real.filter(|_| !replaces) {
            Some(real) => real,
            None => Response::new(body),
        };
        if let Some(status) = self.status {
            *response.status_mut() = status;
        }
        // `extend` of a map with another one replaces values of the same name.
        response.headers_mut().extend(self.headers);
        Ok(response)
    }

    fn replaces(&self) -> bool {
        self.status.is_some() || self.body.is_some() || self.ending != Ending::Whole
    }
}

/// The faults that wait for their requests, in the order in which they were injected.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn push(&mut self, fault: Fault) {
        if fault.times > 0 {
            self.0.push(fault);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The first fault for `path`, which then has one request less to come.
    pub(super) fn take(&mut self, path: &str) -> Option<Fault> {
        let matches = |fault: &Fault| fault.path.as_deref().is_none_or(|wanted| wanted == path);
        let position = self.0.iter().position(matches)?;
        let fault = self.0.get_mut(position)?;
        if fault.times == 1 {
            return Some(self.0.remove(position));
        }
        fault.times -= 1;
        Some(fault.clone())
    }
}
