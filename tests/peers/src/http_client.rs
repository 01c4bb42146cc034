//! The HTTP client under the layers, and one answer read to its end.

use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// A client of hyper-util: what most users put under the layers.
pub type HttpClient = Client<HttpConnector, Full<Bytes>>;

/// A client for the runtime that is running now.
pub fn http_client() -> HttpClient {
    Client::builder(TokioExecutor::new()).build_http()
}

/// An answer of a peer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Reads the body to its end.
    pub async fn read<B>(response: Response<B>) -> Self
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Debug,
    {
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("the peer's answer can be read").to_bytes();
        Self { status: head.status, headers: head.headers, body }
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {} {:?}", self.status, self.body))
    }
}

/// Sends a request without any layer: for the knobs of a peer.
///
/// # Panics
///
/// If the peer cannot be reached.
pub async fn send_bare(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).expect("a request to a peer");
    let response = http_client().request(request).await.unwrap_or_else(|error| {
        panic!("{url} cannot be reached: {error}");
    });
    Answer::read(response).await
}

/// Posts a form without any layer.
///
/// # Panics
///
/// If the peer cannot be reached.
pub async fn post_form(url: &str, headers: &[(&str, &str)], form: String) -> Answer {
    let form_type = (CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded");
    let headers = [headers, &[form_type]].concat();
    send_bare(Method::POST, url, &headers, form).await
}
