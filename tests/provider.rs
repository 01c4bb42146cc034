//! The in-process provider, proven with requests that are made by hand: nothing of this crate signs or attaches here.

#[path = "provider/faults.rs"]
mod faults;
#[path = "provider/oauth1.rs"]
mod oauth1;
#[path = "provider/oauth2.rs"]
mod oauth2;
#[path = "provider/served.rs"]
mod served;
#[path = "provider/stand_in.rs"]
mod stand_in;

use bytes::Bytes;
use http::HeaderMap;
use http::Request;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Full;
use serde_json::Value;
use tower::ServiceExt;
use tower_oauth::testing::Provider;

/// `test-client:test-secret`.
const BASIC: &str = "Basic dGVzdC1jbGllbnQ6dGVzdC1zZWNyZXQ=";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// A member of the JSON body, as text.
    fn member(&self, name: &str) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        body.get(name)
            .map(|member| member.as_str().map_or(member.to_string(), str::to_owned))
            .unwrap_or_default()
    }

    /// A parameter of the URL that the answer redirects to, or of the form in its body. None of those that are asked for
    /// has anything to decode.
    fn parameter(&self, name: &str) -> String {
        let location = self.header(header::LOCATION);
        let query = location.split_once('?').map_or(self.body.as_str(), |(_, query)| query);
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
    }
}

async fn send(provider: &Provider, request: Request<Full<Bytes>>) -> Answer {
    let response = provider.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

/// A request without body.
fn get(uri: &str, authorization: Option<&str>) -> Request<Full<Bytes>> {
    let mut request = Request::get(uri);
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    request.body(Full::default()).unwrap()
}

fn post_form(uri: &str, authorization: Option<&str>, form: &str) -> Request<Full<Bytes>> {
    let mut request = Request::post(uri).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    request.body(Full::from(form.to_owned())).unwrap()
}

/// A request to the token endpoint by the client that has a secret.
fn token_request(form: &str) -> Request<Full<Bytes>> {
    post_form("http://localhost/token", Some(BASIC), form)
}

async fn call_resource(provider: &Provider, access_token: &str) -> Answer {
    send(provider, get("http://localhost/resource", Some(&format!("Bearer {access_token}")))).await
}

#[test]
fn nothing_secret_is_printed() {
    let provider = Provider::builder().test_clients();
    let issued = provider.clone().build().issue("test-client", "a");
    let printed = format!("{provider:?} {:?} {issued:?}", provider.clone().build());
    for secret in ["test-secret", "test-password", "consumer-secret", "token-secret", "access-", "refresh-"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
