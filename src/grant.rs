//! Ways to get a token: each is a [`TokenSource`](crate::token::TokenSource).
//!
//! | grant | type | gets the first token by itself |
//! |---|---|---|
//! | client credentials (RFC 6749 §4.4) | [`ClientCredentials`] | yes |
//! | refresh token (RFC 6749 §6) | [`RefreshToken`] | no: hand it to [`TokenManager::put`](crate::TokenManager::put) |
//! | none: a token that somebody else made | [`StaticToken`] | yes, and never another |
//!
//! To add one, implement [`TokenSource`](crate::token::TokenSource).

mod authorization_code;
mod client_credentials;
mod device;
mod extension;
#[cfg(feature = "jwt")]
mod jwt_bearer;
mod password;
mod refresh_token;
mod saml2_bearer;
#[cfg(feature = "jwt")]
mod service_account;
mod static_token;
mod token_exchange;

pub use client_credentials::ClientCredentials;
pub use refresh_token::RefreshToken;
pub use static_token::StaticToken;
