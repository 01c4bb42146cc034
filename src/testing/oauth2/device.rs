//! The device authorization endpoint (RFC 8628 §3.1), and where users enter the code.

use std::time::Duration;
use std::time::SystemTime;

use http::Method;
use http::Response;
use http::StatusCode;
use serde_json::json;

use crate::testing::answer;
use crate::testing::body::Body;
use crate::testing::bounded::Bounded;
use crate::testing::builder::Settings;
use crate::testing::form::Parameters;
use crate::testing::incoming::Incoming;
use crate::testing::oauth1::escape;
use crate::testing::oauth2::client_auth::TokenError;
use crate::testing::oauth2::client_auth::authenticate;
use crate::testing::oauth2::token::form;
use crate::testing::oauth2::tokens::Approval;
use crate::testing::oauth2::tokens::after;
use crate::testing::oauth2::tokens::random;
use crate::testing::page;
use crate::testing::provider::State;

/// Devices that are remembered.
const REMEMBERED: usize = 10_000;
/// How long the codes are good.
const LIFETIME: Duration = Duration::from_secs(600);
/// Without vowels and look-alikes (RFC 8628 §6.1).
const ALPHABET: [u8; 20] = *b"BCDFGHJKLMNPQRSTVWXZ";

/// Devices that wait, by their device code.
pub(in crate::testing) struct Devices {
    waiting: Bounded<String, Device>,
    /// Device codes by user code.
    by_user_code: Bounded<String, String>,
}

struct Device {
    client: String,
    scope: String,
    expires_at: SystemTime,
    decision: Option<bool>,
    spent: bool,
}

impl Default for Devices {
    fn default() -> Self {
        Self { waiting: Bounded::new(REMEMBERED), by_user_code: Bounded::new(REMEMBERED) }
    }
}

impl Devices {
    /// What the user decides; `false` when the code is unknown.
    pub(in crate::testing) fn decide(&mut self, user_code: &str, approve: bool) -> bool {
        let Some(device_code) = self.by_user_code.get(&normal(user_code)) else { return false };
        let device = self.waiting.get_mut(device_code);
        device.map(|device| device.decision = Some(approve)).is_some()
    }

    /// The answer to a device that asks (RFC 8628 §3.5): what was approved, once.
    pub(super) fn ask(
        &mut self,
        device_code: &str,
        client: &str,
        user: String,
        now: SystemTime,
    ) -> Result<Approval, TokenError> {
        let refuse = |code, description: &str| Err(TokenError::new(code, description));
        let Some(device) = self.waiting.get_mut(device_code).filter(|device| device.client == client) else {
            return refuse("invalid_grant", "the device code is unknown, or of another client");
        };
        if device.spent {
            return refuse("invalid_grant", "the device code was used before");
        }
        if device.expires_at <= now {
            return refuse("expired_token", "the device code has expired");
        }
        match device.decision {
            None => refuse("authorization_pending", "the user has not decided yet"),
            Some(false) => refuse("access_denied", "the user said no"),
            Some(true) => {
                device.spent = true;
                let scope = device.scope.clone();
                Ok(Approval { client: client.to_owned(), user: Some(user), scope })
            }
        }
    }
}

/// Gives out the codes.
pub(in crate::testing) fn device_authorization(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
) -> Response<Body> {
    match try_authorize(settings, state, now, request) {
        Ok(response) => response,
        Err(error) => {
            if error.code == "invalid_client" {
                state.stats.invalid_clients += 1;
            }
            error.into_response()
        }
    }
}

fn try_authorize(
    settings: &Settings,
    state: &mut State,
    now: SystemTime,
    request: &Incoming,
) -> Result<Response<Body>, TokenError> {
    let form = form(request)?;
    let client = authenticate(settings, &request.headers, &form)?;
    let (device_code, user_code) = (random("device"), user_code());
    let device = Device {
        client: client.id,
        scope: form.find("scope").unwrap_or_default().to_owned(),
        expires_at: after(now, LIFETIME),
        decision: None,
        spent: false,
    };
    state.devices.waiting.insert(device_code.clone(), device);
    state.devices.by_user_code.insert(normal(&user_code), device_code.clone());
    let verification_uri = format!("{}/device", request.origin());
    let answer = json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": verification_uri,
        "verification_uri_complete": format!("{verification_uri}?user_code={}", escape(user_code.as_bytes())),
        "expires_in": LIFETIME.as_secs(),
        "interval": settings.device_interval.as_secs(),
    });
    Ok(answer::json(StatusCode::OK, &answer))
}

/// Where the user enters the code: `user_code`, and `decision`, which is `approve` or `deny`.
pub(in crate::testing) fn device(state: &mut State, request: &Incoming) -> Response<Body> {
    let encoded = if request.method == Method::POST { request.form_bytes() } else { request.query_bytes() };
    let Ok(parameters) = Parameters::once(encoded) else {
        return page::page(
            StatusCode::BAD_REQUEST,
            "That went wrong",
            "<p>A parameter occurs more than once.</p>",
        );
    };
    let Some(user_code) = parameters.find("user_code") else {
        let form = "<form action=\"/device\"><label for=\"code\">The code that your device shows</label>\
             <input id=\"code\" name=\"user_code\" autocomplete=\"off\" required autofocus><button>Next</button></form>";
        return page::page(StatusCode::OK, "Connect a device", form);
    };
    // A link must not decide anything.
    let decision = parameters.find("decision").filter(|_| request.method == Method::POST);
    let Some(decision) = decision else {
        let content = format!(
            "<p>Does your device show <b>{}</b>?</p>{}",
            page::html(user_code),
            page::decision("/device", &[("user_code".to_owned(), user_code.to_owned())])
        );
        return page::page(StatusCode::OK, "Connect this device?", &content);
    };
    if !state.devices.decide(user_code, decision == "approve") {
        return page::page(StatusCode::NOT_FOUND, "Unknown code", "<p>Look at your device again.</p>");
    }
    page::page(StatusCode::OK, "Done", "<p>Go back to your device.</p>")
}

/// Eight letters with a dash in the middle.
fn user_code() -> String {
    let mut bits: u128 = rand::random();
    let mut letters = std::iter::repeat_with(move || {
        let letter = bits % 20;
        bits /= 20;
        char::from(usize::try_from(letter).ok().and_then(|at| ALPHABET.get(at)).copied().unwrap_or(b'B'))
    });
    let half = |letters: &mut dyn Iterator<Item = char>| letters.take(4).collect::<String>();
    let first = half(&mut letters);
    format!("{first}-{}", half(&mut letters))
}

/// A user code without what users add or leave out (RFC 8628 §6.1).
fn normal(user_code: &str) -> String {
    user_code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).collect()
}
