//! What can go wrong, as one opaque, cheaply cloned type.
//!
//! A layer fails with `tower::BoxError`. Errors of the wrapped service are inside it as they were; errors of this
//! crate are an [`Error`]. [`Error::find`] tells them apart, through any number of wrapping errors:
//!
//! ```
//! use tower::BoxError;
//! use tower_oauth::{Error, ErrorKind};
//!
//! fn advise(error: &BoxError) -> &'static str {
//!     match Error::find(error.as_ref()) {
//!         Some(ours) if ours.needs_reauthorization() => "send the user to log in again",
//!         Some(ours) if ours.is_transient() => "try again later",
//!         Some(ours) if ours.kind() == ErrorKind::ForeignOrigin => "this host is not on the list",
//!         Some(_) => "look at the configuration",
//!         None => "ask the HTTP client",
//!     }
//! }
//! ```

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use http::StatusCode;
use tower::BoxError;

mod config;
mod kind;
mod server;

pub use config::ConfigError;
pub use kind::ErrorKind;
pub use server::ServerError;

/// Why a request was not signed, or a token could not be had.
///
/// Clones share one allocation, because the failure of one refresh is told to every request that waited for it.
/// Nothing secret is in `Display`, `Debug` or the fields. The cause, where there is one, is
/// [`source`](std::error::Error::source).
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    detail: Option<Cow<'static, str>>,
    endpoint: Option<Box<str>>,
    status: Option<StatusCode>,
    server: Option<ServerError>,
    retry_at: Option<SystemTime>,
    retry_after: Option<Duration>,
    /// Known to pass by itself, whatever the server's code says.
    passes: bool,
    delivery: Delivery,
    source: Option<Arc<BoxError>>,
}

/// Whether the server may have acted on a request that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Delivery {
    /// The kind of the error tells.
    #[default]
    ByKind,
    NeverSent,
    AnswerLost,
}

impl Error {
    /// A failure of a [`TokenSource`](crate::token::TokenSource) that may pass: the network, a service that is
    /// down. Tried again after a pause; a token that is still valid stays in use. Also the failure of a
    /// [`CredentialSource`](crate::oauth1::CredentialSource), which the next request asks again.
    pub fn transient(cause: impl Into<BoxError>) -> Self {
        Self::new(ErrorKind::Source).caused_by(cause)
    }

    /// A failure of a [`TokenSource`](crate::token::TokenSource) that sent its request and got no answer: whether the
    /// server acted on it is not known. It may pass, but a refresh token that rotates may be spent by now, and is
    /// presented again only within the
    /// [`reuse_window`](crate::token::TokenManagerBuilder::reuse_window) of its server.
    pub fn answer_lost(cause: impl Into<BoxError>) -> Self {
        Self::new(ErrorKind::Source).caused_by(cause).edit(|inner| inner.delivery = Delivery::AnswerLost)
    }

    /// A failure of a [`TokenSource`](crate::token::TokenSource) that only a new login can mend. Nothing is tried
    /// again until [`TokenManager::put`](crate::token::TokenManager::put). Also that of a
    /// [`CredentialSource`](crate::oauth1::CredentialSource) that has no credentials for a key.
    pub fn reauthorization_required(cause: impl Into<BoxError>) -> Self {
        Self::new(ErrorKind::ReauthorizationRequired).caused_by(cause)
    }

    /// A failure of a [`TokenStore`](crate::token::TokenStore).
    pub fn store(cause: impl Into<BoxError>) -> Self {
        Self::new(ErrorKind::Store).caused_by(cause)
    }

    /// Finds an error of this crate in `error` or in the chain of its sources.
    pub fn find<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            // A cause that was boxed once more, as `source` below hands it out.
            if let Some(ours) = error.downcast_ref::<Self>() {
                return Some(ours);
            }
            next = error.source();
        }
        None
    }

    /// What happened, for a `match`.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The token endpoint (or other endpoint) that was asked, without query; `None` when nothing was sent.
    pub fn endpoint(&self) -> Option<&str> {
        self.0.endpoint.as_deref()
    }

    /// The status of the endpoint's answer, where there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// What the server said in the fields of RFC 6749 §5.2.
    pub fn server(&self) -> Option<&ServerError> {
        self.0.server.as_ref()
    }

    /// When the next attempt will be made, after a failure that is waited out.
    pub fn retry_at(&self) -> Option<SystemTime> {
        self.0.retry_at
    }

    /// How long the server asked to be left alone (`Retry-After`), at most an hour.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether time ran out: on the token endpoint, or for the one who waited.
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Timeout | ErrorKind::WaitTimeout)
    }

    /// Whether the same request may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self.0.kind {
            ErrorKind::UnexpectedStatus => self.0.status.is_none_or(is_passing_status),
            ErrorKind::Refused if self.0.passes => true,
            ErrorKind::Refused => {
                let passing = |server: &ServerError| {
                    matches!(server.code(), "temporarily_unavailable" | "server_error" | "slow_down")
                };
                self.0.server.as_ref().is_some_and(passing) || self.0.status.is_some_and(is_passing_status)
            }
            kind => kind.is_transient(),
        }
    }

    /// Whether somebody has to log in (or consent) again before there can be a token.
    pub fn needs_reauthorization(&self) -> bool {
        matches!(self.0.kind, ErrorKind::ReauthorizationRequired | ErrorKind::NoToken)
    }

    /// Whether the client itself was refused or is set up wrongly (`invalid_client`, `unauthorized_client`,
    /// `unsupported_grant_type`, `invalid_scope`): trying again will not help, changing the configuration will.
    pub fn is_configuration(&self) -> bool {
        !self.0.passes
            && self.0.server.as_ref().is_some_and(|server| {
                matches!(
                    server.code(),
                    "invalid_client" | "unauthorized_client" | "unsupported_grant_type" | "invalid_scope"
                )
            })
    }
}

/// How the crate makes its errors.
impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self(Arc::new(Inner {
            kind,
            detail: None,
            endpoint: None,
            status: None,
            server: None,
            retry_at: None,
            retry_after: None,
            passes: false,
            delivery: Delivery::ByKind,
            source: None,
        }))
    }

    /// What is particular to this case, as a clause; never a secret, never a body.
    pub(crate) fn detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        self.edit(|inner| inner.detail = Some(detail))
    }

    pub(crate) fn at(self, endpoint: impl Into<Box<str>>) -> Self {
        let endpoint = endpoint.into();
        self.edit(|inner| inner.endpoint = Some(endpoint))
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        self.edit(|inner| inner.status = Some(status))
    }

    pub(crate) fn with_server(self, server: ServerError) -> Self {
        self.edit(|inner| inner.server = Some(server))
    }

    /// The server's own wish of when to come again.
    pub(crate) fn with_retry_after(self, delay: Duration) -> Self {
        self.edit(|inner| inner.retry_after = Some(delay))
    }

    /// The request certainly did not reach the server.
    pub(crate) fn never_sent(self) -> Self {
        self.edit(|inner| inner.delivery = Delivery::NeverSent)
    }

    /// Whether the request may have reached the server, and its answer was lost.
    #[cfg(feature = "oauth2")]
    pub(crate) fn is_answer_lost(&self) -> bool {
        match self.0.delivery {
            Delivery::ByKind => matches!(self.0.kind, ErrorKind::Timeout | ErrorKind::Transport),
            Delivery::NeverSent => false,
            Delivery::AnswerLost => true,
        }
    }

    /// Whether the same request may well succeed a moment later: the endpoint could not be reached, did not answer, or
    /// said that it is busy.
    #[cfg(feature = "oauth2")]
    pub(crate) fn is_worth_another_attempt(&self) -> bool {
        match self.0.kind {
            ErrorKind::Timeout | ErrorKind::Transport => true,
            ErrorKind::Refused | ErrorKind::UnexpectedStatus => self.is_transient(),
            _ => self.0.delivery == Delivery::AnswerLost,
        }
    }

    /// The same failure, of which more is known.
    #[cfg(feature = "oauth2")]
    pub(crate) fn with_kind(self, kind: ErrorKind) -> Self {
        self.edit(|inner| inner.kind = kind)
    }

    /// The same refusal, known to mean that only a new login helps.
    #[cfg(feature = "oauth2")]
    pub(crate) fn into_reauthorization_required(self) -> Self {
        self.edit(|inner| inner.kind = ErrorKind::ReauthorizationRequired)
    }

    /// The same refusal, known to pass by itself.
    #[cfg(feature = "oauth2")]
    pub(crate) fn into_transient(self) -> Self {
        self.edit(|inner| inner.passes = true)
    }

    /// The same refusal, known to be about the type of the token.
    #[cfg(feature = "oauth2")]
    pub(crate) fn into_unsupported_token_type(self) -> Self {
        self.edit(|inner| inner.kind = ErrorKind::UnsupportedTokenType)
    }

    /// The error of those who come before the pause after `self` is over.
    #[cfg(feature = "oauth2")]
    pub(crate) fn backed_off(&self, until: SystemTime) -> Self {
        let detail = self.to_string();
        let (endpoint, status, server) = (self.0.endpoint.clone(), self.0.status, self.0.server.clone());
        let passes = self.0.passes;
        Self::new(ErrorKind::BackOff).detail(detail).caused_by(self.clone()).edit(|inner| {
            inner.endpoint = endpoint;
            inner.status = status;
            inner.server = server;
            inner.passes = passes;
            inner.retry_at = Some(until);
        })
    }

    pub(crate) fn caused_by(self, cause: impl Into<BoxError>) -> Self {
        let cause = Arc::new(cause.into());
        self.edit(|inner| inner.source = Some(cause))
    }

    fn edit(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// Statuses after which the same request may well succeed: time-outs, rate limits, broken servers.
fn is_passing_status(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) || status.is_server_error()
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        formatter.write_str(inner.kind.what())?;
        if inner.kind == ErrorKind::BackOff {
            // Its detail is the whole message of the failure that it waits out.
            return inner.detail.as_deref().map_or(Ok(()), |detail| write!(formatter, " ({detail})"));
        }
        if let Some(endpoint) = &inner.endpoint {
            write!(formatter, " at {endpoint}")?;
        }
        if let Some(status) = inner.status {
            write!(formatter, " (status {})", status.as_u16())?;
        }
        if let Some(server) = &inner.server {
            write!(formatter, ": {server}")?;
        }
        if let Some(detail) = &inner.detail {
            write!(formatter, ": {detail}")?;
        }
        let advice = inner.kind.advice();
        if advice.is_empty() { Ok(()) } else { write!(formatter, "; {advice}") }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let mut debug = formatter.debug_struct("Error");
        debug.field("kind", &inner.kind);
        if let Some(detail) = &inner.detail {
            debug.field("detail", detail);
        }
        if let Some(endpoint) = &inner.endpoint {
            debug.field("endpoint", endpoint);
        }
        if let Some(status) = &inner.status {
            debug.field("status", status);
        }
        if let Some(server) = &inner.server {
            debug.field("server", server);
        }
        if let Some(retry_at) = &inner.retry_at {
            debug.field("retry_at", retry_at);
        }
        if let Some(source) = &inner.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|cause| &**cause as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Wrapped(BoxError);

    impl fmt::Display for Wrapped {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("wrapped")
        }
    }

    impl std::error::Error for Wrapped {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&*self.0)
        }
    }

    #[test]
    fn an_error_is_found_through_errors_that_wrap_it() {
        let ours = Error::new(ErrorKind::ForeignOrigin);
        let wrapped = Wrapped(Box::new(Wrapped(ours.into())));
        assert_eq!(Error::find(&wrapped).map(Error::kind), Some(ErrorKind::ForeignOrigin));
        assert!(Error::find(&std::io::Error::other("theirs")).is_none());
    }

    #[test]
    fn the_cause_can_be_downcast() {
        let error = Error::transient(std::io::Error::other("no route"));
        let source = std::error::Error::source(&error);
        assert!(source.is_some_and(|source| source.is::<std::io::Error>()));
    }

    #[test]
    fn a_message_says_what_happened_where_and_what_to_do() {
        let error = Error::new(ErrorKind::UnexpectedStatus)
            .at("https://auth.example.com/token")
            .with_status(StatusCode::BAD_GATEWAY);
        assert_eq!(
            error.to_string(),
            "the endpoint answered with an unexpected status at https://auth.example.com/token (status 502); \
             check the URL of the endpoint and the state of the server"
        );
        assert!(error.is_transient());
    }
}
