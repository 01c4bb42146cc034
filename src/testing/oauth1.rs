//! The OAuth 1.0a half: verification (RFC 5849 §3) and the three legs (§2).
//!
//! It shares nothing with what signs in this crate: a mistake in a routine that both used would verify itself.

mod header;
mod legs;
mod memory;
mod resource;
mod signature;
mod verifier;

pub(super) use header::redact;
pub(super) use legs::authorize;
pub(super) use legs::initiate;
pub(super) use legs::token;
pub(super) use memory::Memory;
pub(super) use resource::resource;
pub(super) use signature::escape;
