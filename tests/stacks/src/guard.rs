//! APIs that the embedded provider guards: it judges the token or the signature of each request before the API sees it.

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::Request;
use http::Response;
use http::StatusCode;
use http::Uri;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body::Frame;
use http_body_util::Empty;
use http_body_util::StreamBody;
use hyper::body::Incoming;
use tower::BoxError;
use tower::Service;
use tower::ServiceExt;
use tower_oauth::OAuth2Layer;
use tower_oauth::body::Recording;
use tower_oauth::oauth2::Refusal;
use tower_oauth::testing;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;

use crate::loopback::Server;
use crate::stage::LIFETIME;
use crate::stage::Stage;

/// Requests below it need an OAuth 1 signature; the API sees the rest of their path.
pub const SIGNED: &str = "/oauth1/resource";

/// Where a gRPC server says that it refuses a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In the head of the response, which is then all of it: "Trailers-Only".
    Head,
    /// In the trailers, after a head that says nothing.
    Trailers,
}

/// `api` with the provider in front of it, on a free port. `/token` is the provider's.
pub async fn guarded(api: Router) -> Stage {
    start(api, Status::Head, false).await
}

/// The same over TLS.
pub async fn guarded_over_tls(api: Router) -> Stage {
    start(api, Status::Head, true).await
}

/// The same, for a gRPC server that says what it refuses where `status` has it.
pub async fn guarded_with(api: Router, status: Status) -> Stage {
    start(api, status, false).await
}

async fn start(api: Router, status: Status, tls: bool) -> Stage {
    let clock = ManualClock::new();
    let provider =
        Provider::builder().test_clients().access_token_lifetime(LIFETIME).clock(clock.clone()).build();
    let server = Server::start(guard(provider.clone(), api, status), tls).await;
    Stage { provider, clock, server }
}

/// A layer for gRPC: what it calls a refusal, and how its bodies are sent again.
pub fn grpc(stage: &Stage) -> OAuth2Layer<Recording<tonic::body::Body>> {
    stage.oauth2().refusal(Refusal::grpc()).body_policy(Recording::new(tonic::body::Body::new))
}

fn guard(
    provider: Provider,
    api: Router,
    status: Status,
) -> impl Service<Request<Incoming>, Response = Response<Body>, Error = BoxError, Future: Send>
+ Clone
+ Send
+ 'static {
    tower::service_fn(move |request: Request<Incoming>| {
        let (provider, api) = (provider.clone(), api.clone());
        async move {
            if request.uri().path() == "/token" {
                return Ok(provider.oneshot(request).await?.map(Body::new));
            }
            let (mut head, body) = request.into_parts();
            let verdict = provider.oneshot(question(&head)).await?;
            if !is_accepted(&verdict) {
                return Ok(match status {
                    Status::Head => verdict.map(Body::new),
                    Status::Trailers => in_trailers(&verdict),
                });
            }
            if let Some(rest) = head.uri.to_string().split_once(SIGNED).map(|(_, rest)| rest.to_owned()) {
                head.uri = rest.parse::<Uri>()?;
            }
            let answer = api.oneshot(Request::from_parts(head, Body::new(body))).await;
            answer.map_err(|never| match never {})
        }
    })
}

/// A request with the credentials of this one, for what the provider protects itself.
fn question(head: &Parts) -> Request<Empty<Bytes>> {
    let media_type = head.headers.get(CONTENT_TYPE);
    let is_grpc = media_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    let mut question = Request::new(Empty::new());
    *question.method_mut() = head.method.clone();
    *question.headers_mut() = head.headers.clone();
    *question.uri_mut() = match head.uri.path() {
        signed if signed.starts_with(SIGNED) => head.uri.clone(),
        _ if is_grpc => Uri::from_static("/grpc"),
        _ => Uri::from_static("/resource"),
    };
    question
}

fn is_accepted(verdict: &Response<testing::Body>) -> bool {
    let grpc_status = verdict.headers().get("grpc-status");
    verdict.status() == StatusCode::OK && grpc_status.is_none_or(|status| status == "0")
}

/// The same verdict, where only whoever reads the body to its end sees it.
fn in_trailers(verdict: &Response<testing::Body>) -> Response<Body> {
    let mut trailers = verdict.headers().clone();
    trailers.remove(CONTENT_TYPE);
    let frames = stream::iter([Ok::<_, BoxError>(Frame::trailers(trailers))]);
    let response = Response::builder().header(CONTENT_TYPE, "application/grpc");
    response.body(Body::new(StreamBody::new(frames))).unwrap()
}
