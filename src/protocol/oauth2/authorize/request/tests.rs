use serde_json::json;

use super::*;

fn request(endpoint: &str) -> AuthorizationRequest {
    AuthorizationRequest::new(endpoint, true, "s6BhdRkqt3", ResponseType::Code).unwrap()
}

/// The parameters of a URL, decoded.
fn parameters(url: &str) -> Vec<(String, String)> {
    form_decode(url.split_once('?').unwrap().1).collect()
}

fn value(url: &str, name: &str) -> Option<String> {
    let mut found = parameters(url).into_iter().filter(|(known, _)| known == name);
    let value = found.next().map(|(_, value)| value);
    assert!(found.next().is_none(), "{name} is there twice in {url}");
    value
}

fn built(request: AuthorizationRequest) -> String {
    request.build().unwrap().0
}

#[test]
fn the_request_of_rfc_6749_4_1_1_with_the_challenge_of_rfc_7636() {
    let request = request("https://server.example.com/authorize")
        .redirect_uri("https://client.example.com/cb")
        .scope("a b")
        .scope("b c")
        .state("xyz");
    let (url, pending) = request.build().unwrap();
    let challenge = CodeChallengeMethod::S256.challenge(pending.code_verifier.as_ref().unwrap());
    assert_eq!(
        url,
        format!(
            "https://server.example.com/authorize?response_type=code&client_id=s6BhdRkqt3\
             &redirect_uri=https%3A%2F%2Fclient.example.com%2Fcb&scope=a+b+c&state=xyz\
             &code_challenge={challenge}&code_challenge_method=S256"
        )
    );
    assert_eq!(pending.state().expose(), "xyz");
    assert_eq!(pending.redirect_uri(), Some("https://client.example.com/cb"));
}

#[test]
fn each_request_has_a_state_and_a_verifier_of_its_own() {
    let request = request("https://server.example.com/authorize");
    let (one, first) = request.clone().build().unwrap();
    let (other, second) = request.clone().state("").build().unwrap();
    assert_ne!(first.state(), second.state());
    assert_ne!(first.code_verifier, second.code_verifier);
    assert_eq!(value(&one, "state").as_deref(), Some(first.state().expose()));
    assert_eq!(value(&other, "state").as_deref(), Some(second.state().expose()));
}

#[test]
fn plain_sends_the_verifier_itself_and_no_pkce_sends_nothing() {
    let mut plain = request("https://server.example.com/authorize");
    plain.code_challenge_method(Some(CodeChallengeMethod::Plain));
    let (url, pending) = plain.build().unwrap();
    let verifier = pending.code_verifier.as_ref().unwrap();
    assert_eq!(value(&url, "code_challenge").as_deref(), Some(verifier.expose()));
    assert_eq!(value(&url, "code_challenge_method").as_deref(), Some("plain"));

    let mut without = request("https://server.example.com/authorize");
    without.code_challenge_method(None);
    let (url, pending) = without.build().unwrap();
    assert!(!url.contains("code_challenge") && pending.code_verifier.is_none());
}

#[test]
fn a_redirect_uri_is_any_text() {
    let url = built(request("https://auth.ebay.com/oauth2/authorize").redirect_uri("Me-MeApp-PRD-123 4"));
    assert_eq!(value(&url, "redirect_uri").as_deref(), Some("Me-MeApp-PRD-123 4"));
}

#[test]
fn resources_repeat_and_details_are_json() {
    let details = json!([{ "type": "payment", "amount": "1 €" }]);
    let request = request("https://server.example.com/authorize")
        .resource("https://cal.example.com/")
        .resource("https://contacts.example.com/")
        .authorization_details(&details)
        .unwrap();
    let url = built(request);
    let resources =
        parameters(&url).into_iter().filter(|(name, _)| name == "resource").map(|(_, value)| value);
    let resources: Vec<_> = resources.collect();
    assert_eq!(resources, ["https://cal.example.com/", "https://contacts.example.com/"]);
    let sent: Value = serde_json::from_str(&value(&url, "authorization_details").unwrap()).unwrap();
    assert_eq!(sent, details);
}

#[test]
fn details_that_are_none_are_refused() {
    for wrong in
        [json!({ "type": "payment" }), json!(["payment"]), json!([{ "typ": "payment" }]), json!("[]")]
    {
        let refused = request("https://server.example.com/authorize").authorization_details(&wrong);
        assert!(matches!(refused, Err(ConfigError::InvalidParameter { .. })), "{wrong}");
    }
}

#[test]
fn what_the_endpoint_says_already_stays_as_it_is_written() {
    let url =
        built(request("https://login.example.com/authorize?p=B2C_1%5fsign&b=%20&empty=&flag").state("s"));
    let start = "https://login.example.com/authorize?p=B2C_1%5fsign&b=%20&empty=&flag&response_type=code&";
    assert!(url.starts_with(start), "{url}");
}

#[test]
fn a_parameter_replaces_and_an_appended_one_does_not() {
    let endpoint = "https://login.example.com/authorize?prompt=none&hint=a";
    let url = built(
        request(endpoint).parameter("prompt", "login").unwrap().parameter("prompt", "consent").unwrap(),
    );
    assert_eq!(value(&url, "prompt").as_deref(), Some("consent"));
    assert_eq!(value(&url, "hint").as_deref(), Some("a"));

    let url = built(
        request(endpoint).append_parameter("hint", "b").unwrap().append_parameter("hint", "c").unwrap(),
    );
    let hints = parameters(&url).into_iter().filter(|(name, _)| name == "hint").map(|(_, value)| value);
    assert_eq!(hints.collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn parameters_of_the_protocol_cannot_be_set_twice() {
    for name in RESERVED {
        for refused in [
            request("https://server.example.com/authorize").parameter(name, "x"),
            request("https://server.example.com/authorize").append_parameter(name, "x"),
        ] {
            assert!(matches!(refused, Err(ConfigError::InvalidParameter { .. })), "{name}");
        }
        let endpoint = format!("https://server.example.com/authorize?tenant=1&{name}=x");
        let refused = AuthorizationRequest::new(&endpoint, true, "id", ResponseType::Code);
        let Err(ConfigError::InvalidEndpoint { endpoint, .. }) = refused else { panic!("{name}") };
        assert_eq!(endpoint, "https://server.example.com/authorize");
    }
    assert!(request("https://server.example.com/authorize").parameter("", "x").is_err());
}

#[test]
fn a_client_id_may_have_another_name() {
    let mut tiktok = request("https://www.tiktok.com/v2/auth/authorize/").scope("user.info.basic video.list");
    tiktok.client_id_name("client_key".into());
    tiktok.scope_separator(",".into());
    assert!(tiktok.clone().parameter("client_key", "x").is_err());
    let url = built(tiktok);
    assert_eq!(value(&url, "client_key").as_deref(), Some("s6BhdRkqt3"));
    assert_eq!(value(&url, "client_id"), None);
    assert_eq!(value(&url, "scope").as_deref(), Some("user.info.basic,video.list"));
}

#[test]
fn a_scope_may_have_another_name() {
    let mut slack = request("https://slack.com/oauth/v2/authorize").scope("identity.basic");
    slack.scope_name("user_scope".into());
    assert!(slack.clone().parameter("user_scope", "x").is_err());
    let url = built(slack.parameter("scope", "chat:write").unwrap());
    assert_eq!(value(&url, "user_scope").as_deref(), Some("identity.basic"));
    assert_eq!(value(&url, "scope").as_deref(), Some("chat:write"));
}

#[test]
fn an_endpoint_has_no_fragment_and_is_not_plain_http() {
    let refused = AuthorizationRequest::new("https://server.example.com/a#b", true, "id", ResponseType::Code);
    assert!(matches!(refused, Err(ConfigError::InvalidEndpoint { .. })));
    let request = AuthorizationRequest::new("http://server.example.com/a?b", false, "id", ResponseType::Code);
    let error = request.unwrap().build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InsecureScheme);
    assert_eq!(error.endpoint(), Some("http://server.example.com/a"));
}

#[test]
fn debug_shows_no_state() {
    let request =
        request("https://server.example.com/a?key=hush").state("hush").parameter("x", "hush").unwrap();
    assert!(!format!("{request:?}").contains("hush"));
}
