//! The example `authorization_code`: a program in a terminal, whose loopback receiver the browser comes back to.

use tower_oauth_peers::chromium::Chromium;
use tower_oauth_peers::program::Program;

use crate::PROVIDER;
use crate::consent;
use crate::log_in;
use crate::looks::look_at;
use crate::looks::requests_to;
use crate::refuse;

/// Where a login begins, as the program says it.
struct Login {
    program: Program,
    url: String,
}

impl Login {
    /// Starts the example as a native client of oidc-provider.
    fn begin() -> Self {
        let (origin, token, api) = (PROVIDER.origin(), PROVIDER.token_endpoint(), PROVIDER.api());
        let authorize = format!("{origin}/auth");
        Self::begin_with(&[
            ("OAUTH2_CLIENT_ID", "native"),
            ("OAUTH2_AUTHORIZATION_URL", &authorize),
            ("OAUTH2_TOKEN_URL", &token),
            ("OAUTH2_SCOPE", "openid read"),
            ("OAUTH2_RESOURCE_URL", &api),
        ])
    }

    fn begin_with(settings: &[(&str, &str)]) -> Self {
        let mut program = Program::start("authorization_code", &["--browser"], settings);
        let url = program.wait_for(|line| line.trim().strip_prefix("http").map(|rest| format!("http{rest}")));
        Self { program, url }
    }

    /// The redirect URI, and the state, without which nothing is the answer to this login.
    fn answer_to(&self) -> (String, String) {
        let parameter = |name: &str| {
            let (_, query) = self.url.split_once('?').expect("a query");
            let value = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
            value.expect("a parameter").to_owned()
        };
        let redirect = parameter("redirect_uri").replace("%3A", ":").replace("%2F", "/");
        (redirect, parameter("state"))
    }

    /// The origin of the receiver.
    fn receiver(&self) -> String {
        self.answer_to().0.trim_end_matches("/callback").to_owned()
    }
}

#[tokio::test]
async fn the_user_logs_in_and_consents_and_the_program_has_its_token() {
    let login = Login::begin();
    let browser = Chromium::start().await;
    browser.open(&login.url).await;
    log_in(&browser).await;
    consent(&browser).await;

    browser.see("You are logged in").await;
    assert!(browser.text().await.contains("go back to the example"));
    assert_eq!(requests_to(&browser, &login.receiver()).await, ["Document /callback"]);
    let ended = login.program.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.said.contains("There is a token of type Bearer."), "{ended:?}");
    assert!(ended.said.contains("200 OK") && ended.said.contains(r#""sub":"alice""#), "{ended:?}");

    // The page stays when the program has ended.
    look_at(&browser, "receiver-success").await;
    browser.close().await;
}

#[tokio::test]
async fn the_user_does_not_consent_and_both_sides_are_told() {
    let login = Login::begin();
    let browser = Chromium::start().await;
    browser.open(&login.url).await;
    log_in(&browser).await;
    refuse(&browser).await;

    browser.see("Login cancelled").await;
    assert_eq!(requests_to(&browser, &login.receiver()).await, ["Document /callback"]);
    let ended = login.program.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.errors.contains("access_denied"), "{ended:?}");
    assert!(!ended.said.contains("token"), "{ended:?}");
    look_at(&browser, "receiver-denied").await;
    browser.close().await;
}

#[tokio::test]
async fn what_the_server_says_of_a_failure_is_text_for_the_browser_too() {
    let login = Login::begin();
    let (redirect, state) = login.answer_to();
    let browser = Chromium::start().await;
    let said = "<img src=/a onerror=alert(1)><script src=/b></script><b id=bold>bold</b>";
    // And a word that no line is long enough for.
    let said = format!("{said}{}", "x".repeat(100));
    let encoded: String = said.bytes().map(|byte| format!("%{byte:02X}")).collect();
    browser.open(&format!("{redirect}?error=server_error&error_description={encoded}&state={state}")).await;

    browser.see("The login failed").await;
    let text = browser.text().await;
    assert!(text.contains(&said), "{text}");
    assert_eq!(browser.evaluate("return document.querySelectorAll('#bold').length").await, 0);
    assert_eq!(requests_to(&browser, &login.receiver()).await, ["Document /callback"]);
    let ended = login.program.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.errors.contains("server_error"), "{ended:?}");
    look_at(&browser, "receiver-failure").await;
    browser.close().await;
}

#[tokio::test]
async fn an_answer_to_another_login_gets_a_page_and_the_right_one_is_still_waited_for() {
    let login = Login::begin();
    let (redirect, _) = login.answer_to();
    let browser = Chromium::start().await;
    browser.open(&format!("{redirect}?code=forged&state=forged")).await;
    browser.see("That is not the login that was begun").await;
    look_at(&browser, "receiver-other-login").await;

    browser.open(&login.url).await;
    log_in(&browser).await;
    consent(&browser).await;
    browser.see("You are logged in").await;
    let ended = login.program.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    browser.close().await;
}

#[tokio::test]
async fn without_settings_the_embedded_provider_has_pages_for_a_browser_too() {
    let login = Login::begin_with(&[]);
    let browser = Chromium::start().await;
    browser.open(&login.url).await;
    browser.see("Allow access?").await;
    look_at(&browser, "embedded-provider").await;
    browser.press("Approve").await;
    browser.see("You are logged in").await;
    assert!(browser.text().await.contains("go back to the example"));
    assert_eq!(login.program.end().code, Some(0));
    browser.close().await;
}
