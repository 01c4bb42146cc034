//! Streams that are refused while they are open, over real connections: what was sent is sent again, and the rest follows.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use bytes::Bytes;
use futures_util::stream;
use http::Request;
use http::Version;
use http_body::Frame;
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use tokio::sync::mpsc;
use tower::BoxError;
use tower::ServiceBuilder;
use tower::ServiceExt;
use tower_oauth::body::Recording;
use tower_oauth_stacks::guard::guarded;
use tower_oauth_stacks::loopback::Wire;

/// An API that gives back what it gets, and lets the rest of the stream come once a request was accepted.
fn echo(rest: mpsc::UnboundedSender<&'static str>) -> Router {
    let rest = Arc::new(Mutex::new(Some(rest)));
    let handler = move |body: Body| async move {
        // The stream ends when its sender is gone.
        if let Some(sender) = rest.lock().unwrap().take() {
            sender.send("two").unwrap();
        }
        body
    };
    Router::new().route("/upload", post(handler))
}

/// A stream in which the first piece is already.
fn open() -> (mpsc::UnboundedSender<&'static str>, Body) {
    let (sender, receiver) = mpsc::unbounded_channel();
    sender.send("one ").unwrap();
    let pieces = stream::unfold(receiver, |mut receiver| async move {
        let piece: &str = receiver.recv().await?;
        Some((Ok::<_, BoxError>(Frame::data(Bytes::from(piece))), receiver))
    });
    (sender, Body::new(StreamBody::new(pieces)))
}

#[tokio::test]
async fn an_upload_that_is_refused_while_it_is_open_begins_again_and_goes_on() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (sender, body) = open();
        let stage = guarded(echo(sender)).await;
        let layer = stage.oauth2().body_policy(Recording::new(Body::new));
        layer.manager().token(&Default::default()).await.unwrap();
        stage.provider.revoke_all_access_tokens();
        let service =
            ServiceBuilder::new().layer(layer).service(Wire { tls: false, version }.client::<Body>());

        let request = Request::post(stage.server.url("/upload")).body(body).unwrap();
        let call = async { service.oneshot(request).await.unwrap().into_body().collect().await.unwrap() };
        let answer = tokio::time::timeout(Duration::from_secs(30), call).await.expect("the call hangs");
        assert_eq!(answer.to_bytes(), "one two", "{version:?}");
        let stats = stage.provider.stats();
        let counts = (stats.resource.valid, stats.resource.revoked, stats.token_requests);
        assert_eq!(counts, (1, 1, 2), "{version:?}");
    }
}
