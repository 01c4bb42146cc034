//! Keys that sign assertions: in memory, or elsewhere.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth2::jwt::PrivateKey;
use crate::protocol::oauth2::jwt::SecretKey;
use crate::protocol::oauth2::jwt::SigningAlgorithm;

/// Signs JWTs: a [`PrivateKey`] in memory, or a key in a key management service or a hardware token, which does not let it
/// out.
///
/// ```
/// use tower_oauth::Error;
/// use tower_oauth::endpoint::{SigningAlgorithm, SigningKey};
///
/// # struct Kms;
/// # impl Kms {
/// #     async fn sign_with(&self, _key: &str, _message: &[u8]) -> Result<Vec<u8>, std::io::Error> { Ok(Vec::new()) }
/// # }
/// struct KeyInKms {
///     kms: Kms,
///     name: String,
/// }
///
/// impl SigningKey for KeyInKms {
///     fn algorithm(&self) -> SigningAlgorithm {
///         SigningAlgorithm::Es256
///     }
///
///     fn key_id(&self) -> Option<&str> {
///         Some(&self.name)
///     }
///
///     async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
///         self.kms.sign_with(&self.name, message).await.map_err(Error::transient)
///     }
/// }
/// ```
pub trait SigningKey: Send + Sync + 'static {
    /// What it signs with: the `alg` in the header of each JWT.
    fn algorithm(&self) -> SigningAlgorithm;

    /// The `kid` in the header of each JWT, by which the server finds the public key; none by default.
    fn key_id(&self) -> Option<&str> {
        None
    }

    /// Signs `message`, which is not hashed yet. The signature is in the form of RFC 7518 §3: for ECDSA the two numbers
    /// one after the other, each as long as the curve's order, and not DER, which many services answer.
    ///
    /// # Errors
    /// [`Error::transient`] for what may pass.
    fn sign(&self, message: &[u8]) -> impl Future<Output = Result<Vec<u8>, Error>> + Send;
}

impl SigningKey for PrivateKey {
    fn algorithm(&self) -> SigningAlgorithm {
        Self::algorithm(self)
    }

    fn key_id(&self) -> Option<&str> {
        Self::key_id(self)
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Self::sign(self, message).map_err(unsigned)
    }
}

impl SigningKey for SecretKey {
    fn algorithm(&self) -> SigningAlgorithm {
        Self::algorithm(self)
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Self::sign(self, message).map_err(unsigned)
    }
}

fn unsigned(why: String) -> Error {
    Error::new(ErrorKind::Signature).detail(why)
}

/// Any key.
#[derive(Clone)]
pub(super) struct SharedKey(Arc<dyn DynSigningKey>);

impl SharedKey {
    pub(super) fn new(key: impl SigningKey) -> Self {
        Self(Arc::new(key))
    }

    pub(super) fn algorithm(&self) -> SigningAlgorithm {
        self.0.algorithm_of()
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.0.key_id_of()
    }

    pub(super) async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.sign_boxed(message).await
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.algorithm())
    }
}

trait DynSigningKey: Send + Sync {
    fn algorithm_of(&self) -> SigningAlgorithm;
    fn key_id_of(&self) -> Option<&str>;
    fn sign_boxed<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, Error>>;
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl<K: SigningKey> DynSigningKey for K {
    fn algorithm_of(&self) -> SigningAlgorithm {
        self.algorithm()
    }

    fn key_id_of(&self) -> Option<&str> {
        self.key_id()
    }

    fn sign_boxed<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, Error>> {
        Box::pin(self.sign(message))
    }
}
