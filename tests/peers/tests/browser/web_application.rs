//! The example `web_login`: an application on the web, from login to logout.

use fantoccini::cookies::Cookie;
use http::Method;
use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::json;
use tower_oauth_peers::chromium::Chromium;
use tower_oauth_peers::http_client::send_bare;
use tower_oauth_peers::program::Program;

use crate::PROVIDER;
use crate::consent;
use crate::log_in;
use crate::looks::look_at;
use crate::refuse;

/// Starts the example on a free port, as a client of oidc-provider. Its tokens are opaque, so that they can be revoked.
fn start() -> (Program, String) {
    let at = |path: &str| format!("{}{path}", PROVIDER.origin());
    let settings = [
        ("PORT", "0".to_owned()),
        ("OAUTH2_CLIENT_ID", "web-login".to_owned()),
        ("OAUTH2_CLIENT_SECRET", "web-login-secret".to_owned()),
        ("OAUTH2_AUTHORIZATION_URL", at("/auth")),
        ("OAUTH2_TOKEN_URL", at("/token")),
        ("OAUTH2_PROFILE_URL", at("/api/profile")),
        ("OAUTH2_INTROSPECTION_URL", at("/token/introspection")),
        ("OAUTH2_REVOCATION_URL", at("/token/revocation")),
        ("OAUTH2_SCOPE", "openid read".to_owned()),
        ("OAUTH2_RESOURCE", "urn:opaque".to_owned()),
    ];
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut program = Program::start("web_login", &[], &settings);
    let origin =
        program.wait_for(|line| line.split(' ').find(|word| word.starts_with("http://")).map(str::to_owned));
    (program, origin)
}

/// Finds what the page says of `jti`.
const TOKEN: &str = "return [...document.querySelectorAll('dt')].find((name) => name.textContent === 'jti')\
    .nextElementSibling.textContent";

async fn session(browser: &Chromium) -> Option<Cookie<'static>> {
    let cookies = browser.client.get_all_cookies().await.expect("cookies");
    cookies.into_iter().find(|cookie| cookie.name() == "session")
}

#[tokio::test]
async fn a_user_goes_from_login_to_logout() {
    let (_program, origin) = start();
    let browser = Chromium::start().await;
    browser.open(&origin).await;
    browser.see("Welcome").await;
    look_at(&browser, "web-login-welcome").await;
    assert!(session(&browser).await.is_none(), "there is nothing to remember yet");

    browser.press("Log in").await;
    browser.see("Sign-in").await;
    let begun = session(&browser).await.expect("a session for the login");
    log_in(&browser).await;
    consent(&browser).await;
    browser.see("Profile").await;
    assert!(browser.text().await.contains("alice"), "{}", browser.text().await);
    look_at(&browser, "web-login-profile").await;
    // Neither the code nor anything else of the login is in the URL.
    assert_eq!(browser.client.current_url().await.unwrap().as_str(), format!("{origin}/profile"));

    let cookie = session(&browser).await.expect("a session");
    assert_ne!(cookie.value(), begun.value(), "whoever knew the session before does not know it now");
    assert_is_safe(&browser, &cookie).await;

    browser.open(&origin).await;
    browser.see("Menu").await;
    look_at(&browser, "web-login-menu").await;
    browser.press("Refresh by itself").await;
    browser.see("Refreshed by itself").await;
    assert!(browser.text().await.contains("alice"));
    look_at(&browser, "web-login-refreshed").await;
    browser.press("Refresh by hand").await;
    browser.see("Refreshed by hand").await;
    browser.press("Validate").await;
    browser.see("Validate").await;
    assert!(browser.text().await.contains("true"), "{}", browser.text().await);
    assert_eq!(session(&browser).await.as_ref().map(Cookie::value), Some(cookie.value()));

    // The API of this provider says of an opaque token what it is called there, which is the token itself.
    browser.press("Profile").await;
    browser.see("Profile").await;
    let token = browser.evaluate(TOKEN).await.as_str().expect("a token").to_owned();
    assert_ne!(cookie.value(), token);
    assert_eq!(status_at_api(&token).await, StatusCode::OK);

    let revoked = PROVIDER.hits("grant revoked").await;
    browser.press("Log out").await;
    browser.see("Goodbye").await;
    look_at(&browser, "web-login-goodbye").await;
    assert_eq!(PROVIDER.hits("grant revoked").await, revoked + 1, "the provider has ended the login as well");
    assert_eq!(status_at_api(&token).await, StatusCode::UNAUTHORIZED, "and the token with it");
    assert!(session(&browser).await.is_none(), "the cookie is gone");

    // Nor is it of any use to somebody who kept it.
    let kept = json!({ "name": "session", "value": cookie.value(), "url": origin, "httpOnly": true });
    assert_eq!(browser.command("Network.setCookie", kept).await["success"], true);
    browser.open(&format!("{origin}/profile")).await;
    browser.see("Welcome").await;

    // oidc-provider knows alice still, but what she had consented to was revoked.
    browser.press("Log in").await;
    consent(&browser).await;
    browser.see("Profile").await;
    browser.close().await;
}

/// The cookie is out of reach for scripts and other sites, and is nothing that opens any other door.
async fn assert_is_safe(browser: &Chromium, cookie: &Cookie<'_>) {
    assert_eq!(cookie.http_only(), Some(true), "{cookie:?}");
    assert_eq!(cookie.same_site().map(|same_site| same_site.is_lax()), Some(true), "{cookie:?}");
    assert_eq!(browser.evaluate("return document.cookie").await, "");
    assert_eq!(browser.evaluate("return localStorage.length + sessionStorage.length").await, 0);
    assert_eq!(status_at_api(cookie.value()).await, StatusCode::UNAUTHORIZED, "the cookie is no token");
}

async fn status_at_api(token: &str) -> StatusCode {
    let bearer = format!("Bearer {token}");
    send_bare(Method::GET, &PROVIDER.api(), &[(AUTHORIZATION.as_str(), &bearer)], "").await.status
}

#[tokio::test]
async fn a_user_who_does_not_consent_comes_back_to_a_page_that_says_so() {
    let (_program, origin) = start();
    let browser = Chromium::start().await;
    // At once,
    browser.open(&format!("{origin}/login")).await;
    browser.see("Sign-in").await;
    browser.press("[ Cancel ]").await;
    browser.see("Login cancelled").await;
    look_at(&browser, "web-login-denied").await;
    // or on second thoughts.
    browser.press("Log in").await;
    log_in(&browser).await;
    refuse(&browser).await;
    browser.see("Login cancelled").await;

    // Nobody is logged in by that.
    browser.open(&format!("{origin}/profile")).await;
    browser.see("Welcome").await;
    browser.close().await;
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_logs_nobody_in() {
    let (_program, origin) = start();
    let browser = Chromium::start().await;
    browser.open(&format!("{origin}/callback?code=forged&state=forged")).await;
    browser.see("That was unexpected").await;
    look_at(&browser, "web-login-unexpected").await;
    browser.open(&format!("{origin}/profile")).await;
    browser.see("Welcome").await;
    browser.close().await;
}

#[tokio::test]
async fn without_settings_it_has_the_embedded_provider() {
    let mut program = Program::start("web_login", &[], &[("PORT", "0")]);
    let origin = program.wait_for(|line| {
        let word = line.split(' ').find(|word| word.starts_with("http://"));
        word.map(str::to_owned)
    });
    let browser = Chromium::start().await;
    browser.open(&origin).await;
    browser.press("Log in").await;
    browser.see("Allow access?").await;
    browser.press("Approve").await;
    browser.see("Profile").await;
    assert!(browser.text().await.contains("test-user"));
    browser.press("Log out").await;
    browser.see("Goodbye").await;
    browser.close().await;
}
