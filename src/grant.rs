//! Ways to get a token: each is a [`TokenSource`](crate::token::TokenSource).
//!
//! | grant | type | gets the first token by itself |
//! |---|---|---|
//! | authorization code, with PKCE (RFC 6749 §4.1, RFC 7636) | [`AuthorizationCode`] | no: somebody logs in |
//! | device authorization (RFC 8628) | [`DeviceAuthorization`] | no: somebody logs in, on another device |
//! | implicit (RFC 6749 §4.2) | [`Implicit`] | no, and it cannot be renewed |
//! | client credentials (RFC 6749 §4.4) | [`ClientCredentials`] | yes |
//! | resource owner password (RFC 6749 §4.3) | [`Password`] | yes |
//! | JWT bearer (RFC 7523) | [`JwtBearer`] (feature `jwt`) | yes |
//! | SAML 2 bearer (RFC 7522) | [`Saml2Bearer`] | yes |
//! | token exchange (RFC 8693) | [`TokenExchange`] | yes |
//! | a Google service account (RFC 7523) | [`ServiceAccount`], [`SelfSignedJwt`] (feature `jwt`) | yes |
//! | any other, by its name (RFC 6749 §4.5) | [`ExtensionGrant`] | yes |
//! | refresh token (RFC 6749 §6) | [`RefreshToken`] | no: hand it to [`TokenManager::put`](crate::TokenManager::put) |
//! | none: a token that somebody else made | [`StaticToken`] | yes, and never another |
//!
//! To add one, implement [`TokenSource`](crate::token::TokenSource).

mod authorization_code;
mod client_credentials;
mod device_authorization;
mod extension;
mod implicit;
#[cfg(feature = "jwt")]
mod jwt_bearer;
mod password;
mod refresh_token;
mod saml2_bearer;
mod security_token;
#[cfg(feature = "jwt")]
mod service_account;
mod static_token;
mod token_exchange;
mod wanted;

pub use crate::protocol::oauth2::authorize::AuthorizationGrant;
pub use crate::protocol::oauth2::authorize::AuthorizationRequest;
pub use crate::protocol::oauth2::authorize::AuthorizationResponse;
pub use crate::protocol::oauth2::authorize::PendingAuthorization;
pub use crate::protocol::oauth2::authorize::ResponseMode;
pub use crate::protocol::oauth2::pkce::CodeChallengeMethod;
pub use authorization_code::AuthorizationCode;
pub use client_credentials::ClientCredentials;
pub use device_authorization::DeviceAuthorization;
pub use device_authorization::DeviceProgress;
pub use device_authorization::PendingDeviceAuthorization;
pub use extension::ExtensionGrant;
pub use implicit::Implicit;
#[cfg(feature = "jwt")]
pub use jwt_bearer::JwtBearer;
pub use password::Password;
pub use refresh_token::RefreshToken;
pub use saml2_bearer::Saml2Bearer;
pub use security_token::SecurityToken;
#[cfg(feature = "jwt")]
pub use service_account::SelfSignedJwt;
#[cfg(feature = "jwt")]
pub use service_account::ServiceAccount;
#[cfg(feature = "jwt")]
pub use service_account::ServiceAccountKey;
pub use static_token::StaticToken;
pub use token_exchange::TokenExchange;
pub use token_exchange::TokenType;
