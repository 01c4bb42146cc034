//! Tower middleware that signs outgoing requests.
//!
//! [`OAuth1Layer`] signs each request (OAuth 1.0a, RFC 5849); [`OAuth2Layer`] puts a token on each request (RFC 6750), gets
//! the first one, and renews it before requests go out. Both wrap any tower service that takes HTTP requests: a hyper
//! client, the client of an SDK, a stack of your own.
//!
//! ```
//! use tower::ServiceBuilder;
//! use tower_oauth::oauth1::Credentials;
//! use tower_oauth::{ClientAuth, ClientCredentials, OAuth1Layer, OAuth2Layer, Origins};
//! # use bytes::Bytes;
//! # use http_body_util::Full;
//! # fn http() -> impl tower::Service<http::Request<Full<Bytes>>, Response = http::Response<Full<Bytes>>,
//! #     Error = std::convert::Infallible, Future: Send> + Clone + Send + 'static {
//! #     tower::service_fn(|_: http::Request<Full<Bytes>>| async { Ok(http::Response::default()) })
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let http = http(); // any HTTP client that is a tower service
//!
//! let orders = ServiceBuilder::new()
//!     .layer(OAuth2Layer::new(
//!         Origins::one("https://api.example.com")?,
//!         ClientCredentials::new(
//!             "https://auth.example.com/token",
//!             ClientAuth::basic("client id", "client secret"),
//!             http.clone(),
//!         )?
//!         .scope("orders:read"),
//!     ))
//!     .service(http.clone());
//!
//! let timeline = ServiceBuilder::new()
//!     .layer(OAuth1Layer::new(
//!         Origins::one("https://api.example.org")?,
//!         Credentials::new("consumer key", "consumer secret").token("token", "token secret"),
//!     ))
//!     .service(http);
//! # let _: (&dyn Send, &dyn Send) = (&orders, &timeline);
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//! | for | see |
//! |---|---|
//! | signing with OAuth 1.0a | [`oauth1`] |
//! | tokens on requests | [`oauth2`] |
//! | getting tokens | [`grant`], [`endpoint`], [`provider`] |
//! | logging users in | [`grant::AuthorizationCode`], [`grant::DeviceAuthorization`], `loopback` |
//! | keeping and renewing tokens, and every default of that | [`token`], [`token::TokenManagerBuilder`] |
//! | keeping tokens elsewhere | [`store`], [`token::TokenStore`] |
//! | several processes that share logins | [`manual::fleet`] |
//! | a line for each request, as in scripts | `Session` (feature `client`) |
//! | what may be done with request bodies | [`body`] |
//! | where the layers go in an SDK, a client, a proxy | [`manual::stacks`] |
//! | where credentials may go | [`Origins`] |
//! | what can go wrong | [`error`] |
//! | watching it at work: logs, spans, metrics | [`manual::observability`] |
//! | testing your own service | `testing` (feature `testing`) |
//!
//! # Defaults
//! Every limit, time and bound is in one table: [`manual::defaults`].
//!
//! # Features
//! | feature | default | adds |
//! |---|---|---|
//! | `oauth1` | yes | OAuth 1.0a |
//! | `oauth2` | yes | OAuth 2, the token manager |
//! | `client` | no | `client()`, an HTTP client with TLS; `Session`, for scripts |
//! | `reqwest` | no | `adapter::Reqwest`: a `reqwest::Client` 0.13 as the HTTP client |
//! | `jwt` | no | signed JWTs: client assertions, the JWT bearer grant, service accounts; Rust 1.88 |
//! | `loopback` | no | a receiver of redirects, for programs that run where the browser does |
//! | `file` | no | `store::FileStore` |
//! | `sqlite`, `postgres` | no | `store::SqliteStore`, `store::PostgresStore`, over `sqlx` 0.9; Rust 1.94 |
//! | `redis` | no | `store::RedisStore`, over `redis` 1; Rust 1.88 |
//! | `encrypted` | no | `store::EncryptedStore`: what any store keeps, encrypted |
//! | `keyring` | no | `store::KeyringStore`, over `keyring-core` 1 |
//! | `testing` | no | an in-process provider for tests, and the checks that every store passes |
//! | `rsa` | no | `RSA-SHA1`, `RSA-SHA256`, `RSA-SHA512` for OAuth 1, by the crate `rsa` (blinded; see RUSTSEC-2023-0071) |
//! | `aws-lc-rs` | no | `RSA-SHA256`, `RSA-SHA512` by AWS-LC, four times as fast; needs a C compiler |
//! | `tracing` | no | spans and events through `tracing`: [`manual::observability`] |
//! | `metrics` | no | numbers for Prometheus and others, through the facade `metrics` |

#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations, unreachable_pub)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Without either protocol there is nothing to guard, and nobody who fails.
#![cfg_attr(not(any(feature = "oauth1", feature = "oauth2")), allow(dead_code, unused_imports))]

#[cfg(any(feature = "client", feature = "reqwest"))]
pub mod adapter;
pub mod body;
#[cfg(feature = "oauth2")]
pub mod endpoint;
pub mod error;
#[cfg(feature = "oauth2")]
pub mod grant;
#[cfg(feature = "loopback")]
pub mod loopback;
pub mod manual;
#[cfg(feature = "oauth1")]
pub mod oauth1;
#[cfg(feature = "oauth2")]
pub mod oauth2;
#[cfg(any(feature = "oauth1", feature = "oauth2"))]
pub mod provider;
#[cfg(feature = "client")]
pub mod session;
#[cfg(feature = "oauth2")]
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "oauth2")]
pub mod token;

mod clock;
#[cfg(test)]
mod defaults;
#[cfg(any(feature = "oauth1", feature = "oauth2"))]
mod lanes;
mod observe;
mod origin;
mod protocol;
mod secret;
mod token_key;
#[cfg(any(feature = "oauth1", feature = "oauth2"))]
mod transport;

#[cfg(feature = "client")]
pub use adapter::client;
pub use clock::Clock;
pub use clock::SystemClock;
#[cfg(feature = "oauth2")]
pub use endpoint::ClientAuth;
pub use error::ConfigError;
pub use error::Error;
pub use error::ErrorKind;
#[cfg(feature = "oauth2")]
pub use grant::ClientCredentials;
#[cfg(feature = "oauth1")]
pub use oauth1::Credentials;
#[cfg(feature = "oauth1")]
pub use oauth1::OAuth1Layer;
#[cfg(feature = "oauth2")]
pub use oauth2::OAuth2Layer;
pub use origin::Origin;
pub use origin::Origins;
pub use secret::Secret;
#[cfg(feature = "client")]
pub use session::Session;
#[cfg(feature = "oauth2")]
pub use token::Token;
#[cfg(feature = "oauth2")]
pub use token::TokenManager;
pub use token_key::TokenKey;
#[cfg(any(feature = "oauth1", feature = "oauth2"))]
pub use transport::CloneService;
#[cfg(any(feature = "oauth1", feature = "oauth2"))]
pub use transport::HttpService;
