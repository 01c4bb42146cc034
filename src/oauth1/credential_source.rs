//! Where the credentials of many users come from.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::Error;
use crate::oauth1::Credentials;
use crate::token_key::TokenKey;

/// Looks up the credentials of a [`TokenKey`], for a layer that signs for many users
/// ([`OAuth1Layer::per_request`](super::OAuth1Layer::per_request)).
///
/// A source has no memory and no lock: the layer asks it once at a time for each key, and keeps what it answers. It is
/// asked within the request that needs the answer, so a source that can hang should have a timeout of its own.
///
/// ```
/// use std::collections::HashMap;
///
/// use tower_oauth::oauth1::{CredentialSource, Credentials};
/// use tower_oauth::{Error, TokenKey};
///
/// struct Users(HashMap<String, (String, String)>);
///
/// impl CredentialSource for Users {
///     async fn credentials(&self, key: &TokenKey) -> Result<Credentials, Error> {
///         let user = self.0.get(key.as_str());
///         let (token, secret) = user.ok_or_else(|| Error::reauthorization_required("this user has not logged in"))?;
///         Ok(Credentials::new("consumer key", "consumer secret").token(token.as_str(), secret.as_str()))
///     }
/// }
/// ```
pub trait CredentialSource: Send + Sync + 'static {
    /// The credentials of `key`.
    ///
    /// # Errors
    /// [`Error::transient`] for what may pass, [`Error::reauthorization_required`] when there are none and somebody has to
    /// log in. The request fails with this error, and the next one asks again.
    fn credentials(&self, key: &TokenKey) -> impl Future<Output = Result<Credentials, Error>> + Send;
}

/// A source from a closure.
///
/// ```
/// use tower_oauth::TokenKey;
/// use tower_oauth::oauth1::{Credentials, credential_source_fn};
///
/// let source = credential_source_fn(|key: TokenKey| async move {
///     let token = format!("token of {key}");
///     Ok(Credentials::new("consumer key", "consumer secret").token(token, "token secret"))
/// });
/// # let _ = source;
/// ```
pub fn credential_source_fn<F, A>(function: F) -> CredentialSourceFn<F>
where
    F: Fn(TokenKey) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Credentials, Error>> + Send,
{
    CredentialSourceFn(function)
}

/// A [`CredentialSource`] made by [`credential_source_fn`].
#[derive(Clone)]
pub struct CredentialSourceFn<F>(F);

impl<F, A> CredentialSource for CredentialSourceFn<F>
where
    F: Fn(TokenKey) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Credentials, Error>> + Send,
{
    fn credentials(&self, key: &TokenKey) -> impl Future<Output = Result<Credentials, Error>> + Send {
        (self.0)(key.clone())
    }
}

impl<F> fmt::Debug for CredentialSourceFn<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CredentialSourceFn")
    }
}

/// Any source, chosen at run time.
#[derive(Clone)]
pub struct BoxCredentialSource(Arc<dyn DynCredentialSource>);

impl BoxCredentialSource {
    /// Erases the type of `source`.
    pub fn new(source: impl CredentialSource) -> Self {
        Self(Arc::new(source))
    }
}

impl CredentialSource for BoxCredentialSource {
    async fn credentials(&self, key: &TokenKey) -> Result<Credentials, Error> {
        self.0.credentials_boxed(key).await
    }
}

impl fmt::Debug for BoxCredentialSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BoxCredentialSource")
    }
}

trait DynCredentialSource: Send + Sync {
    fn credentials_boxed<'a>(&'a self, key: &'a TokenKey) -> BoxFuture<'a, Result<Credentials, Error>>;
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl<S: CredentialSource> DynCredentialSource for S {
    fn credentials_boxed<'a>(&'a self, key: &'a TokenKey) -> BoxFuture<'a, Result<Credentials, Error>> {
        Box::pin(self.credentials(key))
    }
}
