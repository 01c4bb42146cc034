//! What stands in for a real service where there is none: an API on a port of this machine, guarded by the embedded provider.

use std::io;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::State;
use axum::middleware::Next;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::post;
use http::StatusCode;
use http::Uri;
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;
use tower::BoxError;
use tower::ServiceExt;
use tower_oauth::testing::Provider;

/// Serves `api` until the program ends: the provider's own answer to requests whose token it does not accept, and `/token` as
/// the provider has it. The origin is returned, such as `http://127.0.0.1:49152`.
pub async fn serve(provider: &Provider, api: Router) -> io::Result<String> {
    let tokens = provider.clone();
    let router = api
        .layer(from_fn_with_state(provider.clone(), guard))
        .route("/token", post(|request: Request| ask(tokens, request)));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(origin)
}

async fn guard(State(provider): State<Provider>, request: Request, next: Next) -> Response {
    let media_type = request.headers().get(CONTENT_TYPE);
    let is_grpc = media_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    let mut question = Request::new(Body::empty());
    *question.uri_mut() = Uri::from_static(if is_grpc { "/grpc" } else { "/resource" });
    *question.headers_mut() = request.headers().clone();
    let verdict = ask(provider, question).await;
    let grpc_status = verdict.headers().get("grpc-status");
    let is_good = verdict.status() == StatusCode::OK && grpc_status.is_none_or(|status| status == "0");
    if is_good { next.run(request).await } else { verdict }
}

async fn ask(provider: Provider, request: Request) -> Response {
    match provider.oneshot(request).await {
        Ok(answer) => answer.map(Body::new),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// Prints whether something is as it should be, and fails when it is not.
pub fn check(is_so: bool, what: &str) -> Result<(), BoxError> {
    println!("   {}    {what}", if is_so { "right:" } else { "WRONG:" });
    if is_so { Ok(()) } else { Err(format!("this is not so: {what}").into()) }
}
