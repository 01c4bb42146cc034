//! The OAuth 2 half: RFC 6749 with PKCE (RFC 7636), revocation (RFC 7009) and bearer tokens (RFC 6750).

#[cfg(feature = "jwt")]
mod assertion;
mod authorize;
mod client_auth;
mod resource;
mod revoke;
mod token;
mod tokens;

pub(super) use authorize::authorize;
pub(super) use resource::grpc;
pub(super) use resource::is_grpc;
pub(super) use resource::resource;
pub(super) use revoke::revoke;
pub(super) use token::token;
pub(super) use tokens::Tokens;
