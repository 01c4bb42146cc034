//! OAuth 2 as bytes: what goes to a token endpoint, and what comes back. No I/O, no async.

pub(crate) mod client_auth;
pub(crate) mod form;
pub(crate) mod response;
