//! The three legs of OAuth 1.0a: against the embedded provider, and against scripted answers that are odd.

#[path = "oauth1_flow/answers.rs"]
mod answers;
#[path = "oauth1_flow/guards.rs"]
mod guards;
#[path = "oauth1_flow/legs.rs"]
mod legs;
#[path = "oauth1_flow/requests.rs"]
mod requests;
#[path = "oauth1_flow/tokens.rs"]
mod tokens;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use http::Uri;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Full;
use tower::Service;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::oauth1::flow::Endpoints;
use tower_oauth::oauth1::flow::Flow;
use tower_oauth::oauth1::flow::RequestToken;
use tower_oauth::testing::Provider;

/// What a scripted answer needs for both legs.
const TOKENS: &str = "oauth_token=t0k&oauth_token_secret=s3cret&oauth_callback_confirmed=true";

fn endpoints() -> Endpoints {
    at("http://localhost")
}

/// The endpoints of the embedded provider.
fn at(origin: &str) -> Endpoints {
    Endpoints::new(
        &format!("{origin}/oauth1/initiate"),
        &format!("{origin}/oauth1/authorize"),
        &format!("{origin}/oauth1/token"),
    )
    .unwrap()
}

/// A flow at the embedded provider.
fn flow_at(provider: &Provider) -> Flow {
    Flow::new("consumer-key", "consumer-secret", endpoints(), provider.client())
}

/// A flow whose requests are answered by `script`.
fn flow_with(script: &Script) -> Flow {
    Flow::new("consumer-key", "consumer-secret", endpoints(), script.service())
}

/// A login that waits for its resource owner, as it was kept.
fn request_token(token: &str, token_secret: &str) -> RequestToken {
    let kept = serde_json::json!({
        "version": 1,
        "kind": "oauth1_request_token",
        "token": token,
        "token_secret": token_secret,
    });
    RequestToken::from_json(&kept.to_string()).unwrap()
}

fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// A service that gives these answers, one after the other, and remembers what it was asked.
#[derive(Clone)]
struct Script(Arc<Mutex<State>>);

struct State {
    answers: VecDeque<Response<Full<Bytes>>>,
    seen: Vec<Seen>,
}

#[derive(Clone, Debug)]
struct Seen {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
}

impl Script {
    fn new(answers: impl IntoIterator<Item = Response<Full<Bytes>>>) -> Self {
        Self(Arc::new(Mutex::new(State { answers: answers.into_iter().collect(), seen: Vec::new() })))
    }

    /// One answer with status 200.
    fn ok(body: &str) -> Self {
        Self::new([answer(200, body)])
    }

    fn service(
        &self,
    ) -> impl Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static {
        let script = self.clone();
        tower::service_fn(move |request: Request<Full<Bytes>>| {
            let script = script.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap();
                let mut state = script.0.lock().unwrap();
                let seen = Seen { method: parts.method, uri: parts.uri, headers: parts.headers, body };
                state.seen.push(seen);
                Ok(state.answers.pop_front().expect("a request that nobody expected"))
            }
        })
    }

    /// The requests so far.
    fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap().seen.clone()
    }

    /// The only request so far.
    fn only(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1);
        seen.remove(0)
    }
}

impl Seen {
    fn authorization(&self) -> &str {
        self.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// A parameter of the header, the query or the body, as it was written.
    fn parameter(&self, name: &str) -> Option<String> {
        let quoted = format!("{name}=\"");
        if let Some((_, value)) = self.authorization().split_once(&quoted) {
            return value.split('"').next().map(str::to_owned);
        }
        let query = self.uri.query().unwrap_or_default();
        let mut pairs = query.split('&').chain(self.body.split('&')).filter_map(|pair| pair.split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
    }
}

fn answer(status: u16, body: &str) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::from(body.to_owned())).unwrap()
}
