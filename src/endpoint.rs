//! The endpoints of an authorization server, and how a client proves who it is there.
//!
//! | endpoint | type |
//! |---|---|
//! | token (RFC 6749 §3.2) | [`TokenEndpoint`] |
//!
//! Each is made of a URL, a [`ClientAuth`], and any HTTP client that is a tower service ([`HttpService`]).

#[cfg(feature = "jwt")]
mod assertion;
mod caller;
mod client_auth;
mod device_authorization;
mod discovery;
mod introspection;
mod pushed_authorization;
mod registration;
mod revocation;
mod secret_source;
#[cfg(feature = "jwt")]
mod signing_key;
mod token_endpoint;

pub use crate::transport::HttpService;
#[cfg(feature = "jwt")]
pub use crate::protocol::oauth2::jwt::PrivateKey;
#[cfg(feature = "jwt")]
pub use crate::protocol::oauth2::jwt::SecretKey;
#[cfg(feature = "jwt")]
pub use crate::protocol::oauth2::jwt::SigningAlgorithm;
#[cfg(feature = "jwt")]
pub use assertion::Assertion;
pub use client_auth::ClientAuth;
pub use client_auth::ClientRequest;
pub use client_auth::IncludeClientId;
pub use secret_source::SecretSource;
#[cfg(feature = "jwt")]
pub use signing_key::SigningKey;
pub use token_endpoint::TokenEndpoint;

pub(crate) use token_endpoint::push_scope;
