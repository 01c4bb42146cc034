//! What real providers send, with their presets: each row of what is known of them is a test with its sample, through the
//! real token endpoint, grant and manager, against a service that plays the provider.

#![cfg(feature = "oauth2")]

#[path = "provider_quirks/commerce.rs"]
mod commerce;
#[path = "provider_quirks/compliance_fixes.rs"]
mod compliance_fixes;
#[path = "provider_quirks/hooks.rs"]
mod hooks;
#[path = "provider_quirks/identity.rs"]
mod identity;
#[path = "provider_quirks/mutations.rs"]
mod mutations;
#[path = "provider_quirks/presets.rs"]
mod presets;
#[path = "provider_quirks/requests.rs"]
mod requests;
#[path = "provider_quirks/samples.rs"]
mod samples;
#[path = "provider_quirks/social.rs"]
mod social;
#[path = "provider_quirks/work.rs"]
mod work;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Ready;
use std::future::ready;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use http::Uri;
use http::header::AUTHORIZATION;
use http_body_util::Full;
use tower::Layer;
use tower::Service;
use tower::ServiceExt;
use tower_oauth::ClientCredentials;
use tower_oauth::Clock;
use tower_oauth::Error;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::TokenEndpoint;
use tower_oauth::grant::RefreshToken;
use tower_oauth::grant::StaticToken;
use tower_oauth::provider::Provider;
use tower_oauth::store::MemoryStore;
use tower_oauth::token::Record;
use tower_oauth::token::TokenSource;
use tower_oauth::token::TokenStore;

const CLIENT_ID: &str = "client-id";
const CLIENT_SECRET: &str = "s3cret-client";
const REFRESH_TOKEN: &str = "s3cret-refresh";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn moment(seconds_since_1970: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + seconds(seconds_since_1970)
}

/// A request as the provider saw it.
#[derive(Clone, Debug)]
struct Seen {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
}

impl Seen {
    /// The URL without query.
    fn url(&self) -> String {
        self.uri.to_string().split('?').next().unwrap_or_default().to_owned()
    }

    /// The parameters, wherever they were.
    fn parameters(&self) -> BTreeMap<String, String> {
        if self.body.starts_with('{') {
            return serde_json::from_str(&self.body).unwrap();
        }
        let text = if self.body.is_empty() { self.uri.query().unwrap_or_default() } else { &self.body };
        form(text)
    }

    fn parameter(&self, name: &str) -> Option<String> {
        self.parameters().remove(name)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Whether the client's proof is in the header, in the body, or nowhere.
    fn proof(&self) -> &'static str {
        let in_header = self.headers.contains_key(AUTHORIZATION);
        let in_body = self.parameters().values().any(|value| value == CLIENT_SECRET);
        match (in_header, in_body) {
            (true, false) => "header",
            (false, true) => "body",
            (false, false) => "nowhere",
            (true, true) => "both",
        }
    }
}

fn form(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text).decode_utf8().unwrap().into_owned()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

/// A provider that answers everything in the same way, until it is told another.
#[derive(Clone)]
struct Played {
    answer: Arc<Mutex<(u16, HeaderMap, Bytes)>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Played {
    fn new() -> Self {
        Self { answer: Arc::new(Mutex::new((500, HeaderMap::new(), Bytes::new()))), seen: Arc::default() }
    }

    fn says(&self, status: u16, body: impl Into<Bytes>) {
        *self.answer.lock().unwrap() = (status, HeaderMap::new(), body.into());
    }

    fn says_with(&self, status: u16, name: &'static str, value: &str, body: &'static str) {
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())]);
        *self.answer.lock().unwrap() = (status, headers, body.into());
    }

    fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().cloned().expect("nothing was sent")
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl Service<Request<Text>> for Played {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Text>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let body = String::from_utf8(body.0.to_vec()).unwrap();
        let seen = Seen { method: parts.method, uri: parts.uri, headers: parts.headers, body };
        self.seen.lock().unwrap().push(seen);
        let (status, headers, body) = self.answer.lock().unwrap().clone();
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        *response.headers_mut() = headers;
        ready(Ok(response))
    }
}

/// A body that can be looked into at once.
struct Text(Bytes);

impl From<Bytes> for Text {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

/// A clock that stands still until it is moved.
#[derive(Clone)]
struct Still(Arc<Mutex<SystemTime>>);

impl Clock for Still {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

/// A client of a provider: a manager with a grant.
struct Client {
    provider: Played,
    manager: TokenManager,
    clock: Still,
    store: MemoryStore,
}

impl Client {
    /// One that gets its tokens by a grant that needs no login.
    fn new(provider: &Provider) -> Self {
        Self::with(provider, |endpoint| ClientCredentials::at(endpoint).scope("one two"))
    }

    fn with<S: TokenSource>(provider: &Provider, grant: impl FnOnce(TokenEndpoint) -> S) -> Self {
        let played = Played::new();
        let endpoint = provider.token_endpoint(CLIENT_ID, CLIENT_SECRET, played.clone()).unwrap();
        let clock = Still(Arc::new(Mutex::new(moment(1_500_000_000))));
        let store = MemoryStore::new();
        let builder = TokenManager::builder(grant(endpoint)).store(store.clone()).clock(clock.clone());
        let builder = builder.chance(|| 0.5).reuse_window(provider.reuse_window.unwrap_or_default());
        Self { provider: played, manager: builder.build(), clock, store }
    }

    /// One with a login, whose token lives for an hour.
    async fn logged_in(provider: &Provider) -> Self {
        let client = Self::with(provider, RefreshToken::at);
        let login = Token::new("login").expires_in(seconds(3600)).with_refresh_token(REFRESH_TOKEN);
        client.manager.put(&key(), login).await.unwrap();
        client
    }

    async fn token(&self) -> Result<Token, Error> {
        self.manager.token(&key()).await
    }

    async fn refresh(&self) -> Result<Token, Error> {
        self.manager.refresh(&key()).await
    }

    /// Asks for a first token, which the provider answers so.
    async fn gets(&self, status: u16, body: &'static str) -> Result<Token, Error> {
        self.provider.says(status, body);
        self.token().await
    }

    /// Refreshes, which the provider answers so.
    async fn renews(&self, status: u16, body: &'static str) -> Result<Token, Error> {
        self.provider.says(status, body);
        self.refresh().await
    }

    async fn record(&self) -> Record {
        self.store.load(&key()).await.unwrap().expect("nothing is stored")
    }

    async fn stored_refresh_token(&self) -> Option<String> {
        self.record().await.refresh_token().map(|token| token.expose().to_owned())
    }

    fn now(&self) -> SystemTime {
        self.clock.now()
    }

    fn forward(&self, by: Duration) {
        *self.clock.0.lock().unwrap() += by;
    }

    fn seen(&self) -> Seen {
        self.provider.last()
    }
}

fn key() -> TokenKey {
    TokenKey::default()
}

/// The first token that a client of `provider` gets with `body`.
async fn token_of(provider: &Provider, body: &'static str) -> Token {
    Client::new(provider).gets(200, body).await.unwrap_or_else(|error| panic!("{}: {error}", provider.name))
}

/// What becomes of a refresh that the provider refuses so.
async fn refusal_of(provider: &Provider, status: u16, body: &'static str) -> Error {
    let client = Client::logged_in(provider).await;
    let error = client.renews(status, body).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    assert_eq!(client.token().await.unwrap().access_token().expose(), "login", "a valid token stays in use");
    error
}

fn code(error: &Error) -> &str {
    error.server().map(|server| server.code()).unwrap_or_default()
}

fn extra<'a>(token: &'a Token, name: &str) -> &'a str {
    token.extra(name).and_then(|value| value.as_str()).unwrap_or_default()
}

/// A call of an API with the token `access`, as the provider's APIs want it.
async fn api_call(provider: &Provider) -> Seen {
    let played = Played::new();
    played.says(200, "");
    let layer = OAuth2Layer::new(Origins::one("https://api.test").unwrap(), StaticToken::new("access"));
    let layer = layer.placement(provider.placement(CLIENT_ID).unwrap());
    let request = Request::get("https://api.test/thing").body(Text(Bytes::new())).unwrap();
    layer.layer(played.clone()).oneshot(request).await.unwrap();
    played.last()
}
