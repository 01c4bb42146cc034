//! The gate: all token requests of the workers come through it, so that it knows what was asked and answered, whatever
//! server is behind it and whatever becomes of the worker.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep;
use tower::BoxError;

use crate::crew::Event;
use crate::dice::Dice;
use crate::message::fingerprint_of;

/// Where workers are killed, the longest time that a request and its answer spend here each: more time in which to be
/// killed.
const STAY: Duration = Duration::from_millis(4);

/// A token request and what became of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub worker: u64,
    /// The fingerprint of the refresh token that was presented.
    pub presented: String,
    pub answer: Option<Answer>,
}

#[derive(Clone, Debug)]
pub struct Answer {
    /// When the server had answered.
    pub at: Instant,
    pub status: StatusCode,
    /// The code of RFC 6749 §5.2.
    pub error: Option<String>,
}

#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    token_endpoint: String,
    http: Client<HttpConnector, Full<Bytes>>,
    events: UnboundedSender<Event>,
    /// Where workers are killed.
    dice: Option<Mutex<Dice>>,
    /// How many requests are let through.
    limit: usize,
    log: Mutex<Vec<Exchange>>,
}

impl Gate {
    pub fn new(
        token_endpoint: String,
        dice: Option<Dice>,
        limit: usize,
        events: UnboundedSender<Event>,
    ) -> Self {
        let http = Client::builder(TokioExecutor::new()).build_http();
        let (dice, log) = (dice.map(Mutex::new), Mutex::default());
        Self(Arc::new(Inner { token_endpoint, http, events, dice, limit, log }))
    }

    /// Listens on a free port, for as long as the runtime lives; gives the endpoint, to which each worker adds `/` and
    /// its number.
    pub async fn open(&self) -> std::io::Result<String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().route("/token/{worker}", post(pass)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(format!("http://{address}/token"))
    }

    /// All token requests so far.
    pub fn log(&self) -> Vec<Exchange> {
        self.entries().clone()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn stay(&self) {
        let stay =
            self.0.dice.as_ref().map(|dice| dice.lock().unwrap_or_else(PoisonError::into_inner).up_to(STAY));
        if let Some(stay) = stay {
            sleep(stay).await;
        }
    }
}

async fn pass(
    State(gate): State<Gate>,
    Path(worker): Path<u64>,
    headers: HeaderMap,
    form: Bytes,
) -> Response {
    let _ = gate.0.events.send(Event::Asked(worker));
    // A worker that is killed takes the connection with it, and this request, as long as it is not on its way to the server.
    gate.stay().await;
    // From here on it is a task of its own, because nothing stops what the server does.
    let passed = tokio::spawn(async move { gate.pass(worker, &headers, form).await }).await;
    match passed {
        Ok(Ok(response)) => response,
        failed => {
            eprintln!("fleet: a token request could not be passed on: {failed:?}");
            status(StatusCode::BAD_GATEWAY)
        }
    }
}

impl Gate {
    async fn pass(&self, worker: u64, headers: &HeaderMap, form: Bytes) -> Result<Response, BoxError> {
        let presented = fingerprint_of(&refresh_token(&form).ok_or("the request presents no refresh token")?);
        let number = {
            let mut log = self.entries();
            log.push(Exchange { worker, presented, answer: None });
            log.len() - 1
        };
        if number >= self.0.limit {
            return Ok(status(StatusCode::SERVICE_UNAVAILABLE));
        }

        let mut request = Request::post(&self.0.token_endpoint).body(Full::new(form))?;
        for name in [ACCEPT, AUTHORIZATION, CONTENT_TYPE] {
            if let Some(value) = headers.get(&name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        let (parts, body) = self.0.http.request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        let error = serde_json::from_slice::<serde_json::Value>(&body)
            .ok()
            .and_then(|answer| Some(answer["error"].as_str()?.to_owned()));
        if let Some(exchange) = self.entries().get_mut(number) {
            exchange.answer = Some(Answer { at: Instant::now(), status: parts.status, error });
        }

        let _ = self.0.events.send(Event::Answered(worker));
        self.stay().await;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = parts.status;
        if let Some(media_type) = parts.headers.get(CONTENT_TYPE) {
            response.headers_mut().insert(CONTENT_TYPE, media_type.clone());
        }
        Ok(response)
    }
}

fn refresh_token(form: &[u8]) -> Option<String> {
    let form = std::str::from_utf8(form).ok()?;
    let value = form.split('&').find_map(|parameter| parameter.strip_prefix("refresh_token="))?;
    Some(percent_decode_str(&value.replace('+', " ")).decode_utf8().ok()?.into_owned())
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
