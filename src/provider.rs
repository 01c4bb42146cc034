//! What is known of well-known providers: data, not code.
//!
//! A [`Provider`] holds what a client has to know of one authorization server: where its endpoints are, how a client
//! proves who it is there, what its requests and answers look like where they are not those of RFC 6749, and where its
//! APIs want the token. Everything is a public field, so whatever is out of date can be put right on the spot.
//!
//! ```
//! use tower_oauth::TokenManager;
//! use tower_oauth::grant::RefreshToken;
//! use tower_oauth::provider;
//! # fn http() -> impl tower::Service<http::Request<http_body_util::Full<bytes::Bytes>>,
//! #     Response = http::Response<http_body_util::Full<bytes::Bytes>>, Error = std::convert::Infallible,
//! #     Future: Send> + Clone + Send + 'static {
//! #     tower::service_fn(|_| async { Ok(http::Response::default()) })
//! # }
//!
//! // Renewals:
//! let endpoint = provider::notion().token_endpoint("client id", "client secret", http())?;
//! let manager = TokenManager::builder(RefreshToken::at(endpoint)).build();
//! # let _ = manager;
//!
//! // Logins:
//! let google = provider::google();
//! let login = google
//!     .authorization_code(google.token_endpoint("client id", "client secret", http())?)?
//!     .redirect_uri("https://app.example.com/callback")
//!     .scope("openid email");
//! # let _ = login;
//!
//! // What the preset does not know:
//! let mut contoso = provider::microsoft("contoso.onmicrosoft.com")?;
//! contoso.authorization_parameters.push(("prompt".into(), "select_account".into()));
//! # Ok::<(), tower_oauth::ConfigError>(())
//! ```
//!
//! # What is known, and how
//! Each preset says with its [`notes`](Provider::notes) how it is known what is peculiar to it ([`Evidence`]), and
//! [`is_checked`](Provider::is_checked) is true when all of it was read in the provider's own documentation. Of the others,
//! read that documentation before you rely on them.
//!
#![cfg_attr(feature = "oauth1", doc = "Providers of OAuth 1.0a are in [`oauth1`].")]

#[cfg(feature = "oauth2")]
mod commerce;
#[cfg(feature = "oauth2")]
mod identity;
#[cfg(feature = "oauth2")]
mod login;
#[cfg(feature = "oauth1")]
pub mod oauth1;
#[cfg(feature = "oauth2")]
mod oauth2;
#[cfg(feature = "oauth2")]
mod place;
#[cfg(feature = "oauth2")]
mod social;
#[cfg(feature = "oauth2")]
mod work;

#[cfg(feature = "oauth2")]
pub use commerce::*;
#[cfg(feature = "oauth2")]
pub use identity::*;
#[cfg(feature = "oauth2")]
pub use oauth2::ClientAuthStyle;
#[cfg(feature = "oauth2")]
pub use oauth2::Companion;
#[cfg(feature = "oauth2")]
pub use oauth2::CompanionValue;
#[cfg(feature = "oauth2")]
pub use oauth2::Pkce;
#[cfg(feature = "oauth2")]
pub use oauth2::Provider;
#[cfg(feature = "oauth2")]
pub use social::*;
#[cfg(feature = "oauth2")]
pub use work::*;

/// How something is known of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Evidence {
    /// It is in the provider's own documentation.
    Documentation,
    /// Another client library does it, in its source or in its table of providers.
    OtherClients,
    /// Users reported it.
    Reports,
    /// It is what is generally known, and was not checked.
    Unchecked,
}

/// Something that is peculiar to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// How it is known.
    pub evidence: Evidence,
    /// What it is, as a sentence.
    pub text: &'static str,
}
