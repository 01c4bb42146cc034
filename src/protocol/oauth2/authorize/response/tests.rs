use super::*;
use crate::protocol::oauth2::authorize::AuthorizationRequest;

fn pending(mode: ResponseMode, issuer: Option<(&str, bool)>) -> PendingAuthorization {
    let response_type = match mode {
        ResponseMode::Fragment => ResponseType::Token,
        _ => ResponseType::Code,
    };
    let mut request =
        AuthorizationRequest::new("https://auth.test/", true, "id", response_type).unwrap().state("xyz");
    if let Some((issuer, is_required)) = issuer {
        request.issuer(issuer.into(), is_required);
    }
    request.response_mode(mode).build().unwrap().1
}

fn code(response: impl Into<AuthorizationResponse>) -> Result<String, Error> {
    let grant = pending(ResponseMode::Query, None).complete(response)?;
    Ok(grant.code().expose().to_owned())
}

fn kind(response: impl Into<AuthorizationResponse>) -> ErrorKind {
    code(response).unwrap_err().kind()
}

#[test]
fn a_code_is_read_from_a_url_a_path_and_a_query() {
    for response in [
        "https://app.test/cb?code=a%2Bb&state=xyz",
        " https://app.test/cb?code=a%2Bb&state=xyz#_=_\n",
        "com.example.app:/cb?state=xyz&code=a%2Bb",
        "/cb?state=xyz&code=a%2Bb&",
        "?state=xyz&code=a%2Bb",
        "state=xyz&code=a%2Bb",
        "state=xyz&x=why?&code=a%2Bb",
    ] {
        assert_eq!(code(response).unwrap(), "a+b", "{response}");
    }
    let uri: Uri = "/cb?state=xyz&code=a%2Bb".parse().unwrap();
    assert_eq!(code(&uri).unwrap(), "a+b");
    assert_eq!(code(AuthorizationResponse::from_query("?code=1&state=xyz")).unwrap(), "1");
}

#[test]
fn a_code_is_read_from_a_form_post() {
    let grant = pending(ResponseMode::FormPost, None)
        .complete(AuthorizationResponse::from_form("code=1&state=xyz&user=%7B%22name%22%3A1%7D"))
        .unwrap();
    assert_eq!(grant.code().expose(), "1");
    assert_eq!(grant.parameter("user"), Some(r#"{"name":1}"#));
}

#[test]
fn what_else_the_callback_says_is_kept() {
    let response =
        "/cb?code=1&state=xyz&realmId=123&accounts-server=https%3A%2F%2Faccounts.zoho.eu&tag=a&tag=b";
    let grant = pending(ResponseMode::Query, None).complete(response).unwrap();
    assert_eq!(grant.parameter("realmId"), Some("123"));
    assert_eq!(grant.parameter("accounts-server"), Some("https://accounts.zoho.eu"));
    assert_eq!(grant.parameters().filter(|(name, _)| *name == "tag").count(), 2);
    assert_eq!((grant.parameter("code"), grant.parameter("state")), (None, None));
}

#[test]
fn the_state_has_to_be_that_of_the_login() {
    assert_eq!(kind("/cb?code=1&state=xyZ"), ErrorKind::StateMismatch);
    assert_eq!(kind("/cb?code=1&state=xyz1"), ErrorKind::StateMismatch);
    assert_eq!(kind("/cb?code=1&state="), ErrorKind::StateMismatch);
    assert_eq!(kind("/cb?code=1"), ErrorKind::MissingState);
    assert_eq!(kind("/cb"), ErrorKind::MissingState);
    assert_eq!(kind(""), ErrorKind::MissingState);
}

#[test]
fn an_error_without_state_is_not_believed_but_told() {
    let error = code("/cb?error=invalid_request&error_description=no+such+client").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingState);
    assert_eq!(error.server().unwrap().code(), "invalid_request");
    // One with another state is somebody else's.
    let error = code("/cb?error=access_denied&state=abc").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StateMismatch);
    assert!(error.server().is_none());
}

#[test]
fn errors_are_typed() {
    let error =
        code("/cb?error=server_error&error_description=a%0Ab&error_uri=https%3A%2F%2Fe.test&state=xyz")
            .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.is_transient());
    let server = error.server().unwrap();
    assert_eq!(server.code(), "server_error");
    assert_eq!(server.error_description(), Some("a b"));
    assert_eq!(server.error_uri(), Some("https://e.test"));

    for denied in DENIED {
        let error = code(format!("/cb?error={denied}&state=xyz")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AuthorizationDenied);
        assert_eq!(error.server().unwrap().code(), denied);
    }
}

#[test]
fn a_parameter_that_is_there_twice_is_refused() {
    for name in KNOWN {
        let twice = format!("/cb?code=1&state=xyz&{name}=xyz&{name}=xyz");
        assert_eq!(kind(&twice), ErrorKind::InvalidAuthorizationResponse, "{name}");
    }
}

#[test]
fn an_answer_in_the_wrong_place_is_refused() {
    for wrong in ["/cb#code=1&state=xyz", "/cb?state=xyz#code=1", "/cb?code=1&state=xyz#access_token=1"] {
        assert_eq!(kind(wrong), ErrorKind::InvalidAuthorizationResponse, "{wrong}");
    }
    assert_eq!(
        kind(AuthorizationResponse::from_form("code=1&state=xyz")),
        ErrorKind::InvalidAuthorizationResponse
    );
    let error = pending(ResponseMode::Fragment, None)
        .complete_implicit(&"/cb?access_token=1&state=xyz".into())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidAuthorizationResponse);
    // But servers that cannot do what was asked for say so in the query.
    let error =
        pending(ResponseMode::FormPost, None).complete("/cb?error=invalid_request&state=xyz").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[test]
fn an_answer_without_a_code_is_refused() {
    for without in ["/cb?state=xyz", "/cb?state=xyz&code=", "/cb?state=xyz&access_token=1"] {
        assert_eq!(kind(without), ErrorKind::InvalidAuthorizationResponse, "{without}");
    }
}

#[test]
fn the_issuer_is_compared_when_it_is_named() {
    let complete = |expected: Option<(&str, bool)>, response: &str| {
        pending(ResponseMode::Query, expected).complete(response).map(drop).map_err(|error| error.kind())
    };
    let honest = "https://honest.as.example";
    let named = "/cb?code=1&state=xyz&iss=https%3A%2F%2Fhonest.as.example";
    let other = "/cb?code=1&state=xyz&iss=https%3A%2F%2Fhonest.as.example%2F";
    let none = "/cb?code=1&state=xyz";
    let mismatch = Err(ErrorKind::IssuerMismatch);
    assert_eq!(complete(Some((honest, true)), named), Ok(()));
    assert_eq!(complete(Some((honest, false)), none), Ok(()));
    assert_eq!(complete(Some((honest, true)), none), mismatch);
    // Simple comparison, without normalisation (RFC 9207 §2.4).
    assert_eq!(complete(Some((honest, false)), other), mismatch);
    assert_eq!(complete(None, other), Ok(()));
    let denied = "/cb?error=access_denied&state=xyz&iss=https%3A%2F%2Fattacker.example";
    assert_eq!(complete(Some((honest, false)), denied), mismatch);
}

#[test]
fn a_pending_login_survives_json_and_is_checked_when_it_is_read() {
    let kept = pending(ResponseMode::Query, Some(("https://auth.test", true)));
    let json = kept.to_json();
    assert_eq!(PendingAuthorization::from_json(json.expose()).unwrap(), kept);
    let verifier = kept.code_verifier.as_ref().unwrap().expose();
    assert!(json.expose().contains(verifier));
    assert!(!format!("{kept:?}").contains(verifier) && !format!("{kept:?}").contains("xyz"));

    let text = json.expose();
    for wrong in [
        "",
        "{}",
        &text.replace("\"version\":1", "\"version\":2"),
        &text.replace("pending_authorization", "token"),
        &text.replace("\"state\":\"xyz\"", "\"state\":\"\""),
        &text.replace("\"query\"", "\"cookie\""),
        &text.replace("\"code\"", "\"id_token\""),
    ] {
        let error = PendingAuthorization::from_json(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnreadableToken, "{wrong}");
        assert!(!error.to_string().contains("xyz"));
        assert!(serde_json::from_str::<PendingAuthorization>(wrong).is_err());
    }
}

#[test]
fn debug_shows_names_only() {
    let response = AuthorizationResponse::from("/cb?code=hush&state=hush#access_token=hush");
    assert!(!format!("{response:?}").contains("hush"));
    let grant = pending(ResponseMode::Query, None).complete("/cb?code=hush&state=xyz&id_token=hush").unwrap();
    assert!(!format!("{grant:?}").contains("hush"));
}
