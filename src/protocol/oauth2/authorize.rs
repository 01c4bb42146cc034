//! Asking a resource owner for an authorization: the URL of the request (RFC 6749 §4.1.1), and what comes back (§4.1.2).

mod pending;
mod request;
mod response;
mod stored;

pub use pending::AuthorizationGrant;
pub use pending::PendingAuthorization;
pub use request::AuthorizationRequest;
pub use response::AuthorizationResponse;

/// How the answer travels back to the redirect URI (OAuth 2.0 Multiple Response Type Encoding Practices §2.1, OAuth 2.0 Form
/// Post Response Mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseMode {
    /// In the query of the redirect URI: the default of the code flow.
    Query,
    /// In its fragment, which browsers do not send to servers: the default of the implicit flow.
    Fragment,
    /// In a form that the browser posts. Apple wants it as soon as a scope is asked for.
    FormPost,
}

impl ResponseMode {
    /// The value of `response_mode`: `query`, `fragment` or `form_post`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
        }
    }
}

/// What is asked for (RFC 6749 §3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseType {
    Code,
    Token,
}

impl ResponseType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Token => "token",
        }
    }

    /// Where the answer is, unless something else is asked for.
    fn default_mode(self) -> ResponseMode {
        match self {
            Self::Code => ResponseMode::Query,
            Self::Token => ResponseMode::Fragment,
        }
    }
}
