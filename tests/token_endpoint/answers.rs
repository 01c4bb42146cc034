//! What becomes of the answers of token endpoints, and of endpoints that do not answer.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use http::Request;
use http::Response;
use http_body::Frame;
use http_body::SizeHint;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::StreamBody;
use tokio::time::Instant;
use tower::BoxError;
use tower::Service;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Clock;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::grant::StaticToken;

use crate::Body;
use crate::Endpoint;
use crate::Managed;
use crate::URL;
use crate::key;
use crate::shown;
use crate::text;

const GOOD: &str = r#"{"access_token":"good","expires_in":3600}"#;
const SECOND: Duration = Duration::from_secs(1);

/// An answer with this body.
fn streamed(
    frames: impl futures_util::Stream<Item = Result<Frame<Bytes>, BoxError>> + Send + 'static,
) -> Response<Body> {
    Response::new(StreamBody::new(frames).boxed_unsync())
}

fn piece(bytes: &'static [u8]) -> Result<Frame<Bytes>, BoxError> {
    Ok(Frame::data(Bytes::from_static(bytes)))
}

#[tokio::test(start_paused = true)]
async fn every_useless_answer_is_a_typed_error_and_a_valid_token_stays_in_use() {
    for (status, body, kind) in [
        (200, "<!DOCTYPE html><title>hunter2</title>", ErrorKind::UnusableResponse),
        (200, "", ErrorKind::UnusableResponse),
        (204, "", ErrorKind::UnusableResponse),
        (200, r#"{"access_token":"hunter2"#, ErrorKind::UnusableResponse),
        (200, r#"["hunter2"]"#, ErrorKind::UnusableResponse),
        (200, r#"{"refresh_in":1}"#, ErrorKind::UnusableResponse),
        (200, r#"{"access_token":"a","expires_in":0}"#, ErrorKind::UnusableResponse),
        (200, r#"{"access_token":"a","expires_in":-5}"#, ErrorKind::UnusableResponse),
        (200, r#"{"access_token":"two hunter2"}"#, ErrorKind::InvalidToken),
        (200, "{\"access_token\":\"nul\\u0000hunter2\"}", ErrorKind::InvalidToken),
        (200, "{\"access_token\":\"line\\r\\nX: hunter2\"}", ErrorKind::InvalidToken),
        (200, r#"{"access_token":"ключ"}"#, ErrorKind::InvalidToken),
        (200, r#"{"access_token":"hunter2","token_type":"mac"}"#, ErrorKind::InvalidToken),
        (200, r#"{"error":"invalid_scope"}"#, ErrorKind::Refused),
        (400, r#"{"error":"unheard_of"}"#, ErrorKind::Refused),
        (404, "hunter2", ErrorKind::UnexpectedStatus),
        (500, "<html>hunter2</html>", ErrorKind::UnexpectedStatus),
        (502, "", ErrorKind::UnexpectedStatus),
        (503, r#"{"access_token":"hunter2"}"#, ErrorKind::UnexpectedStatus),
    ] {
        let endpoint = Endpoint::says(status, body);
        let error = Managed::new(endpoint.client_credentials()).token().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}: {error:?}");
        assert!(!shown(&error).contains("hunter2"), "{}", shown(&error));
        let managed = Managed::logged_in(endpoint.refresh_token()).await;
        assert_eq!(managed.refresh().await.unwrap_err().kind(), kind, "{status} {body}");
        assert_eq!(managed.token().await.unwrap(), "login");
        assert_eq!(managed.stored_refresh_token().await.as_deref(), Some("s3cret-refresh"));
        // And once the endpoint has come to its senses, all is well.
        endpoint.now_says(200, GOOD);
        managed.clock.forward(60 * SECOND);
        assert_eq!(managed.refresh().await.unwrap(), "good");
    }
}

#[tokio::test(start_paused = true)]
async fn a_form_is_as_good_as_json() {
    let endpoint = Endpoint::says(200, "access_token=good&token_type=bearer&expires_in=3600&scope=a%2Cb");
    let managed = Managed::new(endpoint.client_credentials());
    let token = managed.manager.token(&key()).await.unwrap();
    assert_eq!(token.access_token().expose(), "good");
    assert_eq!(token.scope(), Some(["a".to_owned(), "b".to_owned()].as_slice()));
    assert_eq!(token.expires_at(), Some(managed.clock.now() + Duration::from_secs(3600)));
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_an_error_and_followed_by_nobody() {
    for status in [300, 301, 302, 303, 304, 307, 308] {
        let endpoint = Endpoint::new(move || {
            let body = if status == 302 {
                // One that never ends: it is not even read.
                StreamBody::new(stream::repeat_with(|| piece(b"x"))).boxed_unsync()
            } else {
                Full::from(GOOD).map_err(|never| match never {}).boxed_unsync()
            };
            let response = Response::builder().status(status).header("location", "https://evil.test/token");
            Ok(response.body(body).unwrap())
        });
        let error = Managed::new(endpoint.client_credentials()).token().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.status().map(|status| status.as_u16())),
            (ErrorKind::Redirected, Some(status))
        );
        assert_eq!(error.endpoint(), Some(URL));
        assert_eq!(endpoint.count(), 1);
    }
}

/// A body that counts how often it is asked for more, and says how long it is at least.
struct Endless(Arc<AtomicUsize>, u64);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(piece(&[b' '; 1024])))
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.1);
        hint
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_answer_is_read_up_to_the_limit() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let endpoint = Endpoint::new(move || Ok(Response::new(Endless(Arc::clone(&count), 0).boxed_unsync())));
    let error = Managed::new(endpoint.client_credentials()).token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResponseTooLarge);
    assert_eq!(asked.swap(0, Ordering::SeqCst), 1025);
    let at = endpoint.token_endpoint().response_limit(10 * 1024);
    let error = Managed::new(ClientCredentials::at(at)).token().await.unwrap_err();
    assert!(error.to_string().contains("10240 bytes"), "{error}");
    assert_eq!(asked.swap(0, Ordering::SeqCst), 11);
    // One that says beforehand that it is too long is not read at all.
    let count = Arc::clone(&asked);
    let huge = 10 * 1024 * 1024 * 1024;
    endpoint.now(move || Ok(Response::new(Endless(Arc::clone(&count), huge).boxed_unsync())));
    let error = Managed::new(endpoint.client_credentials()).token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResponseTooLarge);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_exactly_the_limit_is_read() {
    let endpoint = Endpoint::says(200, GOOD);
    let limit = |limit| ClientCredentials::at(endpoint.token_endpoint().response_limit(limit));
    assert_eq!(Managed::new(limit(GOOD.len())).token().await.unwrap(), "good");
    let error = Managed::new(limit(GOOD.len() - 1)).token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResponseTooLarge);
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_many_pieces_with_trailers_is_read() {
    let endpoint = Endpoint::new(|| {
        let pieces = GOOD.as_bytes().chunks(1).map(|byte| Ok(Frame::data(Bytes::from_static(byte))));
        let trailers = Ok(Frame::trailers(http::HeaderMap::new()));
        Ok(streamed(stream::iter(pieces.chain([trailers]).collect::<Vec<_>>())))
    });
    assert_eq!(Managed::new(endpoint.client_credentials()).token().await.unwrap(), "good");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_is_a_passing_failure() {
    let endpoint =
        Endpoint::new(|| Ok(streamed(stream::iter([piece(b"{\"access_token\":"), Err("reset".into())]))));
    let error = Managed::new(endpoint.client_credentials()).token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(error.is_transient() && std::error::Error::source(&error).is_some());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_ends_is_given_up() {
    // Silence in the middle, and a byte each second.
    let silent = Endpoint::new(|| Ok(streamed(stream::iter([piece(b"{")]).chain(stream::pending()))));
    let slow = Endpoint::new(|| {
        Ok(streamed(stream::unfold((), |()| async {
            tokio::time::sleep(SECOND).await;
            Some((piece(b" "), ()))
        })))
    });
    for endpoint in [silent, slow] {
        let started = Instant::now();
        let error = Managed::new(endpoint.client_credentials()).token().await.unwrap_err();
        assert_eq!((error.kind(), started.elapsed()), (ErrorKind::Timeout, 20 * SECOND));
        assert!(error.is_timeout() && error.is_transient());
        assert_eq!(error.endpoint(), Some(URL));
        let at = endpoint.token_endpoint().timeout(3 * SECOND);
        let started = Instant::now();
        let error = Managed::new(ClientCredentials::at(at)).token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        // Three attempts, with short pauses between them.
        assert!((9 * SECOND..10 * SECOND).contains(&started.elapsed()), "{:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_says_nothing_at_all_is_given_up() {
    let http = tower::service_fn(|_: Request<Full<Bytes>>| pending::<Result<Response<Body>, BoxError>>());
    let grant = ClientCredentials::new(URL, ClientAuth::none("id"), http).unwrap();
    let started = Instant::now();
    let error = Managed::new(grant).token().await.unwrap_err();
    assert_eq!((error.kind(), started.elapsed()), (ErrorKind::Timeout, 20 * SECOND));
}

/// A client that is never ready, or never again.
#[derive(Clone)]
struct Unready(bool);

impl Service<Request<Full<Bytes>>> for Unready {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.0 { Poll::Ready(Err("closed".into())) } else { Poll::Pending }
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        panic!("called before it was ready")
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_is_called_only_when_it_is_ready() {
    for (client, kind) in [(Unready(true), ErrorKind::Transport), (Unready(false), ErrorKind::Timeout)] {
        let grant = ClientCredentials::new(URL, ClientAuth::none("id"), client).unwrap();
        let error = Managed::new(grant).token().await.unwrap_err();
        assert_eq!(error.kind(), kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_fails_is_a_passing_failure_whose_cause_can_be_downcast() {
    let endpoint = Endpoint::new(|| Err(Box::new(std::io::Error::other("no route"))));
    let error = Managed::new(endpoint.client_credentials()).token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(error.is_transient());
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.is::<std::io::Error>());
}

#[tokio::test(start_paused = true)]
async fn a_grant_ends_with_invalid_grant_whatever_the_status_unless_the_server_is_ill() {
    for status in [200, 400, 401, 403] {
        for code in ["invalid_grant", "interaction_required", "consent_required", "login_required"] {
            let endpoint =
                Endpoint::says(status, format!(r#"{{"error":"{code}","error_description":"why"}}"#));
            let managed = Managed::logged_in(endpoint.refresh_token()).await;
            let error = managed.refresh().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ReauthorizationRequired, "{status} {code}");
            assert_eq!(error.server().map(|server| server.code()), Some(code));
            assert!(error.to_string().contains("why"), "{error}");
            assert_eq!(managed.stored_refresh_token().await.as_deref(), Some("s3cret-refresh"));
            managed.clock.forward(Duration::from_secs(24 * 3600));
            assert!(managed.token().await.unwrap_err().needs_reauthorization());
            assert_eq!(endpoint.count(), 1, "it is not presented again");
        }
    }
    for (status, code) in
        [(500, "invalid_grant"), (503, "invalid_grant"), (429, "invalid_grant"), (400, "invalid_request")]
    {
        let endpoint = Endpoint::says(status, format!(r#"{{"error":"{code}"}}"#));
        let managed = Managed::logged_in(endpoint.refresh_token()).await;
        assert_eq!(managed.refresh().await.unwrap_err().kind(), ErrorKind::Refused, "{status} {code}");
        endpoint.now_says(200, GOOD);
        managed.clock.forward(SECOND);
        assert_eq!(managed.refresh().await.unwrap(), "good");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_is_not_tried_again_for_a_minute_and_its_secret_never_comes_out() {
    // Echoed as it is, as it was sent in a form, and as it was sent in a header.
    let echo = r#"{"error":"invalid_client","error_description":"no p&ss w%rd, p%26ss+w%25rd or aWQ6cCUyNnNzK3clMjVyZA=="}"#;
    for auth in [ClientAuth::basic("id", "p&ss w%rd"), ClientAuth::post("id", "p&ss w%rd")] {
        let is_basic = format!("{auth:?}").contains("Basic");
        let endpoint = Endpoint::says(401, echo);
        let grant = ClientCredentials::new(URL, auth, endpoint.http()).unwrap();
        let managed = Managed::new(grant);
        let error = managed.token().await.unwrap_err();
        assert!(error.is_configuration() && !error.is_transient());
        managed.clock.forward(59 * SECOND);
        let paused = managed.token().await.unwrap_err();
        assert_eq!(paused.kind(), ErrorKind::BackOff);
        assert!(paused.is_configuration(), "the reason can still be seen");
        for error in [error, paused] {
            let shown = shown(&error);
            assert!(shown.contains("[redacted]"), "{shown}");
            assert!(!shown.contains("ss w") && !shown.contains("26ss"), "{shown}");
            assert!(!(is_basic && shown.contains("aWQ6")), "{shown}");
        }
        assert_eq!(endpoint.count(), 1);
        endpoint.now_says(200, GOOD);
        managed.clock.forward(SECOND);
        assert_eq!(managed.token().await.unwrap(), "good");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_the_server_repeats_never_comes_out() {
    let endpoint =
        Endpoint::says(400, r#"{"error":"invalid_grant","error_description":"s3cret-refresh is over"}"#);
    let managed = Managed::logged_in(endpoint.refresh_token()).await;
    let error = managed.refresh().await.unwrap_err();
    assert!(!shown(&error).contains("s3cret"), "{}", shown(&error));
    assert!(error.to_string().contains("[redacted] is over"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_the_least_pause_and_readers_of_a_valid_token_do_not_notice() {
    for (written, seconds) in [("7", 7), ("7.5", 8), ("99999999999999999999999", 3600), ("soon", 1)] {
        let endpoint = Endpoint::new(move || {
            let (parts, body) = text(503, "").into_parts();
            let mut response = Response::from_parts(parts, body);
            response.headers_mut().insert("retry-after", written.parse().unwrap());
            Ok(response)
        });
        let managed = Managed::logged_in(endpoint.refresh_token()).await;
        assert_eq!(managed.refresh().await.unwrap_err().kind(), ErrorKind::UnexpectedStatus);
        endpoint.now_says(200, GOOD);
        if seconds > 1 {
            managed.clock.forward(Duration::from_secs(seconds - 1));
            let error = managed.refresh().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BackOff, "{written}");
            assert!(error.retry_at().is_some_and(|at| at > managed.clock.now()));
            if seconds < 3000 {
                assert_eq!(managed.token().await.unwrap(), "login");
            }
        }
        managed.clock.forward(SECOND);
        assert_eq!(managed.refresh().await.unwrap(), "good", "{written}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_comes_with_no_or_a_bad_access_token_is_kept() {
    for body in [
        r#"{"refresh_token":"next"}"#,
        r#"{"id_token":"i","access_token":null,"refresh_token":"next"}"#,
        r#"{"access_token":"two words","refresh_token":"next"}"#,
        r#"{"access_token":"a","expires_in":0,"refresh_token":"next"}"#,
    ] {
        let endpoint = Endpoint::says(200, body);
        let managed = Managed::logged_in(endpoint.refresh_token()).await;
        managed.refresh().await.unwrap_err();
        assert_eq!(managed.token().await.unwrap(), "login");
        assert_eq!(managed.stored_refresh_token().await.as_deref(), Some("next"), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn all_that_a_server_says_of_a_token_is_there_for_its_reader() {
    let body = r#"{"access_token":"good","token_type":"User Access Token","expires_in":"60","scope":["a"],
        "refresh_token":"r","refresh_token_expires_in":120,"instance_url":"https://x.test"}"#;
    let managed = Managed::new(Endpoint::says(200, body).client_credentials());
    let token = managed.manager.token(&key()).await.unwrap();
    assert_eq!(token.token_type(), "User Access Token");
    assert_eq!(token.extra("instance_url").and_then(|url| url.as_str()), Some("https://x.test"));
    assert!(token.refresh_token().is_none(), "it stays in the record");
    assert_eq!(managed.stored_refresh_token().await.as_deref(), Some("r"));
    let record = tower_oauth::token::TokenStore::load(&managed.store, &key()).await.unwrap().unwrap();
    assert_eq!(record.refresh_expires_at(), Some(managed.clock.now() + 120 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_static_token_is_given_out_until_it_is_refused() {
    let managed = Managed::new(StaticToken::new("personal"));
    for _ in 0..3 {
        assert_eq!(managed.token().await.unwrap(), "personal");
        managed.clock.forward(Duration::from_secs(1_000_000));
    }
    assert_eq!(managed.refresh().await.unwrap_err().kind(), ErrorKind::ReauthorizationRequired);
    assert_eq!(managed.token().await.unwrap(), "personal");
    managed.manager.invalidate(&key(), &Token::new("personal"));
    for _ in 0..3 {
        assert!(managed.token().await.unwrap_err().needs_reauthorization());
        managed.clock.forward(60 * SECOND);
    }
    let bad = Managed::new(StaticToken::new("two words"));
    assert_eq!(bad.token().await.unwrap_err().kind(), ErrorKind::InvalidToken);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_this_crate_on_the_way_to_the_endpoint_is_a_cause_like_any_other() {
    let endpoint = Endpoint::new(|| Err(tower_oauth::Error::store("of another manager").into()));
    let error = Managed::new(endpoint.client_credentials()).token().await.unwrap_err();
    assert_eq!((error.kind(), error.endpoint()), (ErrorKind::Transport, Some(URL)));
}
