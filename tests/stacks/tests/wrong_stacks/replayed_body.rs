//! OAuth 2 is to send requests again, and the body cannot be made from bytes; an SDK takes the stack.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use tower::util::BoxCloneService;
use tower::{BoxError, Service, ServiceBuilder};
use tower_oauth::OAuth2Layer;
use tower_oauth::body::Buffered;

type Body = BoxBody<Bytes, BoxError>;
type Http = BoxCloneService<Request<Body>, Response<Body>, BoxError>;

fn sdk(_: impl Service<Request<Body>, Response = Response<Body>, Error = BoxError>) {}

pub fn build(layer: OAuth2Layer, http: Http) {
    sdk(ServiceBuilder::new().layer(layer.body_policy(Buffered::default())).service(http));
}

fn main() {}
