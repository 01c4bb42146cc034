//! Tokens: what they are, where they come from, where they are kept, and who renews them.
//!
//! A [`TokenManager`] gives out the current token of a [`TokenKey`]. When there is none, or the one there is nears its
//! end, it asks its [`TokenSource`] for another, stores the result in its [`TokenStore`], and only then gives it out.
//! However many callers ask, one exchange is made; and once it is under way, no caller that goes away can stop it.
//! It is useful without any tower service:
//!
//! ```
//! use std::time::Duration;
//! use tower_oauth::token::{SourceRequest, Token, TokenKey, TokenManager, token_source_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower_oauth::Error> {
//! let manager = TokenManager::builder(token_source_fn(|request: SourceRequest| async move {
//!     // Whatever it takes to get a token.
//!     Ok(Token::new(format!("token-of-{}", request.key())).expires_in(Duration::from_secs(3600)))
//! }))
//! .build();
//!
//! let alice = TokenKey::new("alice");
//! let token = manager.token(&alice).await?;
//! assert_eq!(token.access_token().expose(), "token-of-alice");
//! // Debug and Display never show it.
//! assert!(!format!("{token:?}").contains("token-of-alice"));
//! # Ok(())
//! # }
//! ```
//!
//! # Keys
//! A [`TokenKey`] says whose grant is meant: a tenant, a user, a service. The store keeps one [`Record`] for each: one
//! refresh token, and the access tokens that were obtained with it, by [`AccessScope`]. A refresh token that rotates
//! therefore exists exactly once.
//!
//! # Time
//! Of a token that lives for a time *L*: from 80 % of *L*, less up to 10 % by chance, it is still given out while one
//! task gets the next; from 10 seconds before its end (10 % of *L* if that is less) it is no longer given out, and
//! callers wait. [`TokenManagerBuilder`] has the defaults of everything in one table.
//!
//! # Failures
//! | what happens | what becomes of it |
//! |---|---|
//! | the server is down, busy or out of reach | a few attempts in one refresh, then pauses that grow; a token that is still valid stays in use |
//! | the server says that the grant has ended | its refresh token is never presented again; a login mends it, here or in another process |
//! | the server does not answer | if it rotates refresh tokens, the one it was given may be spent: it is presented again only within the [`reuse_window`](TokenManagerBuilder::reuse_window) |
//! | the store does not take a new token | the token is used from memory, and stored as soon as it can be; no other process gets the lease meanwhile |
//! | a process ends in the middle of a refresh | its lease ends, and another process goes on |
//!
//! Each is told as an [`Event`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use serde_json::Value;

use crate::error::Error;
use crate::secret::Secret;

mod access_scope;
mod address;
mod buckets;
mod builder;
mod ending;
mod entry;
mod event;
mod exchange;
#[cfg(test)]
mod explorer;
mod flight;
mod header_copies;
mod kept;
mod keyed;
mod lease;
mod ledger;
mod manager;
pub(crate) mod memory;
mod persist;
mod published;
mod record;
mod revocation;
mod sealed;
mod settings;
mod showcase;
mod slot;
mod source;
mod store;
mod tasks;
mod watched;

pub use crate::observe::KeyNames;
pub use crate::token_key::TokenKey;
pub use access_scope::AccessScope;
pub use builder::PersistFailure;
pub use builder::TokenManagerBuilder;
pub use event::Event;
pub use manager::TokenManager;
pub use record::Record;
pub use revocation::TokenRevocation;
pub use revocation::TokenTypeHint;
pub use source::BoxTokenSource;
pub use source::Reason;
pub use source::SourceFn;
pub use source::SourceRequest;
pub use source::TokenSource;
pub use source::token_source_fn;
pub use store::BoxTokenStore;
pub use store::Swap;
pub use store::TokenStore;

pub(crate) use address::Address;
pub(crate) use header_copies::Rush;
pub(crate) use kept::Kept;
pub(crate) use manager::Identity;
pub(crate) use published::Published;
pub(crate) use showcase::Spot;

/// An access token and what the server said of it (RFC 6749 §5.1).
///
/// Clones share one allocation. `Debug` shows neither the token nor the refresh token, and of
/// [`extra`](Self::extra) only the names.
#[derive(Clone)]
pub struct Token(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    access_token: Secret,
    token_type: Box<str>,
    expiry: Expiry,
    obtained_at: Option<SystemTime>,
    refresh_in: Option<Duration>,
    scope: Option<Box<[String]>>,
    refresh_token: Option<Secret>,
    refresh_expiry: Expiry,
    extra: serde_json::Map<String, Value>,
    /// Why it is of no use, although its refresh token has to be kept.
    fault: Option<Error>,
    /// Not a part of the token: what the manager is told about it.
    is_new_grant: bool,
}

/// When something ends: as the server says it, in a number of seconds, or as it is kept, at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Expiry {
    Unknown,
    In(Duration),
    At(SystemTime),
}

impl Expiry {
    fn at(self, obtained_at: SystemTime) -> Option<SystemTime> {
        match self {
            Self::Unknown => None,
            // A lifetime beyond what the clock can tell is no end at all.
            Self::In(lifetime) => obtained_at.checked_add(lifetime),
            Self::At(moment) => Some(moment),
        }
    }

    fn fixed(self, obtained_at: SystemTime) -> Self {
        self.at(obtained_at).map_or(Self::Unknown, Self::At)
    }
}

impl Token {
    /// A token of type `Bearer` (RFC 6750) whose end is not known.
    pub fn new(access_token: impl Into<Secret>) -> Self {
        Self(Arc::new(Inner {
            access_token: access_token.into(),
            token_type: "Bearer".into(),
            expiry: Expiry::Unknown,
            obtained_at: None,
            refresh_in: None,
            scope: None,
            refresh_token: None,
            refresh_expiry: Expiry::Unknown,
            is_new_grant: false,
            extra: serde_json::Map::new(),
            fault: None,
        }))
    }

    /// Sets the `token_type` (RFC 6749 §7.1); only `Bearer`, in any case, can be put on requests.
    pub fn with_token_type(self, token_type: impl Into<Box<str>>) -> Self {
        self.edit(|inner| inner.token_type = token_type.into())
    }

    /// Sets the lifetime, counted from the moment at which the manager receives (or asked for) the token.
    pub fn expires_in(self, lifetime: Duration) -> Self {
        self.edit(|inner| inner.expiry = Expiry::In(lifetime))
    }

    /// Sets the moment of expiry.
    pub fn with_expires_at(self, moment: SystemTime) -> Self {
        self.edit(|inner| inner.expiry = Expiry::At(moment))
    }

    /// Sets after how long the server wants the token to be renewed, where it says so (`refresh_in`).
    pub fn with_refresh_in(self, delay: Duration) -> Self {
        self.edit(|inner| inner.refresh_in = Some(delay))
    }

    /// Sets the scope that was granted (RFC 6749 §3.3).
    pub fn with_scope<I>(self, scope: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let scope = scope.into_iter().map(Into::into).collect();
        self.edit(|inner| inner.scope = Some(scope))
    }

    /// Sets the refresh token.
    pub fn with_refresh_token(self, refresh_token: impl Into<Secret>) -> Self {
        self.edit(|inner| inner.refresh_token = Some(refresh_token.into()))
    }

    /// Sets the lifetime of the refresh token, counted as in [`expires_in`](Self::expires_in).
    pub fn refresh_expires_in(self, lifetime: Duration) -> Self {
        self.edit(|inner| inner.refresh_expiry = Expiry::In(lifetime))
    }

    /// Says that the token belongs to a new grant, for a source that can begin anew: the refresh token of the grant before
    /// goes, even if this token brings none. Otherwise an answer without a refresh token leaves the one before in use
    /// (RFC 6749 §6).
    pub fn of_new_grant(self) -> Self {
        self.edit(|inner| inner.is_new_grant = true)
    }

    /// Adds a field that RFC 6749 does not know.
    pub fn with_extra(self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.edit(|inner| {
            inner.extra.insert(name.into(), value.into());
        })
    }

    /// Says why the access token is of no use. The manager keeps the refresh token all the same.
    pub(crate) fn with_fault(self, fault: Error) -> Self {
        self.edit(|inner| inner.fault = Some(fault))
    }

    /// The access token itself.
    pub fn access_token(&self) -> &Secret {
        &self.0.access_token
    }

    /// The type, `Bearer` unless the server said otherwise.
    pub fn token_type(&self) -> &str {
        &self.0.token_type
    }

    /// The moment of expiry; `None` when it is not known, or when the token has not been through a manager yet and has
    /// only a lifetime.
    pub fn expires_at(&self) -> Option<SystemTime> {
        match self.0.expiry {
            Expiry::At(moment) => Some(moment),
            Expiry::In(lifetime) => {
                self.0.obtained_at.and_then(|obtained_at| obtained_at.checked_add(lifetime))
            }
            Expiry::Unknown => None,
        }
    }

    /// The moment at which it was asked for; `None` before it went through a manager.
    pub fn obtained_at(&self) -> Option<SystemTime> {
        self.0.obtained_at
    }

    /// The scope that the server said it granted; `None` when it said nothing, which means the scope asked for.
    pub fn scope(&self) -> Option<&[String]> {
        self.0.scope.as_deref()
    }

    /// The refresh token, on a token that comes from a source or goes to [`TokenManager::put`]. Tokens that a manager
    /// gives out have none: it stays in the [`Record`].
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.0.refresh_token.as_ref()
    }

    /// A field that RFC 6749 does not know, such as `instance_url` or `id_token`. It may be a secret.
    pub fn extra(&self, name: &str) -> Option<&Value> {
        self.0.extra.get(name)
    }

    fn edit(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// What the manager does with tokens.
impl Token {
    /// Turns lifetimes into moments, counted from `obtained_at`, which is the moment before the token was asked for:
    /// so an answer that took long is not believed to live longer than it does.
    fn stamped(self, obtained_at: SystemTime) -> Self {
        let obtained_at = self.0.obtained_at.unwrap_or(obtained_at);
        self.edit(|inner| {
            inner.obtained_at = Some(obtained_at);
            inner.expiry = inner.expiry.fixed(obtained_at);
            inner.refresh_expiry = inner.refresh_expiry.fixed(obtained_at);
        })
    }

    fn is_of_new_grant(&self) -> bool {
        self.0.is_new_grant
    }

    fn refresh_in(&self) -> Option<Duration> {
        self.0.refresh_in
    }

    fn refresh_expires_at(&self) -> Option<SystemTime> {
        match self.0.refresh_expiry {
            Expiry::At(moment) => Some(moment),
            _ => None,
        }
    }

    fn without_refresh_token(self) -> Self {
        self.edit(|inner| {
            inner.refresh_token = None;
            inner.refresh_expiry = Expiry::Unknown;
        })
    }

    fn fault(&self) -> Option<&Error> {
        self.0.fault.as_ref()
    }

    fn extras(&self) -> &serde_json::Map<String, Value> {
        &self.0.extra
    }
}

impl PartialEq for Token {
    /// Compares everything, secrets in constant time.
    fn eq(&self, other: &Self) -> bool {
        let (left, right) = (&*self.0, &*other.0);
        left.access_token == right.access_token
            && left.token_type == right.token_type
            && left.expiry == right.expiry
            && left.obtained_at == right.obtained_at
            && left.refresh_in == right.refresh_in
            && left.scope == right.scope
            && left.refresh_token == right.refresh_token
            && left.refresh_expiry == right.refresh_expiry
            && left.extra == right.extra
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        formatter
            .debug_struct("Token")
            .field("access_token", &inner.access_token)
            .field("token_type", &inner.token_type)
            .field("expires_at", &self.expires_at())
            .field("scope", &inner.scope)
            .field("refresh_token", &inner.refresh_token)
            .field("extra", &inner.extra.keys().collect::<Vec<_>>())
            .finish()
    }
}
