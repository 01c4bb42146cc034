//! Exactly RFC 6749 §5.

use super::tests::read_by;
use super::*;
use crate::error::ServerError;

const JSON: &str = "application/json;charset=UTF-8";

fn strictly(status: u16, content_type: &str, body: &str) -> Result<TokenResponse, Error> {
    let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, content_type.parse().unwrap())]);
    read_by(&ResponseRules::strict(), Purpose::Refresh, status, &headers, body.as_bytes(), &[])
}

#[test]
fn what_the_rfc_describes_is_read() {
    let token = strictly(
        200,
        JSON,
        r#"{"access_token":"a","token_type":"Bearer","expires_in":3600,"refresh_token":"r","scope":"a b","x":{}}"#,
    );
    let token = token.ok().unwrap();
    assert_eq!((token.access_token.expose(), token.expires_in), ("a", Some(Duration::from_secs(3600))));
    assert_eq!(token.refresh_token, Some(Secret::new("r")));
    assert!(token.fault.is_none() && token.extra.len() == 1);
    for (status, code, kind) in [
        (400, "invalid_grant", ErrorKind::ReauthorizationRequired),
        (401, "invalid_client", ErrorKind::Refused),
    ] {
        let error = strictly(status, JSON, &format!(r#"{{"error":"{code}"}}"#)).err().unwrap();
        assert_eq!((error.kind(), error.server().map(ServerError::code)), (kind, Some(code)));
    }
}

#[test]
fn each_deviation_is_an_error_that_names_it_and_no_refresh_token_is_lost_for_it() {
    let good = r#""access_token":"a","token_type":"Bearer""#;
    for (status, content_type, body, why) in [
        (201, JSON, format!("{{{good}}}"), "not 200"),
        (200, "text/plain", format!("{{{good}}}"), "content type"),
        (200, JSON, "access_token=a&token_type=Bearer".to_owned(), "not JSON"),
        (200, JSON, format!(r#"{{{good},"error":"x"}}"#), "an error"),
        (200, JSON, r#"{"access_token":"a"}"#.to_owned(), "token_type"),
        (200, JSON, r#"{"access_token":"a","token_type":""}"#.to_owned(), "token_type"),
        (200, JSON, r#"{"accessToken":"a","token_type":"Bearer"}"#.to_owned(), "access_token"),
        (200, JSON, "{\"access_token\":\"a\u{e9}\",\"token_type\":\"Bearer\"}".to_owned(), "access_token"),
        (200, JSON, format!(r#"{{{good},"access_token":"b"}}"#), "twice"),
        (200, JSON, format!(r#"{{{good},"expires_in":"3600"}}"#), "expires_in"),
        (200, JSON, format!(r#"{{{good},"expires_in":-1}}"#), "expires_in"),
        (200, JSON, format!(r#"{{{good},"expires_in":1.5}}"#), "expires_in"),
        (200, JSON, format!(r#"{{{good},"expires_in":null}}"#), "expires_in"),
        (200, JSON, format!(r#"{{{good},"refresh_token":""}}"#), "refresh_token"),
        (200, JSON, format!(r#"{{{good},"scope":["a"]}}"#), "scope"),
        (200, JSON, format!(r#"{{{good},"scope":"a  b"}}"#), "scope"),
        (200, JSON, format!(r#"{{{good},"scope":""}}"#), "scope"),
        (200, JSON, format!("[{{{good}}}]"), "not an object"),
    ] {
        let error = strictly(status, content_type, &body).err().unwrap_or_else(|| panic!("{body}"));
        assert_eq!(error.kind(), ErrorKind::UnusableResponse, "{body}");
        assert!(error.to_string().contains(why), "{body}: {error}");
        if let Some(begin) = body.strip_suffix('}').filter(|_| !body.contains("refresh_token")) {
            let kept = strictly(status, content_type, &format!(r#"{begin},"refresh_token":"kept"}}"#));
            let kept = kept.ok().unwrap();
            assert_eq!(kept.refresh_token, Some(Secret::new("kept")), "{body}");
            assert!(kept.access_token.is_empty() && kept.fault.is_some(), "{body}");
        }
    }
}

#[test]
fn errors_elsewhere_are_no_oauth_errors() {
    for (status, content_type, body) in [
        (403, JSON, r#"{"error":"invalid_grant"}"#),
        (400, "text/plain", r#"{"error":"invalid_grant"}"#),
        (400, JSON, "error=invalid_grant"),
        (400, JSON, r#"{"error":{"code":"invalid_grant"}}"#),
        (400, JSON, r#"{"error":"invalid_grant","error":"invalid_grant"}"#),
        (400, JSON, r#"{"status":"BAD_REFRESH_TOKEN","message":"m"}"#),
    ] {
        let error = strictly(status, content_type, body).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::UnexpectedStatus, "{body}");
    }
    for body in [r#"{"ok":false}"#, r#"{"error":"x"}"#, r#"{"errcode":1}"#] {
        assert_eq!(strictly(200, JSON, body).err().unwrap().kind(), ErrorKind::UnusableResponse, "{body}");
    }
}
