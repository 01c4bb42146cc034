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
//! Without a layer, a [`Signer`] signs one request at a time.
//!
//! # Bodies
//! A form (`application/x-www-form-urlencoded`, with any parameters, on any method) is read, signed, and sent on byte for
//! byte, within [a limit](OAuth1Layer::form_limit). For this the [body policy](crate::body) must be able to make a body
//! of bytes; the default needs `B: From<Bytes>`. No other body is looked at, unless a [body hash](BodyHash) or the
//! signature method asks for it; above all, none is ever guessed to be a form. What a `multipart/form-data` body holds
//! can be signed by way of [`SignedParameters`].
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

mod credentials;
mod future;
mod instruction;
mod layer;
mod nonce;
mod service;
mod signed_parameters;
mod signer;
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
pub use crate::protocol::oauth1::signature::SharedSecrets;
pub use crate::protocol::oauth1::signature::SignatureMethod;
pub use crate::protocol::oauth1::signature::SigningKey;

pub use credentials::Credentials;
pub use future::ResponseFuture;
pub use layer::OAuth1Layer;
pub use service::OAuth1;
pub use signed_parameters::SignedParameters;
pub use signer::Signer;
