//! The grants against token endpoints that a test plays: what is sent, and what becomes of every kind of answer.

#![cfg(feature = "oauth2")]

#[path = "token_endpoint/answers.rs"]
mod answers;
#[path = "token_endpoint/requests.rs"]
mod requests;

use std::error::Error as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::SystemTime;

use bytes::Bytes;
use http::HeaderMap;
use http::Request;
use http::Response;
use http::Uri;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;
use tower::BoxError;
use tower::Service;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Clock;
use tower_oauth::Error;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::TokenEndpoint;
use tower_oauth::grant::RefreshToken;
use tower_oauth::store::MemoryStore;
use tower_oauth::token::TokenSource;
use tower_oauth::token::TokenStore;

const URL: &str = "https://auth.test/token";

type Body = UnsyncBoxBody<Bytes, BoxError>;

/// A request as the endpoint saw it.
#[derive(Clone)]
struct Seen {
    uri: Uri,
    headers: HeaderMap,
    form: String,
}

/// A token endpoint: answers all requests in the same way, until it is told another.
#[derive(Clone)]
struct Endpoint {
    answer: Arc<Mutex<Arc<Answer>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Answer = dyn Fn() -> Result<Response<Body>, BoxError> + Send + Sync;

impl Endpoint {
    fn new(answer: impl Fn() -> Result<Response<Body>, BoxError> + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(Mutex::new(Arc::new(answer))), seen: Arc::default() }
    }

    /// Answers with this status and text.
    fn says(status: u16, body: impl Into<String>) -> Self {
        let endpoint = Self::new(|| Ok(text(500, "")));
        endpoint.now_says(status, body);
        endpoint
    }

    fn now_says(&self, status: u16, body: impl Into<String>) {
        let body = body.into();
        self.now(move || Ok(text(status, body.clone())));
    }

    fn now(&self, answer: impl Fn() -> Result<Response<Body>, BoxError> + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }

    fn http(
        &self,
    ) -> impl Service<Request<Full<Bytes>>, Response = Response<Body>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + 'static {
        let endpoint = self.clone();
        tower::service_fn(move |request: Request<Full<Bytes>>| {
            let endpoint = endpoint.clone();
            async move {
                let (parts, body) = request.into_parts();
                let form = String::from_utf8(body.collect().await?.to_bytes().to_vec())?;
                endpoint.seen.lock().unwrap().push(Seen { uri: parts.uri, headers: parts.headers, form });
                let answer = Arc::clone(&endpoint.answer.lock().unwrap());
                answer()
            }
        })
    }

    fn token_endpoint(&self) -> TokenEndpoint {
        TokenEndpoint::new(URL, ClientAuth::basic("id", "s3cret"), self.http()).unwrap()
    }

    fn client_credentials(&self) -> ClientCredentials {
        ClientCredentials::at(self.token_endpoint())
    }

    fn refresh_token(&self) -> RefreshToken {
        RefreshToken::at(self.token_endpoint())
    }

    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().cloned().unwrap()
    }
}

fn text(status: u16, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
    Response::builder().status(status).body(body).unwrap()
}

/// A clock that stands still until it is moved.
#[derive(Clone)]
struct Still(Arc<Mutex<SystemTime>>);

impl Still {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000))))
    }

    fn forward(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Still {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

/// A manager of `source`, with the clock and the store that it uses.
struct Managed {
    manager: TokenManager,
    clock: Still,
    store: MemoryStore,
}

impl Managed {
    fn new(source: impl TokenSource) -> Self {
        let (clock, store) = (Still::new(), MemoryStore::new());
        let manager =
            TokenManager::builder(source).store(store.clone()).clock(clock.clone()).chance(|| 0.5).build();
        Self { manager, clock, store }
    }

    /// With a login whose token lives for an hour.
    async fn logged_in(source: impl TokenSource) -> Self {
        let managed = Self::new(source);
        let login =
            Token::new("login").expires_in(Duration::from_secs(3600)).with_refresh_token("s3cret-refresh");
        managed.manager.put(&key(), login).await.unwrap();
        managed
    }

    async fn token(&self) -> Result<String, Error> {
        Ok(self.manager.token(&key()).await?.access_token().expose().to_owned())
    }

    async fn refresh(&self) -> Result<String, Error> {
        Ok(self.manager.refresh(&key()).await?.access_token().expose().to_owned())
    }

    async fn stored_refresh_token(&self) -> Option<String> {
        let record = self.store.load(&key()).await.unwrap()?;
        record.refresh_token().map(|token| token.expose().to_owned())
    }
}

fn key() -> TokenKey {
    TokenKey::default()
}

/// All that can be seen of an error, with its sources.
fn shown(error: &Error) -> String {
    let mut shown = format!("{error} {error:?} {error:#?} {:?}", error.server());
    let mut source = error.source();
    while let Some(cause) = source {
        shown += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    shown
}
