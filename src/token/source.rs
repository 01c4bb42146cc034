//! Where tokens come from.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::Error;
use crate::token::AccessScope;
use crate::token::Record;
use crate::token::Token;
use crate::token::TokenKey;

/// Gets tokens: by a grant of RFC 6749, or in any way of your own.
///
/// A source has no memory and no lock: the [`TokenManager`](super::TokenManager) asks it once at a time for each grant,
/// in a task of its own that no caller can cancel, and stores what it answers before anybody sees it. The grants of this
/// crate are in [`grant`](crate::grant).
///
/// ```
/// use tower_oauth::Error;
/// use tower_oauth::token::{SourceRequest, Token, TokenSource};
///
/// /// Reads a token that another program keeps fresh in a file.
/// struct FromFile(std::path::PathBuf);
///
/// impl TokenSource for FromFile {
///     async fn token(&self, _: SourceRequest) -> Result<Token, Error> {
///         let text = std::fs::read_to_string(&self.0).map_err(Error::transient)?;
///         Ok(Token::new(text.trim()).expires_in(std::time::Duration::from_secs(300)))
///     }
/// }
/// ```
pub trait TokenSource: Send + Sync + 'static {
    /// Gets a token.
    ///
    /// # Errors
    /// [`Error::transient`] for what may pass: it is tried again after a pause, and a token that is still valid stays
    /// in use. [`Error::answer_lost`] when the request was sent and no answer came, so that a refresh token may be spent.
    /// [`Error::reauthorization_required`] when only a new login helps: nothing is tried until then.
    fn token(&self, request: SourceRequest) -> impl Future<Output = Result<Token, Error>> + Send;
}

/// What a [`TokenSource`] is asked.
#[derive(Clone, Debug)]
pub struct SourceRequest {
    key: TokenKey,
    scope: AccessScope,
    previous: Option<Arc<Record>>,
    reason: Reason,
}

impl SourceRequest {
    pub(super) fn new(
        key: TokenKey,
        scope: AccessScope,
        previous: Option<Arc<Record>>,
        reason: Reason,
    ) -> Self {
        Self { key, scope, previous, reason }
    }

    /// Whose token is wanted.
    pub fn key(&self) -> &TokenKey {
        &self.key
    }

    /// What it is to be good for.
    pub fn scope(&self) -> &AccessScope {
        &self.scope
    }

    /// What the store holds of this grant: the refresh token, above all. One that may be spent already, and must not be
    /// presented again, is left out: a source that can begin anew does so then, others fail with
    /// [`Error::reauthorization_required`].
    pub fn previous(&self) -> Option<&Record> {
        self.previous.as_deref()
    }

    /// Why a token is wanted now.
    pub fn reason(&self) -> Reason {
        self.reason
    }
}

/// Why a source is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The token nears its end, and is still in use.
    Expiring,
    /// The token has ended.
    Expired,
    /// There is no token yet.
    First,
    /// Somebody called [`TokenManager::refresh`](super::TokenManager::refresh).
    Forced,
    /// A server refused the token, or somebody called
    /// [`TokenManager::invalidate`](super::TokenManager::invalidate).
    Refused,
}

impl Reason {
    /// A stable name in snake case, for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::First => "first",
            Self::Forced => "forced",
            Self::Refused => "refused",
        }
    }
}

/// A source from a closure.
///
/// ```
/// use tower_oauth::token::{Token, token_source_fn};
///
/// let source = token_source_fn(|_| async { Ok(Token::new("static")) });
/// # let _ = source;
/// ```
pub fn token_source_fn<F, A>(function: F) -> SourceFn<F>
where
    F: Fn(SourceRequest) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Token, Error>> + Send,
{
    SourceFn(function)
}

/// A [`TokenSource`] made by [`token_source_fn`].
#[derive(Clone)]
pub struct SourceFn<F>(F);

impl<F> fmt::Debug for SourceFn<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SourceFn")
    }
}

impl<F, A> TokenSource for SourceFn<F>
where
    F: Fn(SourceRequest) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Token, Error>> + Send,
{
    fn token(&self, request: SourceRequest) -> impl Future<Output = Result<Token, Error>> + Send {
        (self.0)(request)
    }
}

/// Any source, chosen at run time.
#[derive(Clone)]
pub struct BoxTokenSource(Arc<dyn DynTokenSource>);

impl BoxTokenSource {
    /// Erases the type of `source`.
    pub fn new(source: impl TokenSource) -> Self {
        Self(Arc::new(source))
    }
}

impl fmt::Debug for BoxTokenSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BoxTokenSource")
    }
}

impl TokenSource for BoxTokenSource {
    fn token(&self, request: SourceRequest) -> impl Future<Output = Result<Token, Error>> + Send {
        self.0.token_boxed(request)
    }
}

trait DynTokenSource: Send + Sync {
    fn token_boxed(&self, request: SourceRequest) -> BoxFuture<'_, Result<Token, Error>>;
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl<S: TokenSource> DynTokenSource for S {
    fn token_boxed(&self, request: SourceRequest) -> BoxFuture<'_, Result<Token, Error>> {
        Box::pin(self.token(request))
    }
}
