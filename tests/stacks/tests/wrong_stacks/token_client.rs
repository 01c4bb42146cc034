//! The HTTP client of a grant cannot be cloned.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::BoxError;
use tower::util::BoxService;
use tower_oauth::{ClientAuth, ClientCredentials};

type Http = BoxService<Request<Full<Bytes>>, Response<Full<Bytes>>, BoxError>;

pub fn build(auth: ClientAuth, http: Http) {
    let _ = ClientCredentials::new("https://auth.example.com/token", auth, http);
}

fn main() {}
