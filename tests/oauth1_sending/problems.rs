//! What a provider says of a refusal, and how it reaches the caller.

use tower_oauth::TokenKey;
use tower_oauth::oauth1::OAuthProblem;
use tower_oauth::oauth1::credential_source_fn;

use super::*;

/// The response to a request that is answered with `answer`.
async fn delivered(layer: OAuth1Layer, request: Request<Body>, answer: Response<()>) -> Response<()> {
    let (mut service, mut handle) = played(layer);
    assert_ready_ok!(service.poll_ready());
    let mut future = tokio_test::task::spawn(service.call(request));
    assert_pending!(future.poll());
    next(&mut handle).await.1.send_response(answer);
    assert_ready_ok!(future.poll())
}

#[tokio::test]
async fn a_problem_in_a_challenge_is_an_extension_of_the_response() {
    for request in [get("/"), form("a=1"), post("text/plain", "a")] {
        for status in [400, 401, 403, 500, 200] {
            let delivered = delivered(
                layer().without_skew_correction(),
                request.clone(),
                with_problem(status, "signature_invalid"),
            )
            .await;
            let problem: &OAuthProblem = delivered.extensions().get().unwrap();
            assert_eq!(problem.code(), "signature_invalid");
            assert!(problem.advice().unwrap().contains("base strings"));
            assert_eq!(delivered.status(), status);
            assert!(delivered.headers().contains_key("www-authenticate"));
        }
    }
}

#[tokio::test]
async fn a_response_without_a_problem_has_no_such_extension() {
    let mut challenged = response(401);
    challenged.headers_mut().insert("www-authenticate", "OAuth realm=\"oauth_problem\"".parse().unwrap());
    for answer in [response(200), response(401), challenged] {
        let delivered = delivered(layer(), get("/"), answer).await;
        assert!(delivered.extensions().get::<OAuthProblem>().is_none());
    }
}

#[tokio::test]
async fn the_response_to_an_unsigned_request_is_not_touched() {
    let layer = layer().pass_foreign_unsigned();
    let answer = with_problem(401, "token_rejected");
    let delivered = delivered(layer, get("https://elsewhere.test/"), answer).await;
    assert!(delivered.extensions().get::<OAuthProblem>().is_none());
}

#[tokio::test]
async fn after_a_second_attempt_it_is_the_second_problem_that_is_told() {
    for (answer, expected) in [(response(200), None), (with_problem(401, "nonce_used"), Some("nonce_used"))] {
        let (mut service, mut handle) = played(layer());
        assert_ready_ok!(service.poll_ready());
        let mut future = tokio_test::task::spawn(service.call(get("/")));
        assert_pending!(future.poll());
        next(&mut handle).await.1.send_response(refused(START + 600));
        assert_pending!(future.poll());
        next(&mut handle).await.1.send_response(answer);
        let delivered = assert_ready_ok!(future.poll());
        assert_eq!(delivered.extensions().get().map(OAuthProblem::code), expected);
    }
}

#[tokio::test]
async fn nothing_that_was_sent_or_said_is_printed() {
    let source = credential_source_fn(|_: TokenKey| async {
        Ok(Credentials::new("client", "hush-client-secret").token("hush-token", "hush-token-secret"))
    });
    let layer = OAuth1Layer::per_request(origins(), source);
    let mut request = get("/");
    request.extensions_mut().insert(TokenKey::new("alice"));
    let delivered = delivered(layer.clone(), request, with_problem(401, "hush-token is unknown")).await;
    let problem: &OAuthProblem = delivered.extensions().get().unwrap();
    assert_eq!(problem.code(), "hush-token is unknown");
    let shown = format!("{layer:?} {layer:#?} {problem} {problem:?}");
    assert!(!shown.contains("hush"), "{shown}");
}
