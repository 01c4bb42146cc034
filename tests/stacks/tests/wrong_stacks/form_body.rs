//! OAuth 1 has to read forms, and the body cannot be made from bytes; an SDK takes the stack.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use tower::util::BoxCloneService;
use tower::{BoxError, Service, ServiceBuilder};
use tower_oauth::OAuth1Layer;

type Body = BoxBody<Bytes, BoxError>;
type Http = BoxCloneService<Request<Body>, Response<Body>, BoxError>;

fn sdk(_: impl Service<Request<Body>, Response = Response<Body>, Error = BoxError>) {}

pub fn build(layer: OAuth1Layer, http: Http) {
    sdk(ServiceBuilder::new().layer(layer).service(http));
}

fn main() {}
