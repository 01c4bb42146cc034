//! The two protocols as pure code: bytes in, bytes out.

#[cfg(any(feature = "rsa", feature = "aws-lc-rs", feature = "jwt"))]
pub(crate) mod der;
#[cfg(feature = "oauth1")]
pub(crate) mod oauth1;
#[cfg(feature = "oauth2")]
pub(crate) mod oauth2;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs", feature = "jwt"))]
pub(crate) mod pem;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs", feature = "jwt"))]
pub(crate) mod private_key;
