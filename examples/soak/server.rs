//! The other side: the provider on a port of this machine, with the judge in front of it.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tower::{BoxError, ServiceExt};
use tower_oauth::testing::Provider;

use super::clock::SoakClock;
use super::courier;
use super::dice::Dice;
use super::judge::{Judge, Seen};

/// The slowest answer of the token endpoint.
const SLOWEST: Duration = Duration::from_millis(30);

#[derive(Clone)]
pub struct Server {
    pub provider: Provider,
    pub judge: Arc<Judge>,
    clock: SoakClock,
    dice: Arc<Mutex<Dice>>,
}

impl Server {
    pub fn new(provider: Provider, clock: SoakClock, dice: Dice) -> Self {
        Self { provider, judge: Arc::default(), clock, dice: Arc::new(Mutex::new(dice)) }
    }

    /// Listens on a free port, for as long as the runtime lives; gives the origin.
    pub async fn listen(&self) -> std::io::Result<String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(format!("http://{address}"))
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let answer = if request.uri().path() == "/token" {
        server.token(request).await
    } else {
        server.resource(request).await
    };
    answer.unwrap_or_else(|error| {
        eprintln!("soak: the provider failed: {error}");
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

impl Server {
    /// A token request: it takes a moment, before or after the provider has dealt with it.
    async fn token(&self, request: Request) -> Result<Response, BoxError> {
        let (client, asked) = (number(&request, &courier::CLIENT), chosen(&request));
        let (before, after) = {
            let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
            (dice.up_to(SLOWEST / 2), dice.up_to(SLOWEST / 2))
        };
        tokio::time::sleep(before).await;
        let (parts, body) = self.provider(request).await?.into_parts();
        let answer: serde_json::Value = serde_json::from_slice(&body)?;
        if let Some(token) = answer["access_token"].as_str() {
            self.judge.issued(client.unwrap_or(0) as usize, token, asked);
        }
        tokio::time::sleep(after).await;
        Ok(Response::from_parts(parts, Body::from(body)))
    }

    async fn resource(&self, request: Request) -> Result<Response, BoxError> {
        let authorization = request.headers().get(AUTHORIZATION).cloned();
        let token = authorization.as_ref().and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let known = request.headers().get_all(courier::KNOWN).iter().filter_map(parse).collect();
        let seen = Seen {
            client: number(&request, &courier::CLIENT).unwrap_or(0) as usize,
            request: number(&request, &courier::REQUEST).unwrap_or(0),
            chosen: chosen(&request),
            known,
            token,
        };
        self.judge.seen(&seen);
        let (mut parts, body) = self.provider(request).await?.into_parts();
        if parts.status == StatusCode::UNAUTHORIZED {
            let refusal = self.judge.refused(&seen, self.clock.elapsed());
            parts.headers.insert(courier::REFUSAL, HeaderValue::from(refusal));
        }
        Ok(Response::from_parts(parts, Body::from(body)))
    }

    async fn provider(&self, request: Request) -> Result<http::Response<Bytes>, BoxError> {
        let (parts, body) = self.provider.clone().oneshot(request).await?.into_parts();
        Ok(http::Response::from_parts(parts, body.collect().await?.to_bytes()))
    }
}

fn chosen(request: &Request) -> Duration {
    Duration::from_nanos(number(request, &courier::CHOSEN).unwrap_or(u64::MAX))
}

fn number(request: &Request, name: &HeaderName) -> Option<u64> {
    request.headers().get(name).and_then(parse)
}

fn parse(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}
