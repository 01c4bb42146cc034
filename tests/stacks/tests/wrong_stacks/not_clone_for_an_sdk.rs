//! The service inside cannot be cloned, and an SDK takes the layer.

use tower::{BoxError, Layer, Service};
use tower::util::BoxService;
use tower_oauth::OAuth1Layer;

struct Sdk;

impl Sdk {
    fn with_layer<L>(&self, _: L)
    where
        L: Layer<BoxService<http::Request<http_body_util::Full<bytes::Bytes>>, http::Response<String>, BoxError>>,
        L::Service: Service<http::Request<http_body_util::Full<bytes::Bytes>>>,
    {
    }
}

pub fn build(layer: OAuth1Layer) {
    Sdk.with_layer(layer);
}

fn main() {}
