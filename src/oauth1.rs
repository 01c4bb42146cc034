//! Signs requests as OAuth 1.0a wants it (RFC 5849).
//!
//! [`OAuth1Layer`] wraps any tower service that takes HTTP requests. Each request gets a signature over its method, its
//! URI, its query and, if its body is a form, that form; with it go a timestamp and a nonce that no other request has.
//! Everything else of the request stays as it is.
//!
//! The photo that is fetched in RFC 5849 §1.2, with the nonce and the time that the RFC took:
//!
//! ```
//! use std::time::{Duration, SystemTime};
//!
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_oauth::oauth1::{Credentials, OAuth1Layer};
//! use tower_oauth::{Clock, Origins};
//!
//! struct December1974;
//! impl Clock for December1974 {
//!     fn now(&self) -> SystemTime {
//!         SystemTime::UNIX_EPOCH + Duration::from_secs(137_131_202)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! // In the place of an HTTP client: answers with the header that it was sent.
//! let http = service_fn(|request: Request<Full<Bytes>>| async move {
//!     let sent = request.headers()["authorization"].as_bytes().to_vec();
//!     Ok::<_, std::convert::Infallible>(Response::new(sent))
//! });
//! let photos = ServiceBuilder::new()
//!     .layer(
//!         OAuth1Layer::new(
//!             Origins::one("http://photos.example.net")?,
//!             Credentials::new("dpf43f3p2l4k3l03", "kd94hf93k423kf44").token("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00"),
//!         )
//!         .realm("Photos")?
//!         .omit_version()
//!         .clock(December1974)
//!         .nonce_fn(|| "chapoH".to_owned())
//!         .dangerously_allow_http(),
//!     )
//!     .service(http);
//!
//! let uri = "http://photos.example.net/photos?file=vacation.jpg&size=original";
//! let response = photos.oneshot(Request::get(uri).body(Full::default())?).await?;
//! assert_eq!(
//!     String::from_utf8(response.into_body())?,
//!     r#"OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_nonce="chapoH", "#.to_owned()
//!         + r#"oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131202", oauth_token="nnch734d00sl2jdk", "#
//!         + r#"oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D""#
//! );
//! # Ok(())
//! # }
//! ```
//!
//! # Other ways to sign
//! A provider with another [method](SignatureMethod), another [place](Placement) for the parameters, and a digest of
//! bodies that are not forms:
//!
//! ```
//! use tower_oauth::Origins;
//! use tower_oauth::oauth1::{BodyHash, Credentials, HmacSha256, OAuth1Layer, Placement};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let layer = OAuth1Layer::new(Origins::one("https://api.example.com")?, Credentials::new("client", "secret"))
//!     .signature_method(HmacSha256)
//!     .placement(Placement::Query)
//!     .body_hash(BodyHash::NonForms)
//!     .form_limit(64 * 1024);
//! # let _ = layer;
//! # Ok(())
//! # }
//! ```
//!
//! Without a layer, a [`Signer`] signs one request at a time, and [explains](Signer::explain) what it signed to those
//! whose provider disagrees.
//!
//! # RSA
//! Some providers (Jira and Mastercard among them) want a client to sign with its private key. `RsaSha1`, `RsaSha256` and
//! `RsaSha512` do, for [`Credentials::without_secret`], with a key from PEM or DER. They come with two features:
//!
//! | feature | signs | with |
//! |---|---|---|
//! | `rsa` | all three | the crate `rsa`, whose timing depends on the key (RUSTSEC-2023-0071): every signature is blinded |
//! | `aws-lc-rs` | `RsaSha256`, `RsaSha512` | AWS-LC, which is four times as fast and compiled from C |
//!
//! With both, AWS-LC signs what it can. The signatures are the same.
//!
//! # Bodies
//! A form (`application/x-www-form-urlencoded`, with any parameters, on any method) is read, signed, and sent on byte for
//! byte, within [a limit](OAuth1Layer::form_limit). For this the [body policy](crate::body) must be able to make a body
//! of bytes; the default needs `B: From<Bytes>`. No other body is looked at, unless a [body hash](BodyHash) or the
//! signature method asks for it; above all, none is ever guessed to be a form. What a `multipart/form-data` body holds
//! can be signed by way of [`SignedParameters`].
//!
//! # Many users
//! A proxy, or a job that works for all users, has one layer and credentials for each of them. The request says whose are
//! meant, by a [`TokenKey`](crate::TokenKey) in its extensions, and a [`CredentialSource`] of yours looks them up:
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_oauth::oauth1::{Credentials, HmacSha256, OAuth1Layer, credential_source_fn};
//! use tower_oauth::{Origins, TokenKey};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! // In the place of a database.
//! let source = credential_source_fn(|user: TokenKey| async move {
//!     Ok(Credentials::new("consumer key", "consumer secret").token(format!("token-of-{user}"), "token secret"))
//! });
//! let layer = OAuth1Layer::per_request(Origins::one("https://api.example.com")?, source).signature_method(HmacSha256);
//! # let http = service_fn(|request: Request<Full<Bytes>>| async move {
//! #     let sent = request.headers()["authorization"].to_str().unwrap_or_default().to_owned();
//! #     Ok::<_, std::convert::Infallible>(Response::new(sent))
//! # });
//! let service = layer.layer(http);
//!
//! let mut request = Request::get("https://api.example.com/timeline").body(Full::default())?;
//! request.extensions_mut().insert(TokenKey::new("alice"));
//! let response = service.oneshot(request).await?;
//! # assert!(response.body().contains(r#"oauth_token="token-of-alice""#));
//! # Ok(())
//! # }
//! ```
//!
//! - A request without a key is an error, and so is one with a key for a layer that has one identity: redirect and retry
//!   layers lose extensions, and "no key" must not mean "somebody".
//! - The source is asked once for each key, and once at a time; what it says is kept, for the
//!   [10 000 keys](OAuth1Layer::max_keys) that were used last. A failure is an error for those who waited for the answer, and
//!   the next request asks again.
//! - When credentials change, call [`forget`](OAuth1Layer::forget). When a server refuses a token (a 401 with
//!   `token_expired`, `token_rejected` or `token_revoked`), the layer forgets it by itself, and delivers the refusal.
//!
//! # When the clock is wrong
//! Servers refuse timestamps that are some minutes off. The layer then learns the time of that server, from the
//! `oauth_acceptable_timestamps` or the `Date` of the refusal, and signs later requests for it by that time. The refused one is
//! signed anew and sent once more, if its body allows: an empty one, a form, or what the [body policy](crate::body) can send
//! again. Otherwise the refusal is delivered, and the next request is right.
//!
//! - What counts is any 4xx with `oauth_problem=timestamp_refused`, and a 400 or 401 that names no problem and whose `Date` is
//!   more than a minute from the timestamp. Such a guess has to prove itself: if the request is refused again, the guess is
//!   given up, and none is made for ten minutes.
//! - The server's time is counted on from there by the [monotonic clock](crate::Clock::monotonic): setting the clock of this
//!   machine does not disturb it. It is kept in memory, for the last 256 servers, and shared by all clones of the layer.
//! - The first response is dropped with its body unread, so that a layer needs to know nothing of response bodies; an HTTP/1
//!   connection may be closed for that.
//! - To be able to send a request again, the layer keeps a copy of its head, and with [`Buffered`](crate::body::Buffered) it
//!   reads the body. [`without_skew_correction`](OAuth1Layer::without_skew_correction) saves both.
//!
//! # What a provider says of a refusal
//! Many providers report what is wrong by the OAuth Problem Reporting extension. A report in the headers becomes an extension
//! of the response, an [`OAuthProblem`]: the code, what it means, and details. The layer does not read response bodies, which
//! may be streams without end; for a report in a body there is [`OAuthProblem::from_body`].
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::Full;
//! use tower::{Layer, ServiceExt};
//! use tower_oauth::oauth1::{Credentials, OAuth1Layer, OAuthProblem};
//! use tower_oauth::Origins;
//! use tower_oauth::testing::Provider;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! let credentials = Credentials::new("consumer-key", "a wrong secret");
//! let service = OAuth1Layer::new(Origins::one("http://localhost")?, credentials).layer(Provider::new());
//! let request = Request::get("http://localhost/oauth1/resource").body(Full::<Bytes>::default())?;
//! let response = service.oneshot(request).await?;
//!
//! let problem = response.extensions().get::<OAuthProblem>().ok_or("no problem reported")?;
//! assert_eq!(problem.code(), "signature_invalid");
//! assert!(problem.advice().is_some_and(|advice| advice.contains("check both secrets")));
//! # Ok(())
//! # }
//! ```
//!
//! # Where servers go wrong
//! The base string is made as the RFC says it, from the bytes that are sent: `%E9` is signed as the byte E9, `%zz` as a
//! percent sign and two letters, `;` separates nothing. Servers written in Python refuse bytes that are no UTF-8, and
//! decode the values of protocol parameters (a token with a `%` in it) once too often, some of them in query and form
//! only; no client can help that.
//!
//! # Security
//! - A signature goes only to the layer's [`Origins`](crate::Origins), over https, this machine excepted. A request to
//!   another origin is an error, or passes unsigned after [`pass_foreign_unsigned`](OAuth1Layer::pass_foreign_unsigned).
//! - [`Plaintext`] sends the secrets themselves: never over plain http, whatever was allowed.
//! - An `Authorization` that is on a request already is replaced: in a proxy, what came in must not go out.
//!   [`keep_existing`](OAuth1Layer::keep_existing) leaves it. With placement in query or form there is nothing to replace
//!   it with, and it stays.
//! - A request that has an `oauth_*` parameter already is an error: whoever put it there, two would be worse than none.
//! - The header is marked sensitive, so that layers which print headers leave it out. Placement in the query puts tokens
//!   into URIs, and so into logs.
//!
//! # Where to put this layer
//! Inside of retries and redirects, because a nonce is good for one request: every attempt and every hop must be signed
//! anew. Outside of whatever adds the scheme and host to a relative URI, as long as there is exactly one origin that it
//! can stand for. Nothing further in may change the method, the URI, a form or the `Host` header.

pub mod flow;

mod credential_source;
mod credentials;
mod explanation;
mod future;
mod head;
mod instruction;
mod layer;
mod nonce;
mod problem;
mod recent;
mod send;
mod service;
mod signed_parameters;
mod signer;
mod signers;
mod skew;
mod spare;
mod view;

pub use crate::protocol::oauth1::base_string::BaseStringUri;
pub use crate::protocol::oauth1::body_hash::BodyDigest;
pub use crate::protocol::oauth1::body_hash::BodyHash;
pub use crate::protocol::oauth1::header::Placement;
pub use crate::protocol::oauth1::signature::HmacSha1;
pub use crate::protocol::oauth1::signature::HmacSha256;
pub use crate::protocol::oauth1::signature::HmacSha512;
pub use crate::protocol::oauth1::signature::Message;
pub use crate::protocol::oauth1::signature::Plaintext;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
pub use crate::protocol::oauth1::signature::RsaPrivateKey;
#[cfg(feature = "rsa")]
pub use crate::protocol::oauth1::signature::RsaSha1;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
pub use crate::protocol::oauth1::signature::RsaSha256;
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
pub use crate::protocol::oauth1::signature::RsaSha512;
pub use crate::protocol::oauth1::signature::SharedSecrets;
pub use crate::protocol::oauth1::signature::SignatureMethod;
pub use crate::protocol::oauth1::signature::SigningKey;

pub use credential_source::BoxCredentialSource;
pub use credential_source::CredentialSource;
pub use credential_source::CredentialSourceFn;
pub use credential_source::credential_source_fn;
pub use credentials::Credentials;
pub use explanation::Explanation;
pub use future::ResponseFuture;
pub use layer::OAuth1Layer;
pub use problem::OAuthProblem;
pub use service::OAuth1;
pub use signed_parameters::SignedParameters;
pub use signer::Signer;
