use http::HeaderValue;
use serde_json::json;

use super::*;
use crate::error::ServerError;

fn read_with(status: u16, headers: &HeaderMap, body: &str) -> Result<TokenResponse, Error> {
    let sent = [Secret::new("hunter2"), Secret::new("")];
    parse(StatusCode::from_u16(status).unwrap(), headers, body.as_bytes(), &sent)
}

fn read(status: u16, body: &str) -> Result<TokenResponse, Error> {
    read_with(status, &HeaderMap::new(), body)
}

fn refused(status: u16, body: &str) -> Error {
    read(status, body).err().unwrap()
}

#[test]
fn a_form_and_json_are_read_alike() {
    for body in [
        "oauth_token=a%2Bb+c&oauth_token_secret=s%25&user_id=7",
        " \r\noauth_token=a%2Bb%20c&user_id=7&oauth_token_secret=s%\n",
        "\u{feff}{\"oauth_token\": \"a+b c\", \"oauth_token_secret\": \"s%\", \"user_id\": \"7\"}",
    ] {
        let response = read(200, body).unwrap();
        assert_eq!(response.token.expose(), "a+b c", "{body}");
        assert_eq!(response.token_secret.expose(), "s%", "{body}");
        assert_eq!(Value::Object(response.extra), json!({ "user_id": "7" }), "{body}");
    }
}

#[test]
fn a_token_that_is_a_number_is_a_token_and_a_secret_may_be_empty() {
    let response = read(201, r#"{"oauth_token": 17, "oauth_token_secret": ""}"#).unwrap();
    assert_eq!(response.token.expose(), "17");
    assert!(response.token_secret.is_empty());
}

#[test]
fn fields_that_come_twice_are_kept_as_a_list() {
    let response = read(200, "oauth_token=a&oauth_token_secret=b&scope=x&scope=y&scope=z").unwrap();
    assert_eq!(response.extra["scope"], json!(["x", "y", "z"]));
}

#[test]
fn an_answer_without_usable_credentials_says_what_is_wrong() {
    for (body, why) in [
        ("", "it is empty"),
        ("OK", "neither a form nor JSON"),
        ("<html>Sign in</html>", "page of HTML or XML, not a form; the answer begins: <html>Sign in</html>"),
        ("{oauth_token", "not valid JSON"),
        ("[1]", "not an object"),
        ("error=busy", "no oauth_token; the answer begins: error=busy"),
        ("oauth_token=a", "no oauth_token_secret"),
        ("oauth_token_secret=a", "no oauth_token"),
        ("oauth_token=&oauth_token_secret=a", "oauth_token is empty"),
        ("oauth_token=a&oauth_token=b&oauth_token_secret=c", "no oauth_token"),
        ("oauth_token=%E9&oauth_token_secret=c", "oauth_token is not UTF-8"),
        (r#"{"oauth_token": true, "oauth_token_secret": "c"}"#, "no oauth_token"),
    ] {
        let error = refused(200, body);
        assert_eq!(error.kind(), ErrorKind::UnusableResponse, "{body}");
        assert!(error.to_string().contains(why), "{body}: {error}");
    }
}

#[test]
fn half_of_the_credentials_is_not_shown() {
    for body in [
        "oauth_token=hunter3&user=bob",
        r#"{"data": {"oauth_token": "hunter3", "oauth_token_secret": "hunter4"}, "user": "bob"}"#,
        "<r><oauth_token>hunter3</oauth_token><oauth_token_secret>hunter4</oauth_token_secret></r>",
    ] {
        let error = refused(200, body);
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error}");
    }
}

#[test]
fn a_refusal_keeps_its_status_and_how_it_begins_without_what_was_sent() {
    let error = refused(401, "Invalid signature for hunter2.");
    assert_eq!((error.kind(), error.status()), (ErrorKind::Refused, Some(StatusCode::UNAUTHORIZED)));
    assert!(error.to_string().contains("the answer begins: Invalid signature for [redacted]."), "{error}");
    assert!(!error.is_transient());

    let error = refused(502, "<h1>Bad gateway</h1>");
    assert_eq!(error.kind(), ErrorKind::UnexpectedStatus);
    assert!(error.is_transient() && error.to_string().contains("<h1>Bad gateway</h1>"), "{error}");
}

#[test]
fn a_problem_is_found_at_any_status_and_cleaned() {
    for body in [
        "oauth_problem=token_rejected&oauth_problem_advice=no+hunter2+here",
        r#"{"oauth_problem": "token_rejected", "oauth_problem_advice": "no hunter2 here"}"#,
    ] {
        for status in [200, 400, 401, 500] {
            let error = refused(status, body);
            assert_eq!(error.kind(), ErrorKind::Refused);
            let server = error.server().unwrap();
            assert_eq!(server.code(), "token_rejected");
            assert_eq!(server.error_description(), Some("no [redacted] here"));
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
}

#[test]
fn a_problem_in_the_header_is_found_beside_any_body() {
    let mut headers = HeaderMap::new();
    let challenge = HeaderValue::from_static(r#"OAuth oauth_problem="nonce_used""#);
    headers.insert(http::header::WWW_AUTHENTICATE, challenge);
    headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
    let error = read_with(401, &headers, "<p>No.</p>").err().unwrap();
    assert_eq!(error.server().map(ServerError::code), Some("nonce_used"));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert!(error.to_string().contains("<p>No.</p>"), "{error}");
}

#[test]
fn a_callback_is_confirmed_by_true_in_any_case() {
    let confirms = |value: &str| {
        read(200, &format!("oauth_token=a&oauth_token_secret=b{value}")).unwrap().confirms_callback()
    };
    for value in ["true", "True", "TRUE"] {
        assert!(confirms(&format!("&oauth_callback_confirmed={value}")), "{value}");
    }
    for value in
        ["", "&oauth_callback_confirmed", "&oauth_callback_confirmed=1", "&oauth_callback_confirmed=false"]
    {
        assert!(!confirms(value), "{value}");
    }
    let json = r#"{"oauth_token": "a", "oauth_token_secret": "b", "oauth_callback_confirmed": true}"#;
    assert!(read(200, json).unwrap().confirms_callback());
}
