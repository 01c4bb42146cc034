//! OAuth 2.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::StatusCode;
use http::header;
use http_body_util::Full;
use tower_oauth::Clock;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;

use super::Answer;
use super::BASIC;
use super::call_resource;
use super::get;
use super::post_form;
use super::send;
use super::token_request;

/// The pair of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str =
    "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
const REDIRECT: &str = "redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fback";

async fn refresh(provider: &Provider, refresh_token: &str) -> Answer {
    send(provider, token_request(&format!("grant_type=refresh_token&refresh_token={refresh_token}"))).await
}

#[tokio::test]
async fn client_credentials_give_a_token_that_opens_the_resource() {
    let provider = Provider::new();
    let answer =
        send(&provider, token_request("grant_type=client_credentials&scope=orders%3Aread+orders%3Awrite"))
            .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    assert_eq!(answer.member("token_type"), "Bearer");
    assert_eq!(answer.member("expires_in"), "3600");
    assert_eq!(answer.member("refresh_token"), "", "a client that can ask again needs none");

    let request = Request::post("http://localhost/resource/orders?all")
        .header(header::AUTHORIZATION, format!("bearer {}", answer.member("access_token")));
    let opened = send(&provider, request.body(Full::from("12345")).unwrap()).await;
    assert_eq!(opened.status, StatusCode::OK, "{}", opened.body);
    let members =
        ["client_id", "user", "scope", "method", "path", "body_length"].map(|name| opened.member(name));
    assert_eq!(members, ["test-client", "null", "orders:read orders:write", "POST", "/resource/orders", "5"]);

    let stats = provider.stats();
    assert_eq!((stats.token_requests, stats.tokens_issued, stats.grants.client_credentials), (1, 1, 1));
    assert_eq!(stats.resource.valid, 1);
}

#[tokio::test]
async fn a_client_authenticates_by_basic_or_in_the_form() {
    let provider = Provider::builder().client("cc", "cc-secret:with%special +chars").build();
    let form = "grant_type=client_credentials";
    // `cc:cc-secret%3Awith%25special+%2Bchars`
    let basic = "Basic Y2M6Y2Mtc2VjcmV0JTNBd2l0aCUyNXNwZWNpYWwrJTJCY2hhcnM=";
    let answer = send(&provider, post_form("http://localhost/token", Some(basic), form)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let posted = format!("{form}&client_id=cc&client_secret=cc-secret%3Awith%25special+%2Bchars");
    let answer = send(&provider, post_form("http://localhost/token", None, &posted)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let answer = send(&provider, post_form("http://localhost/token", Some(basic), &posted)).await;
    assert_eq!(answer.member("error"), "invalid_request", "one way only");
}

#[tokio::test]
async fn a_client_that_cannot_prove_itself_is_refused() {
    let form = "grant_type=client_credentials";
    let cases = [
        // `test-client:wrong` and `nobody:test-secret`
        (Some("Basic dGVzdC1jbGllbnQ6d3Jvbmc="), form.to_owned()),
        (Some("Basic bm9ib2R5OnRlc3Qtc2VjcmV0"), form.to_owned()),
        (Some("Basic !"), form.to_owned()),
        (None, form.to_owned()),
        (None, format!("{form}&client_id=test-client")),
        (None, format!("{form}&client_id=test-client&client_secret=wrong")),
        (None, format!("{form}&client_id=test-app&client_secret=any")),
    ];
    for (authorization, form) in cases {
        let provider = Provider::new();
        let answer = send(&provider, post_form("http://localhost/token", authorization, &form)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{authorization:?} {form}");
        assert_eq!(answer.member("error"), "invalid_client");
        // Challenged by the scheme that it used (RFC 6749 §5.2).
        assert_eq!(answer.header(header::WWW_AUTHENTICATE).starts_with("Basic"), authorization.is_some());
        assert_eq!(provider.stats().invalid_clients, 1);
    }
}

#[tokio::test]
async fn a_token_request_that_is_not_written_as_it_should_be_is_refused() {
    let cases = [
        ("", "invalid_request"),
        ("grant_type=", "invalid_request"),
        ("grant_type=refresh_token", "invalid_request"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=magic", "unsupported_grant_type"),
        ("grant_type=refresh_token&refresh_token=never-issued", "invalid_grant"),
        ("grant_type=password&username=test-user&password=wrong", "invalid_grant"),
        ("grant_type=authorization_code&code=never-issued", "invalid_grant"),
    ];
    for (form, error) in cases {
        let answer = send(&Provider::new(), token_request(form)).await;
        assert_eq!(
            (answer.status, answer.member("error").as_str()),
            (StatusCode::BAD_REQUEST, error),
            "{form}"
        );
    }
    let answer =
        send(&Provider::new(), get("http://localhost/token?grant_type=client_credentials", Some(BASIC)))
            .await;
    assert_eq!((answer.status, answer.header(header::ALLOW)), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    let mut json = token_request("{}");
    json.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    assert_eq!(send(&Provider::new(), json).await.member("error"), "invalid_request");
}

#[tokio::test]
async fn a_form_of_more_than_a_mebibyte_is_refused_and_any_other_body_is_not() {
    let answer = send(&Provider::new(), token_request(&"a".repeat(1024 * 1024 + 1))).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let answer = send(&Provider::new(), token_request(&"a".repeat(1024 * 1024))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let mut upload = token_request(&"a".repeat(1024 * 1024 + 1));
    upload.headers_mut().insert(header::CONTENT_TYPE, "image/png".parse().unwrap());
    assert_eq!(send(&Provider::new(), upload).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_access_token_expires_when_its_lifetime_is_over() {
    let clock = ManualClock::new();
    let lifetime = Duration::from_secs(60);
    let provider =
        Provider::builder().test_clients().access_token_lifetime(lifetime).clock(clock.clone()).build();
    let issued = provider.issue("test-client", "");
    assert_eq!(issued.expires_at, clock.now() + lifetime);
    let token = issued.access_token.expose();

    clock.advance(lifetime - Duration::from_millis(1));
    assert_eq!(call_resource(&provider, token).await.status, StatusCode::OK);
    clock.advance(Duration::from_millis(1));
    let answer = call_resource(&provider, token).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.header(header::WWW_AUTHENTICATE),
        r#"Bearer realm="provider", error="invalid_token", error_description="the access token expired""#
    );
    assert_eq!(provider.stats().resource.expired, 1);
}

#[tokio::test]
async fn a_token_revoked_behind_the_clients_back_is_refused_and_its_refresh_token_is_not() {
    let provider = Provider::new();
    let issued = provider.issue("test-client", "");
    assert!(provider.revoke(issued.access_token.expose()));
    assert!(!provider.revoke("never-issued"));
    let answer = call_resource(&provider, issued.access_token.expose()).await;
    assert!(answer.header(header::WWW_AUTHENTICATE).contains("revoked"), "{:?}", answer.headers);

    let renewed = refresh(&provider, issued.refresh_token.expose()).await.member("access_token");
    assert_eq!(call_resource(&provider, &renewed).await.status, StatusCode::OK);
    provider.revoke_all_access_tokens();
    assert_eq!(call_resource(&provider, &renewed).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(provider.stats().resource.revoked, 2);
}

#[tokio::test]
async fn the_resource_wants_one_bearer_token() {
    let provider = Provider::new();
    let bare = send(&provider, get("http://localhost/resource", None)).await;
    assert_eq!(bare.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        bare.header(header::WWW_AUTHENTICATE),
        r#"Bearer realm="provider""#,
        "no error without a token"
    );
    let basic = send(&provider, get("http://localhost/resource", Some(BASIC))).await;
    assert_eq!(basic.status, StatusCode::UNAUTHORIZED);
    let unknown = call_resource(&provider, "never-issued").await;
    assert!(unknown.header(header::WWW_AUTHENTICATE).contains("error=\"invalid_token\""));

    let mut twice = get("http://localhost/resource", Some("Bearer a"));
    twice.headers_mut().append(header::AUTHORIZATION, "Bearer b".parse().unwrap());
    assert_eq!(send(&provider, twice).await.status, StatusCode::BAD_REQUEST);
    let counts = provider.stats().resource;
    assert_eq!((counts.missing, counts.unknown, counts.valid), (3, 1, 0));
}

#[tokio::test]
async fn grpc_is_refused_in_an_answer_of_200() {
    let provider = Provider::new();
    let token = provider.issue("test-client", "").access_token;
    let answer =
        send(&provider, get("http://localhost/grpc", Some(&format!("Bearer {}", token.expose())))).await;
    assert_eq!((answer.status, answer.header("grpc-status")), (StatusCode::OK, "0"));
    provider.revoke_all_access_tokens();
    let mut call = get("http://localhost/orders.Orders/List", Some(&format!("Bearer {}", token.expose())));
    call.headers_mut().insert(header::CONTENT_TYPE, "application/grpc+proto".parse().unwrap());
    let answer = send(&provider, call).await;
    assert_eq!((answer.status, answer.header("grpc-status")), (StatusCode::OK, "16"));
}

#[tokio::test]
async fn a_refresh_token_is_spent_by_its_use_and_has_a_successor() {
    let provider = Provider::new();
    let first = send(
        &provider,
        token_request("grant_type=password&username=test-user&password=test-password&scope=a+b"),
    )
    .await;
    let second = refresh(&provider, &first.member("refresh_token")).await;
    assert_eq!(second.status, StatusCode::OK, "{}", second.body);
    assert_ne!(second.member("refresh_token"), first.member("refresh_token"));
    assert_eq!(second.member("scope"), "a b");
    let third = refresh(&provider, &second.member("refresh_token")).await;
    assert_eq!(third.status, StatusCode::OK, "{}", third.body);
    let stats = provider.stats();
    assert_eq!((stats.refreshes, stats.reuse_detections, stats.grants.refresh_token), (2, 0, 2));
}

#[tokio::test]
async fn a_spent_refresh_token_revokes_its_whole_family_and_no_other() {
    let provider = Provider::new();
    let other = provider.issue("test-client", "");
    let login = provider.issue("test-client", "");
    let spent = login.refresh_token.expose();
    let second = refresh(&provider, spent).await;

    let reused = refresh(&provider, spent).await;
    assert_eq!((reused.status, reused.member("error").as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
    let successor = refresh(&provider, &second.member("refresh_token")).await;
    assert_eq!(successor.member("error"), "invalid_grant", "the successor is revoked too");
    for token in [login.access_token.expose(), &second.member("access_token")] {
        assert_eq!(call_resource(&provider, token).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(call_resource(&provider, other.access_token.expose()).await.status, StatusCode::OK);
    assert_eq!(refresh(&provider, other.refresh_token.expose()).await.status, StatusCode::OK);
    let stats = provider.stats();
    assert_eq!((stats.reuse_detections, stats.families_revoked), (1, 1));
}

#[tokio::test]
async fn without_rotation_a_refresh_token_stays() {
    let provider = Provider::builder().test_clients().rotate_refresh_tokens(false).build();
    let token = provider.issue("test-client", "").refresh_token;
    for _ in 0..2 {
        let answer = refresh(&provider, token.expose()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.member("refresh_token"), "");
    }
}

#[tokio::test]
async fn a_refresh_may_narrow_the_scope_and_not_widen_it() {
    let provider = Provider::new();
    let login = provider.issue("test-client", "a b");
    let form = |scope| {
        format!("grant_type=refresh_token&refresh_token={}&scope={scope}", login.refresh_token.expose())
    };
    let wider = send(&provider, token_request(&form("a+c"))).await;
    assert_eq!(wider.member("error"), "invalid_scope");
    let narrower = send(&provider, token_request(&form("b"))).await;
    assert_eq!(narrower.member("scope"), "b", "the refusal before spent nothing");
    let whole = refresh(&provider, &narrower.member("refresh_token")).await;
    assert_eq!(whole.member("scope"), "a b", "what was allowed is still allowed");
}

#[tokio::test]
async fn a_refresh_token_of_another_client_is_refused() {
    let provider = Provider::builder().test_clients().client("other", "other-secret").build();
    let login = provider.issue("other", "");
    let answer = refresh(&provider, login.refresh_token.expose()).await;
    assert_eq!(answer.member("error"), "invalid_grant");
    assert_eq!(call_resource(&provider, login.access_token.expose()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_end_of_all_logins_leaves_nothing_to_refresh() {
    let provider = Provider::new();
    let login = provider.issue("test-client", "");
    provider.revoke_all_logins();
    assert_eq!(refresh(&provider, login.refresh_token.expose()).await.member("error"), "invalid_grant");
    assert_eq!(call_resource(&provider, login.access_token.expose()).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(provider.stats().families_revoked, 1);
}

async fn authorize(provider: &Provider, parameters: &str) -> Answer {
    let uri = format!("https://auth.example.com/authorize?response_type=code&{REDIRECT}&{parameters}");
    send(provider, get(&uri, None)).await
}

/// The exchange of a code by the client without secret.
fn code_request(code: &str, verifier: &str) -> Request<Full<Bytes>> {
    let form = format!("grant_type=authorization_code&client_id=test-app&{REDIRECT}&code={code}{verifier}");
    post_form("http://localhost/token", None, &form)
}

#[tokio::test]
async fn a_code_is_exchanged_by_whoever_has_the_verifier() {
    let provider = Provider::new();
    let answer = authorize(&provider, &format!("client_id=test-app&state=af0%3D&scope=a&{CHALLENGE}")).await;
    assert_eq!(answer.status, StatusCode::FOUND, "{}", answer.body);
    assert!(answer.header(header::LOCATION).starts_with("http://127.0.0.1:9/back?code="));
    assert_eq!(answer.parameter("state"), "af0%3D");
    assert_eq!(answer.parameter("iss"), "https%3A%2F%2Fauth.example.com");
    let code = answer.parameter("code");

    for verifier in
        ["", "&code_verifier=another", "&code_verifier=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"]
    {
        let refused = send(&provider, code_request(&code, verifier)).await;
        assert_eq!(refused.member("error"), "invalid_grant", "{verifier}");
    }
    let answer = send(&provider, code_request(&code, &format!("&code_verifier={VERIFIER}"))).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let opened = call_resource(&provider, &answer.member("access_token")).await;
    assert_eq!(
        ["client_id", "user", "scope"].map(|name| opened.member(name)),
        ["test-app", "test-user", "a"]
    );
    assert!(!answer.member("refresh_token").is_empty());
}

#[tokio::test]
async fn a_code_that_comes_again_revokes_what_it_was_exchanged_for() {
    let provider = Provider::new();
    let code = authorize(&provider, &format!("client_id=test-app&{CHALLENGE}")).await.parameter("code");
    let verifier = format!("&code_verifier={VERIFIER}");
    let token = send(&provider, code_request(&code, &verifier)).await.member("access_token");
    assert_eq!(call_resource(&provider, &token).await.status, StatusCode::OK);
    let again = send(&provider, code_request(&code, &verifier)).await;
    assert_eq!(again.member("error"), "invalid_grant");
    assert_eq!(call_resource(&provider, &token).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(provider.stats().families_revoked, 1);
}

#[tokio::test]
async fn a_code_is_bound_to_its_client_its_redirect_uri_and_its_time() {
    let clock = ManualClock::new();
    let provider = Provider::builder().test_clients().public_client("other").clock(clock.clone()).build();
    let code = authorize(&provider, &format!("client_id=test-app&{CHALLENGE}")).await.parameter("code");
    let right = format!(
        "grant_type=authorization_code&client_id=test-app&{REDIRECT}&code={code}&code_verifier={VERIFIER}"
    );
    for wrong in
        [right.replace("test-app", "other"), right.replace("back", "elsewhere"), right.replace(REDIRECT, "")]
    {
        let answer = send(&provider, post_form("http://localhost/token", None, &wrong)).await;
        assert_eq!(answer.member("error"), "invalid_grant", "{wrong}");
    }
    clock.advance(Duration::from_secs(60));
    let late = send(&provider, post_form("http://localhost/token", None, &right)).await;
    assert!(late.member("error_description").contains("expired"), "{}", late.body);
}

#[tokio::test]
async fn a_client_with_a_secret_may_do_without_pkce_and_one_without_may_not() {
    let provider = Provider::new();
    let code = authorize(&provider, "client_id=test-client").await.parameter("code");
    let form = format!("grant_type=authorization_code&{REDIRECT}&code={code}");
    let downgraded = send(&provider, token_request(&format!("{form}&code_verifier={VERIFIER}"))).await;
    assert_eq!(downgraded.member("error"), "invalid_grant", "a verifier for no challenge");
    assert_eq!(send(&provider, token_request(&form)).await.status, StatusCode::OK);
    let refused = authorize(&provider, "client_id=test-app&state=s").await;
    assert_eq!(
        (refused.parameter("error").as_str(), refused.parameter("state").as_str()),
        ("invalid_request", "s")
    );
}

#[tokio::test]
async fn nobody_is_sent_to_where_an_unknown_client_asks() {
    let provider = Provider::new();
    let cases = [
        format!("response_type=code&{REDIRECT}&client_id=nobody"),
        "response_type=code&client_id=test-client".to_owned(),
        "response_type=code&client_id=test-client&redirect_uri=%2Fback".to_owned(),
        "response_type=code&client_id=test-client&redirect_uri=http%3A%2F%2Fa%2F%23b".to_owned(),
    ];
    for query in cases {
        let answer = send(&provider, get(&format!("http://localhost/authorize?{query}"), None)).await;
        assert_eq!(
            (answer.status, answer.header(header::LOCATION)),
            (StatusCode::BAD_REQUEST, ""),
            "{query}"
        );
    }
}

#[tokio::test]
async fn revocation_ends_an_access_token_or_a_whole_login() {
    let provider = Provider::builder().test_clients().client("other", "other-secret").build();
    let revoke = |token: &str| post_form("http://localhost/revoke", Some(BASIC), &format!("token={token}"));
    let login = provider.issue("test-client", "");

    assert_eq!(send(&provider, revoke(login.access_token.expose())).await.status, StatusCode::OK);
    assert_eq!(call_resource(&provider, login.access_token.expose()).await.status, StatusCode::UNAUTHORIZED);
    let renewed = refresh(&provider, login.refresh_token.expose()).await;
    assert_eq!(renewed.status, StatusCode::OK, "{}", renewed.body);

    assert_eq!(send(&provider, revoke(&renewed.member("refresh_token"))).await.status, StatusCode::OK);
    assert_eq!(
        call_resource(&provider, &renewed.member("access_token")).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(send(&provider, revoke("never-issued")).await.status, StatusCode::OK);

    let foreign = provider.issue("other", "");
    assert_eq!(send(&provider, revoke(foreign.access_token.expose())).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(call_resource(&provider, foreign.access_token.expose()).await.status, StatusCode::OK);
    assert_eq!(
        send(&provider, post_form("http://localhost/revoke", None, "token=a")).await.member("error"),
        "invalid_client"
    );
}

#[tokio::test]
async fn what_was_seen_is_remembered_without_credentials_until_it_is_reset() {
    let provider = Provider::new();
    let issued = provider.issue("test-client", "");
    call_resource(&provider, issued.access_token.expose()).await;
    send(&provider, token_request("grant_type=client_credentials")).await;
    let seen = provider.stats().requests;
    let paths: Vec<_> = seen.iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    assert_eq!(paths, ["GET /resource", "POST /token"]);
    assert_eq!(seen[0].headers[header::AUTHORIZATION], "Bearer [redacted]");
    assert_eq!(seen[1].headers[header::AUTHORIZATION], "Basic [redacted]");

    provider.reset_stats();
    let stats = provider.stats();
    assert_eq!((stats.requests.len(), stats.token_requests, stats.resource.valid), (0, 0, 0));
    assert_eq!(
        call_resource(&provider, issued.access_token.expose()).await.status,
        StatusCode::OK,
        "tokens stay"
    );
}

#[tokio::test]
async fn only_the_last_requests_are_remembered() {
    let provider = Provider::new();
    for number in 0..300 {
        send(&provider, get(&format!("http://localhost/{number}"), None)).await;
    }
    let seen = provider.stats().requests;
    assert_eq!((seen.len(), seen[0].path.as_str(), seen[255].path.as_str()), (256, "/44", "/299"));
}
