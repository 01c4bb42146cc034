//! The service inside cannot be cloned, and a method is called on the stack.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::util::BoxService;
use tower::{BoxError, ServiceBuilder, ServiceExt};
use tower_oauth::OAuth2Layer;

type Http = BoxService<Request<Full<Bytes>>, Response<Full<Bytes>>, BoxError>;

pub async fn send(layer: OAuth2Layer, http: Http, request: Request<Full<Bytes>>) {
    let api = ServiceBuilder::new().layer(layer).service(http);
    let _ = api.oneshot(request).await;
}

fn main() {}
