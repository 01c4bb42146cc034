//! How the span of a refresh hangs together with those of the requests that wait for it.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::yield_now;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::token::token_source_fn;
use tracing::Instrument;

use crate::capture::Capture;
use crate::capture::Span;

/// The number of the first span of this name, and the span.
fn find(capture: &Capture, name: &str) -> (u64, Span) {
    let spans = capture.all_spans();
    let place =
        spans.iter().position(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:?}"));
    (place as u64 + 1, spans[place].clone())
}

#[tokio::test]
async fn a_refresh_follows_from_the_request_that_caused_it_and_does_not_keep_its_span_open() {
    let capture = Capture::default();
    let _subscriber = tracing::subscriber::set_default(capture.subscriber());
    let answer = Arc::new(Notify::new());
    let waits = Arc::clone(&answer);
    let source = token_source_fn(move |_| {
        let answer = Arc::clone(&waits);
        async move {
            answer.notified().await;
            Ok(Token::new("token"))
        }
    });
    let manager = TokenManager::builder(source).build();
    let waiting = {
        let manager = manager.clone();
        async move { manager.token(&TokenKey::default()).await }
    };
    let request = tokio::spawn(waiting.instrument(tracing::info_span!(target: "tower_oauth", "request")));
    for _ in 0..10 {
        yield_now().await;
    }
    let (request_id, _) = find(&capture, "request");
    let (refresh_id, refresh) = find(&capture, "token_refresh");
    assert_eq!(refresh.parent, None);
    assert_eq!(refresh.follows_from, [request_id]);
    let (_, wait) = find(&capture, "token_wait");
    assert_eq!(wait.parent, Some(request_id));
    assert_eq!(wait.follows_from, [refresh_id]);
    assert_eq!(find(&capture, "token_exchange").1.parent, Some(refresh_id));
    assert_eq!(find(&capture, "store_operation").1.parent, Some(refresh_id));

    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    assert_eq!(find(&capture, "request").1.held, 0);
    assert!(find(&capture, "token_refresh").1.held > 0);
    assert_eq!(capture.values("outcome").last().unwrap(), "cancelled");

    answer.notify_one();
    manager.token(&TokenKey::default()).await.unwrap();
    for _ in 0..10 {
        yield_now().await;
    }
    assert_eq!(find(&capture, "token_refresh").1.held, 0);
}
