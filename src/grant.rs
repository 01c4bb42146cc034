//! Ways to get a token: each is a [`TokenSource`](crate::token::TokenSource).
//!
//! | grant | type | gets the first token by itself |
//! |---|---|---|
//! | client credentials (RFC 6749 §4.4) | [`ClientCredentials`] | yes |
//! | refresh token (RFC 6749 §6) | [`RefreshToken`] | no: hand it to [`TokenManager::put`](crate::TokenManager::put) |
//! | none: a token that somebody else made | [`StaticToken`] | yes, and never another |
//!
//! To add one, implement [`TokenSource`](crate::token::TokenSource).

mod client_credentials;
mod refresh_token;
mod static_token;
mod token_endpoint;

pub use crate::protocol::oauth2::client_auth::ClientAuth;
pub use client_credentials::ClientCredentials;
pub use refresh_token::RefreshToken;
pub use static_token::StaticToken;
pub use token_endpoint::TokenEndpoint;
