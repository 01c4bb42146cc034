//! What the OAuth 1.0a half remembers between requests.

use crate::secret::Secret;
use crate::testing::bounded::Bounded;
use crate::testing::builder::TokenCredentials;

/// Credentials of each kind that are remembered.
const REMEMBERED_CREDENTIALS: usize = 10_000;
/// Nonces that are remembered. A replay of an older one would not be noticed.
const REMEMBERED_NONCES: usize = 100_000;

/// Nonces that were used and credentials that were issued.
pub(in crate::testing) struct Memory {
    nonces: Bounded<Nonce, ()>,
    pub(super) temporary: Bounded<String, Temporary>,
    pub(super) tokens: Bounded<String, TokenCredentials>,
}

/// What has to be unlike for every request (RFC 5849 §3.3).
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Nonce {
    pub(super) client: String,
    pub(super) token: Option<String>,
    pub(super) timestamp: String,
    pub(super) nonce: String,
}

/// Temporary credentials (RFC 5849 §2.1).
pub(super) struct Temporary {
    pub(super) client: String,
    pub(super) secret: Secret,
    /// Where the user is sent back to; `oob` when the verifier is shown instead.
    pub(super) callback: String,
    /// Known once the user approved (§2.2).
    pub(super) verifier: Option<String>,
    /// They can be exchanged once (§2.3).
    pub(super) spent: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            nonces: Bounded::new(REMEMBERED_NONCES),
            temporary: Bounded::new(REMEMBERED_CREDENTIALS),
            tokens: Bounded::new(REMEMBERED_CREDENTIALS),
        }
    }
}

impl Memory {
    /// Remembers a nonce; `false` when it was used before.
    pub(super) fn use_nonce(&mut self, nonce: Nonce) -> bool {
        self.nonces.insert(nonce, ())
    }
}
