//! The OAuth 2 half: RFC 6749 with PKCE (RFC 7636), pushed requests (RFC 9126), devices (RFC 8628), revocation (RFC 7009) and bearer tokens (RFC 6750).

#[cfg(feature = "jwt")]
mod assertion;
mod authorize;
mod client_auth;
mod device;
mod introspect;
mod pushed;
mod resource;
mod revoke;
mod token;
mod tokeninfo;
mod tokens;

pub(super) use authorize::authorize;
pub(super) use device::Devices;
pub(super) use device::device;
pub(super) use device::device_authorization;
pub(super) use introspect::introspect;
pub(super) use pushed::Pushed;
pub(super) use pushed::push;
pub(super) use resource::grpc;
pub(super) use resource::is_grpc;
pub(super) use resource::resource;
pub(super) use revoke::revoke;
pub(super) use token::token;
pub(super) use tokeninfo::tokeninfo;
pub(super) use tokens::Tokens;
