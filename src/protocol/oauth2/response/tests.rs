use http::header::RETRY_AFTER;

use super::*;
use crate::error::ServerError;
use crate::secret::REDACTED;

/// The moment at which all is read.
const NOW: SystemTime = SystemTime::UNIX_EPOCH;

/// Reads an answer by rules.
pub(super) fn read_by(
    rules: &ResponseRules,
    purpose: Purpose,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    sent: &[Secret],
) -> Result<TokenResponse, Error> {
    let status = StatusCode::from_u16(status).unwrap();
    parse(Answered { status, headers, body, sent, purpose, now: NOW }, rules)
}

/// Reads `body` with `status`; nothing secret was sent.
fn read(status: u16, body: &str) -> Result<TokenResponse, Error> {
    let rules = ResponseRules::lenient();
    read_by(&rules, Purpose::Grant, status, &HeaderMap::new(), body.as_bytes(), &[])
}

/// Reads a successful answer by rules.
pub(super) fn by(rules: &ResponseRules, body: &str) -> Result<TokenResponse, Error> {
    read_by(rules, Purpose::Grant, 200, &HeaderMap::new(), body.as_bytes(), &[])
}

/// Reads a refusal of a refresh by rules.
pub(super) fn refused_refresh(rules: &ResponseRules, status: u16, body: &str) -> Error {
    read_by(rules, Purpose::Refresh, status, &HeaderMap::new(), body.as_bytes(), &[]).err().unwrap()
}

pub(super) fn ok(body: &str) -> TokenResponse {
    read(200, body).unwrap_or_else(|error| panic!("{body}: {error}"))
}

pub(super) fn error(status: u16, body: &str) -> Error {
    read(status, body).err().unwrap_or_else(|| panic!("{body} is a token"))
}

pub(super) fn refused(status: u16, headers: &HeaderMap, body: &str, sent: &[Secret]) -> Error {
    let rules = ResponseRules::lenient();
    read_by(&rules, Purpose::Grant, status, headers, body.as_bytes(), sent).err().unwrap()
}

/// A successful answer with one more field.
pub(super) fn with(field: &str) -> TokenResponse {
    ok(&format!(r#"{{"access_token":"a",{field}}}"#))
}

#[test]
fn the_example_of_rfc_6749_section_5_1_is_read() {
    let response = ok(r#"{
       "access_token":"2YotnFZFEjr1zCsicMWpAA",
       "token_type":"example",
       "expires_in":3600,
       "refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA",
       "example_parameter":"example_value"
     }"#);
    assert_eq!(response.access_token.expose(), "2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(response.token_type.as_deref(), Some("example"));
    assert_eq!(response.expires_in, Some(Duration::from_secs(3600)));
    assert_eq!(response.refresh_token, Some(Secret::new("tGzv3JOkF0XG5Qx2TlKWIA")));
    assert_eq!(response.scope, None);
    assert_eq!(response.extra.get("example_parameter"), Some(&Value::from("example_value")));
    assert_eq!(response.extra.len(), 1);
}

#[test]
fn a_lifetime_is_read_in_every_form_that_servers_write() {
    let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
    for (written, meant) in [
        ("3600", seconds(3600.0)),
        (r#""3600""#, seconds(3600.0)),
        (r#"" 3600 ""#, seconds(3600.0)),
        ("3600.0", seconds(3600.0)),
        ("0.5", seconds(0.5)),
        (r#""3600.5""#, seconds(3600.5)),
        ("0", seconds(0.0)),
        ("-5", seconds(0.0)),
        (r#""-5""#, seconds(0.0)),
        ("1e12", seconds(1e12)),
        ("1e300", None),
        (r#""1e999""#, None),
        (r#""inf""#, None),
        (r#""nan""#, None),
        (r#""abc""#, None),
        (r#""""#, None),
        ("null", None),
        ("true", None),
        ("[3600]", None),
        ("{}", None),
    ] {
        assert_eq!(with(&format!(r#""expires_in":{written}"#)).expires_in, meant, "{written}");
        assert_eq!(with(&format!(r#""refresh_in":{written}"#)).refresh_in, meant, "{written}");
        let response = with(&format!(r#""refresh_token_expires_in":{written}"#));
        // Of a refresh token, 0 says nothing.
        assert_eq!(response.refresh_expires_in, meant.filter(|meant| !meant.is_zero()), "{written}");
        assert!(response.extra.is_empty(), "{written}");
    }
    assert_eq!(ok(r#"{"access_token":"a"}"#).expires_in, None);
}

#[test]
fn scopes_are_split_at_spaces_or_at_commas_or_come_as_a_list() {
    for (written, meant) in [
        (r#""read write""#, Some(vec!["read", "write"])),
        (r#""read,write""#, Some(vec!["read", "write"])),
        (r#""a,b c""#, Some(vec!["a,b", "c"])),
        (r#"" read  ""#, Some(vec!["read"])),
        (r#""""#, Some(vec![])),
        (r#"["read","write"]"#, Some(vec!["read", "write"])),
        ("[]", Some(vec![])),
        ("null", None),
        ("7", None),
    ] {
        let scope = with(&format!(r#""scope":{written}"#)).scope;
        assert_eq!(
            scope.as_ref().map(|scope| scope.iter().map(String::as_str).collect()),
            meant,
            "{written}"
        );
    }
}

#[test]
fn a_type_or_refresh_token_that_is_empty_or_no_text_is_as_if_it_were_missing() {
    for written in [r#""""#, "null", "7", "{}"] {
        assert_eq!(with(&format!(r#""token_type":{written}"#)).token_type, None, "{written}");
        assert_eq!(with(&format!(r#""refresh_token":{written}"#)).refresh_token, None, "{written}");
    }
}

#[test]
fn forms_are_read_as_well_as_json_whatever_surrounds_them() {
    let form = ok("access_token=gho_16C7%2B&scope=repo%2Cgist&token_type=bearer&expires_in=60&other=x+y");
    assert_eq!(form.access_token.expose(), "gho_16C7+");
    assert_eq!(form.scope, Some(vec!["repo".to_owned(), "gist".to_owned()]));
    assert_eq!(form.expires_in, Some(Duration::from_secs(60)));
    assert_eq!(form.extra.get("other"), Some(&Value::from("x y")));
    for body in ["\u{feff}{\"access_token\":\"a\"}", "  \r\n{\"access_token\":\"a\"}\n", "access_token=a\n"] {
        assert_eq!(ok(body).access_token.expose(), "a", "{body:?}");
    }
}

#[test]
fn what_is_no_token_is_a_typed_error_that_says_why_and_shows_nothing_of_it() {
    for (body, why) in [
        ("", "empty"),
        (" \r\n", "empty"),
        ("<html>hunter2</html>", "HTML"),
        ("<?xml version=\"1.0\"?>", "HTML or XML"),
        (r#"{"access_token":"hunter2""#, "not valid JSON"),
        (r#"{"access_token":"hunter2",}"#, "not valid JSON"),
        (r#"["hunter2"]"#, "not an object"),
        (r#""hunter2""#, "not an object"),
        ("hunter2", "neither JSON nor a form"),
        ("42", "neither JSON nor a form"),
        ("{}", "no access_token"),
        (r#"{"access_token":""}"#, "no access_token"),
        (r#"{"access_token":null}"#, "no access_token"),
        (r#"{"access_token":42}"#, "no access_token"),
        ("token=hunter2", "no access_token"),
    ] {
        let error = error(200, body);
        assert_eq!(error.kind(), ErrorKind::UnusableResponse, "{body}");
        assert!(error.to_string().contains(why), "{body}: {error}");
        assert!(error.is_transient());
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    let deep = format!("{}{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    assert_eq!(error(200, &deep).kind(), ErrorKind::UnusableResponse);
    let bytes =
        read_by(&ResponseRules::lenient(), Purpose::Grant, 200, &HeaderMap::new(), &[0xff, 0xfe, 0x00], &[]);
    assert_eq!(bytes.err().map(|error| error.kind()), Some(ErrorKind::UnusableResponse));
}

#[test]
fn a_refresh_token_that_comes_alone_is_not_lost() {
    let response = ok(r#"{"id_token":"i","refresh_token":"kept"}"#);
    assert!(response.access_token.is_empty());
    assert_eq!(response.refresh_token, Some(Secret::new("kept")));
    assert_eq!(response.fault.map(|fault| fault.kind()), Some(ErrorKind::MissingAccessToken));
    let response = ok(r#"{"access_token":42,"refresh_token":"kept"}"#);
    assert_eq!(response.refresh_token, Some(Secret::new("kept")));
    assert_eq!(response.fault.map(|fault| fault.kind()), Some(ErrorKind::UnusableResponse));
}

#[test]
fn an_error_is_found_at_any_status_and_in_any_form() {
    for (body, code) in [
        (r#"{"error":"invalid_grant"}"#, "invalid_grant"),
        (r#"{"error":"invalid_grant","access_token":"a"}"#, "invalid_grant"),
        ("error=bad_verification_code&error_description=x", "bad_verification_code"),
        (r#"{"error":{"message":"m","type":"OAuthException","code":190}}"#, "OAuthException"),
        (r#"{"error":{"code":190}}"#, "190"),
        (r#"{"error":{"error":"nested"}}"#, "nested"),
        (r#"{"error":{}}"#, "error"),
        (r#"{"error":500}"#, "500"),
        (r#"{"error":true}"#, "true"),
    ] {
        for status in [200, 400, 401, 403, 500] {
            let error = error(status, body);
            assert_eq!(error.kind(), ErrorKind::Refused, "{body}");
            assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
            assert_eq!(error.server().map(ServerError::code), Some(code), "{body}");
        }
    }
    for body in [
        r#"{"access_token":"a","error":null}"#,
        r#"{"access_token":"a","error":""}"#,
        r#"{"access_token":"a","error":false}"#,
    ] {
        assert_eq!(ok(body).access_token.expose(), "a");
    }
}

#[test]
fn the_servers_words_are_kept() {
    let error = error(
        400,
        r#"{"error":"invalid_scope","error_description":"no such scope","error_uri":"https://doc.test"}"#,
    );
    let server = error.server().unwrap();
    assert_eq!(
        (server.error_description(), server.error_uri()),
        (Some("no such scope"), Some("https://doc.test"))
    );
    assert!(error.is_configuration() && !error.is_transient());
    let meta = self::error(400, r#"{"error":{"type":"OAuthException","message":"said differently"}}"#);
    assert_eq!(meta.server().unwrap().error_description(), Some("said differently"));
}

#[test]
fn a_status_without_an_error_is_told_as_such() {
    for (status, is_transient) in
        [(400, false), (403, false), (404, false), (408, true), (429, true), (500, true), (503, true)]
    {
        for body in ["", "<html>", "{}", r#"{"access_token":"a"}"#, "upstream connect error, reset reason=x"]
        {
            let error = error(status, body);
            assert_eq!(error.kind(), ErrorKind::UnexpectedStatus, "{status} {body}");
            assert_eq!(error.is_transient(), is_transient, "{status}");
        }
    }
}

#[test]
fn a_refusal_is_transient_when_the_server_says_so() {
    for (status, code, is_transient) in [
        (400, "temporarily_unavailable", true),
        (400, "server_error", true),
        (400, "slow_down", true),
        (429, "too_many", true),
        (503, "invalid_grant", true),
        (400, "invalid_grant", false),
        (401, "invalid_client", false),
    ] {
        let error = error(status, &format!(r#"{{"error":"{code}"}}"#));
        assert_eq!(error.is_transient(), is_transient, "{status} {code}");
    }
}

#[test]
fn retry_after_is_believed_up_to_an_hour() {
    for (written, meant) in [
        ("7", Some(7.0)),
        (" 7 ", Some(7.0)),
        ("0.7", Some(0.7)),
        ("0", Some(0.0)),
        ("-5", Some(0.0)),
        ("3600", Some(3600.0)),
        ("3601", Some(3600.0)),
        ("99999999999999999999999", Some(3600.0)),
        ("inf", Some(3600.0)),
        ("nan", None),
        ("", None),
        ("soon", None),
    ] {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, written.parse().unwrap())]);
        for (status, body) in [(503, ""), (429, r#"{"error":"slow_down"}"#)] {
            let error = refused(status, &headers, body, &[]);
            assert_eq!(error.retry_after(), meant.map(Duration::from_secs_f64), "{written}");
        }
    }
    let headers = HeaderMap::from_iter([(RETRY_AFTER, http::HeaderValue::from_bytes(b"\xff").unwrap())]);
    let error = refused(503, &headers, "", &[]);
    assert_eq!(error.retry_after(), None);
}

#[test]
fn what_was_sent_is_taken_out_of_what_the_server_says_of_it() {
    let sent =
        [Secret::new("hunter2"), Secret::new("p&ss w%rd"), Secret::new("hunter2-and-more"), Secret::new("")];
    for said in ["hunter2", "p&ss w%rd", "p%26ss+w%25rd", "hunter2-and-more"] {
        let field = |name: &str| format!(r#""{name}":"you said {said}!""#);
        for body in [
            format!("{{{}}}", field("error")),
            format!(r#"{{"error":"invalid_client",{},{}}}"#, field("error_description"), field("error_uri")),
            format!(r#"{{"error":{{"type":"t",{}}}}}"#, field("message")),
            format!(r#"{{"error":["{said}"]}}"#),
        ] {
            let error = refused(400, &HeaderMap::new(), &body, &sent);
            let shown = format!("{error} {error:?} {:?}", error.server());
            assert!(!shown.contains(said), "{shown}");
            assert!(!shown.contains("and-more"), "{shown}");
            assert!(shown.contains(REDACTED), "{shown}");
        }
    }
}
