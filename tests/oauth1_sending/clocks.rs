//! A clock that is wrong: the client's, or the server's.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use tower_oauth::body::Untouched;

use super::*;

#[tokio::test]
async fn a_request_with_a_refused_timestamp_is_signed_anew_and_sent_again() {
    for request in [get("https://api.test/a?b=c"), get("/a?b=c"), form("a=1")] {
        let (mut service, mut handle) = played(layer());
        assert_ready_ok!(service.poll_ready());
        let mut future = tokio_test::task::spawn(service.call(request));
        assert_pending!(future.poll());
        let (first, answer) = next(&mut handle).await;
        assert_eq!(timestamp(&first), START);
        answer.send_response(refused(START + 600));
        assert!(future.is_woken());
        assert_pending!(future.poll());
        let (second, answer) = next(&mut handle).await;
        assert_eq!(timestamp(&second), START + 600);
        for new in ["oauth_nonce", "oauth_signature"] {
            assert_ne!(parameter(&first, new), parameter(&second, new));
        }
        answer.send_response(response(200));
        assert_eq!(assert_ready_ok!(future.poll()).status(), 200);
    }
}

#[tokio::test]
async fn what_is_not_the_signature_is_the_same_the_second_time() {
    #[derive(Clone, Debug, PartialEq)]
    struct Marker(u8);

    let (mut service, mut handle) = played(layer());
    assert_ready_ok!(service.poll_ready());
    let mut request = get("https://api.test/a?b=%7e");
    *request.method_mut() = http::Method::DELETE;
    *request.version_mut() = http::Version::HTTP_2;
    request.headers_mut().append("x-many", "1".parse().unwrap());
    request.headers_mut().append("x-many", "2".parse().unwrap());
    request.headers_mut().insert(AUTHORIZATION, "Basic abc".parse().unwrap());
    request.extensions_mut().insert(Marker(7));
    let mut future = tokio_test::task::spawn(service.call(request));
    assert_pending!(future.poll());
    let (mut first, answer) = next(&mut handle).await;
    answer.send_response(refused(START + 600));
    assert_pending!(future.poll());
    let (mut second, _) = next(&mut handle).await;
    assert_eq!(
        (first.method(), first.uri(), first.version()),
        (second.method(), second.uri(), second.version())
    );
    assert_eq!(second.extensions().get(), Some(&Marker(7)));
    first.headers_mut().remove(AUTHORIZATION);
    assert!(second.headers_mut().remove(AUTHORIZATION).unwrap().is_sensitive());
    assert_eq!(first.headers(), second.headers());
}

#[tokio::test]
async fn the_second_time_waits_until_the_service_is_ready() {
    let (mut service, mut handle) = played(layer());
    handle.allow(1);
    assert_ready_ok!(service.poll_ready());
    let mut future = tokio_test::task::spawn(service.call(get("https://api.test/")));
    assert_pending!(future.poll());
    let (_, answer) = next(&mut handle).await;
    answer.send_response(refused(START + 600));
    assert_pending!(future.poll());
    assert_nothing_sent(&mut handle);
    handle.allow(1);
    assert!(future.is_woken());
    assert_pending!(future.poll());
    let (_, answer) = next(&mut handle).await;
    answer.send_response(response(200));
    assert_ready_ok!(future.poll());
}

#[tokio::test]
async fn a_request_is_sent_twice_at_most() {
    for request in [get("https://api.test/"), form("a=1")] {
        let (mut service, mut handle) = played(layer());
        assert_ready_ok!(service.poll_ready());
        let mut future = tokio_test::task::spawn(service.call(request));
        assert_pending!(future.poll());
        let (_, answer) = next(&mut handle).await;
        answer.send_response(refused(START + 600));
        assert_pending!(future.poll());
        let (_, answer) = next(&mut handle).await;
        // Yet another time, by another server behind the same name.
        answer.send_response(refused(START + 1200));
        assert_eq!(assert_ready_ok!(future.poll()).status(), 401);
        assert_nothing_sent(&mut handle);
    }
}

/// Sends a request that is answered at once, and says which timestamp it had.
async fn timestamp_of<P>(
    service: &mut Played<P>,
    handle: &mut Handle,
    request: Request<Body>,
    answer: Response<()>,
) -> u64
where
    OAuth1<Mock, P>: tower::Service<Request<Body>, Response = Response<()>, Error = BoxError>,
{
    assert_ready_ok!(service.poll_ready());
    let status = answer.status();
    let mut future = tokio_test::task::spawn(service.call(request));
    assert_pending!(future.poll());
    let (request, reply) = next(handle).await;
    reply.send_response(answer);
    assert_eq!(assert_ready_ok!(future.poll()).status(), status);
    timestamp(&request)
}

#[tokio::test]
async fn a_body_that_cannot_be_sent_again_gets_the_refusal_and_the_next_request_is_right() {
    let (mut service, mut handle) = played(layer());
    let request = post("text/plain", "not empty");
    assert_eq!(timestamp_of(&mut service, &mut handle, request, refused(START + 600)).await, START);
    let next = get("https://api.test/");
    assert_eq!(timestamp_of(&mut service, &mut handle, next, response(200)).await, START + 600);

    // With this policy not even a request without body is sent again.
    let (mut service, mut handle) = played(layer().body_policy(Untouched));
    let request = || get("https://api.test/");
    assert_eq!(timestamp_of(&mut service, &mut handle, request(), refused(START + 600)).await, START);
    assert_eq!(timestamp_of(&mut service, &mut handle, request(), response(200)).await, START + 600);
}

#[tokio::test]
async fn a_clock_that_was_learned_is_known_to_all_clones() {
    let layer = layer().body_policy(Untouched);
    let (mut first, mut first_handle) = played(layer.clone());
    timestamp_of(&mut first, &mut first_handle, get("/"), refused(START + 600)).await;
    // Another service, of a clone whose other settings differ.
    let layer = layer.form_limit(7).realm("x").unwrap().pass_foreign_unsigned();
    let (mut second, mut handle) = played(layer.clone());
    assert_eq!(timestamp_of(&mut second, &mut handle, get("/"), response(200)).await, START + 600);
    // What another clock says has nothing to do with it.
    let (mut third, mut handle) = played(layer.clock(clock()));
    assert_eq!(timestamp_of(&mut third, &mut handle, get("/"), response(200)).await, START);
}

#[tokio::test]
async fn a_step_of_the_wall_clock_does_not_spoil_what_was_learned() {
    let clock = clock();
    let (mut service, mut handle) = played(layer().clock(clock.clone()).body_policy(Untouched));
    timestamp_of(&mut service, &mut handle, get("/"), refused(START + 600)).await;
    clock.advance(Duration::from_secs(10));
    assert_eq!(timestamp_of(&mut service, &mut handle, get("/"), response(200)).await, START + 610);
    for wall in [START + 600, 0, START - 86_400] {
        clock.set(at(wall));
        assert_eq!(timestamp_of(&mut service, &mut handle, get("/"), response(200)).await, START + 610);
    }
    clock.advance(Duration::from_secs(10));
    assert_eq!(timestamp_of(&mut service, &mut handle, get("/"), response(200)).await, START + 620);
}

#[tokio::test]
async fn a_step_of_the_wall_clock_before_anything_was_learned_is_corrected_like_any_other() {
    let clock = clock();
    let (mut service, mut handle) = played(layer().clock(clock.clone()));
    assert_eq!(timestamp_of(&mut service, &mut handle, get("/"), response(200)).await, START);
    clock.set(at(START - 86_400));
    assert_ready_ok!(service.poll_ready());
    let mut future = tokio_test::task::spawn(service.call(get("/")));
    assert_pending!(future.poll());
    let (_, answer) = next(&mut handle).await;
    answer.send_response(refused(START + 1));
    assert_pending!(future.poll());
    assert_eq!(timestamp(&next(&mut handle).await.0), START + 1);
}

#[tokio::test]
async fn each_origin_has_a_clock_of_its_own() {
    let origins = Origins::several(["https://api.test", "https://other.test"]).unwrap();
    let layer = OAuth1Layer::new(origins, Credentials::new("client", "secret")).clock(clock());
    let (mut service, mut handle) = played(layer.body_policy(Untouched));
    timestamp_of(&mut service, &mut handle, get("https://api.test/"), refused(START + 600)).await;
    let other = get("https://other.test/");
    assert_eq!(timestamp_of(&mut service, &mut handle, other, refused(START - 600)).await, START);
    for (uri, expected) in [("https://api.test/", START + 600), ("https://other.test/", START - 600)] {
        assert_eq!(timestamp_of(&mut service, &mut handle, get(uri), response(200)).await, expected);
    }
}

#[tokio::test]
async fn a_refusal_without_reason_counts_if_the_servers_clock_is_far_away() {
    for (status, apart, sent_again) in
        [(401, 61, true), (400, 61, true), (401, 60, false), (403, 600, false), (404, 600, false)]
    {
        let (mut service, mut handle) = played(layer());
        assert_ready_ok!(service.poll_ready());
        let mut future = tokio_test::task::spawn(service.call(get("/")));
        assert_pending!(future.poll());
        let (_, answer) = next(&mut handle).await;
        answer.send_response(with_date(response(status), START + apart));
        if sent_again {
            assert_pending!(future.poll());
            assert_eq!(timestamp(&next(&mut handle).await.0), START + apart);
        } else {
            assert_eq!(assert_ready_ok!(future.poll()).status(), status);
            assert_nothing_sent(&mut handle);
        }
    }
}

#[tokio::test]
async fn a_wrong_clock_in_front_of_the_server_does_no_lasting_harm() {
    // It is the token that is refused, and the `Date` is not the server's.
    let (mut service, mut handle) = played(layer());
    assert_ready_ok!(service.poll_ready());
    let mut future = tokio_test::task::spawn(service.call(get("/")));
    assert_pending!(future.poll());
    for _ in 0..2 {
        let (_, answer) = next(&mut handle).await;
        answer.send_response(with_date(response(401), START + 600));
        let _ = future.poll();
    }
    // The guess is not made again for a while, and requests are signed by this machine's clock.
    for answer in [response(200), with_date(response(401), START + 600)] {
        assert_eq!(timestamp_of(&mut service, &mut handle, get("/"), answer).await, START);
    }
}

#[tokio::test]
async fn correction_can_be_switched_off() {
    let (mut service, mut handle) = played(layer().without_skew_correction());
    for request in [get("/"), form("a=1"), get("/")] {
        assert_eq!(timestamp_of(&mut service, &mut handle, request, refused(START + 600)).await, START);
    }
    assert_nothing_sent(&mut handle);
}

#[tokio::test]
async fn nothing_is_sent_again_to_an_origin_that_is_not_allowed_any_more() {
    let is_allowed = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&is_allowed);
    let origins = Origins::predicate(move |_| seen.load(Ordering::SeqCst));
    let layer = OAuth1Layer::new(origins, Credentials::new("client", "secret")).clock(clock());
    for layer in [layer.clone(), layer.pass_foreign_unsigned()] {
        is_allowed.store(true, Ordering::SeqCst);
        let (mut service, mut handle) = played(layer);
        assert_ready_ok!(service.poll_ready());
        let mut future = tokio_test::task::spawn(service.call(get("https://api.test/")));
        assert_pending!(future.poll());
        let (_, answer) = next(&mut handle).await;
        is_allowed.store(false, Ordering::SeqCst);
        answer.send_response(refused(START + 600));
        assert_eq!(assert_ready_ok!(future.poll()).status(), 401);
        assert_nothing_sent(&mut handle);
    }
}

#[tokio::test]
async fn requests_that_were_not_signed_are_not_watched() {
    let layer = layer().pass_foreign_unsigned().keep_existing();
    let (mut service, mut handle) = played(layer);
    let mut kept = get("https://api.test/");
    kept.headers_mut().insert(AUTHORIZATION, "OAuth oauth_timestamp=\"1\"".parse().unwrap());
    let mut foreign = get("https://elsewhere.test/");
    foreign.headers_mut().insert(AUTHORIZATION, "OAuth oauth_timestamp=\"1\"".parse().unwrap());
    for request in [kept, foreign] {
        assert_eq!(timestamp_of(&mut service, &mut handle, request, refused(START + 600)).await, 1);
    }
    assert_eq!(timestamp_of(&mut service, &mut handle, get("https://api.test/"), response(200)).await, START);
}

#[tokio::test]
async fn an_error_of_the_second_attempt_comes_out_as_it_was() {
    let (mut service, mut handle) = played(layer());
    assert_ready_ok!(service.poll_ready());
    let mut future = tokio_test::task::spawn(service.call(get("/")));
    assert_pending!(future.poll());
    let (_, answer) = next(&mut handle).await;
    answer.send_response(refused(START + 600));
    assert_pending!(future.poll());
    let (_, answer) = next(&mut handle).await;
    answer.send_error(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    let Poll::Ready(Err(error)) = future.poll() else { panic!("no error") };
    assert_eq!(error.downcast_ref::<std::io::Error>().unwrap().kind(), std::io::ErrorKind::ConnectionReset);
}
