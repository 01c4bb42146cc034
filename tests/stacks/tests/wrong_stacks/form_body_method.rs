//! The same, and a method is called on the stack.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use tower::util::BoxCloneService;
use tower::{BoxError, ServiceBuilder, ServiceExt};
use tower_oauth::OAuth1Layer;

type Body = BoxBody<Bytes, BoxError>;
type Http = BoxCloneService<Request<Body>, Response<Body>, BoxError>;

pub async fn send(layer: OAuth1Layer, http: Http, request: Request<Body>) {
    let _ = ServiceBuilder::new().layer(layer).service(http).oneshot(request).await;
}

fn main() {}
