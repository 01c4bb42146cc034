//! The endpoints of an authorization server, and how a client proves who it is there.
//!
//! | endpoint | type |
//! |---|---|
//! | token (RFC 6749 §3.2) | [`TokenEndpoint`] |
//! | pushed authorization request (RFC 9126) | [`PushedAuthorizationEndpoint`] |
//! | device authorization (RFC 8628) | [`DeviceAuthorizationEndpoint`] |
//! | revocation (RFC 7009) | [`RevocationEndpoint`] |
//! | introspection (RFC 7662) | [`IntrospectionEndpoint`] |
//! | registration (RFC 7591, RFC 7592) | [`RegistrationEndpoint`] |
//! | any, by what the server says of itself (RFC 8414) | [`Discovery`] and [`AuthorizationServer`] |
//!
//! Each is made of a URL, a [`ClientAuth`], and any HTTP client that is a tower service ([`HttpService`](crate::HttpService)).

mod answer;
#[cfg(feature = "jwt")]
mod assertion;
mod authorization_server;
mod caller;
mod client_auth;
mod device_authorization;
mod discovery;
mod fields;
mod introspection;
mod pushed_authorization;
mod registration;
mod revocation;
mod secret_source;
#[cfg(feature = "jwt")]
mod signing_key;
mod token_endpoint;

pub use crate::protocol::oauth2::introspection::Introspection;
#[cfg(feature = "jwt")]
pub use crate::protocol::oauth2::jwt::PrivateKey;
#[cfg(feature = "jwt")]
pub use crate::protocol::oauth2::jwt::SecretKey;
#[cfg(feature = "jwt")]
pub use crate::protocol::oauth2::jwt::SigningAlgorithm;
pub use crate::protocol::oauth2::metadata::ServerMetadata;
pub use crate::protocol::oauth2::metadata::WellKnown;
pub use crate::protocol::oauth2::registration::ClientMetadata;
pub use crate::protocol::oauth2::registration::Registration;
pub use crate::protocol::oauth2::request::RequestRules;
pub use crate::protocol::oauth2::request::TokenRequest;
pub use crate::protocol::oauth2::response::ErrorPattern;
pub use crate::protocol::oauth2::response::ResponseRules;
pub use crate::protocol::oauth2::response::TokenField;
#[cfg(feature = "jwt")]
pub use assertion::Assertion;
pub use authorization_server::AuthorizationServer;
pub use client_auth::ClientAuth;
pub use client_auth::ClientRequest;
pub use client_auth::IncludeClientId;
pub use device_authorization::DeviceAuthorizationEndpoint;
pub use device_authorization::DeviceAuthorizationResponse;
pub use discovery::Discovery;
pub use introspection::IntrospectionEndpoint;
pub use pushed_authorization::PushedAuthorization;
pub use pushed_authorization::PushedAuthorizationEndpoint;
pub use registration::RegistrationEndpoint;
pub use revocation::RevocationEndpoint;
pub use secret_source::SecretSource;
#[cfg(feature = "jwt")]
pub use signing_key::SigningKey;
pub use token_endpoint::TokenEndpoint;

#[cfg(feature = "jwt")]
pub(crate) use assertion::assertion_for;
pub(crate) use client_auth::base64url;
pub(crate) use token_endpoint::push_scope;
