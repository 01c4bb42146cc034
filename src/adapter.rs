//! HTTP clients, as tower services.

mod client;
mod client_body;
mod connect;
mod proxy;
mod tls;

pub use client::Client;
pub use client::ClientBuilder;
pub use client::client;
pub use client_body::RequestBody;
pub use client_body::ResponseBody;
pub use proxy::Proxy;
pub use tls::ClientCertificate;
pub use tls::RootCertificates;
