//! What the messages about the others advise.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use tower::buffer::BufferLayer;
use tower::util::{BoxCloneService, BoxService};
use tower::{BoxError, Service, ServiceBuilder};
use tower_oauth::body::{Untouched, body_fn};
use tower_oauth::{ClientAuth, ClientCredentials, OAuth1Layer, OAuth2Layer};

type Body = BoxBody<Bytes, BoxError>;
type Buffered = BoxService<Request<Full<Bytes>>, Response<Full<Bytes>>, BoxError>;
type Http = BoxCloneService<Request<Body>, Response<Body>, BoxError>;

fn sdk<B, R>(_: impl Service<Request<B>, Response = Response<R>, Error = BoxError>) {}

pub fn not_clone(oauth1: OAuth1Layer, oauth2: OAuth2Layer, (one, other): (Buffered, Buffered)) {
    sdk(ServiceBuilder::new().layer(oauth1).layer(BufferLayer::new(64)).service(one));
    sdk(ServiceBuilder::new().layer(oauth2).layer(BufferLayer::new(64)).service(other));
}

pub fn bodies(oauth1: OAuth1Layer, oauth2: OAuth2Layer, http: Http) {
    let policy = body_fn(|bytes| BoxBody::new(Full::new(bytes).map_err(Into::into)), |_: &Body| None);
    sdk(ServiceBuilder::new().layer(oauth1.clone().body_policy(policy.clone())).service(http.clone()));
    sdk(ServiceBuilder::new().layer(oauth1.body_policy(Untouched)).service(http.clone()));
    sdk(ServiceBuilder::new().layer(oauth2.clone().body_policy(policy)).service(http.clone()));
    sdk(ServiceBuilder::new().layer(oauth2).service(http));
}

pub fn token_client(auth: ClientAuth, http: Buffered) {
    let http = ServiceBuilder::new().layer(BufferLayer::new(64)).service(http);
    let _ = ClientCredentials::new("https://auth.example.com/token", auth, http);
}

fn main() {}
