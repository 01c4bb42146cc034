//! Ending a grant at the server that gave it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::Error;
use crate::secret::Secret;

/// Ends tokens at the authorization server, before their time (RFC 7009). [`TokenManager::revoke`] asks it.
///
/// A server that ends a refresh token ends the access tokens that came from it as well (RFC 7009 §2.1), so the manager
/// hands over the refresh token where there is one, and otherwise each access token.
///
/// ```
/// use tower_oauth::{Error, Secret};
/// use tower_oauth::token::{TokenRevocation, TokenTypeHint};
///
/// /// For a server that has a page of its own for this.
/// struct SignOut;
///
/// impl TokenRevocation for SignOut {
///     async fn revoke(&self, token: &Secret, hint: TokenTypeHint) -> Result<(), Error> {
///         println!("ending a token of type {}", hint.as_str());
///         # let _ = token;
///         Ok(())
///     }
/// }
/// ```
///
/// [`TokenManager::revoke`]: super::TokenManager::revoke
pub trait TokenRevocation: Send + Sync + 'static {
    /// Ends `token`. A token that the server does not know (any more) counts as ended (RFC 7009 §2.2).
    ///
    /// # Errors
    /// Whatever kept the server from saying that the token has ended.
    fn revoke(&self, token: &Secret, hint: TokenTypeHint) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What kind of token is to be ended: the `token_type_hint` of RFC 7009 §2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenTypeHint {
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
}

impl TokenTypeHint {
    /// The name that RFC 7009 §2.1 registers: `access_token` or `refresh_token`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::RefreshToken => "refresh_token",
        }
    }
}

/// A revocation without its type.
#[derive(Clone)]
pub(super) struct BoxTokenRevocation(Arc<dyn DynTokenRevocation>);

impl BoxTokenRevocation {
    pub(super) fn new(revocation: impl TokenRevocation) -> Self {
        Self(Arc::new(revocation))
    }

    pub(super) async fn revoke(&self, token: &Secret, hint: TokenTypeHint) -> Result<(), Error> {
        self.0.revoke_boxed(token, hint).await
    }
}

impl fmt::Debug for BoxTokenRevocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenRevocation")
    }
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

trait DynTokenRevocation: Send + Sync {
    fn revoke_boxed<'a>(&'a self, token: &'a Secret, hint: TokenTypeHint)
    -> BoxFuture<'a, Result<(), Error>>;
}

impl<R: TokenRevocation> DynTokenRevocation for R {
    fn revoke_boxed<'a>(
        &'a self,
        token: &'a Secret,
        hint: TokenTypeHint,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.revoke(token, hint))
    }
}
