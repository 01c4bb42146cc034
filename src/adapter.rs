//! HTTP clients, as tower services.

mod client;
mod client_body;

pub use client::Client;
pub use client::ClientBuilder;
pub use client::client;
pub use client_body::RequestBody;
pub use client_body::ResponseBody;
