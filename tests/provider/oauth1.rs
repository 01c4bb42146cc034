//! OAuth 1.0a. The signatures were computed outside of this crate, for the credentials of `Provider::new`.

use std::time::Duration;
use std::time::SystemTime;

use http::Method;
use http::Request;
use http::StatusCode;
use http::header;
use http_body_util::Full;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;

use super::Answer;
use super::get;
use super::post_form;
use super::send;

/// The moment of the last example of RFC 5849 §1.2, which lends its query too.
const NOW: u64 = 137_131_202;
const PHOTO: &str = "http://localhost/oauth1/resource?file=vacation.jpg&size=original";
const SIGNATURE: &str = "njp2Gx5L1f0jb%2Fp2hwdOotXX2IQ%3D";

fn provider() -> Provider {
    Provider::builder().test_clients().clock(clock()).build()
}

fn clock() -> ManualClock {
    ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW))
}

/// The protocol parameters with a token and a nonce, the signature already escaped.
fn header(method: &str, timestamp: u64, signature: &str) -> String {
    format!(
        "OAuth realm=\"Photos\", oauth_consumer_key=\"consumer-key\", oauth_token=\"token\", \
         oauth_signature_method=\"{method}\", oauth_timestamp=\"{timestamp}\", oauth_nonce=\"chapoH\", \
         oauth_signature=\"{signature}\""
    )
}

async fn signed(provider: &Provider, uri: &str, authorization: &str) -> Answer {
    send(provider, get(uri, Some(authorization))).await
}

#[tokio::test]
async fn a_request_signed_by_each_method_is_verified() {
    let signatures = [
        ("HMAC-SHA1", SIGNATURE),
        ("HMAC-SHA256", "rbimDtvdVyaNSIWtLcNdjUhEgeUfL4su0rNBLGpje%2Fo%3D"),
        (
            "HMAC-SHA512",
            "o%2BbtH1Ul0AanUnTtmyq0NXfe13%2BGmjip5jJCewBkhKW3VTkycWhMU9OadSgkHHTVXprSeH1NOG%2ByNdy0sIAOuQ%3D%3D",
        ),
        ("PLAINTEXT", "consumer-secret%26token-secret"),
    ];
    for (method, signature) in signatures {
        let answer = signed(&provider(), PHOTO, &header(method, NOW, signature)).await;
        assert_eq!(answer.status, StatusCode::OK, "{method}: {}", answer.body);
        assert_eq!(answer.member("signature_method"), method);
        assert_eq!(answer.member("client"), "consumer-key");
        assert_eq!(answer.member("token"), "token");
        assert_eq!(answer.member("parameters"), r#"[["file","vacation.jpg"],["size","original"]]"#);
    }
}

#[tokio::test]
async fn a_request_without_token_is_verified_with_the_clients_secret_alone() {
    let header =
        header("HMAC-SHA1", NOW, "D7Es2IBfuJl9Ekq3hy43dNk1HAM%3D").replace("oauth_token=\"token\", ", "");
    let answer = signed(&provider(), PHOTO, &header).await;
    assert_eq!((answer.status, answer.member("token").as_str()), (StatusCode::OK, "null"));
}

/// The query and the form of RFC 5849 §3.4.1.1.
#[tokio::test]
async fn a_form_is_covered_by_the_signature() {
    let uri = "http://localhost/oauth1/resource?b5=%3D%253D&a3=a&c%40=&a2=r%20b";
    let header = header("HMAC-SHA1", NOW, "zTKjDDvMGzehNEMuxR8ZJU1YkiE%3D");
    for media_type in
        ["application/x-www-form-urlencoded", "Application/X-WWW-Form-URLEncoded; charset=UTF-8"]
    {
        let mut request = post_form(uri, Some(&header), "c2&a3=2+q");
        request.headers_mut().insert(header::CONTENT_TYPE, media_type.parse().unwrap());
        let answer = send(&provider(), request).await;
        assert_eq!(answer.status, StatusCode::OK, "{media_type}: {}", answer.body);
        assert_eq!(answer.member("body_length"), "9");
    }
    let mut request = post_form(uri, Some(&header), "c2&a3=2+q");
    request.headers_mut().insert(header::CONTENT_TYPE, "text/plain".parse().unwrap());
    assert_eq!(send(&provider(), request).await.member("oauth_problem"), "signature_invalid");
}

#[tokio::test]
async fn protocol_parameters_may_be_in_the_query_or_in_the_form() {
    let parameters = format!(
        "file=vacation.jpg&size=original&oauth_consumer_key=consumer-key&oauth_token=token&oauth_nonce=chapoH\
         &oauth_signature_method=HMAC-SHA1&oauth_timestamp={NOW}&oauth_signature="
    );
    let uri = format!("http://localhost/oauth1/resource?{parameters}{SIGNATURE}");
    assert_eq!(send(&provider(), get(&uri, None)).await.member("placement"), "query");

    // The same signature covers a form, as long as the method is the same.
    let mut request =
        post_form("http://localhost/oauth1/resource", None, &format!("{parameters}{SIGNATURE}"));
    *request.method_mut() = Method::GET;
    assert_eq!(send(&provider(), request).await.member("placement"), "form");
}

#[tokio::test]
async fn the_signature_covers_the_origin_that_the_client_believes_in() {
    let header = header("HMAC-SHA1", NOW, "xtZtpqFrCGtH34MtdGqJ9pcvaNc%3D");
    let path = "/oauth1/resource?file=vacation.jpg&size=original";
    let answer = signed(&provider(), &format!("https://API.example.com:443{path}"), &header).await;
    assert_eq!(answer.status, StatusCode::OK, "an absolute URI: {}", answer.body);

    let told = Provider::builder().test_clients().clock(clock()).origin("https://api.example.com").build();
    let answer = signed(&told, path, &header).await;
    assert_eq!(answer.status, StatusCode::OK, "a relative URI: {}", answer.body);

    let mut request = get(&format!("https://127.0.0.1:9{path}"), Some(&header));
    request.headers_mut().insert(header::HOST, "api.example.com".parse().unwrap());
    let answer = send(&provider(), request).await;
    assert_eq!(answer.status, StatusCode::OK, "a Host header: {}", answer.body);

    let answer = signed(&provider(), PHOTO, &header).await;
    assert_eq!(answer.member("oauth_problem"), "signature_invalid");
}

#[tokio::test]
async fn a_wrong_signature_is_told_the_base_string_and_no_secret() {
    let provider = provider();
    let answer = signed(&provider, PHOTO, &header("HMAC-SHA1", NOW, "AAAA2Gx5L1f0jbp2hwdOotXX2IQ%3D")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.header(header::WWW_AUTHENTICATE),
        r#"OAuth realm="provider", oauth_problem="signature_invalid""#
    );
    assert!(
        answer.member("base_string").starts_with("GET&http%3A%2F%2Flocalhost%2Foauth1%2Fresource&file%3D")
    );
    let plaintext = signed(&provider, PHOTO, &header("PLAINTEXT", NOW, "consumer-secret%26")).await;
    assert_eq!(plaintext.member("oauth_problem"), "signature_invalid");
    for body in [answer.body, plaintext.body] {
        assert!(!body.contains("consumer-secret") && !body.contains("token-secret"), "{body}");
    }
    assert_eq!(provider.stats().oauth1.wrong_signatures, 2);
}

#[tokio::test]
async fn a_nonce_is_good_once() {
    let provider = provider();
    let header = header("HMAC-SHA1", NOW, SIGNATURE);
    assert_eq!(signed(&provider, PHOTO, &header).await.status, StatusCode::OK);
    let again = signed(&provider, PHOTO, &header).await;
    assert_eq!(
        (again.status, again.member("oauth_problem").as_str()),
        (StatusCode::UNAUTHORIZED, "nonce_used")
    );
    let other = header.replace("chapoH", "second").replace(SIGNATURE, "f4pIuShjI3H3o%2FriWfVngdAXggk%3D");
    assert_eq!(signed(&provider, PHOTO, &other).await.status, StatusCode::OK);
    let counts = provider.stats().oauth1;
    assert_eq!((counts.verified, counts.replayed_nonces), (2, 1));
}

#[tokio::test]
async fn a_request_with_a_wrong_signature_does_not_use_up_the_nonce() {
    let provider = provider();
    let refused = signed(&provider, PHOTO, &header("HMAC-SHA1", NOW, "AAAA")).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(signed(&provider, PHOTO, &header("HMAC-SHA1", NOW, SIGNATURE)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_timestamp_is_good_within_the_window_only() {
    let cases = [
        (NOW + 300, "IUWRf9bNA057p9kM3PZ%2F2r5v0xA%3D", StatusCode::OK),
        (NOW + 301, "s58SqT20ghRovYRL%2BSHzbxtM4QU%3D", StatusCode::UNAUTHORIZED),
        (NOW - 300, "IYzrA8fF6hh5eC3lnMAhbYPE3Bg%3D", StatusCode::OK),
        (NOW - 301, "c1O0kdQtiXdi9LbJBTSIm%2BSctDw%3D", StatusCode::UNAUTHORIZED),
    ];
    for (timestamp, signature, status) in cases {
        let provider = provider();
        let answer = signed(&provider, PHOTO, &header("HMAC-SHA1", timestamp, signature)).await;
        assert_eq!(answer.status, status, "{timestamp}: {}", answer.body);
        assert_eq!(provider.stats().oauth1.stale_timestamps, u64::from(status != StatusCode::OK));
    }
    let wide =
        Provider::builder().test_clients().clock(clock()).timestamp_window(Duration::from_secs(301)).build();
    let answer =
        signed(&wide, PHOTO, &header("HMAC-SHA1", NOW + 301, "s58SqT20ghRovYRL%2BSHzbxtM4QU%3D")).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let right = header("HMAC-SHA1", NOW, SIGNATURE);
    let cases = [
        (right.replace("consumer-key", "nobody"), 401, "consumer_key_unknown"),
        (right.replace("\"token\"", "\"none\""), 401, "token_rejected"),
        (right.replace("HMAC-SHA1", "RSA-SHA1"), 400, "signature_method_rejected"),
        (right.replace("oauth_nonce", "oauth_none"), 400, "parameter_absent"),
        (right.replace("oauth_timestamp", "oauth_time"), 400, "parameter_absent"),
        (right.replace("oauth_signature=", "signature="), 400, "parameter_absent"),
        (right.replace(&NOW.to_string(), "now"), 400, "parameter_rejected"),
        (format!("{right}, oauth_nonce=\"chapoH\""), 400, "parameter_rejected"),
        (format!("{right}, oauth_version=\"2.0\""), 400, "version_rejected"),
        (format!("{right} oauth"), 400, "parameter_rejected"),
        ("Bearer token".to_owned(), 401, "parameter_absent"),
    ];
    for (header, status, problem) in cases {
        let provider = provider();
        let answer = signed(&provider, PHOTO, &header).await;
        assert_eq!(
            (answer.status.as_u16(), answer.member("oauth_problem").as_str()),
            (status, problem),
            "{header}"
        );
        assert_eq!(provider.stats().oauth1.refused, 1, "{header}");
    }
}

#[tokio::test]
async fn protocol_parameters_in_two_places_are_refused() {
    let uri = format!("{PHOTO}&oauth_version=1.0");
    let answer = signed(&provider(), &uri, &header("HMAC-SHA1", NOW, SIGNATURE)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(
        answer.member("oauth_problem_advice").contains("in the header and in the query"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn a_token_of_another_client_is_refused() {
    let provider =
        Provider::builder().test_clients().oauth1_client("other", "other-secret").clock(clock()).build();
    let header = header("PLAINTEXT", NOW, "other-secret%26token-secret").replace("consumer-key", "other");
    assert_eq!(signed(&provider, PHOTO, &header).await.member("oauth_problem"), "token_rejected");
}

/// A leg: POST, signed in plain text, which no random token stands in the way of.
fn leg(path: &str, parameters: &str, secrets: &str) -> Request<Full<bytes::Bytes>> {
    let header = format!(
        "OAuth oauth_consumer_key=\"consumer-key\", oauth_signature_method=\"PLAINTEXT\", {parameters}, \
         oauth_signature=\"{secrets}\""
    );
    let request = Request::post(format!("http://localhost{path}")).header(header::AUTHORIZATION, header);
    request.body(Full::default()).unwrap()
}

/// Temporary credentials, as token and secret.
async fn initiate(provider: &Provider, callback: &str) -> (String, String) {
    let callback = format!("oauth_callback=\"{callback}\"");
    let answer = send(provider, leg("/oauth1/initiate", &callback, "consumer-secret%26")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.parameter("oauth_callback_confirmed"), "true");
    (answer.parameter("oauth_token"), answer.parameter("oauth_token_secret"))
}

async fn exchange(provider: &Provider, token: &str, secret: &str, verifier: &str) -> Answer {
    let parameters = format!("oauth_token=\"{token}\", oauth_verifier=\"{verifier}\"");
    send(provider, leg("/oauth1/token", &parameters, &format!("consumer-secret%26{secret}"))).await
}

#[tokio::test]
async fn three_legs_lead_to_token_credentials() {
    let provider = provider();
    let (temporary, secret) = initiate(&provider, "http%3A%2F%2Fprinter.example.com%2Fready%3Fjob%3D7").await;

    let approval =
        send(&provider, get(&format!("http://localhost/oauth1/authorize?oauth_token={temporary}"), None))
            .await;
    assert_eq!(approval.status, StatusCode::FOUND);
    let location = approval.header(header::LOCATION);
    assert!(location.starts_with("http://printer.example.com/ready?job=7&oauth_token="), "{location}");
    assert_eq!(approval.parameter("oauth_token"), temporary);

    let answer = exchange(&provider, &temporary, &secret, &approval.parameter("oauth_verifier")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let (token, secret) = (answer.parameter("oauth_token"), answer.parameter("oauth_token_secret"));

    let header = header("PLAINTEXT", NOW, &format!("consumer-secret%26{secret}"))
        .replace("oauth_token=\"token\"", &format!("oauth_token=\"{token}\""));
    let answer = signed(&provider, PHOTO, &header).await;
    assert_eq!((answer.status, answer.member("token")), (StatusCode::OK, token));
}

#[tokio::test]
async fn the_first_leg_takes_a_signature_that_covers_the_callback() {
    let header = format!(
        "OAuth oauth_consumer_key=\"consumer-key\", oauth_signature_method=\"HMAC-SHA1\", oauth_timestamp=\"{NOW}\", \
         oauth_nonce=\"chapoH\", oauth_callback=\"http%3A%2F%2Fprinter.example.com%2Fready\", \
         oauth_signature=\"qFvjmH%2FdvnyTyjVOWvRrjx2RHPY%3D\""
    );
    let initiate = |header: &str| {
        let request = Request::post("http://localhost/oauth1/initiate").header(header::AUTHORIZATION, header);
        request.body(Full::default()).unwrap()
    };
    let answer = send(&provider(), initiate(&header)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let answer = send(&provider(), initiate(&header.replace("printer", "evil"))).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn without_a_callback_the_verifier_is_shown() {
    let provider = provider();
    let (temporary, secret) = initiate(&provider, "oob").await;
    let page =
        send(&provider, get(&format!("http://localhost/oauth1/authorize?oauth_token={temporary}"), None))
            .await;
    let verifier = page.body.trim().rsplit(' ').next().unwrap();
    assert_eq!(exchange(&provider, &temporary, &secret, verifier).await.status, StatusCode::OK);
}

#[tokio::test]
async fn temporary_credentials_are_exchanged_once_after_approval_with_the_right_verifier() {
    let provider = provider();
    let (temporary, secret) = initiate(&provider, "oob").await;
    let early = exchange(&provider, &temporary, &secret, "guess").await;
    assert_eq!(early.member("oauth_problem"), "permission_unknown");

    let page =
        send(&provider, get(&format!("http://localhost/oauth1/authorize?oauth_token={temporary}"), None))
            .await;
    let verifier = page.body.trim().rsplit(' ').next().unwrap();
    let wrong = exchange(&provider, &temporary, &secret, "guess").await;
    assert_eq!(wrong.member("oauth_problem"), "verifier_invalid");
    assert_eq!(exchange(&provider, &temporary, &secret, verifier).await.status, StatusCode::OK);
    let again = exchange(&provider, &temporary, &secret, verifier).await;
    assert_eq!(again.member("oauth_problem"), "token_used");
}

#[tokio::test]
async fn temporary_credentials_do_not_open_the_resource() {
    let provider = provider();
    let (temporary, secret) = initiate(&provider, "oob").await;
    let header = header("PLAINTEXT", NOW, &format!("consumer-secret%26{secret}"))
        .replace("oauth_token=\"token\"", &format!("oauth_token=\"{temporary}\""));
    assert_eq!(signed(&provider, PHOTO, &header).await.member("oauth_problem"), "token_rejected");
}
