//! No secret in any `Debug`, `Display`, error or log line.

use std::fmt::Debug;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::Response;
use http_body_util::Full;
use tower::BoxError;
use tower::Layer;
use tower::ServiceExt;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Error;
use tower_oauth::OAuth1Layer;
use tower_oauth::OAuth2Layer;
use tower_oauth::Origins;
use tower_oauth::Secret;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::body::FromBytes;
use tower_oauth::grant::RefreshToken;
use tower_oauth::grant::StaticToken;
use tower_oauth::oauth1::Credentials;
use tower_oauth::oauth2::Challenge;
use tower_oauth::oauth2::InsufficientAuthentication;
use tower_oauth::oauth2::InsufficientScope;
use tower_oauth::oauth2::Placement;
use tower_oauth::oauth2::WithToken;
use tower_oauth::store::MemoryStore;
use tower_oauth::token::BoxTokenStore;
use tower_oauth::token::Record;
use tower_oauth::token::SourceRequest;
use tower_oauth::token::Swap;
use tower_oauth::token::TokenStore;
use tower_oauth::token::token_source_fn;
use tracing::Metadata;
use tracing::Subscriber;
use tracing::field::Field;
use tracing::field::Visit;
use tracing::span;

const CLIENT_SECRET: &str = "hush-client-secret";
const ACCESS_TOKEN: &str = "hush-access-token";
const REFRESH_TOKEN: &str = "hush-refresh-token";
const TOKEN_SECRET: &str = "hush-token-secret";

type Body = Full<Bytes>;

/// Everything that was printed or logged.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<String>>);

impl Output {
    fn debug(&self, value: &dyn Debug) {
        let mut output = self.0.lock().unwrap();
        write!(output, "{value:?}\n{value:#?}\n").unwrap();
    }

    /// An error with all its sources, printed in every way.
    fn error(&self, error: &(dyn std::error::Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            write!(self.0.lock().unwrap(), "{error}\n{error:?}\n{error:#?}\n").unwrap();
            next = error.source();
        }
    }

    fn assert_clean(&self) {
        let output = self.0.lock().unwrap();
        assert!(!output.is_empty());
        for line in output.lines() {
            assert!(!line.contains("hush"), "a secret came out: {line}");
        }
    }
}

impl Visit for Output {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

/// Takes everything that is logged, at every level.
impl Subscriber for Output {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        attributes.record(&mut self.clone());
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

fn token() -> Token {
    Token::new(ACCESS_TOKEN)
        .expires_in(Duration::from_secs(100))
        .with_refresh_token(REFRESH_TOKEN)
        .with_extra("id_token", "hush-id-token")
}

#[tokio::test]
async fn no_debug_shows_a_secret() {
    let output = Output::default();
    let http =
        tower::service_fn(|_: Request<Body>| async { Ok::<_, BoxError>(Response::new(Body::default())) });
    let auths = [
        ClientAuth::basic("id", CLIENT_SECRET),
        ClientAuth::basic_raw("id", CLIENT_SECRET),
        ClientAuth::post("id", CLIENT_SECRET),
        ClientAuth::none("id"),
    ];
    for auth in auths {
        output.debug(&auth);
        output.debug(&ClientCredentials::new("https://auth.test/token", auth.clone(), http).unwrap());
        output.debug(&RefreshToken::new("https://auth.test/token?key=hush", auth, http).unwrap());
    }
    output.debug(&Secret::new(CLIENT_SECRET));
    output.debug(&StaticToken::new(ACCESS_TOKEN));
    output.debug(&token());
    output.debug(&WithToken::new(&token()).unwrap());
    let error = WithToken::new(&Token::new(format!("{ACCESS_TOKEN} with a space"))).unwrap_err();
    output.error(&error);
    let placement = Placement::header("x-token").unwrap().secret_companion("x-key", CLIENT_SECRET).unwrap();
    output.debug(&placement);
    output.error(&placement.clone().secret_companion("x-other", format!("{CLIENT_SECRET}\n")).unwrap_err());
    let store = MemoryStore::new();
    let manager = TokenManager::builder(token_source_fn(|_| async { Ok(token()) })).store(store.clone());
    output.debug(&manager);
    let manager = manager.build();
    manager.put(&TokenKey::new("k"), token()).await.unwrap();
    output.debug(&manager);
    let record = store.load(&TokenKey::new("k")).await.unwrap().unwrap();
    assert_eq!(record.refresh_token().unwrap().expose(), REFRESH_TOKEN);
    output.debug(&record);
    output.debug(&record.to_json());
    output.debug(&Swap::Conflict(Some(record)));
    output.debug(&store);
    output.debug(&BoxTokenStore::new(store));
    let layer = OAuth2Layer::with_manager(Origins::one("https://api.test").unwrap(), manager);
    output.debug(&layer);
    output.debug(&layer.clone().placement(placement).protected_request(|_, _| Ok(())));
    let mut service = layer.layer(http);
    output.debug(&service);
    output.debug(&tower::Service::call(
        &mut service,
        Request::get("https://api.test/").body(Body::default()).unwrap(),
    ));
    let credentials = Credentials::new("key", CLIENT_SECRET).token("token", TOKEN_SECRET);
    output.debug(&credentials);
    output.debug(&OAuth1Layer::new(Origins::one("https://api.test").unwrap(), credentials));
    output.assert_clean();
}

/// Token endpoints that say back what they were sent, in every way in which a token request can fail.
fn echoes() -> Vec<Response<Body>> {
    let secrets = format!("{CLIENT_SECRET} {REFRESH_TOKEN}");
    let answer =
        |status: u16, body: String| Response::builder().status(status).body(Body::from(body)).unwrap();
    vec![
        answer(401, format!(r#"{{"error":"invalid_client","error_description":"not {secrets}"}}"#)),
        answer(
            400,
            format!(r#"{{"error":"invalid_grant","error_uri":"https://auth.test/?{REFRESH_TOKEN}"}}"#),
        ),
        answer(400, format!(r#"{{"error":"{CLIENT_SECRET}"}}"#)),
        answer(200, format!(r#"{{"error":{{"message":"{secrets}","code":"{REFRESH_TOKEN}"}}}}"#)),
        answer(200, format!("<html>{secrets} {ACCESS_TOKEN}</html>")),
        answer(200, format!(r#"{{"access_token":"{ACCESS_TOKEN} with a space"}}"#)),
        answer(200, format!(r#"{{"access_token":"{ACCESS_TOKEN}","expires_in":0}}"#)),
        answer(200, format!(r#"{{"access_token":"{ACCESS_TOKEN}","token_type":"mac"}}"#)),
        answer(200, format!(r#"{{"access_token":["{ACCESS_TOKEN}"]}}"#)),
        answer(200, format!(r#"{{"access_token":"{ACCESS_TOKEN}""#)),
        answer(500, secrets.clone()),
        answer(302, secrets),
    ]
}

#[tokio::test]
async fn no_error_and_no_log_line_shows_a_secret() {
    let output = Output::default();
    let _guard = tracing::subscriber::set_default(output.clone());
    for (number, response) in echoes().into_iter().enumerate() {
        let response = Arc::new(Mutex::new(Some(response)));
        let http = tower::service_fn(move |_: Request<Body>| {
            let response = response.lock().unwrap().take();
            async move { response.ok_or("only once") }
        });
        let auth = match number % 2 {
            0 => ClientAuth::basic("id", CLIENT_SECRET),
            _ => ClientAuth::post("id", CLIENT_SECRET),
        };
        let source = RefreshToken::new("https://auth.test/token", auth, http).unwrap();
        let observed = output.clone();
        let manager = TokenManager::builder(source).on_event(move |event| observed.debug(event)).build();
        let key = TokenKey::new("k");
        manager.put(&key, token()).await.unwrap();
        let error = manager.refresh(&key).await.unwrap_err();
        output.error(&error);
        output.error(&manager.refresh(&key).await.unwrap_err());
    }
    output.assert_clean();
}

#[tokio::test]
async fn no_log_line_of_a_request_that_goes_well_shows_a_secret() {
    let output = Output::default();
    let _guard = tracing::subscriber::set_default(output.clone());
    let first = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let http = tower::service_fn(move |request: Request<Body>| {
        // What a careless trace layer prints: all headers.
        tracing::trace!(headers = ?request.headers(), uri = %request.uri(), "request");
        let status = if first.swap(false, std::sync::atomic::Ordering::SeqCst) { 401 } else { 200 };
        async move { Ok::<_, BoxError>(Response::builder().status(status).body(Body::default()).unwrap()) }
    });
    let source = token_source_fn(|_: SourceRequest| async { Ok(token()) });
    let manager = TokenManager::builder(source).build();
    let oauth2 =
        OAuth2Layer::with_manager(Origins::one("https://api.test").unwrap(), manager).body_policy(FromBytes);
    let request = || Request::get("https://api.test/").body(Body::default()).unwrap();
    // The source gives the refused token again, which is an error of its own.
    let response = oauth2.layer(http.clone()).oneshot(request()).await.unwrap();
    assert_eq!(response.status(), 401);
    let error = oauth2.layer(http.clone()).oneshot(request()).await.unwrap_err();
    output.error(error.as_ref());
    assert!(Error::find(error.as_ref()).is_some());
    let credentials = Credentials::new("key", CLIENT_SECRET).token("token", TOKEN_SECRET);
    let oauth1 = OAuth1Layer::new(Origins::one("https://api.test").unwrap(), credentials);
    oauth1.layer(http).oneshot(request()).await.unwrap();
    output.assert_clean();
}

#[tokio::test]
async fn a_server_that_says_back_what_it_was_sent_is_not_believed() {
    let output = Output::default();
    let _guard = tracing::subscriber::set_default(output.clone());
    let http = tower::service_fn(|request: Request<Body>| async move {
        let sent = request.headers()["authorization"].to_str()?.replace("Bearer ", "");
        let says = |code: &str| {
            format!(
                r#"{sent}, Bearer realm="{sent}", error="{code}", error_description="not {sent}", scope="a {sent} {sent}:b",
                acr_values="{sent}", resource_metadata="https://api.test/{sent}", {sent}="1", x="{sent}""#
            )
            .replace('\n', "")
        };
        let code = request.uri().path().trim_start_matches('/');
        let response = Response::builder().status(403).header("www-authenticate", says(code));
        Ok::<_, BoxError>(response.body(Body::default())?)
    });
    let manager = TokenManager::builder(token_source_fn(|_| async { Ok(token()) })).build();
    let layer = OAuth2Layer::with_manager(Origins::one("https://api.test").unwrap(), manager);
    for code in ["insufficient_scope", "insufficient_user_authentication"] {
        let request = || Request::get(format!("https://api.test/{code}")).body(Body::default()).unwrap();
        let response = layer.layer(http).oneshot(request()).await.unwrap();
        let challenges = Challenge::parse(response.headers());
        assert_eq!(challenges[1].parameter("x"), Some(ACCESS_TOKEN));
        output.debug(&challenges);
        let lack = response.extensions();
        match lack.get::<InsufficientScope>() {
            Some(lack) => {
                assert_eq!(lack.scopes().collect::<Vec<_>>(), ["a"]);
                output.error(lack);
            }
            None => output.error(lack.get::<InsufficientAuthentication>().unwrap()),
        }
        let error = layer.clone().insufficiency_is_error().layer(http).oneshot(request()).await.unwrap_err();
        output.error(error.as_ref());
    }
    output.assert_clean();
}

#[tokio::test]
async fn a_store_that_fails_is_reported_without_what_it_was_to_store() {
    #[derive(Clone)]
    struct Failing;
    impl TokenStore for Failing {
        async fn load(&self, _: &TokenKey) -> Result<Option<Record>, Error> {
            Ok(None)
        }
        async fn compare_and_swap(&self, _: &TokenKey, _: Option<u64>, _: &Record) -> Result<Swap, Error> {
            Err(Error::store("disk full"))
        }
        async fn delete_if(&self, _: &TokenKey, _: u64) -> Result<bool, Error> {
            Ok(false)
        }
    }
    let output = Output::default();
    let _guard = tracing::subscriber::set_default(output.clone());
    let observed = output.clone();
    let manager = TokenManager::builder(token_source_fn(|_| async { Ok(token()) }))
        .store(Failing)
        .persist_patience(Duration::ZERO)
        .on_event(move |event| observed.debug(event))
        .build();
    assert_eq!(manager.token(&TokenKey::new("k")).await.unwrap().access_token().expose(), ACCESS_TOKEN);
    output.error(&manager.put(&TokenKey::new("k"), token()).await.unwrap_err());
    output.assert_clean();
}
