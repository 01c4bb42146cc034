use super::*;
use crate::protocol::oauth2::form::form_decode;

fn form() -> Form {
    let mut form = Form::new("refresh_token");
    form.push_secret("refresh_token", &Secret::new("r&1"));
    form.push("scope", "a b");
    form.push("client_id", "id");
    form
}

fn bent(rules: &RequestRules, mut form: Form) -> Vec<(String, String)> {
    rules.bend(&mut form);
    form_decode(std::str::from_utf8(&form.encode()).unwrap()).collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn without_rules_a_request_is_that_of_the_rfc() {
    let encoded = RequestRules::new().encode(&form());
    assert_eq!(encoded.content_type, Some("application/x-www-form-urlencoded"));
    assert_eq!(encoded.body, "grant_type=refresh_token&refresh_token=r%261&scope=a+b&client_id=id");
    assert_eq!((encoded.query, RequestRules::new().method()), (None, Method::POST));
    let mut headers = HeaderMap::new();
    RequestRules::new().add_headers(&mut headers);
    assert_eq!(headers.len(), 1);
    assert_eq!(headers[ACCEPT], "application/json");
}

#[test]
fn parameters_are_added_left_out_and_renamed_for_all_grants_or_for_one() {
    let rules = RequestRules::new()
        .parameter("device", "7")
        .parameter("scope", "replaced here")
        .parameter_for("refresh_token", "only", "for refreshes")
        .parameter_for("client_credentials", "other", "x")
        .omit("refresh_token")
        .rename("client_id", "client_key")
        .rename("grant_type", "type")
        .scope_separator(",");
    assert_eq!(
        bent(&rules, form()),
        [
            pair("type", "refresh_token"),
            pair("client_key", "id"),
            pair("device", "7"),
            pair("scope", "replaced,here"),
            pair("only", "for refreshes"),
        ]
    );
    assert_eq!((rules.name_of("client_id"), rules.name_of("scope")), ("client_key", "scope"));
}

#[test]
fn json_holds_the_same_parameters_and_a_list_of_those_that_repeat() {
    let mut form = form();
    for resource in ["x", "y", "z"] {
        form.push("resource", resource);
    }
    let encoded = RequestRules::new().json().encode(&form);
    assert_eq!(encoded.content_type, Some("application/json"));
    let expected = serde_json::json!({
        "grant_type": "refresh_token",
        "refresh_token": "r&1",
        "scope": "a b",
        "client_id": "id",
        "resource": ["x", "y", "z"],
    });
    assert_eq!(serde_json::from_slice::<Value>(&encoded.body).unwrap(), expected);
}

#[test]
fn in_a_query_the_body_is_empty() {
    for (rules, method) in
        [(RequestRules::new().query(), Method::POST), (RequestRules::new().get(), Method::GET)]
    {
        let encoded = rules.encode(&form());
        assert_eq!((encoded.content_type, encoded.body), (None, Bytes::new()));
        assert_eq!(
            encoded.query.unwrap(),
            "grant_type=refresh_token&refresh_token=r%261&scope=a+b&client_id=id"
        );
        assert_eq!(rules.method(), method);
        assert!(rules.is_in_query());
    }
}

#[test]
fn headers_are_checked_and_those_that_follow_from_the_rest_are_refused() {
    for name in ["Authorization", "content-type", "Content-Length", "host", "Connection", "transfer-encoding"]
    {
        let error = RequestRules::new().header(name, "x").unwrap_err();
        assert!(error.to_string().contains("follows from"), "{name}: {error}");
    }
    for (name, value) in [("a b", "x"), ("", "x"), ("x-a", "line\r\nX-Forged: y"), ("x-a", "\u{0}")] {
        assert!(RequestRules::new().header(name, value).is_err(), "{name:?} {value:?}");
    }
    let rules = RequestRules::new()
        .header("x-key", "hush")
        .and_then(|rules| rules.user_agent("reader/1"))
        .and_then(|rules| rules.accept("application/vnd.test+json"))
        .unwrap();
    let mut headers = HeaderMap::new();
    rules.add_headers(&mut headers);
    assert_eq!(headers["x-key"], "hush");
    assert_eq!(headers[USER_AGENT], "reader/1");
    assert_eq!(headers[ACCEPT], "application/vnd.test+json");
}

#[test]
fn nothing_secret_is_shown() {
    let rules = RequestRules::new().header("x-key", "hush").unwrap().parameter("assertion", "hush");
    let (mut form, mut headers) = (form(), HeaderMap::new());
    form.push_secret("client_secret", &Secret::new("hush"));
    rules.add_headers(&mut headers);
    let shown = format!("{rules:?} {:?}", TokenRequest::new(&mut form, &mut headers));
    assert!(shown.contains("x-key") && shown.contains("assertion") && shown.contains("client_secret"));
    assert!(!shown.contains("hush") && !shown.contains("r&1"), "{shown}");
}

#[test]
fn a_hook_sees_and_edits_parameters_and_headers() {
    let (mut form, mut headers) = (form(), HeaderMap::new());
    let mut request = TokenRequest::new(&mut form, &mut headers);
    assert_eq!(request.parameter("refresh_token"), Some("r&1"));
    assert_eq!(request.names().collect::<Vec<_>>(), ["grant_type", "refresh_token", "scope", "client_id"]);
    request.set("scope", "c");
    request.remove("client_id");
    request.headers().insert("x-a", HeaderValue::from_static("b"));
    assert_eq!(form.encode(), "grant_type=refresh_token&refresh_token=r%261&scope=c");
    assert_eq!(headers["x-a"], "b");
}
