//! HTTP clients, as tower services.
//!
//! | feature | what |
//! |---|---|
//! | `client` | [`client()`](crate::client): hyper and rustls, with safe defaults |
//! | `reqwest` | `Reqwest`: a `reqwest::Client` of yours |

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod client_body;
#[cfg(feature = "client")]
mod connect;
#[cfg(feature = "reqwest")]
mod normalize_uri;
#[cfg(feature = "client")]
mod proxy;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "client")]
mod tls;

#[cfg(feature = "reqwest")]
pub use self::reqwest::Reqwest;
#[cfg(feature = "client")]
pub use client::Client;
#[cfg(feature = "client")]
pub use client::ClientBuilder;
#[cfg(feature = "client")]
pub use client::client;
#[cfg(feature = "client")]
pub use client_body::RequestBody;
#[cfg(feature = "client")]
pub use client_body::ResponseBody;
#[cfg(feature = "reqwest")]
pub use normalize_uri::NormalizeUri;
#[cfg(feature = "reqwest")]
pub use normalize_uri::NormalizeUriFuture;
#[cfg(feature = "reqwest")]
pub use normalize_uri::NormalizeUriLayer;
#[cfg(feature = "client")]
pub use proxy::Proxy;
#[cfg(feature = "client")]
pub use tls::ClientCertificate;
#[cfg(feature = "client")]
pub use tls::RootCertificates;
