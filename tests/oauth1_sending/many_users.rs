//! Credentials by key: fail closed, look up once, never mix.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;

use tokio::sync::oneshot;
use tower_oauth::TokenKey;
use tower_oauth::oauth1::BoxCredentialSource;
use tower_oauth::oauth1::CredentialSource;
use tower_oauth::oauth1::Placement;
use tower_oauth::oauth1::credential_source_fn;

use super::*;

/// A source that a test plays: it notes each question, and answers when it is told to.
#[derive(Clone, Default)]
struct Source {
    questions: Arc<Mutex<Vec<Question>>>,
    count: Arc<Mutex<HashMap<String, usize>>>,
    is_played: bool,
}

struct Question {
    key: TokenKey,
    answer: oneshot::Sender<Result<Credentials, Error>>,
}

impl Source {
    /// One that answers by itself, at once.
    fn prompt() -> Self {
        Self::default()
    }

    fn played() -> Self {
        Self { is_played: true, ..Self::default() }
    }

    /// How often it was asked for a key.
    fn asked(&self, key: &str) -> usize {
        self.count.lock().unwrap().get(key).copied().unwrap_or_default()
    }

    /// The oldest question that is not answered yet.
    fn question(&self) -> Question {
        self.questions.lock().unwrap().remove(0)
    }
}

impl CredentialSource for Source {
    async fn credentials(&self, key: &TokenKey) -> Result<Credentials, Error> {
        *self.count.lock().unwrap().entry(key.to_string()).or_default() += 1;
        if !self.is_played {
            return Ok(credentials_of(key.as_str()));
        }
        let (answer, answered) = oneshot::channel();
        self.questions.lock().unwrap().push(Question { key: key.clone(), answer });
        answered.await.unwrap_or_else(|_| Err(Error::transient("the test gave no answer")))
    }
}

pub(crate) fn credentials_of(user: &str) -> Credentials {
    Credentials::new("client", "client secret").token(format!("token-of-{user}"), format!("secret-of-{user}"))
}

fn per_request(source: &Source) -> OAuth1Layer {
    OAuth1Layer::per_request(origins(), source.clone()).clock(clock())
}

pub(crate) fn of(user: &str, mut request: Request<Body>) -> Request<Body> {
    request.extensions_mut().insert(TokenKey::new(user));
    request
}

fn token(request: &Request<Body>) -> &str {
    parameter(request, "oauth_token")
}

/// The token with which a request of `user` goes out, from a source that answers at once.
async fn token_for(
    service: &mut Played<tower_oauth::body::FromBytes>,
    handle: &mut Handle,
    user: &str,
) -> String {
    answered_with(service, handle, user, response(200)).await
}

async fn answered_with(
    service: &mut Played<tower_oauth::body::FromBytes>,
    handle: &mut Handle,
    user: &str,
    answer: Response<()>,
) -> String {
    assert_ready_ok!(service.poll_ready());
    let mut future = tokio_test::task::spawn(service.call(of(user, get("/"))));
    assert_pending!(future.poll());
    let (request, reply) = next(handle).await;
    reply.send_response(answer);
    assert_ready_ok!(future.poll());
    token(&request).to_owned()
}

#[tokio::test]
async fn a_layer_with_one_identity_refuses_a_key() {
    for request in [get("/"), form("a=1"), post("text/plain", "a")] {
        let (mut service, mut handle) = played(layer());
        assert_ready_ok!(service.poll_ready());
        let error = now(service.call(of("alice", request))).unwrap_err();
        assert_eq!(kind_of(&error), ErrorKind::UnexpectedTokenKey);
        assert!(error.to_string().contains("OAuth1Layer::per_request"), "{error}");
        assert_nothing_sent(&mut handle);
    }
}

#[tokio::test]
async fn a_layer_with_credentials_per_request_refuses_a_request_without_key() {
    let source = Source::prompt();
    for request in [get("/"), form("a=1"), post("text/plain", "a")] {
        let (mut service, mut handle) = played(per_request(&source));
        assert_ready_ok!(service.poll_ready());
        let error = now(service.call(request)).unwrap_err();
        assert_eq!(kind_of(&error), ErrorKind::MissingTokenKey);
        assert_nothing_sent(&mut handle);
    }
    assert!(source.count.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_request_that_is_not_signed_needs_no_key_and_may_have_one() {
    let source = Source::prompt();
    for layer in [layer(), per_request(&source)] {
        let layer = layer.pass_foreign_unsigned();
        for request in [get("https://elsewhere.test/"), of("alice", get("https://elsewhere.test/"))] {
            let (mut service, mut handle) = played(layer.clone());
            assert_ready_ok!(service.poll_ready());
            let _future = service.call(request);
            assert!(!next(&mut handle).await.0.headers().contains_key(AUTHORIZATION));
        }
    }
    assert!(source.count.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_origin_that_is_not_allowed_is_refused_before_the_source_is_asked() {
    let source = Source::prompt();
    let (mut service, _handle) = played(per_request(&source));
    assert_ready_ok!(service.poll_ready());
    let error = now(service.call(of("alice", get("https://evil.test/")))).unwrap_err();
    assert_eq!(kind_of(&error), ErrorKind::ForeignOrigin);
    assert_eq!(source.asked("alice"), 0);
}

#[tokio::test]
async fn each_request_is_signed_with_the_credentials_of_its_key() {
    let source = Source::prompt();
    let (mut service, mut handle) = played(per_request(&source));
    for user in ["alice", "bob", "alice", "bob", "bob"] {
        assert_eq!(token_for(&mut service, &mut handle, user).await, format!("token-of-{user}"));
    }
    assert_eq!((source.asked("alice"), source.asked("bob")), (1, 1));
}

#[tokio::test]
async fn a_request_whose_credentials_are_known_is_sent_at_once() {
    let source = Source::prompt();
    let (mut service, mut handle) = played(per_request(&source));
    token_for(&mut service, &mut handle, "alice").await;
    assert_ready_ok!(service.poll_ready());
    // Nobody polls it.
    let future = service.call(of("alice", get("/")));
    assert_eq!(token(&next(&mut handle).await.0), "token-of-alice");
    assert_eq!(format!("{future:?}"), "ResponseFuture(sent)");
}

#[tokio::test]
async fn a_request_waits_for_the_answer_with_the_service_that_was_ready() {
    let source = Source::played();
    let (mut service, mut handle) = played(per_request(&source));
    assert_ready_ok!(service.poll_ready());
    // The mock panics if a service is called that was not polled to readiness: the future must have taken this one.
    let mut future = tokio_test::task::spawn(service.call(of("alice", form("a=1"))));
    assert_pending!(future.poll());
    assert_nothing_sent(&mut handle);
    let question = source.question();
    assert_eq!(question.key.as_str(), "alice");
    question.answer.send(Ok(credentials_of("alice"))).unwrap();
    assert!(future.is_woken());
    assert_pending!(future.poll());
    assert_eq!(token(&next(&mut handle).await.0), "token-of-alice");
}

/// Futures of `count` requests of one user, of which the first has asked the source.
macro_rules! waiting {
    ($service:ident, $($future:ident),+) => {
        $(
            assert_ready_ok!($service.poll_ready());
            let mut $future = tokio_test::task::spawn($service.call(of("alice", get("/"))));
            assert_pending!($future.poll());
        )+
    };
}

#[tokio::test]
async fn one_question_is_asked_at_a_time_for_each_key() {
    let source = Source::played();
    let (mut service, mut handle) = played(per_request(&source));
    waiting!(service, first, second, third);
    // Another key does not wait for it.
    assert_ready_ok!(service.poll_ready());
    let mut other = tokio_test::task::spawn(service.call(of("bob", get("/"))));
    assert_pending!(other.poll());
    assert_eq!((source.asked("alice"), source.asked("bob")), (1, 1));
    source.question().answer.send(Ok(credentials_of("alice"))).unwrap();
    for future in [&mut first, &mut second, &mut third] {
        assert!(future.is_woken());
        assert_pending!(future.poll());
        assert_eq!(token(&next(&mut handle).await.0), "token-of-alice");
    }
    assert!(!other.is_woken());
    assert_eq!(source.asked("alice"), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_while_it_asks_leaves_the_question_to_the_next() {
    let source = Source::played();
    let (mut service, mut handle) = played(per_request(&source));
    waiting!(service, first, second, third);
    let abandoned = source.question();
    drop(first);
    assert!(abandoned.answer.is_closed());
    assert!(second.is_woken());
    assert_pending!(second.poll());
    assert_eq!(source.asked("alice"), 2);
    // And one that only waited changes nothing.
    drop(third);
    source.question().answer.send(Ok(credentials_of("alice"))).unwrap();
    assert_pending!(second.poll());
    assert_eq!(token(&next(&mut handle).await.0), "token-of-alice");
    assert_eq!(token_for(&mut service, &mut handle, "alice").await, "token-of-alice");
    assert_eq!(source.asked("alice"), 2);
}

#[tokio::test]
async fn when_all_callers_went_away_the_next_one_asks_anew() {
    let source = Source::played();
    let (mut service, mut handle) = played(per_request(&source));
    waiting!(service, first, second);
    drop(first);
    drop(second);
    waiting!(service, third);
    assert_eq!(source.asked("alice"), 2);
    source.questions.lock().unwrap().remove(0);
    source.question().answer.send(Ok(credentials_of("alice"))).unwrap();
    assert_pending!(third.poll());
    assert_eq!(token(&next(&mut handle).await.0), "token-of-alice");
}

#[tokio::test]
async fn a_failure_is_told_to_all_who_waited_and_the_next_request_asks_again() {
    let source = Source::played();
    let (mut service, mut handle) = played(per_request(&source));
    waiting!(service, first, second);
    source.question().answer.send(Err(Error::transient("the database is away"))).unwrap();
    for future in [&mut first, &mut second] {
        let Poll::Ready(Err(error)) = future.poll() else { panic!("no error") };
        let error = Error::find(error.as_ref()).unwrap();
        assert_eq!(error.kind(), ErrorKind::Source);
        assert!(error.is_transient());
        assert_eq!(std::error::Error::source(error).unwrap().to_string(), "the database is away");
    }
    assert_nothing_sent(&mut handle);
    waiting!(service, third);
    assert_eq!(source.asked("alice"), 2);
    source.question().answer.send(Ok(credentials_of("alice"))).unwrap();
    assert_pending!(third.poll());
    assert_eq!(token(&next(&mut handle).await.0), "token-of-alice");
}

#[tokio::test]
async fn a_user_without_credentials_has_to_log_in() {
    let source = credential_source_fn(|_: TokenKey| async {
        Err(Error::reauthorization_required("this user has not logged in"))
    });
    let layer = OAuth1Layer::per_request(origins(), BoxCredentialSource::new(source));
    let (mut service, _handle) = played(layer);
    assert_ready_ok!(service.poll_ready());
    let error = now(service.call(of("alice", get("/")))).unwrap_err();
    assert!(Error::find(error.as_ref()).unwrap().needs_reauthorization());
}

#[tokio::test]
async fn a_source_that_panics_takes_only_its_caller_along() {
    let first = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let source = credential_source_fn(move |key: TokenKey| {
        let panics = first.swap(false, std::sync::atomic::Ordering::SeqCst);
        async move {
            tokio::task::yield_now().await;
            assert!(!panics, "on purpose");
            Ok(credentials_of(key.as_str()))
        }
    });
    let (mut service, mut handle) = played(OAuth1Layer::per_request(origins(), source));
    waiting!(service, first, second);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| first.poll()));
    assert!(panicked.is_err());
    drop(first);
    assert!(second.is_woken());
    assert_pending!(second.poll());
    assert_pending!(second.poll());
    assert_eq!(token(&next(&mut handle).await.0), "token-of-alice");
}

#[tokio::test]
async fn forgotten_credentials_are_looked_up_again() {
    let source = Source::prompt();
    let layer = per_request(&source);
    let (mut service, mut handle) = played(layer.clone());
    token_for(&mut service, &mut handle, "alice").await;
    token_for(&mut service, &mut handle, "bob").await;
    layer.forget(&TokenKey::new("alice"));
    token_for(&mut service, &mut handle, "alice").await;
    token_for(&mut service, &mut handle, "bob").await;
    assert_eq!((source.asked("alice"), source.asked("bob")), (2, 1));
}

#[tokio::test]
async fn an_answer_to_a_question_that_was_asked_before_the_change_is_not_kept() {
    let source = Source::played();
    let layer = per_request(&source);
    let (mut service, mut handle) = played(layer.clone());
    waiting!(service, before);
    layer.forget(&TokenKey::new("alice"));
    // Who comes after the change does not get the old answer.
    waiting!(service, after);
    assert_eq!(source.asked("alice"), 2);
    source.question().answer.send(Ok(credentials_of("old"))).unwrap();
    assert_pending!(before.poll());
    assert_eq!(token(&next(&mut handle).await.0), "token-of-old");
    assert!(!after.is_woken());
    source.question().answer.send(Ok(credentials_of("new"))).unwrap();
    assert_pending!(after.poll());
    assert_eq!(token(&next(&mut handle).await.0), "token-of-new");
    assert_eq!(token_for(&mut service, &mut handle, "alice").await, "token-of-new");
}

#[tokio::test]
async fn credentials_whose_token_is_refused_are_looked_up_again() {
    for (answer, asked) in [
        (with_problem(401, "token_revoked"), 2),
        (with_problem(401, "token_rejected"), 2),
        (with_problem(401, "token_expired"), 2),
        (with_problem(403, "token_rejected"), 1),
        (with_problem(401, "signature_invalid"), 1),
        (with_problem(401, "permission_denied"), 1),
        (response(401), 1),
    ] {
        let source = Source::prompt();
        let (mut service, mut handle) = played(per_request(&source));
        let shown = format!("{answer:?}");
        answered_with(&mut service, &mut handle, "alice", answer).await;
        token_for(&mut service, &mut handle, "alice").await;
        assert_eq!(source.asked("alice"), asked, "{shown}");
    }
}

#[tokio::test]
async fn a_late_refusal_does_not_drop_the_credentials_that_came_after() {
    let source = Source::prompt();
    let layer = per_request(&source);
    let (mut service, mut handle) = played(layer.clone());
    token_for(&mut service, &mut handle, "alice").await;
    assert_ready_ok!(service.poll_ready());
    let mut late = tokio_test::task::spawn(service.call(of("alice", get("/"))));
    let (_, answer) = next(&mut handle).await;
    layer.forget(&TokenKey::new("alice"));
    token_for(&mut service, &mut handle, "alice").await;
    answer.send_response(with_problem(401, "token_revoked"));
    assert_ready_ok!(late.poll());
    token_for(&mut service, &mut handle, "alice").await;
    assert_eq!(source.asked("alice"), 2);
}

#[tokio::test]
async fn the_keys_that_were_used_longest_ago_leave_first() {
    let source = Source::prompt();
    let (mut service, mut handle) = played(per_request(&source).max_keys(2));
    for user in ["alice", "bob", "alice", "carol", "alice", "bob"] {
        assert_eq!(token_for(&mut service, &mut handle, user).await, format!("token-of-{user}"));
    }
    assert_eq!((source.asked("alice"), source.asked("bob"), source.asked("carol")), (1, 2, 1));
}

#[tokio::test]
async fn settings_hold_for_all_keys() {
    let source = Source::prompt();
    let layer = per_request(&source).realm("Photos").unwrap().omit_version();
    let (mut service, mut handle) = played(layer.clone());
    for user in ["alice", "bob"] {
        assert_ready_ok!(service.poll_ready());
        let mut future = tokio_test::task::spawn(service.call(of(user, get("/"))));
        assert_pending!(future.poll());
        let (request, _) = next(&mut handle).await;
        let authorization = request.headers()[AUTHORIZATION].to_str().unwrap();
        assert!(authorization.starts_with("OAuth realm=\"Photos\", oauth_consumer_key=\"client\""));
        assert!(!authorization.contains("oauth_version"), "{authorization}");
    }
    // A setting that is changed later does not find what was prepared before.
    let (mut service, mut handle) = played(layer.placement(Placement::Query));
    assert_ready_ok!(service.poll_ready());
    let mut future = tokio_test::task::spawn(service.call(of("alice", get("/"))));
    assert_pending!(future.poll());
    let (request, _) = next(&mut handle).await;
    assert!(request.uri().query().unwrap().contains("oauth_token=token-of-alice"));
    assert!(!request.headers().contains_key(AUTHORIZATION));
}

#[tokio::test]
async fn the_second_attempt_has_the_same_credentials_whatever_became_of_them() {
    let source = Source::prompt();
    let layer = per_request(&source);
    let (mut service, mut handle) = played(layer.clone());
    assert_ready_ok!(service.poll_ready());
    let mut future = tokio_test::task::spawn(service.call(of("alice", get("/"))));
    assert_pending!(future.poll());
    let (first, answer) = next(&mut handle).await;
    layer.forget(&TokenKey::new("alice"));
    answer.send_response(refused(START + 600));
    assert_pending!(future.poll());
    let (second, _) = next(&mut handle).await;
    assert_eq!((token(&first), token(&second)), ("token-of-alice", "token-of-alice"));
    assert_eq!(second.extensions().get(), Some(&TokenKey::new("alice")));
    assert_eq!((timestamp(&second), source.asked("alice")), (START + 600, 1));
}
