//! Grants that need nobody to log in: what they ask, with what they renew, and what becomes of refusals.

#![cfg(feature = "oauth2")]

mod assertions;
mod exchange;
mod password;
#[cfg(feature = "jwt")]
mod service_account;

use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;
use http::HeaderMap;
use http::Request;
use http::Response;
use http_body_util::BodyExt;
use http_body_util::Full;
use tower::BoxError;
use tower::Service;
use tower_oauth::ClientAuth;
use tower_oauth::endpoint::TokenEndpoint;

const URL: &str = "https://auth.test/token";

/// A request as the endpoint saw it.
#[derive(Clone)]
struct Seen {
    headers: HeaderMap,
    form: Vec<(String, String)>,
}

impl Seen {
    /// The only value of this name.
    fn value(&self, name: &str) -> Option<&str> {
        let values = self.values(name);
        assert!(values.len() < 2, "{name} is there twice");
        values.first().copied()
    }

    fn values(&self, name: &str) -> Vec<&str> {
        self.form.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// A token endpoint that a test plays: it gives these answers in turn, the last one again and again, and keeps what it was
/// asked.
#[derive(Clone)]
struct Played {
    answers: Arc<Mutex<Vec<(u16, String)>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Played {
    fn new<const N: usize>(answers: [(u16, &str); N]) -> Self {
        let answers = answers.into_iter().rev().map(|(status, body)| (status, body.to_owned())).collect();
        Self { answers: Arc::new(Mutex::new(answers)), seen: Arc::default() }
    }

    /// One that always gives the same token.
    fn token() -> Self {
        Self::new([(200, r#"{"access_token":"a1","token_type":"Bearer","expires_in":3600}"#)])
    }

    fn http(
        &self,
    ) -> impl Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + 'static {
        let played = self.clone();
        tower::service_fn(move |request: Request<Full<Bytes>>| {
            let played = played.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let form = decode(std::str::from_utf8(&body)?);
                played.seen.lock().unwrap().push(Seen { headers: parts.headers, form });
                let mut answers = played.answers.lock().unwrap();
                let last = answers.last().cloned().unwrap();
                if answers.len() > 1 {
                    answers.pop();
                }
                Ok(Response::builder().status(last.0).body(Full::from(last.1))?)
            }
        })
    }

    fn endpoint(&self) -> TokenEndpoint {
        TokenEndpoint::new(URL, ClientAuth::basic("id", "s3cret"), self.http()).unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn last(&self) -> Seen {
        self.seen().pop().unwrap()
    }
}

/// Reads a form, with a decoder that shares nothing with what encodes in the crate.
fn decode(form: &str) -> Vec<(String, String)> {
    let text = |part: &str| {
        let mut bytes = Vec::new();
        let mut rest = part.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => other,
            });
        }
        String::from_utf8(bytes).unwrap()
    };
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        (text(name), text(value))
    };
    form.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}
