//! The authorization endpoint (RFC 6749 §3.1), where the user is a machine that always approves, or somebody with a browser.

use std::time::SystemTime;

use http::Method;
use http::Response;
use http::StatusCode;

use crate::testing::answer;
use crate::testing::body::Body;
use crate::testing::builder::Settings;
use crate::testing::form::Parameters;
use crate::testing::incoming::Incoming;
use crate::testing::oauth1::escape;
use crate::testing::oauth2::tokens::Approval;
use crate::testing::oauth2::tokens::Challenge;
use crate::testing::page;
use crate::testing::provider::State;

/// Sends the browser back with a code, the state, and the issuer (RFC 9207). Any absolute redirect URI will do.
pub(in crate::testing) fn authorize(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
) -> Response<Body> {
    let encoded = if request.method == Method::POST { request.form_bytes() } else { request.query_bytes() };
    // Without a client and a redirect URI that can be trusted, nobody may be sent anywhere (RFC 6749 §4.1.2.1).
    let refuse = |why: &str| answer::text(StatusCode::BAD_REQUEST, format!("{why}\n"));
    let Ok(mut parameters) = Parameters::once(encoded) else {
        return refuse("A parameter occurs more than once.");
    };
    let decision = parameters.take("decision");
    let client = parameters.find("client_id").unwrap_or_default().to_owned();
    let Some(secret) = settings.clients.get(&client) else {
        return refuse("client_id is missing or unknown.");
    };
    // Kept until somebody decides, because the page sends everything again.
    let sent = parameters.clone();
    if let Some(request_uri) = parameters.find("request_uri") {
        match state.pushed.find(request_uri, &client, now) {
            Some(pushed) => parameters = pushed,
            None => return refuse("request_uri is unknown, of another client, used, or has expired."),
        }
    }
    let Some(redirect_uri) = parameters.find("redirect_uri").filter(|uri| is_absolute(uri)) else {
        return refuse("redirect_uri is missing or not an absolute URI without fragment.");
    };

    let outcome = check(&parameters, secret.is_none());
    let outcome = match (outcome, decision.as_deref()) {
        (Ok(_), None) if settings.login_page => return ask(&client, &parameters, &sent),
        (Ok(_), Some("deny")) => Err(("access_denied", "the user said no")),
        (outcome, _) => outcome,
    };
    if let Some(request_uri) = sent.find("request_uri") {
        state.pushed.spend(request_uri);
    }
    let is_implicit = parameters.find("response_type") == Some("token");
    let answer = match outcome {
        Ok(challenge) => {
            let scope = parameters.find("scope").unwrap_or_default().to_owned();
            let approval = Approval { client, user: Some(settings.approving_user()), scope };
            if is_implicit {
                let grant = state.tokens.issue_to_client(approval, settings.expiry(now));
                let lifetime = settings.access_token_lifetime.as_secs().to_string();
                let token_type = "Bearer".to_owned();
                vec![
                    ("access_token", grant.access_token),
                    ("token_type", token_type),
                    ("expires_in", lifetime),
                ]
            } else {
                let code = state.tokens.issue_code(approval, redirect_uri.to_owned(), challenge, now);
                vec![("code", code)]
            }
        }
        Err((error, description)) => {
            vec![("error", error.to_owned()), ("error_description", description.to_owned())]
        }
    };
    let echoed = parameters.find("state").map(|state| ("state", state.to_owned()));
    let issuer = request.issuer.clone().map(|issuer| ("iss", issuer));
    let answer = answer.into_iter().chain(echoed).chain(issuer);
    let answer: Vec<String> =
        answer.map(|(name, value)| format!("{name}={}", escape(value.as_bytes()))).collect();
    let separator = match redirect_uri.contains('?') {
        _ if is_implicit => '#',
        true => '&',
        false => '?',
    };
    answer::redirect(&format!("{redirect_uri}{separator}{}", answer.join("&")))
}

/// The page that asks the user. What the request said goes along, and comes back with the decision.
fn ask(client: &str, parameters: &Parameters, sent: &Parameters) -> Response<Body> {
    let scope = parameters.find("scope").unwrap_or("nothing in particular");
    let content = format!(
        "<p><b>{}</b> asks to act for you.</p><p>Scope: <b>{}</b></p>{}",
        page::html(client),
        page::html(scope),
        page::decision("/authorize", sent.pairs())
    );
    page::page(StatusCode::OK, "Allow access?", &content)
}

type Outcome = Result<Option<Challenge>, (&'static str, &'static str)>;

/// Whether the request is one that can be approved; the code challenge of it.
pub(super) fn check(parameters: &Parameters, is_public: bool) -> Outcome {
    match parameters.find("response_type") {
        Some("code") => {}
        Some("token") => return Ok(None),
        _ => return Err(("unsupported_response_type", "response_type has to be code or token")),
    }
    let challenge = parameters.find("code_challenge").map(str::to_owned);
    match (challenge, parameters.find("code_challenge_method")) {
        (None, None) if is_public => Err(("invalid_request", "a client without secret needs PKCE")),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(("invalid_request", "code_challenge is missing")),
        // The default of RFC 7636 §4.3.
        (Some(challenge), None | Some("plain")) => Ok(Some(Challenge::Plain(challenge))),
        (Some(challenge), Some("S256")) => Ok(Some(Challenge::S256(challenge))),
        (Some(_), Some(_)) => Err(("invalid_request", "code_challenge_method is neither S256 nor plain")),
    }
}

/// Whether a URI has a scheme, of an app for instance, and no fragment (RFC 6749 §3.1.2).
fn is_absolute(uri: &str) -> bool {
    let is_scheme_character = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
    !scheme.is_empty()
        && scheme.bytes().all(is_scheme_character)
        && uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}
