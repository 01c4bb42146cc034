//! Puts OAuth 2 tokens on requests.
//!
//! [`OAuth2Layer`] wraps any tower service that takes HTTP requests. Each request gets the current token in its
//! `Authorization` header (RFC 6750 §2.1); when there is none, the request waits for one; when a server refuses it, a
//! new one is fetched.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_oauth::grant::StaticToken;
//! use tower_oauth::oauth2::OAuth2Layer;
//! use tower_oauth::Origins;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! // In the place of an HTTP client: answers with the header that it was sent.
//! let http = service_fn(|request: Request<Full<Bytes>>| async move {
//!     let sent = request.headers()["authorization"].as_bytes().to_vec();
//!     Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(sent))))
//! });
//! let service = ServiceBuilder::new()
//!     .layer(OAuth2Layer::new(Origins::one("https://api.example.com")?, StaticToken::new("mF_9.B5f-4.1JqM")))
//!     .service(http);
//!
//! let request = Request::get("https://api.example.com/orders").body(Full::default())?;
//! let response = service.oneshot(request).await?;
//! # use http_body_util::BodyExt;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "Bearer mF_9.B5f-4.1JqM");
//! # Ok(())
//! # }
//! ```
//!
//! # Many identities
//! A layer that was built with [`key_per_request`](OAuth2Layer::key_per_request) takes the identity from each request's
//! [`TokenKey`](crate::TokenKey); a request without one fails, so that it can never go out as somebody else. In the same
//! way, a layer that has one identity refuses a request that carries a key.
//!
//! ```
//! use http::Request;
//! use tower_oauth::oauth2::OAuth2Layer;
//! use tower_oauth::token::token_source_fn;
//! use tower_oauth::{Origins, Token, TokenKey, TokenManager};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = TokenManager::builder(token_source_fn(|request| async move {
//!     Ok(Token::new(format!("token-of-{}", request.key())))
//! }))
//! .build();
//! let layer = OAuth2Layer::with_manager(Origins::one("https://api.example.com")?, manager).key_per_request();
//!
//! let mut request = Request::get("https://api.example.com/orders").body(())?;
//! request.extensions_mut().insert(TokenKey::new("tenant-7"));
//! # let _ = layer;
//! # Ok(())
//! # }
//! ```
//!
//! # Where the token goes
//! Into `Authorization: Bearer`, unless the layer has another [`Placement`]: another scheme, a header of its own, the
//! query, a form; and headers that go along, such as the version of an API. For what depends on the token itself there is
//! a hook, [`protected_request`](OAuth2Layer::protected_request). Whatever else is to be done to requests and responses is
//! the work of another tower layer, inside of this one (where requests have their token) or outside of it.
//!
//! ```
//! use tower_oauth::grant::StaticToken;
//! use tower_oauth::oauth2::{OAuth2Layer, Placement};
//! use tower_oauth::Origins;
//!
//! let shop = Origins::one("https://shop.example.com")?;
//! let layer = OAuth2Layer::new(shop, StaticToken::new("shpat_1"))
//!     .placement(Placement::header("X-Shopify-Access-Token")?.companion("X-Api-Version", "2025-01")?);
//! # let _ = layer;
//! # Ok::<(), tower_oauth::ConfigError>(())
//! ```
//!
//! # What one request may wish
//! | in its extensions | what happens |
//! |---|---|
//! | [`TokenKey`](crate::TokenKey) | it gets the token of this key; see above |
//! | [`AccessScope`](crate::token::AccessScope) | it gets a token that is good for this, in place of the layer's scope |
//! | [`WithToken`] | it gets this token |
//! | [`WithoutToken`] | it goes as it is |
//! | [`ForceRefresh`] | it waits for a new token first |
//!
//! Whether there is a token for a key, or something to get one with, says
//! [`TokenManager::authorized`](crate::TokenManager::authorized).
//!
//! # When a token is refused
//! What counts as a refusal is a [`Refusal`]: status 401, unless said otherwise. The token that was sent is dropped, if
//! it is still the current one. Whether the request is sent once more with a new token depends on the layer's
//! [body policy](crate::body); with the default, [`Untouched`](crate::body::Untouched), the refusal is delivered, and
//! the next request is right. When no new token can be had, the refusal is delivered as it came. gRPC has refusals of its
//! own: [`Refusal::grpc`].
//!
//! Who renews tokens, and how to do so by hand, is told in [`manual::refreshing`](crate::manual::refreshing).
//!
//! # When a token is not good enough
//! A 403 (or 401) whose challenge says `insufficient_scope` is no refusal, since the next token would be good for the
//! same. It is delivered, with an [`InsufficientScope`] in its extensions that has the scope asked for; the request can be
//! repeated with it. A server that wants a stronger login is told of by [`InsufficientAuthentication`]. With
//! [`insufficiency_is_error`](OAuth2Layer::insufficiency_is_error) both are errors. [`Challenge`] reads whatever else is
//! in `WWW-Authenticate`.
//!
//! # Security
//! - A token goes only to the layer's [`Origins`](crate::Origins), over https, this machine excepted. A request to
//!   another origin is an error, or passes bare after [`pass_foreign_unsigned`](OAuth2Layer::pass_foreign_unsigned).
//! - An `Authorization` that is on a request already is replaced, or removed where the token goes elsewhere: in a proxy,
//!   what came in must not go out. [`keep_existing`](OAuth2Layer::keep_existing) leaves it.
//! - A request never goes out without a token because none could be had; it fails. [`WithoutToken`] asks for it.
//! - The header is marked sensitive, so that layers which print headers leave it out.
//!
//! # Where to put this layer
//! Inside of retries and redirects, so that every attempt and every hop gets its own token or none; outside of buffers
//! and of whatever changes the URI's origin. The token client of the grant must be a service of its own.

mod express;
mod future;
mod insufficiency;
mod layer;
mod marker;
mod placement;
mod refusal;
mod send;
mod service;

pub use crate::protocol::oauth2::challenge::Challenge;
pub use crate::protocol::oauth2::placement::Placement;
pub use future::ResponseFuture;
pub use insufficiency::InsufficientAuthentication;
pub use insufficiency::InsufficientScope;
pub use layer::OAuth2Layer;
pub use marker::ForceRefresh;
pub use marker::WithToken;
pub use marker::WithoutToken;
pub use refusal::Refusal;
pub use service::OAuth2;
