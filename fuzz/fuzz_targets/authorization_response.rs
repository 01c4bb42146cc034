//! What a browser brings back, as a URL, a query, a fragment or a form of any bytes: it never panics, nothing is taken for an
//! answer to a login whose state it does not have, and no code is given out that was not in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_oauth::ErrorKind;
use tower_oauth::grant::AuthorizationResponse;
use tower_oauth::grant::Implicit;
use tower_oauth::grant::PendingAuthorization;
use tower_oauth::grant::ResponseMode;

const STATE: &str = "xyz";

/// A login that expects a code in one of three places, or a token in the fragment.
fn pending(place: u8, names_issuer: bool) -> PendingAuthorization {
    let (kind, mode) = match place % 4 {
        0 => ("code", "query"),
        1 => ("code", "fragment"),
        2 => ("code", "form_post"),
        _ => ("token", "fragment"),
    };
    let issuer = if names_issuer { r#","issuer":"https://a.test","requires_issuer":true"# } else { "" };
    let json = format!(
        r#"{{"version":1,"kind":"pending_authorization","state":"{STATE}","code_verifier":"v"{issuer},
            "response_type":"{kind}","response_mode":"{mode}"}}"#
    );
    PendingAuthorization::from_json(&json).expect("a login")
}

fuzz_target!(|data: (u8, bool, u8, &[u8])| {
    let (place, names_issuer, way, bytes) = data;
    let text = String::from_utf8_lossy(bytes);
    let response = match way % 4 {
        0 => AuthorizationResponse::from_url(&text),
        1 => AuthorizationResponse::from_query(&text),
        2 => AuthorizationResponse::from_fragment(&text),
        _ => AuthorizationResponse::from_form(bytes),
    };
    assert!(!format!("{response:?}").is_empty());
    let login = pending(place, names_issuer);
    let is_answer = login.is_answered_by(&response);
    let expects_token = login.response_mode() == ResponseMode::Fragment && place % 4 == 3;
    let outcome = if expects_token {
        let flow = Implicit::new("https://a.test/authorize", "id").expect("a URL");
        flow.token_from_fragment(login, response).map(|token| token.access_token().expose().to_owned())
    } else {
        login.complete(response).map(|grant| grant.code().expose().to_owned())
    };
    match outcome {
        Ok(credential) => {
            assert!(is_answer && !credential.is_empty());
        }
        Err(error) => {
            assert!(!error.to_string().is_empty() && error.kind() != ErrorKind::UnreadableToken);
            if !is_answer {
                let strangers = [
                    ErrorKind::MissingState,
                    ErrorKind::StateMismatch,
                    ErrorKind::InvalidAuthorizationResponse,
                ];
                assert!(strangers.contains(&error.kind()), "{error}");
            }
        }
    }
});
