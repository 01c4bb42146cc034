//! Assertions and tokens that a grant is given from outside.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

#[cfg(feature = "jwt")]
use crate::endpoint::Assertion;
use crate::endpoint::SecretSource;
#[cfg(feature = "jwt")]
use crate::endpoint::assertion_for;
use crate::error::Error;
use crate::secret::Secret;
use crate::token::TokenKey;
use crate::token::TokenManager;

/// Where a grant gets the security token from that it trades for an access token: the assertion of [`JwtBearer`] and
/// [`Saml2Bearer`], the subject and the actor of [`TokenExchange`].
///
/// It is asked whenever a token is wanted, so that what it gives is never older than need be. A text, a [`Secret`], a
/// [`SecretSource`] (a closure, a file) and an `Assertion` can be turned into one; they are the same for all keys.
///
/// ```
/// use tower_oauth::{Error, Secret, TokenKey};
/// use tower_oauth::grant::SecurityToken;
///
/// # async fn token_of_session(_user: &str) -> Result<Secret, std::io::Error> { Ok(Secret::new("s")) }
/// let of_each_user = SecurityToken::per_key(|user: TokenKey| async move {
///     token_of_session(user.as_str()).await.map_err(Error::transient)
/// });
/// # let _ = of_each_user;
/// ```
///
/// [`JwtBearer`]: super::JwtBearer
/// [`Saml2Bearer`]: super::Saml2Bearer
/// [`TokenExchange`]: super::TokenExchange
#[derive(Clone)]
pub struct SecurityToken(Source);

#[derive(Clone)]
enum Source {
    Same(SecretSource),
    #[cfg(feature = "jwt")]
    Signed(Box<Assertion>),
    PerKey(Arc<dyn PerKey>),
    Manager(TokenManager),
}

impl SecurityToken {
    /// Asks `function` for the security token of the key whose access token is wanted.
    pub fn per_key<F, A>(function: F) -> Self
    where
        F: Fn(TokenKey) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Secret, Error>> + Send + 'static,
    {
        Self(Source::PerKey(Arc::new(FromFn(function))))
    }

    /// Takes the access token that `manager` has for the same key, renewed if need be: the token of a login, that is
    /// exchanged for tokens of other services. It must be another manager than the one that asks.
    pub fn from_manager(manager: TokenManager) -> Self {
        Self(Source::Manager(manager))
    }

    /// The security token for an access token of `key`, from an endpoint at `url`.
    pub(super) async fn get(&self, key: &TokenKey, url: &str) -> Result<Secret, Error> {
        // Only assertions that are signed here say for whom they are.
        #[cfg(not(feature = "jwt"))]
        let _ = url;
        match &self.0 {
            Source::Same(secret) => secret.get().await,
            #[cfg(feature = "jwt")]
            Source::Signed(assertion) => assertion_for(assertion, url).await,
            Source::PerKey(function) => function.get(key.clone()).await,
            Source::Manager(manager) => Ok(manager.token(key).await?.access_token().clone()),
        }
    }
}

impl<S: Into<SecretSource>> From<S> for SecurityToken {
    fn from(secret: S) -> Self {
        Self(Source::Same(secret.into()))
    }
}

#[cfg(feature = "jwt")]
impl From<Assertion> for SecurityToken {
    fn from(assertion: Assertion) -> Self {
        Self(Source::Signed(Box::new(assertion)))
    }
}

impl fmt::Debug for SecurityToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Same(secret) => secret.fmt(formatter),
            #[cfg(feature = "jwt")]
            Source::Signed(assertion) => assertion.fmt(formatter),
            Source::PerKey(_) => formatter.write_str("per_key(..)"),
            Source::Manager(_) => formatter.write_str("from_manager(..)"),
        }
    }
}

trait PerKey: Send + Sync {
    fn get(&self, key: TokenKey) -> Pin<Box<dyn Future<Output = Result<Secret, Error>> + Send>>;
}

struct FromFn<F>(F);

impl<F, A> PerKey for FromFn<F>
where
    F: Fn(TokenKey) -> A + Send + Sync,
    A: Future<Output = Result<Secret, Error>> + Send + 'static,
{
    fn get(&self, key: TokenKey) -> Pin<Box<dyn Future<Output = Result<Secret, Error>> + Send>> {
        Box::pin((self.0)(key))
    }
}
