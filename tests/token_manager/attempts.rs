//! Several attempts in one refresh, and servers that are down in every way.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::Request;
use http::Response;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::Instant;
use tokio::time::sleep;
use tower::BoxError;
use tower::service_fn;
use tower_oauth::ClientAuth;
use tower_oauth::Clock;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::TokenManager;
use tower_oauth::grant::RefreshToken;
use tower_oauth::token::TokenManagerBuilder;

use crate::HOUR;
use crate::SECOND;
use crate::SOFT;
use crate::World;
use crate::given;
use crate::key;
use crate::refused;
use crate::settle;

type Body = UnsyncBoxBody<Bytes, BoxError>;
type Play = dyn Fn(usize) -> Result<Response<Body>, BoxError> + Send + Sync;

const GOOD: &str =
    r#"{"access_token":"good","token_type":"Bearer","expires_in":3600,"refresh_token":"next"}"#;

/// A token endpoint that answers its requests, counted from 0, as `play` says.
#[derive(Clone)]
struct Endpoint {
    play: Arc<Mutex<Arc<Play>>>,
    count: Arc<AtomicUsize>,
}

impl Endpoint {
    fn new(play: impl Fn(usize) -> Result<Response<Body>, BoxError> + Send + Sync + 'static) -> Self {
        Self { play: Arc::new(Mutex::new(Arc::new(play))), count: Arc::default() }
    }

    fn now(&self, play: impl Fn(usize) -> Result<Response<Body>, BoxError> + Send + Sync + 'static) {
        *self.play.lock().unwrap() = Arc::new(play);
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn builder(&self, world: &World) -> TokenManagerBuilder {
        let endpoint = self.clone();
        let http = service_fn(move |_: Request<Full<Bytes>>| {
            let number = endpoint.count.fetch_add(1, Ordering::Relaxed);
            let play = Arc::clone(&endpoint.play.lock().unwrap());
            async move {
                // A moment, as every network takes.
                sleep(Duration::from_millis(1)).await;
                play(number)
            }
        });
        let source = RefreshToken::new("https://auth.test/token", ClientAuth::none("id"), http).unwrap();
        TokenManager::builder(source).store(world.store.clone()).clock(world.clock.clone()).chance(|| 0.5)
    }

    async fn manager(&self, world: &World) -> TokenManager {
        let manager = self.builder(world).build();
        let login = Token::new("login").expires_in(HOUR).with_refresh_token("refresh");
        manager.put(&key(), login).await.unwrap();
        manager
    }
}

fn answer(status: u16, body: &'static str) -> Result<Response<Body>, BoxError> {
    let body = Full::new(Bytes::from_static(body.as_bytes())).map_err(Into::into).boxed_unsync();
    Ok(Response::builder().status(status).body(body).unwrap())
}

fn retry_after(status: u16, value: &str) -> Result<Response<Body>, BoxError> {
    let mut response = answer(status, "")?;
    response.headers_mut().insert("retry-after", value.parse()?);
    // What a date is compared with.
    response.headers_mut().insert("date", "Fri, 15 Jan 2027 08:00:00 GMT".parse()?);
    Ok(response)
}

/// A body that breaks off in the middle.
fn torn() -> Result<Response<Body>, BoxError> {
    let pieces = [
        Ok(http_body::Frame::data(Bytes::from_static(b"{\"access_token\":\"go"))),
        Err(BoxError::from(io::Error::from(io::ErrorKind::UnexpectedEof))),
    ];
    let body = http_body_util::StreamBody::new(futures_util::stream::iter(pieces));
    Ok(Response::new(BodyExt::boxed_unsync(body)))
}

fn broken(kind: io::ErrorKind) -> Result<Response<Body>, BoxError> {
    Err(io::Error::from(kind).into())
}

/// What hyper-util's client says when it cannot connect: no such name, no TLS.
fn unconnected(cause: &'static str) -> Result<Response<Body>, BoxError> {
    #[derive(Debug)]
    struct Connect(BoxError);
    impl std::fmt::Display for Connect {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("client error (Connect)")
        }
    }
    impl std::error::Error for Connect {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&*self.0)
        }
    }
    Err(Connect(cause.into()).into())
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_passes_at_once_is_noticed_by_nobody() {
    type Failure = fn() -> Result<Response<Body>, BoxError>;
    let failures: [Failure; 8] = [
        || answer(503, ""),
        || answer(500, "<html>"),
        || answer(429, ""),
        || answer(408, ""),
        || broken(io::ErrorKind::ConnectionRefused),
        || broken(io::ErrorKind::ConnectionReset),
        || unconnected("dns error"),
        torn,
    ];
    for (number, failure) in failures.into_iter().enumerate() {
        let world = World::new();
        let endpoint = Endpoint::new(move |request| if request < 2 { failure() } else { answer(200, GOOD) });
        let manager = endpoint.manager(&world).await;
        world.clock.forward(HOUR);
        let started = Instant::now();
        assert_eq!(given(manager.token(&key()).await), "good", "{number}");
        assert_eq!(endpoint.count(), 3, "{number}");
        // 100 ms and 200 ms, with the chance of this manager.
        assert_eq!(started.elapsed().as_millis(), 303, "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_will_not_pass_is_not_tried_again() {
    for (status, body) in [
        (400, r#"{"error":"invalid_grant"}"#),
        (401, r#"{"error":"invalid_client"}"#),
        (400, r#"{"error":"invalid_scope"}"#),
        (404, "no such page"),
        (302, ""),
        (200, "<html>log in here</html>"),
        (200, "{}"),
    ] {
        let world = World::new();
        let endpoint = Endpoint::new(move |_| answer(status, body));
        let manager = endpoint.manager(&world).await;
        manager.refresh(&key()).await.unwrap_err();
        assert_eq!(endpoint.count(), 1, "{status} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_number_of_attempts_can_be_set() {
    for (attempts, made) in [(0, 1), (1, 1), (2, 2), (5, 5)] {
        let world = World::new();
        let endpoint = Endpoint::new(|_| answer(503, ""));
        let manager = endpoint.builder(&world).attempts(attempts).build();
        manager.put(&key(), Token::new("login").with_refresh_token("refresh")).await.unwrap();
        assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::UnexpectedStatus);
        assert_eq!(endpoint.count(), made);
    }
}

#[tokio::test(start_paused = true)]
async fn where_refresh_tokens_rotate_a_reset_is_not_tried_again_and_a_refused_connection_is() {
    let world = World::new();
    let endpoint = Endpoint::new(|_| answer(200, GOOD));
    let manager = endpoint.manager(&world).await;
    assert_eq!(given(manager.refresh(&key()).await), "good");
    endpoint.now(|_| broken(io::ErrorKind::ConnectionRefused));
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::Transport);
    assert_eq!(endpoint.count(), 4);
    endpoint.now(|_| unconnected("certificate has expired"));
    world.clock.forward(SECOND);
    assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::Transport);
    assert_eq!(endpoint.count(), 7);
    for failure in [|| broken(io::ErrorKind::ConnectionReset), torn] {
        endpoint.now(|_| answer(200, GOOD));
        let login = Token::new("login").expires_in(HOUR).with_refresh_token("refresh");
        manager.put(&key(), login).await.unwrap();
        endpoint.now(move |_| failure());
        let before = endpoint.count();
        let error = manager.refresh(&key()).await.unwrap_err();
        assert!(error.needs_reauthorization(), "{error}");
        assert!(std::error::Error::source(&error).is_some(), "it says what happened: {error:?}");
        assert_eq!(endpoint.count(), before + 1);
        assert_eq!(given(manager.token(&key()).await), "login", "it is good to its end");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_ails_the_server_the_old_token_flows_to_its_end_and_the_first_success_mends_all() {
    type Failure = fn() -> Result<Response<Body>, BoxError>;
    let failures: [Failure; 6] = [
        || answer(503, ""),
        || answer(200, "<html>maintenance</html>"),
        torn,
        || unconnected("dns error: no such name"),
        || unconnected("invalid peer certificate"),
        || broken(io::ErrorKind::TimedOut),
    ];
    for (number, failure) in failures.into_iter().enumerate() {
        let world = World::new();
        let endpoint = Endpoint::new(move |_| failure());
        let manager = endpoint.manager(&world).await;
        world.clock.forward(SOFT);
        for _ in 0..88 {
            assert_eq!(
                given(manager.token(&key()).now_or_never().expect("nobody waits")),
                "login",
                "{number}"
            );
            settle().await;
            sleep(10 * SECOND).await;
        }
        assert!(endpoint.count() > 10, "{number}: it is tried again and again");
        world.clock.forward(60 * SECOND);
        let error = manager.token(&key()).await.unwrap_err();
        assert!(error.is_transient() && !error.needs_reauthorization(), "{number}: {error}");
        endpoint.now(|_| answer(200, GOOD));
        world.clock.forward(60 * SECOND);
        assert_eq!(given(manager.token(&key()).await), "good", "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_retry_after_is_waited_out_and_a_long_one_ends_the_refresh() {
    let world = World::new();
    let endpoint =
        Endpoint::new(|request| if request == 0 { retry_after(429, "7") } else { answer(200, GOOD) });
    let manager = endpoint.manager(&world).await;
    let started = Instant::now();
    assert_eq!(given(manager.refresh(&key()).await), "good");
    assert_eq!(started.elapsed().as_secs(), 7);

    let endpoint = Endpoint::new(|_| retry_after(429, "60"));
    let world = World::new();
    let manager = endpoint.manager(&world).await;
    let started = Instant::now();
    let error = manager.refresh(&key()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(60 * SECOND));
    assert!(started.elapsed() < SECOND, "those who wait are told at once");
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_a_floor_that_nothing_shortens_capped_at_an_hour() {
    // A number, a fraction, a date, and nonsense; and the seconds that it means.
    let date = "Fri, 15 Jan 2027 08:01:40 GMT";
    for (value, seconds) in [("120", 120), ("90.5", 91), (date, 100), ("999999999999", 3600)] {
        let world = World::new();
        let endpoint = Endpoint::new(move |_| retry_after(429, value));
        let manager = endpoint.manager(&world).await;
        assert_eq!(refused(manager.refresh(&key()).await), ErrorKind::UnexpectedStatus);
        // A wish for a new token, a refused token, a reader: none of them shortens it.
        world.clock.forward(Duration::from_secs(seconds - 2));
        let error = manager.refresh(&key()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BackOff);
        assert!(error.retry_at().is_some_and(|at| at > world.clock.now()));
        if seconds < 3000 {
            assert_eq!(given(manager.token(&key()).await), "login", "a valid token is not affected");
        }
        manager.invalidate(&key(), &Token::new("login"));
        assert_eq!(refused(manager.token(&key()).await), ErrorKind::BackOff);
        assert_eq!(endpoint.count(), 1);
        endpoint.now(|_| answer(200, GOOD));
        world.clock.forward(3 * SECOND);
        assert_eq!(given(manager.token(&key()).await), "good");
    }
}
