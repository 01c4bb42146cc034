//! Each of our layers on either side of somebody else's.

use bytes::Bytes;
use http::Request;
use http::Response;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;
use tower::BoxError;
use tower::Service;
use tower::ServiceExt;
use tower::util::BoxCloneService;

use crate::loopback::WIRES;

/// The body of requests.
pub type Body = Full<Bytes>;

/// A stack without its type.
pub type Api = BoxCloneService<Request<Body>, Response<UnsyncBoxBody<Bytes, BoxError>>, BoxError>;

/// What is protected by what a stack sends, and how the stack is built.
pub struct Side {
    pub name: &'static str,
    pub path: &'static str,
    pub api: Api,
}

/// `stack` without its type.
pub fn boxed<S, R>(stack: S) -> Api
where
    S: Service<Request<Body>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let stack = stack
        .map_response(|response: Response<R>| response.map(|body| body.map_err(Into::into).boxed_unsync()))
        .map_err(Into::into);
    BoxCloneService::new(stack)
}

/// A GET without body.
pub fn get(uri: impl AsRef<str>) -> Request<Body> {
    Request::get(uri.as_ref()).body(Body::default()).unwrap()
}

/// hyper-util's client. Its responses have a body that is `Default`, as tower-http's timeout asks of them.
pub fn http()
-> impl Service<Request<Body>, Response = Response<axum::body::Body>, Error = BoxError, Future: Send>
+ Clone
+ Send {
    let client = WIRES[0].client::<Body>().map_err(BoxError::from);
    client.map_response(|response: Response<_>| response.map(axum::body::Body::new))
}

/// The four stacks of a [`Stage`](crate::stage::Stage), one of our layers, and one of theirs, over hyper-util's client.
#[macro_export]
macro_rules! sides {
    ($stage:expr, $theirs:expr) => {{
        use $crate::sides::Side;
        use $crate::sides::boxed;
        use $crate::sides::http;
        let new = ::tower::ServiceBuilder::new;
        let (oauth2, oauth1) = ($stage.oauth2(), $stage.oauth1());
        let apis = [
            boxed(new().layer($theirs).layer(oauth2.clone()).service(http())),
            boxed(new().layer(oauth2).layer($theirs).service(http())),
            boxed(new().layer($theirs).layer(oauth1.clone()).service(http())),
            boxed(new().layer(oauth1).layer($theirs).service(http())),
        ];
        let names = ["OAuth 2 inside", "OAuth 2 outside", "OAuth 1 inside", "OAuth 1 outside"];
        let paths = ["/resource", "/resource", "/oauth1/resource", "/oauth1/resource"];
        let mut sides = ::std::vec::Vec::new();
        for ((api, name), path) in apis.into_iter().zip(names).zip(paths) {
            sides.push(Side { name, path, api });
        }
        sides
    }};
}
