//! Answers that go wrong on purpose, and requests that are held. Time is tokio's, paused: nothing sleeps.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tokio::time::timeout;
use tower::ServiceExt;
use tower_oauth::testing::Fault;
use tower_oauth::testing::Provider;

use super::call_resource;
use super::get;
use super::send;
use super::token_request;

const FORM: &str = "grant_type=client_credentials";

#[tokio::test]
async fn a_status_with_headers_and_body_replaces_the_next_answers_of_a_path() {
    let provider = Provider::new();
    let busy = Fault::new()
        .status(StatusCode::SERVICE_UNAVAILABLE)
        .header(header::RETRY_AFTER, HeaderValue::from_static("3"))
        .body("<html>busy</html>");
    provider.inject(busy.on("/token").times(2));
    let bystander = send(&provider, get("http://localhost/resource", None)).await;
    assert_eq!(bystander.status, StatusCode::UNAUTHORIZED, "another path is not affected");
    for _ in 0..2 {
        let answer = send(&provider, token_request(FORM)).await;
        assert_eq!(
            (answer.status, answer.header(header::RETRY_AFTER)),
            (StatusCode::SERVICE_UNAVAILABLE, "3")
        );
        assert_eq!(answer.body, "<html>busy</html>");
    }
    assert_eq!(send(&provider, token_request(FORM)).await.status, StatusCode::OK);
    let stats = provider.stats();
    assert_eq!((stats.token_requests, stats.tokens_issued, stats.faults), (3, 1, 2));
}

#[tokio::test]
async fn a_fault_without_path_meets_whoever_comes_next() {
    let provider = Provider::new();
    provider.inject(Fault::new().status(StatusCode::IM_A_TEAPOT));
    assert_eq!(send(&provider, get("http://localhost/grpc", None)).await.status, StatusCode::IM_A_TEAPOT);
    assert_eq!(send(&provider, get("http://localhost/grpc", None)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_header_alone_decorates_the_real_answer() {
    let provider = Provider::new();
    provider.inject(
        Fault::new().header(header::CONTENT_TYPE, HeaderValue::from_static("text/html")).on("/token"),
    );
    let answer = send(&provider, token_request(FORM)).await;
    assert_eq!((answer.status, answer.header(header::CONTENT_TYPE)), (StatusCode::OK, "text/html"));
    assert!(answer.member("access_token").starts_with("access-"));
}

#[tokio::test(start_paused = true)]
async fn a_delay_comes_before_the_real_answer() {
    let provider = Provider::new();
    provider.inject(Fault::new().delay(Duration::from_secs(5)));
    let start = Instant::now();
    assert_eq!(send(&provider, token_request(FORM)).await.status, StatusCode::OK);
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn a_request_can_be_processed_although_its_answer_is_lost() {
    let provider = Provider::new();
    let login = provider.issue("test-client", "");
    let request =
        || token_request(&format!("grant_type=refresh_token&refresh_token={}", login.refresh_token.expose()));
    provider.inject(Fault::new().drop_connection().on("/token"));
    let error = provider.clone().oneshot(request()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(provider.stats().refreshes, 0, "not processed: the token is not spent");

    provider.inject(Fault::new().drop_connection().after_processing().on("/token"));
    assert!(provider.clone().oneshot(request()).await.is_err());
    assert_eq!(provider.stats().refreshes, 1);
    assert_eq!(send(&provider, request()).await.member("error"), "invalid_grant");
    assert_eq!(provider.stats().reuse_detections, 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_can_stay_without_answer() {
    let provider = Provider::new();
    provider.inject(Fault::new().never_answer());
    let answer = provider.clone().oneshot(token_request(FORM));
    assert!(timeout(Duration::from_secs(3600), answer).await.is_err());
}

#[tokio::test]
async fn a_body_can_go_on_for_ever() {
    let provider = Provider::new();
    provider.inject(Fault::new().body("{\"a\":1,").endless_body());
    let mut body = provider.clone().oneshot(token_request(FORM)).await.unwrap().into_body();
    for _ in 0..1000 {
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), Bytes::from_static(b"{\"a\":1,"));
    }
}

#[tokio::test]
async fn a_reader_of_an_endless_body_can_run_out_of_time() {
    let provider = Provider::new();
    provider.inject(Fault::new().endless_body());
    let mut body = provider.clone().oneshot(token_request(FORM)).await.unwrap().into_body();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let reader = tokio::spawn(async move {
        let _ = body.frame().await;
        let _ = sender.send(());
        while body.frame().await.is_some() {}
    });
    // On one thread this test only goes on when the reader lets it.
    receiver.await.unwrap();
    reader.abort();
    assert!(reader.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn a_connection_can_break_in_the_middle_of_an_answer() {
    let provider = Provider::new();
    provider.inject(Fault::new().body("{\"access_token\":").drop_connection());
    let mut body = provider.clone().oneshot(token_request(FORM)).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "{\"access_token\":");
    assert_eq!(body.frame().await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn faults_can_be_taken_back() {
    let provider = Provider::new();
    provider.inject(Fault::new().status(StatusCode::IM_A_TEAPOT).times(5));
    provider.clear_faults();
    assert_eq!(send(&provider, token_request(FORM)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn held_requests_wait_for_their_release_and_later_ones_pass() {
    let provider = Provider::new();
    let hold = provider.hold("/token");
    let held: Vec<_> = (0..3)
        .map(|_| {
            let provider = provider.clone();
            tokio::spawn(async move { send(&provider, token_request(FORM)).await.status })
        })
        .collect();
    hold.until_waiting(3).await;
    assert_eq!(provider.stats().tokens_issued, 0);
    assert_eq!(
        send(&provider, get("http://localhost/grpc", None)).await.status,
        StatusCode::OK,
        "another path"
    );
    hold.release();
    for held in held {
        assert_eq!(held.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(send(&provider, token_request(FORM)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_held_request_sees_the_world_of_its_release() {
    let provider = Provider::new();
    let token = provider.issue("test-client", "").access_token;
    let hold = provider.hold("/resource");
    let held = tokio::spawn({
        let (provider, token) = (provider.clone(), token.clone());
        async move { call_resource(&provider, token.expose()).await.status }
    });
    hold.until_waiting(1).await;
    provider.revoke(token.expose());
    drop(hold);
    assert_eq!(held.await.unwrap(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_held_request_whose_caller_went_away_is_not_counted() {
    let provider = Provider::new();
    let hold = provider.hold("/token");
    let held = tokio::spawn(provider.clone().oneshot(token_request(FORM)));
    hold.until_waiting(1).await;
    held.abort();
    assert!(held.await.unwrap_err().is_cancelled());
    assert_eq!(hold.waiting(), 0);
    assert_eq!(provider.stats().tokens_issued, 0);
}
