//! One check for each row of the table of leniencies, and for each rule.

use std::time::UNIX_EPOCH;

use super::tests::by;
use super::tests::error;
use super::tests::ok;
use super::tests::read_by;
use super::tests::refused;
use super::tests::refused_refresh;
use super::tests::with;
use super::*;
use crate::error::ServerError;

/// The rows of the table, each with what shows it.
const ROWS: &[(&str, fn())] = &[
    ("JSON or a form, whatever the content type says", forms),
    ("an error is looked for first, at any status", errors_first),
    ("`error` may be an object with `type` or `code`, and `message`", error_objects),
    ("`error_code`, or an `errcode` other than 0, is an error", error_codes),
    ("`ok` or `success` that is false is an error, with the first of `errors`", unsuccessful),
    ("`code` or `status` with a `message` is an error where there is no token", codes_with_messages),
    ("a list of errors, of which the first one counts", lists),
    ("names in camel case", camel_case),
    ("`expires` is a lifetime, or a moment if it is as large as one", expires),
    (
        "`expires_at` and `expires_on`, in seconds or milliseconds since 1970 or as RFC 3339, where there is no lifetime",
        moments,
    ),
    ("`refresh_expires_in` and `x_refresh_token_expires_in`; 0 says nothing", refresh_lifetimes),
    ("a lifetime may be a text or a fraction; what is no number is as if it were missing", texts_as_numbers),
    ("a negative lifetime has already ended", negative),
    ("a number or a character that cannot be kept harms its own field only", one_bad_field),
    ("`scope` may be a list or null; a text is split at spaces, or at commas if there are none", scopes),
    ("`token_type` may be missing, and is `Bearer` then", token_types),
    ("an empty `refresh_token` is as if it were missing: the old one stays", empty_refresh_tokens),
    ("a `refresh_token` that comes with a useless rest is kept", lone_refresh_tokens),
    ("of a field that comes twice, the last counts", duplicates),
    ("unknown fields are kept", extra),
    ("`Retry-After` as a fraction or a date, `retry_after` in the body, `X-Rate-Limit-Reset`", delays),
];

#[test]
fn each_row_of_the_table_is_true() {
    let source = include_str!("rules.rs");
    let cells = source.lines().filter_map(|line| line.strip_prefix("/// | ")?.split(" | ").next());
    let rows: Vec<_> = cells.filter(|cell| *cell != "leniency").collect();
    assert_eq!(rows, ROWS.iter().map(|(row, _)| *row).collect::<Vec<_>>());
    for (_, check) in ROWS {
        check();
    }
}

fn code(status: u16, body: &str) -> String {
    error(status, body).server().unwrap_or_else(|| panic!("{body}")).code().to_owned()
}

fn description(status: u16, body: &str) -> String {
    error(status, body).server().and_then(ServerError::error_description).unwrap_or_default().to_owned()
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

fn forms() {
    for content_type in ["application/json", "text/plain", "text/html; charset=utf-8", "nonsense"] {
        let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, content_type.parse().unwrap())]);
        for body in [r#"{"access_token":"a"}"#, "access_token=a"] {
            let rules = ResponseRules::lenient();
            let token = read_by(&rules, Purpose::Grant, 200, &headers, body.as_bytes(), &[]).ok().unwrap();
            assert_eq!(token.access_token.expose(), "a", "{content_type} {body}");
        }
    }
    assert_eq!(ok("access_token=YQ==&scope=a").access_token.expose(), "YQ==");
    // In a form that is broken, nobody knows where the token ends.
    for body in ["access_token=axscope=b", "access_token=a&b&scope=c", "access_token=a&scope=b=c"] {
        assert_eq!(error(200, body).kind(), ErrorKind::UnusableResponse, "{body}");
    }
    assert_eq!(code(200, "error=bad&error_description=a=b&c"), "bad");
    // JSON that has lost its first byte is no form, whatever is in it.
    for body in [
        r#"x"uri":"https://a.test/?b=c&access_token=other&d=e"}"#,
        r#"access_token=a<br>"#,
        "access_token=a\nx",
    ] {
        assert_eq!(error(200, body).kind(), ErrorKind::UnusableResponse, "{body}");
    }
}

fn errors_first() {
    for status in [200, 201, 400, 401, 403, 404, 500, 503] {
        assert_eq!(code(status, r#"{"error":"invalid_code","access_token":"a"}"#), "invalid_code");
        assert_eq!(
            code(status, "error=incorrect_client_credentials&access_token=a"),
            "incorrect_client_credentials"
        );
    }
}

fn error_objects() {
    let meta = r#"{"error":{"message":"Expired.","type":"OAuthException","code":190,"fbtrace_id":"x"}}"#;
    assert_eq!((code(400, meta), description(400, meta)), ("OAuthException".into(), "Expired.".into()));
    assert_eq!(code(200, r#"{"error":{"code":190}}"#), "190");
    assert_eq!(code(200, r#"{"error":{"status":"UNAUTHENTICATED"}}"#), "UNAUTHENTICATED");
    assert_eq!(code(200, r#"{"error":{}}"#), "error");
}

fn error_codes() {
    let supabase = r#"{"code":400,"error_code":"refresh_token_not_found","msg":"Invalid Refresh Token"}"#;
    assert_eq!(code(400, supabase), "refresh_token_not_found");
    assert_eq!(description(400, supabase), "Invalid Refresh Token");
    let wechat = r#"{"errcode":40029,"errmsg":"invalid code"}"#;
    assert_eq!((code(200, wechat), description(200, wechat)), ("40029".into(), "invalid code".into()));
    assert_eq!(code(200, r#"{"errcode":"40029","access_token":"a"}"#), "40029");
    for none in [
        r#""errcode":0"#,
        r#""errcode":"0""#,
        r#""error_code":0"#,
        r#""error_code":null"#,
        r#""error_code":"""#,
    ] {
        assert_eq!(with(none).access_token.expose(), "a", "{none}");
    }
}

fn unsuccessful() {
    assert_eq!(code(200, r#"{"ok":false,"error":"invalid_refresh_token"}"#), "invalid_refresh_token");
    assert_eq!(code(200, r#"{"ok":false,"access_token":"a"}"#), "error");
    let fitbit =
        r#"{"errors":[{"errorType":"invalid_grant","message":"Refresh token invalid"}],"success":false}"#;
    assert_eq!(
        (code(400, fitbit), description(400, fitbit)),
        ("invalid_grant".into(), "Refresh token invalid".into())
    );
    assert_eq!(code(200, r#"{"success":"false","errors":["bad"]}"#), "bad");
    assert_eq!(code(400, r#"{"errors":[{"code":"x"}]}"#), "x");
    for good in [r#""ok":true"#, r#""success":true"#, r#""success":"yes""#, r#""errors":[]"#] {
        assert_eq!(with(good).access_token.expose(), "a", "{good}");
    }
}

fn codes_with_messages() {
    let hubspot = r#"{"status":"BAD_REFRESH_TOKEN","message":"missing or unknown","correlationId":"c"}"#;
    for status in [200, 400] {
        assert_eq!(code(status, hubspot), "BAD_REFRESH_TOKEN");
        assert_eq!(description(status, hubspot), "missing or unknown");
    }
    let notion = r#"{"object":"error","status":400,"code":"validation_error","message":"m"}"#;
    assert_eq!(code(400, notion), "validation_error");
    assert_eq!(code(200, r#"{"code":40105,"message":"expired","data":{}}"#), "40105");
    // With a token, or without a message, it is something else.
    assert_eq!(with(r#""status":"approved","message":"m""#).access_token.expose(), "a");
    assert_eq!(with(r#""code":0,"message":"OK""#).access_token.expose(), "a");
    for body in [
        r#"{"status":"x"}"#,
        r#"{"message":"m"}"#,
        r#"{"code":0,"message":"OK"}"#,
        r#"{"status":200,"message":"OK"}"#,
    ] {
        assert_eq!(error(200, body).kind(), ErrorKind::UnusableResponse, "{body}");
    }
    let kept = ok(r#"{"status":"x","message":"m","refresh_token":"kept"}"#);
    assert_eq!(kept.refresh_token, Some(Secret::new("kept")));
}

fn lists() {
    let salesforce = r#"[{"errorCode":"INVALID_SESSION_ID","message":"Session expired"},{"errorCode":"B"}]"#;
    assert_eq!(code(401, salesforce), "INVALID_SESSION_ID");
    assert_eq!(description(401, salesforce), "Session expired");
    for body in ["[]", "[1]", r#"[{"access_token":"a","refresh_token":"r"}]"#] {
        assert!(error(200, body).to_string().contains("not an object"), "{body}");
    }
}

fn camel_case() {
    let token = ok(
        r#"{"tokenType":"Bearer","expiresIn":86400,"accessToken":"a","refreshToken":"r","refreshTokenExpiresIn":9}"#,
    );
    assert_eq!(token.access_token.expose(), "a");
    assert_eq!(token.refresh_token, Some(Secret::new("r")));
    assert_eq!((token.expires_in, token.refresh_expires_in), (seconds(86_400), seconds(9)));
    assert_eq!(token.token_type.as_deref(), Some("Bearer"));
    assert!(token.extra.is_empty());
}

fn expires() {
    assert_eq!(ok("access_token=a&expires=86399").expires_in, seconds(86_399));
    let moment = ok("access_token=a&expires=1568775134");
    assert_eq!(
        (moment.expires_in, moment.expires_at),
        (None, UNIX_EPOCH.checked_add(Duration::from_secs(1_568_775_134)))
    );
    assert_eq!(with(r#""expires":60,"expires_in":30"#).expires_in, seconds(30));
    assert_eq!(with(r#""expires":"never""#).expires_in, None);
}

fn moments() {
    let moment = UNIX_EPOCH.checked_add(Duration::from_secs(1_671_217_329));
    for written in [
        r#""expires_at":1671217329"#,
        r#""expires_at":"1671217329""#,
        r#""expires_at":1671217329000"#,
        r#""expires_at":"2022-12-16T19:02:09.000Z""#,
        r#""expires_on":"1671217329""#,
        r#""expires_at":"soon","expires_on":1671217329"#,
        r#""expires_in":"soon","expires_on":1671217329"#,
    ] {
        let token = with(written);
        assert_eq!((token.expires_in, token.expires_at), (None, moment), "{written}");
        assert!(token.extra.is_empty(), "{written}");
    }
    // A lifetime does not depend on two clocks.
    let both = with(r#""expires_at":1671217329,"expires_in":20566"#);
    assert_eq!((both.expires_in, both.expires_at), (seconds(20_566), None));
    assert_eq!(with(r#""expires_at":0"#).expires_at, None);
}

fn refresh_lifetimes() {
    for name in ["refresh_token_expires_in", "refresh_expires_in", "x_refresh_token_expires_in"] {
        assert_eq!(with(&format!(r#""{name}":"8726400""#)).refresh_expires_in, seconds(8_726_400), "{name}");
        assert_eq!(with(&format!(r#""{name}":0"#)).refresh_expires_in, None, "{name}");
    }
}

fn texts_as_numbers() {
    assert_eq!(with(r#""expires_in":"3599","ext_expires_in":"3599""#).expires_in, seconds(3599));
    assert_eq!(with(r#""expires_in":3599.0"#).expires_in, seconds(3599));
    for odd in ["true", "null", "[]", "{}", r#""""#, r#""soon""#] {
        assert_eq!(with(&format!(r#""expires_in":{odd}"#)).expires_in, None, "{odd}");
    }
}

fn negative() {
    assert_eq!(with(r#""expires_in":-1"#).expires_in, seconds(0));
    assert_eq!(with(r#""expires_in":-1e400"#).expires_in, seconds(0));
}

fn one_bad_field() {
    for field in [
        r#""expires_in":1e400"#,
        r#""other":[{"deep":-1e999}]"#,
        r#""other":"\ud800""#,
        r#""other":"\udc00x""#,
    ] {
        let token = ok(&format!(r#"{{"access_token":"a","refresh_token":"r",{field}}}"#));
        assert_eq!(token.access_token.expose(), "a", "{field}");
        assert_eq!(token.refresh_token, Some(Secret::new("r")), "{field}");
        assert_eq!(token.expires_in, None, "{field}");
    }
    let bytes = b"{\"access_token\":\"a\",\"name\":\"caf\xe9\"}";
    let rules = ResponseRules::lenient();
    let token = read_by(&rules, Purpose::Grant, 200, &HeaderMap::new(), bytes, &[]).ok().unwrap();
    assert_eq!(token.access_token.expose(), "a");
    // A refresh token with bytes that were lost is not what the server meant: the old one stays.
    let bytes = b"{\"access_token\":\"a\",\"refresh_token\":\"r\xe9\"}";
    let token = read_by(&rules, Purpose::Grant, 200, &HeaderMap::new(), bytes, &[]).ok().unwrap();
    assert_eq!(token.refresh_token, None);
}

fn scopes() {
    let scope = |written: &str| with(&format!(r#""scope":{written}"#)).scope;
    let both = Some(vec!["a:b".to_owned(), "c".to_owned()]);
    for written in [r#""a:b c""#, r#""a:b,c""#, r#""a:b, c""#, r#"["a:b","c"]"#, r#"["a:b",null,"c"]"#] {
        assert_eq!(scope(written), both, "{written}");
    }
    assert_eq!(scope("null"), None);
    assert_eq!(scope(r#""""#), Some(vec![]));
}

fn token_types() {
    assert_eq!(ok(r#"{"access_token":"a"}"#).token_type, None);
    assert_eq!(with(r#""token_type":"bEaReR""#).token_type.as_deref(), Some("bEaReR"));
    assert_eq!(with(r#""token_type":["Bearer"]"#).token_type, None);
}

fn empty_refresh_tokens() {
    assert_eq!(with(r#""refresh_token":"""#).refresh_token, None);
    assert_eq!(with(r#""refresh_token":null"#).refresh_token, None);
}

fn lone_refresh_tokens() {
    for rest in
        [r#""id_token":"i""#, r#""access_token":"""#, r#""access_token":[1]"#, r#""access_token":null"#]
    {
        let token = ok(&format!(r#"{{{rest},"refresh_token":"kept"}}"#));
        assert!(token.access_token.is_empty() && token.fault.is_some(), "{rest}");
        assert_eq!(token.refresh_token, Some(Secret::new("kept")), "{rest}");
    }
    let alone = error(200, r#"{"id_token":"secret-i","scope":"openid"}"#);
    assert_eq!(alone.kind(), ErrorKind::MissingAccessToken);
    assert!(alone.to_string().contains("id_token") && !alone.to_string().contains("secret-i"), "{alone}");
    assert!(!alone.is_transient());
}

fn duplicates() {
    assert_eq!(ok(r#"{"access_token":"a","access_token":"b"}"#).access_token.expose(), "b");
    assert_eq!(ok("access_token=a&access_token=b").access_token.expose(), "b");
}

fn extra() {
    let token = with(r#""instance_url":"https://x.test","owner":{"a":[1]},"id_token":"i","none":null"#);
    assert_eq!(token.extra.len(), 4);
    assert_eq!(token.extra.get("owner"), Some(&serde_json::json!({"a": [1]})));
}

fn delays() {
    let delay = |headers: &[(&'static str, &str)], body: &str| {
        let headers =
            headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        let headers = HeaderMap::from_iter(headers);
        refused(429, &headers, body, &[]).retry_after().map(|delay| delay.as_secs_f64())
    };
    let date = ("date", "Wed, 21 Oct 2015 07:28:00 GMT");
    assert_eq!(delay(&[("retry-after", "0.7")], ""), Some(0.7));
    assert_eq!(delay(&[date, ("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT")], ""), Some(30.0));
    assert_eq!(delay(&[date, ("retry-after", "Wed, 21 Oct 2015 07:27:00 GMT")], ""), Some(0.0));
    // Without a date of the server, ours: 1970.
    assert_eq!(delay(&[("retry-after", "Thu, 01 Jan 1970 00:00:09 GMT")], ""), Some(9.0));
    assert_eq!(delay(&[("retry-after", "Wed, 21 Oct 2015 07:28:30 GMT")], ""), Some(3600.0));
    assert_eq!(delay(&[], r#"{"message":"You are being rate limited.","retry_after":0.65}"#), Some(0.65));
    assert_eq!(delay(&[], r#"{"error":"slow_down","retry_after":"7"}"#), Some(7.0));
    assert_eq!(delay(&[("retry-after", "5")], r#"{"retry_after":7}"#), Some(5.0));
    assert_eq!(delay(&[date, ("x-rate-limit-reset", "1445412490")], ""), Some(10.0));
    assert_eq!(delay(&[("x-rate-limit-reset", "soon")], r#"{"retry_after":null}"#), None);
}

#[test]
fn a_nested_token_is_read_where_the_rules_say_and_nowhere_else() {
    let slack = r#"{"ok":true,"access_token":"xoxb","token_type":"bot","refresh_token":"xoxe-bot","team":{"id":"T1"},
        "authed_user":{"id":"U1","access_token":"xoxp","token_type":"user","scope":"chat:write"}}"#;
    let rules = ResponseRules::lenient().token_at("/authed_user").unwrap();
    let user = by(&rules, slack).ok().unwrap();
    assert_eq!(user.access_token.expose(), "xoxp");
    assert_eq!(user.refresh_token, None, "that one is the bot's");
    assert_eq!(user.extra.get("id"), Some(&Value::from("U1")));
    assert_eq!(user.extra.get("team"), Some(&serde_json::json!({"id": "T1"})));
    assert_eq!(user.extra.get("access_token"), Some(&Value::from("xoxb")), "what stands around it is kept");
    for other in [
        r#"{"ok":true,"access_token":"xoxb","authed_usex":{"access_token":"xoxp"}}"#,
        r#"{"ok":true,"access_token":"xoxb","authed_user":null}"#,
        r#"{"ok":true,"access_token":"xoxb","authed_user":{"id":"U1"}}"#,
        r#"{"ok":true,"access_token":"xoxb","authed_user":"xoxp"}"#,
    ] {
        assert_eq!(
            by(&rules, other).err().map(|error| error.kind()),
            Some(ErrorKind::UnusableResponse),
            "{other}"
        );
    }
    assert_eq!(by(&ResponseRules::lenient(), slack).ok().unwrap().access_token.expose(), "xoxb");
    // Deeper, and with names that have to be escaped.
    let deep = ResponseRules::lenient().token_at("/a~1b/0").unwrap();
    assert_eq!(by(&deep, r#"{"a/b":[{"access_token":"a"}]}"#).ok().unwrap().access_token.expose(), "a");
}

#[test]
fn an_error_around_or_inside_a_nested_token_is_found() {
    let rules = ResponseRules::lenient().token_at("/data").unwrap();
    for (body, code) in [
        (r#"{"data":{"error_code":10007,"description":"expired"},"message":"error"}"#, "10007"),
        (r#"{"code":40105,"message":"expired","request_id":"r","data":{}}"#, "40105"),
        (r#"{"code":40105,"message":"expired"}"#, "40105"),
        (r#"{"error":"x","data":{"access_token":"a"}}"#, "x"),
    ] {
        let error = by(&rules, body).err().unwrap();
        assert_eq!(error.server().map(ServerError::code), Some(code), "{body}");
    }
    let good = by(&rules, r#"{"code":0,"message":"OK","data":{"access_token":"a"}}"#).ok().unwrap();
    assert_eq!(good.access_token.expose(), "a");
}

#[test]
fn answers_to_refreshes_may_have_the_token_elsewhere() {
    let rules = ResponseRules::lenient().token_at("/authed_user").unwrap().refreshed_token_at("").unwrap();
    let body = br#"{"ok":true,"access_token":"xoxe","refresh_token":"next"}"#;
    let read = |purpose| read_by(&rules, purpose, 200, &HeaderMap::new(), body, &[]);
    assert_eq!(read(Purpose::Refresh).ok().unwrap().access_token.expose(), "xoxe");
    assert!(read(Purpose::Grant).is_err());
}

#[test]
fn what_is_no_json_pointer_is_refused() {
    for pointer in ["data", "data/", "~", "/a~2", "/a~"] {
        let error = ResponseRules::lenient().token_at(pointer).unwrap_err();
        assert!(error.to_string().contains("JSON pointer"), "{error}");
    }
    for pointer in ["", "/", "/a~0b~1c/0"] {
        assert!(ResponseRules::lenient().token_at(pointer).is_ok(), "{pointer}");
    }
}

#[test]
fn a_field_with_another_name_is_read_under_that_name_alone() {
    let rules = ResponseRules::lenient()
        .name(TokenField::AccessToken, "user_token")
        .name(TokenField::ExpiresIn, "ttl")
        .name(TokenField::ExpiresIn, "life");
    let token =
        by(&rules, r#"{"user_token":"u","access_token":"a","life":"9","expires_in":1}"#).ok().unwrap();
    assert_eq!((token.access_token.expose(), token.expires_in), ("u", seconds(9)));
    assert_eq!(token.extra.get("access_token"), Some(&Value::from("a")));
    assert!(by(&rules, r#"{"access_token":"a"}"#).is_err());
}

#[test]
fn the_rules_for_values_are_kept() {
    let body = r#"{"access_token":"a","expires_in":0,"scope":"a b,c d","token_type":"user access token"}"#;
    let plain = by(&ResponseRules::lenient(), body).ok().unwrap();
    assert_eq!((plain.expires_in, plain.token_type.as_deref()), (seconds(0), Some("user access token")));
    let rules =
        ResponseRules::lenient().zero_is_no_end().scope_separator(',').bearer_type("User Access Token");
    let token = by(&rules, body).ok().unwrap();
    assert_eq!((token.expires_in, token.expires_at), (None, None));
    assert_eq!(token.scope, Some(vec!["a b".to_owned(), "c d".to_owned()]));
    assert_eq!(token.token_type.as_deref(), Some("Bearer"));
    assert_eq!(by(&rules, r#"{"access_token":"a","expires_in":-1}"#).ok().unwrap().expires_in, None);
    let rules = ResponseRules::lenient().lifetimes_in_milliseconds();
    let token =
        by(&rules, r#"{"access_token":"a","expires_in":3600000,"refresh_expires_in":"1500"}"#).ok().unwrap();
    assert_eq!(
        (token.expires_in, token.refresh_expires_in),
        (seconds(3600), Some(Duration::from_millis(1500)))
    );
}

#[test]
fn an_id_token_is_the_access_token_only_where_the_rules_say_so() {
    let body = r#"{"id_token":"i","token_type":"Bearer","id_token_expires_in":3600,"refresh_token":"r"}"#;
    let token = by(&ResponseRules::lenient().id_token_as_bearer(), body).ok().unwrap();
    assert_eq!((token.access_token.expose(), token.expires_in), ("i", seconds(3600)));
    assert!(token.fault.is_none());
    let both = by(&ResponseRules::lenient().id_token_as_bearer(), r#"{"id_token":"i","access_token":"a"}"#);
    assert_eq!(both.ok().unwrap().access_token.expose(), "a");
}

#[test]
fn an_access_token_that_is_exchanged_for_the_next_is_the_refresh_token_too() {
    let rules = ResponseRules::lenient().access_token_refreshes();
    assert_eq!(by(&rules, r#"{"access_token":"a"}"#).ok().unwrap().refresh_token, Some(Secret::new("a")));
    let own = by(&rules, r#"{"access_token":"a","refresh_token":"r"}"#).ok().unwrap();
    assert_eq!(own.refresh_token, Some(Secret::new("r")));
}

#[test]
fn a_refusal_is_classified_by_code_description_status_and_grant() {
    let dead = r#"{"error":"invalid_request","error_description":"Value passed for the token was INVALID."}"#;
    let rules = ResponseRules::lenient()
        .reauthorize_on(ErrorPattern::new("invalid_request").description("token was invalid").status(400))
        .reauthorize_on(ErrorPattern::new("revoked"))
        .reauthorize_on(ErrorPattern::new("no_consent").at_any_grant())
        .transient_on(ErrorPattern::new("invalid_client").description("busy").at_any_grant());
    let kind = |status, body: &str| refused_refresh(&rules, status, body).kind();
    assert_eq!(kind(400, dead), ErrorKind::ReauthorizationRequired);
    assert_eq!(kind(401, dead), ErrorKind::Refused);
    assert_eq!(kind(400, r#"{"error":"invalid_request"}"#), ErrorKind::Refused);
    assert_eq!(kind(400, r#"{"error":"revoked"}"#), ErrorKind::ReauthorizationRequired);
    assert_eq!(kind(503, r#"{"error":"revoked"}"#), ErrorKind::Refused, "the server has other troubles");
    assert_eq!(kind(429, r#"{"error":"invalid_grant"}"#), ErrorKind::Refused);
    let busy = refused_refresh(&rules, 401, r#"{"error":"invalid_client","message":"too busy"}"#);
    assert!(busy.is_transient() && !busy.is_configuration());
    let login = |body: &str| by(&rules, body).err().unwrap().kind();
    assert_eq!(login(dead), ErrorKind::Refused, "a login that fails is no grant that ends");
    assert_eq!(login(r#"{"error":"invalid_grant"}"#), ErrorKind::Refused);
    assert_eq!(login(r#"{"error":"no_consent"}"#), ErrorKind::ReauthorizationRequired);
    for code in [
        "invalid_grant",
        "consent_required",
        "BAD_REFRESH_TOKEN",
        "refresh_token_not_found",
        "refresh_token_already_used",
    ] {
        let ended = refused_refresh(&ResponseRules::lenient(), 403, &format!(r#"{{"error":"{code}"}}"#));
        assert_eq!(ended.kind(), ErrorKind::ReauthorizationRequired, "{code}");
    }
}
