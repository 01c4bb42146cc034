//! A provider for the tests of your own service: it issues tokens, verifies signatures, protects a resource with both, and
//! misbehaves when it is told to.
//!
//! [`Provider`] is a tower service. It can stand in for the token endpoint and for the API behind a layer, without any
//! socket; [`Provider::serve`] puts the same provider on a loopback port.
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::Bytes;
//! use http::{Request, StatusCode};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_oauth::testing::{ManualClock, Provider};
//! use tower_oauth::{ClientAuth, ClientCredentials, OAuth2Layer, Origins, TokenManager};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! // One clock for both sides, so that a token expires when the test says so.
//! let clock = ManualClock::new();
//! let lifetime = Duration::from_secs(600);
//! let provider =
//!     Provider::builder().test_clients().access_token_lifetime(lifetime).clock(clock.clone()).build();
//!
//! // What is tested: a stack with our layer, over the provider instead of an HTTP client.
//! let auth = ClientAuth::basic("test-client", "test-secret");
//! let grant = ClientCredentials::new("http://localhost/token", auth, provider.client())?.scope("orders:read");
//! let manager = TokenManager::builder(grant).clock(clock.clone()).build();
//! let orders = ServiceBuilder::new()
//!     .layer(OAuth2Layer::with_manager(Origins::one("http://localhost")?, manager))
//!     .service(provider.clone());
//! let request = || Request::get("http://localhost/resource").body(Full::<Bytes>::default());
//!
//! assert_eq!(orders.clone().oneshot(request()?).await?.status(), StatusCode::OK);
//! clock.advance(lifetime);
//! assert_eq!(orders.clone().oneshot(request()?).await?.status(), StatusCode::OK);
//!
//! let stats = provider.stats();
//! assert_eq!(stats.token_requests, 2);
//! assert_eq!((stats.resource.valid, stats.resource.expired), (2, 0));
//! # Ok(())
//! # }
//! ```
//!
//! # When things go wrong
//! A [`Fault`] spoils the next answers of a path, a [`Hold`] keeps them back until the test lets them go, and
//! [`Provider::revoke_all_access_tokens`] and its like act behind the client's back. Here the answer to a refresh is lost,
//! after which the refresh token is spent and nobody has its successor:
//!
//! ```
//! use tower_oauth::grant::RefreshToken;
//! use tower_oauth::testing::{Fault, Provider};
//! use tower_oauth::{ClientAuth, Token, TokenKey, TokenManager};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! let provider = Provider::new();
//! let auth = ClientAuth::basic("test-client", "test-secret");
//! let manager =
//!     TokenManager::builder(RefreshToken::new("http://localhost/token", auth, provider.client())?).build();
//!
//! // As if Alice had logged in.
//! let alice = TokenKey::new("alice");
//! let login = provider.issue("test-client", "orders:read");
//! let token = Token::new(login.access_token).with_expires_at(login.expires_at).with_refresh_token(login.refresh_token);
//! manager.put(&alice, token).await?;
//!
//! provider.inject(Fault::new().drop_connection().after_processing().on("/token"));
//! assert!(manager.refresh(&alice).await.is_err());
//! assert_eq!(provider.stats().refreshes, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What is where
//! | path | what |
//! |---|---|
//! | `/token` | client credentials, refresh token, authorization code with PKCE, password (RFC 6749, RFC 7636), device code (RFC 8628); with feature `jwt`, JWT bearer and client assertions (RFC 7523) |
//! | `/authorize` | approves at once, or [asks with a page](ProviderBuilder::login_page); redirects with `code` (or a token in the fragment), `state` and `iss` (RFC 9207) |
//! | `/par` | keeps an authorization request for a minute, for one use (RFC 9126) |
//! | `/device_authorization`, `/device` | gives codes to devices (RFC 8628), and asks their users; [`Provider::approve_device`] is one |
//! | `/revoke` | ends an access token, or the whole login of a refresh token (RFC 7009) |
//! | `/introspect` | says what an access token is worth (RFC 7662) |
//! | `/tokeninfo` | the same to whoever has the token, as Google does it |
//! | `/resource`, and below | wants a bearer token (RFC 6750); answers with the client, the user, the scope and what was sent |
//! | `/grpc`, and below, and any unknown path of media type `application/grpc` | the same for gRPC: `grpc-status: 16` in an answer of 200 |
//! | `/oauth1/initiate`, `/oauth1/authorize`, `/oauth1/token` | the three legs (RFC 5849 §2); approves at once |
//! | `/oauth1/resource`, and below | wants a signature, with a token or without; answers with what was verified, or with `oauth_problem` |
//!
//! Signatures may be by HMAC-SHA1, HMAC-SHA256, HMAC-SHA512 or PLAINTEXT, in the header, the query or a form. They are verified
//! with a straightforward implementation of RFC 5849 that shares nothing with what signs in this crate. A refusal says why,
//! and for a wrong signature which base string was expected.
//!
//! # At the addresses of real providers
//! [`StandIn`] answers for them, so that a program can be tested with the endpoints that it has in production; it plays the
//! browser too.
//!
//! # A store of your own
//! [`store_conformance`] checks it.
//!
//! # What it is not
//! A provider for production: it approves whatever it is asked, redirects wherever it is asked, keeps everything in memory and
//! forgets the oldest of it (10 000 tokens, 100 000 nonces, 256 requests).

mod answer;
mod body;
mod bounded;
mod builder;
mod clock;
mod faults;
mod form;
mod hold;
mod incoming;
mod oauth1;
mod oauth2;
mod page;
mod provider;
mod serve;
#[cfg(feature = "jwt")]
mod service_account;
mod stand_in;
mod stats;
pub mod store_conformance;

pub use body::Body;
pub use builder::ProviderBuilder;
pub use clock::ManualClock;
pub use faults::Fault;
pub use hold::Hold;
pub use provider::Client;
pub use provider::Issued;
pub use provider::Provider;
pub use provider::ResponseFuture;
pub use serve::Served;
#[cfg(feature = "jwt")]
pub use service_account::service_account;
pub use stand_in::StandIn;
pub use stand_in::Visited;
pub use stats::GrantCounts;
pub use stats::OAuth1Counts;
pub use stats::ResourceCounts;
pub use stats::SeenRequest;
pub use stats::Stats;
