#![cfg(feature = "oauth2")]

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Wake;

use super::*;
use crate::defaults::assert_documented;

/// A body that brings what a test lets it bring. Each `None` is one time that nothing is there yet.
struct Scripted(VecDeque<Option<Result<Frame<Bytes>, &'static str>>>);

/// Like the body of an SDK: made from any other.
struct Boxed(Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>);

impl Body for Scripted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.0.pop_front() {
            None => Poll::Ready(None),
            Some(None) => Poll::Pending,
            Some(Some(frame)) => Poll::Ready(Some(frame.map_err(Into::into))),
        }
    }
}

impl Body for Boxed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.as_mut().poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

fn policy() -> Recording<Boxed> {
    Recording::new(|body| Boxed(Box::pin(body)))
}

fn data(text: &'static str) -> Option<Result<Frame<Bytes>, &'static str>> {
    Some(Ok(Frame::data(Bytes::from(text))))
}

fn scripted<const N: usize>(script: [Option<Result<Frame<Bytes>, &'static str>>; N]) -> Boxed {
    Boxed(Box::pin(Scripted(script.into())))
}

fn recorded(policy: &Recording<Boxed>, body: Boxed) -> (Boxed, Recorded<Boxed>) {
    match policy.replay(&body) {
        Replay::Recording(recorder) => recorder.record(body),
        other => panic!("{other:?}"),
    }
}

impl fmt::Debug for Boxed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Boxed")
    }
}

/// The next frame: its text, `"trailers"`, or what went wrong.
async fn next(body: &mut Boxed) -> Option<Result<String, String>> {
    let frame = poll_fn(|context| body.0.as_mut().poll_frame(context)).await?;
    Some(frame.map_err(|error| error.to_string()).map(|frame| match frame.into_data() {
        Ok(data) => String::from_utf8(data.to_vec()).unwrap(),
        Err(_) => "trailers".to_owned(),
    }))
}

async fn all(mut body: Boxed) -> String {
    let mut text = String::new();
    while let Some(frame) = next(&mut body).await {
        text.push_str(&frame.unwrap());
    }
    text
}

fn ok(text: &str) -> Option<Result<String, String>> {
    Some(Ok(text.to_owned()))
}

#[test]
fn the_default_is_that_of_the_table() {
    let limit = policy().limit;
    assert_documented("part of a body that `Recording` keeps to send it again", format!("{limit} bytes"));
}

#[tokio::test]
async fn a_body_that_was_sent_to_its_end_comes_again_with_its_trailers() {
    let trailers = Some(Ok(Frame::trailers(HeaderMap::new())));
    let (first, recorded) = recorded(&policy(), scripted([data("Hello "), data("Ladies"), trailers]));
    assert_eq!(all(first).await, "Hello Ladiestrailers");
    assert_eq!(all(recorded.again().unwrap()).await, "Hello Ladiestrailers");
}

#[tokio::test]
async fn a_body_that_nobody_has_read_comes_again_as_it_is() {
    let (first, recorded) = recorded(&policy(), scripted([data("Hello")]));
    drop(first);
    assert_eq!(all(recorded.again().unwrap()).await, "Hello");
}

#[tokio::test]
async fn a_stream_goes_on_in_the_second_body_where_the_first_was_left() {
    let (mut first, recorded) = recorded(&policy(), scripted([data("one "), data("two "), data("three")]));
    assert_eq!(next(&mut first).await, ok("one "));
    let second = recorded.again().unwrap();
    let error = next(&mut first).await.unwrap().unwrap_err();
    assert!(error.contains("is sent again"), "{error}");
    assert_eq!(all(second).await, "one two three");
}

#[tokio::test]
async fn who_waits_for_more_of_the_first_body_is_woken_and_told() {
    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let (mut first, recorded) = recorded(&policy(), scripted([data("one "), None, data("two")]));
    assert_eq!(next(&mut first).await, ok("one "));
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    assert!(first.0.as_mut().poll_frame(&mut Context::from_waker(&waker)).is_pending());
    let second = recorded.again().unwrap();
    assert!(woken.0.load(Ordering::SeqCst));
    assert!(next(&mut first).await.unwrap().is_err());
    assert_eq!(all(second).await, "one two");
}

#[tokio::test]
async fn a_body_that_grew_beyond_the_limit_does_not_come_again() {
    let (mut first, short) = recorded(&policy().limit(6), scripted([data("123"), data("456"), data("7")]));
    next(&mut first).await;
    next(&mut first).await;
    assert_eq!(all(short.again().unwrap()).await, "1234567");

    let (first, long) = recorded(&policy().limit(6), scripted([data("123"), data("456"), data("7")]));
    assert_eq!(all(first).await, "1234567");
    assert!(long.again().is_none());
}

#[tokio::test]
async fn a_body_that_failed_does_not_come_again() {
    let (mut first, recorded) = recorded(&policy(), scripted([data("1"), Some(Err("the disk is gone"))]));
    assert_eq!(next(&mut first).await, ok("1"));
    assert_eq!(next(&mut first).await, Some(Err("the disk is gone".to_owned())));
    assert!(recorded.again().is_none());
}

#[tokio::test]
async fn once_the_response_is_accepted_nothing_more_is_kept() {
    let (mut first, recorded) = recorded(&policy(), scripted([data("1"), data("2"), data("3")]));
    assert_eq!(next(&mut first).await, ok("1"));
    let state = Arc::clone(&recorded.state);
    assert_eq!(lock(&state).kept.len(), 1);
    drop(recorded);
    assert_eq!(next(&mut first).await, ok("2"));
    assert_eq!(lock(&state).kept.len(), 0);
    assert_eq!(next(&mut first).await, ok("3"));
    assert_eq!(next(&mut first).await, None);
}

#[tokio::test]
async fn a_known_size_stays_known() {
    let sized = |text: &'static str| policy().rebuild().unwrap().make(Bytes::from(text));
    assert_eq!(sized("12345").size_hint().exact(), Some(5));
    assert!(sized("").is_end_stream());
    let (mut first, recorded) = recorded(&policy(), sized("12345"));
    assert_eq!(first.size_hint().exact(), Some(5));
    assert_eq!(next(&mut first).await, ok("12345"));
    assert!(first.is_end_stream());
    let second = recorded.again().unwrap();
    assert_eq!(second.size_hint().exact(), Some(5));
    assert!(!second.is_end_stream());
    assert_eq!(all(second).await, "12345");
}

#[tokio::test]
async fn an_empty_body_needs_no_recording() {
    let empty = policy().rebuild().unwrap().make(Bytes::new());
    assert!(matches!(policy().replay(&empty), Replay::With(second) if second.is_end_stream()));
}
