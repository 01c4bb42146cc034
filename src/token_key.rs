//! Whose grant is meant.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;
use std::sync::OnceLock;

/// Whom a token, or a pair of OAuth 1 credentials, belongs to: a tenant, a user, a service.
///
/// The name is yours to choose; it is the key in the store and is not a secret, though it may well be personal.
/// A layer that takes its identity from each request finds it in the request's extensions:
///
/// ```
/// use tower_oauth::TokenKey;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(TokenKey::new("tenant-7"));
/// ```
#[derive(Clone)]
pub struct TokenKey {
    name: Arc<str>,
    /// Computed once, because it is needed for every request; and here, so that the name need not be fetched for it.
    hash: u64,
}

impl TokenKey {
    /// The key of this name.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        let name = name.into();
        Self { hash: hash_of(&name), name: name.into() }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Takes on the hash of another key, which hardly ever happens by itself.
    #[cfg(all(test, feature = "oauth2"))]
    pub(crate) fn pretend_hash(&mut self, other: &Self) {
        self.hash = other.hash;
    }

    #[cfg(feature = "oauth2")]
    pub(crate) fn precomputed_hash(&self) -> u64 {
        self.hash
    }
}

impl Default for TokenKey {
    /// The key named `default`, used by layers that have a single identity.
    fn default() -> Self {
        static DEFAULT: OnceLock<TokenKey> = OnceLock::new();
        DEFAULT.get_or_init(|| Self::new("default")).clone()
    }
}

impl PartialEq for TokenKey {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && (Arc::ptr_eq(&self.name, &other.name) || self.name == other.name)
    }
}

impl Eq for TokenKey {}

impl Hash for TokenKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("TokenKey").field(&self.as_str()).finish()
    }
}

impl fmt::Display for TokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl From<&str> for TokenKey {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for TokenKey {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

/// A hash with keys of this process, so that nobody outside can choose names that collide.
pub(crate) fn hash_of<T: Hash + ?Sized>(value: &T) -> u64 {
    static STATE: OnceLock<RandomState> = OnceLock::new();
    STATE.get_or_init(RandomState::new).hash_one(value)
}
