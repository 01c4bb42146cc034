//! OAuth 2 as bytes: what goes to the endpoints of an authorization server, and what comes back. No I/O, no async.

pub(crate) mod authorize;
pub(crate) mod challenge;
pub(crate) mod device;
pub(crate) mod form;
pub(crate) mod introspection;
#[cfg(feature = "jwt")]
pub(crate) mod jwt;
pub(crate) mod metadata;
pub(crate) mod pkce;
pub(crate) mod placement;
pub(crate) mod registration;
pub(crate) mod request;
pub(crate) mod response;
#[cfg(feature = "jwt")]
pub(crate) mod service_account;
