//! What an access token is asked for.

use std::sync::Arc;
use std::sync::OnceLock;

use crate::token_key::hash_of;

/// What an access token is to be good for: scope tokens (RFC 6749 §3.3) and resources (RFC 8707 §2).
///
/// The default asks for nothing in particular: the source decides. Two tokens of one grant that were asked for with
/// different scopes are kept apart; order and repetition make no difference.
///
/// ```
/// use tower_oauth::token::AccessScope;
///
/// let read = AccessScope::new().scope("orders:read").resource("https://api.example.com");
/// assert_eq!(read.scopes().collect::<Vec<_>>(), ["orders:read"]);
/// assert_eq!(AccessScope::new().scope("b a"), AccessScope::new().scope("a").scope("b"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessScope(Arc<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    hash: u64,
    scopes: Vec<String>,
    resources: Vec<String>,
}

impl AccessScope {
    /// Nothing in particular.
    pub fn new() -> Self {
        static NOTHING: OnceLock<AccessScope> = OnceLock::new();
        NOTHING.get_or_init(|| Self::of(Vec::new(), Vec::new())).clone()
    }

    /// Adds scope tokens, separated by spaces.
    pub fn scope(&self, scope: &str) -> Self {
        let mut scopes = self.0.scopes.clone();
        scopes.extend(scope.split_ascii_whitespace().map(str::to_owned));
        Self::of(scopes, self.0.resources.clone())
    }

    /// Adds a resource: the absolute URI of the API.
    pub fn resource(&self, resource: impl Into<String>) -> Self {
        let mut resources = self.0.resources.clone();
        resources.push(resource.into());
        Self::of(self.0.scopes.clone(), resources)
    }

    /// The scope tokens, sorted.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.0.scopes.iter().map(String::as_str)
    }

    /// The resources, sorted.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.0.resources.iter().map(String::as_str)
    }

    /// Whether nothing in particular is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.scopes.is_empty() && self.0.resources.is_empty()
    }

    pub(super) fn precomputed_hash(&self) -> u64 {
        self.0.hash
    }

    fn of(mut scopes: Vec<String>, mut resources: Vec<String>) -> Self {
        scopes.sort_unstable();
        scopes.dedup();
        resources.sort_unstable();
        resources.dedup();
        Self(Arc::new(Inner { hash: hash_of(&(&scopes, &resources)), scopes, resources }))
    }
}

impl Default for AccessScope {
    fn default() -> Self {
        Self::new()
    }
}
