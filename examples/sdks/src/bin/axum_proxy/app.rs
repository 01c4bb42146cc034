//! The proxy itself: a router with one handler.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::Semaphore;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};
use tower_oauth::{Error, Secret, TokenKey};

use crate::forwarding::{Upstream, clean_request, clean_response};

/// The HTTP client with a layer around it that takes its identity from each request. A box, so that the state has a type that
/// can be written down; the stack inside has to be `Clone + Send + Sync`, as axum asks of its state.
pub type Client = BoxCloneSyncService<Request, axum::http::Response<Body>, BoxError>;

/// What the handler needs.
#[derive(Clone)]
pub struct Proxy {
    pub client: Client,
    pub upstream: Upstream,
    /// The key by which callers prove that they may act for a tenant.
    pub keys: Arc<HashMap<String, Secret>>,
    /// One permit for each request, until the last byte of its answer.
    pub permits: Arc<Semaphore>,
    /// The longest body of a request, in bytes.
    pub body_limit: usize,
}

/// `GET /health`, and `/{tenant}/…` for everything else.
pub fn router(proxy: Proxy) -> Router {
    Router::new().route("/health", get(|| async { "ok\n" })).fallback(forward).with_state(proxy)
}

/// Why a request was not answered by the upstream. What callers read is fixed text; what happened is for the log.
#[derive(Clone, Copy)]
enum Refused {
    BadPath,
    BadMethod,
    UnknownCaller,
    TooLarge,
    TooBusy,
    NotLoggedIn,
    BadToken,
    UpstreamFailed,
    UpstreamSlow,
}

async fn forward(State(proxy): State<Proxy>, request: Request) -> Result<Response, Refused> {
    // The answer to a TRACE would show the token.
    if [Method::TRACE, Method::CONNECT].contains(request.method()) {
        return Err(Refused::BadMethod);
    }
    let (tenant, target) = proxy.upstream.resolve(request.uri()).ok_or(Refused::BadPath)?;
    let key = proxy.keys.get(tenant).filter(|key| Some(*key) == bearer(request.headers()).as_ref());
    let tenant = key.map(|_| TokenKey::new(tenant)).ok_or(Refused::UnknownCaller)?;
    let permit = Arc::clone(&proxy.permits).try_acquire_owned().map_err(|_| Refused::TooBusy)?;

    let (mut head, body) = request.into_parts();
    if length(&head.headers).is_some_and(|length| length > proxy.body_limit) {
        return Err(Refused::TooLarge);
    }
    head.uri = target;
    head.version = axum::http::Version::HTTP_11;
    clean_request(&mut head.headers);
    // Nothing that another layer left here goes along.
    head.extensions.clear();
    head.extensions.insert(tenant.clone());
    // An empty body stays empty, so that its request can be sent again with another token.
    let body = if axum::body::HttpBody::is_end_stream(&body) {
        body
    } else {
        Body::new(Limited::new(body, proxy.body_limit))
    };
    let request = Request::from_parts(head, body);

    let response =
        proxy.client.oneshot(request).await.map_err(|error| Refused::from_error(&tenant, &error))?;
    if [StatusCode::UNAUTHORIZED, StatusCode::PROXY_AUTHENTICATION_REQUIRED].contains(&response.status()) {
        // It was our token that was refused, not the caller's key.
        return Err(Refused::BadToken);
    }
    let (mut head, body) = response.into_parts();
    clean_response(&mut head.headers);
    let body = body.map_frame(move |frame| {
        let _until_the_end = &permit;
        frame
    });
    Ok(Response::from_parts(head, Body::new(body)))
}

/// The key that a caller sent.
fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::from(key.trim()))
}

fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Refused {
    fn from_error(tenant: &TokenKey, error: &BoxError) -> Self {
        eprintln!("{}: {error}", tenant.as_str());
        if is_caused_by::<LengthLimitError>(&**error) {
            return Self::TooLarge;
        }
        match Error::find(&**error) {
            Some(error) if error.is_timeout() => Self::UpstreamSlow,
            Some(error) if error.needs_reauthorization() => Self::NotLoggedIn,
            _ => Self::UpstreamFailed,
        }
    }
}

fn is_caused_by<E: std::error::Error + 'static>(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<E>() || error.source().is_some_and(is_caused_by::<E>)
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::BadPath => (StatusCode::BAD_REQUEST, "the path is /<tenant>/<path at the upstream>"),
            Self::BadMethod => (StatusCode::METHOD_NOT_ALLOWED, "this method is not forwarded"),
            Self::UnknownCaller => (StatusCode::UNAUTHORIZED, "send the tenant's key as a bearer token"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the request's body is too large"),
            Self::TooBusy => (StatusCode::SERVICE_UNAVAILABLE, "too many requests at once"),
            Self::NotLoggedIn => (StatusCode::UNAUTHORIZED, "the tenant has to log in at the upstream again"),
            Self::BadToken => (StatusCode::BAD_GATEWAY, "the upstream refused the tenant's token"),
            Self::UpstreamFailed => (StatusCode::BAD_GATEWAY, "the upstream, or its login, failed"),
            Self::UpstreamSlow => (StatusCode::GATEWAY_TIMEOUT, "the upstream, or its login, took too long"),
        };
        let mut response = (status, format!("{text}\n")).into_response();
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §11.6.1.
            let challenge = header::HeaderValue::from_static("Bearer realm=\"tower-oauth-proxy\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
