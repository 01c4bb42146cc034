//! OAuth 2 is to read refused responses, and theirs is no body.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::util::BoxCloneService;
use tower::{BoxError, Service, ServiceBuilder};
use tower_oauth::OAuth2Layer;
use tower_oauth::body::FromBytes;

type Body = Full<Bytes>;
struct Parsed;
type Http = BoxCloneService<Request<Body>, Response<Parsed>, BoxError>;

fn sdk(_: impl Service<Request<Body>, Response = Response<Parsed>, Error = BoxError>) {}

pub fn build(layer: OAuth2Layer, http: Http) {
    sdk(ServiceBuilder::new().layer(layer.body_policy(FromBytes)).service(http));
}

fn main() {}
