//! The examples in which somebody logs in, each as a program of its own, with Chromium as the browser and oidc-provider as the
//! server: the pages at which people log in and consent are its own.
//!
//! What there is to see is kept in `target/screenshots/`, on a phone and on a desktop, light and dark.

mod looks;
mod terminal;
mod web_application;

use std::sync::LazyLock;

use tower_oauth_peers::chromium::Chromium;
use tower_oauth_peers::oidc_provider::OidcProvider;

static PROVIDER: LazyLock<OidcProvider> = LazyLock::new(OidcProvider::start_with_pages);

/// Logs alice in at oidc-provider's page, which is there.
async fn log_in(browser: &Chromium) {
    browser.see("Sign-in").await;
    browser.write("login", "alice").await;
    browser.write("password", "any will do").await;
    browser.press("Sign-in").await;
}

/// Agrees to what oidc-provider's page says.
async fn consent(browser: &Chromium) {
    browser.see("Authorize").await;
    browser.press("Continue").await;
}

/// Takes oidc-provider's way out.
async fn refuse(browser: &Chromium) {
    browser.see("Authorize").await;
    browser.press("[ Cancel ]").await;
}
