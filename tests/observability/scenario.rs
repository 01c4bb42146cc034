//! All that can be told, made to happen at the embedded provider.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http_body_util::Full;
use tower::BoxError;
use tower::Layer;
use tower::ServiceExt;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Credentials;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::OAuth1Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::body::FromBytes;
use tower_oauth::grant::RefreshToken;
use tower_oauth::oauth1::credential_source_fn;
use tower_oauth::store::MemoryStore;
use tower_oauth::testing::Fault;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;
use tower_oauth::token::KeyNames;
use tower_oauth::token::Record;
use tower_oauth::token::Swap;
use tower_oauth::token::TokenStore;

/// Whose tokens they are.
pub const KEY: &str = "alice@example.com";
/// What must not be told, beside tokens.
pub const SECRETS: &[&str] =
    &["test-secret", "consumer-secret", "token-secret", "hush-hash", "Bearer ", "Basic ", "oauth_signature="];

const LIFETIME: Duration = Duration::from_secs(600);

type Body = Full<Bytes>;
type Layered = OAuth2Layer<FromBytes>;

/// The secrets that came up.
#[derive(Default)]
pub struct Shown {
    pub secrets: Vec<String>,
}

impl Shown {
    fn note(&mut self, secret: &tower_oauth::Secret) {
        self.secrets.push(secret.expose().to_owned());
    }
}

/// A layer over the provider, with a token that is there after the first request.
pub fn plain_layer() -> (impl Fn() -> Called, ManualClock) {
    let clock = ManualClock::new();
    let provider = provider(&clock);
    let manager = TokenManager::builder(client_credentials(&provider)).clock(clock.clone()).build();
    let layer = layer(manager);
    (move || Box::pin(send(layer.clone(), provider.clone())), clock)
}

type Called = std::pin::Pin<Box<dyn Future<Output = StatusCode>>>;

pub async fn get(call: &impl Fn() -> Called) {
    assert_eq!(call().await, StatusCode::OK);
}

fn provider(clock: &ManualClock) -> Provider {
    Provider::builder().test_clients().access_token_lifetime(LIFETIME).clock(clock.clone()).build()
}

fn auth() -> ClientAuth {
    ClientAuth::basic("test-client", "test-secret")
}

fn client_credentials(provider: &Provider) -> ClientCredentials {
    ClientCredentials::new("http://localhost/token", auth(), provider.client()).unwrap()
}

fn layer(manager: TokenManager) -> Layered {
    let origins = Origins::one("http://localhost").unwrap();
    OAuth2Layer::with_manager(origins, manager).key(&TokenKey::new(KEY)).body_policy(FromBytes)
}

async fn send(layer: Layered, provider: Provider) -> StatusCode {
    try_send(layer, provider).await.unwrap()
}

async fn try_send(layer: Layered, provider: Provider) -> Result<StatusCode, BoxError> {
    let request = Request::get("http://localhost/resource").body(Body::default())?;
    Ok(layer.layer(provider).oneshot(request).await?.status())
}

pub async fn everything(key_names: KeyNames) -> Shown {
    let mut shown = Shown::default();
    tokens_come_and_go(&key_names, &mut shown).await;
    a_grant_dies(&key_names, &mut shown).await;
    the_server_fails(&key_names).await;
    the_store_fails(&key_names, &mut shown).await;
    requests_are_signed().await;
    shown
}

async fn tokens_come_and_go(key_names: &KeyNames, shown: &mut Shown) {
    let clock = ManualClock::new();
    let provider = provider(&clock);
    let store = MemoryStore::new();
    let manager = || {
        let builder = TokenManager::builder(client_credentials(&provider)).store(store.clone());
        builder.clock(clock.clone()).name("shop").log_keys(key_names.clone()).build()
    };
    let (key, first) = (TokenKey::new(KEY), manager());
    let orders = layer(first.clone());
    let call = || send(orders.clone(), provider.clone());
    assert_eq!(call().await, StatusCode::OK);
    shown.note(first.peek(&key).unwrap().access_token());
    clock.advance(LIFETIME / 2);
    assert_eq!(call().await, StatusCode::OK);
    clock.advance(LIFETIME / 2);
    assert_eq!(call().await, StatusCode::OK);
    shown.note(first.peek(&key).unwrap().access_token());
    provider.revoke_all_access_tokens();
    assert_eq!(call().await, StatusCode::OK);
    shown.note(first.peek(&key).unwrap().access_token());
    // Another process, with the same store.
    manager().token(&key).await.unwrap();
    first.forget(&key).await.unwrap();
}

async fn a_grant_dies(key_names: &KeyNames, shown: &mut Shown) {
    let clock = ManualClock::new();
    let provider = provider(&clock);
    let grant = RefreshToken::new("http://localhost/token", auth(), provider.client()).unwrap();
    let builder = TokenManager::builder(grant).clock(clock.clone());
    let manager = builder.name("shop").log_keys(key_names.clone()).build();
    let issued = provider.issue("test-client", "orders:read");
    shown.note(&issued.access_token);
    shown.note(&issued.refresh_token);
    let token = Token::new(issued.access_token).with_refresh_token(issued.refresh_token).expires_in(LIFETIME);
    let key = TokenKey::new(KEY);
    manager.put(&key, token).await.unwrap();
    provider.revoke_all_logins();
    let error = manager.refresh(&key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReauthorizationRequired);
}

async fn the_server_fails(key_names: &KeyNames) {
    let clock = ManualClock::new();
    let provider = provider(&clock);
    provider.inject(Fault::new().on("/token").status(StatusCode::INTERNAL_SERVER_ERROR).times(3));
    let builder = TokenManager::builder(client_credentials(&provider)).clock(clock.clone());
    let manager = builder.name("failing").log_keys(key_names.clone()).build();
    assert!(try_send(layer(manager), provider).await.is_err());
}

async fn the_store_fails(key_names: &KeyNames, shown: &mut Shown) {
    let clock = ManualClock::new();
    let provider = provider(&clock);
    let store = Moody::default();
    store.moods.lock().unwrap().extend([Mood::Fail, Mood::Hang, Mood::Fail]);
    let builder = TokenManager::builder(client_credentials(&provider)).clock(clock.clone()).store(store);
    let builder = builder.persist_patience(Duration::ZERO).name("failing").log_keys(key_names.clone());
    let manager = builder.build();
    let token = manager.token(&TokenKey::new(KEY)).await.unwrap();
    shown.note(token.access_token());
    // Nobody sleeps: the clock of the runtime stands still and is moved by whoever waits.
    tokio::time::sleep(Duration::from_secs(120)).await;
}

async fn requests_are_signed() {
    let (ours, theirs) = (ManualClock::new(), ManualClock::new());
    theirs.advance(Duration::from_secs(3_600));
    let provider = Provider::builder().test_clients().clock(theirs).build();
    let source = credential_source_fn(|key: TokenKey| async move {
        match key.as_str() {
            KEY => Ok(Credentials::new("consumer-key", "consumer-secret").token("token", "token-secret")),
            _ => Err(Error::transient("nobody")),
        }
    });
    let layer = OAuth1Layer::per_request(Origins::one("http://localhost").unwrap(), source).clock(ours);
    let call = |name: &str| {
        let mut request = Request::get("http://localhost/oauth1/resource").body(Body::default()).unwrap();
        request.extensions_mut().insert(TokenKey::new(name));
        layer.layer(provider.clone()).oneshot(request)
    };
    // Sent twice: by the wrong clock, and by the right one.
    assert_eq!(call(KEY).await.unwrap().status(), StatusCode::OK);
    assert_eq!(call(KEY).await.unwrap().status(), StatusCode::OK);
    assert!(call("nobody").await.is_err());
}

/// What a store does next when it is asked to store.
enum Mood {
    Fail,
    Hang,
}

/// A store that does not always do what it is asked.
#[derive(Default)]
struct Moody {
    store: MemoryStore,
    moods: Arc<Mutex<VecDeque<Mood>>>,
}

impl TokenStore for Moody {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        self.store.load(key).await
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        let mood = self.moods.lock().unwrap().pop_front();
        match mood {
            Some(Mood::Fail) => Err(Error::store(format!("no room for the record of {:?}", key.as_str()))),
            Some(Mood::Hang) => pending().await,
            None => self.store.compare_and_swap(key, expected, record).await,
        }
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        self.store.delete_if(key, generation).await
    }
}
