//! The two protocols as pure code: bytes in, bytes out.

#[cfg(feature = "oauth1")]
pub(crate) mod oauth1;
#[cfg(feature = "oauth2")]
pub(crate) mod oauth2;
