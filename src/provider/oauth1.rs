//! Providers of OAuth 1.0a.
//!
//! ```
//! use tower_oauth::provider::oauth1;
//!
//! let tumblr = oauth1::tumblr();
//! assert_eq!(tumblr.request_token_url, "https://www.tumblr.com/oauth/request_token");
//! assert!(!tumblr.is_checked());
//! ```

use crate::provider::Evidence;
use crate::provider::Note;

/// The endpoints of a provider of OAuth 1.0a (RFC 5849 §2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OAuth1Provider {
    /// What people call it.
    pub name: &'static str,
    /// Where a request token is asked for (§2.1).
    pub request_token_url: &'static str,
    /// Where users are sent to log in (§2.2).
    pub authorization_url: &'static str,
    /// Where the access token is asked for (§2.3).
    pub access_token_url: &'static str,
    /// What is peculiar to it, and how that is known.
    pub notes: Vec<Note>,
}

impl OAuth1Provider {
    /// Whether all of it was read in the provider's own documentation.
    pub fn is_checked(&self) -> bool {
        !self.notes.is_empty() && self.notes.iter().all(|note| note.evidence == Evidence::Documentation)
    }

    fn new(
        name: &'static str,
        request_token: &'static str,
        authorize: &'static str,
        access_token: &'static str,
    ) -> Self {
        Self {
            name,
            request_token_url: request_token,
            authorization_url: authorize,
            access_token_url: access_token,
            notes: Vec::new(),
        }
    }

    fn note(mut self, evidence: Evidence, text: &'static str) -> Self {
        self.notes.push(Note { evidence, text });
        self
    }
}

/// Bitbucket.
pub fn bitbucket() -> OAuth1Provider {
    OAuth1Provider::new(
        "Bitbucket",
        "https://bitbucket.org/api/1.0/oauth/request_token",
        "https://bitbucket.org/api/1.0/oauth/authenticate",
        "https://bitbucket.org/api/1.0/oauth/access_token",
    )
    .note(Evidence::OtherClients, "the addresses are those of the tutorials of other clients")
}

/// Tumblr.
pub fn tumblr() -> OAuth1Provider {
    OAuth1Provider::new(
        "Tumblr",
        "https://www.tumblr.com/oauth/request_token",
        "https://www.tumblr.com/oauth/authorize",
        "https://www.tumblr.com/oauth/access_token",
    )
    .note(Evidence::OtherClients, "the addresses are those of the tutorials of other clients")
}

/// X, formerly Twitter. For logins only, `/oauth/authenticate` skips the question that was answered before.
pub fn x() -> OAuth1Provider {
    OAuth1Provider::new(
        "X",
        "https://api.x.com/oauth/request_token",
        "https://api.x.com/oauth/authorize",
        "https://api.x.com/oauth/access_token",
    )
    .note(Evidence::Unchecked, "the host was api.twitter.com, which still answers")
}
