//! The endpoints of an authorization server, and how a client proves who it is there.
//!
//! | endpoint | type |
//! |---|---|
//! | token (RFC 6749 §3.2) | [`TokenEndpoint`] |
//!
//! Each is made of a URL, a [`ClientAuth`], and any HTTP client that is a tower service ([`HttpService`]).

mod caller;
mod client_auth;
mod device_authorization;
mod discovery;
mod introspection;
mod pushed_authorization;
mod registration;
mod revocation;
#[cfg(feature = "jwt")]
mod signing_key;
mod token_endpoint;

pub use crate::transport::HttpService;
pub use client_auth::ClientAuth;
pub use token_endpoint::TokenEndpoint;

pub(crate) use token_endpoint::push_scope;
