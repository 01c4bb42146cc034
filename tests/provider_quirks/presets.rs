//! The presets as data: addresses that can be used, honest marks, and parts of addresses that cannot be abused.

use std::collections::BTreeSet;

use http::Uri;
use tower_oauth::ConfigError;
use tower_oauth::provider;
use tower_oauth::provider::Evidence;
use tower_oauth::provider::Pkce;
use tower_oauth::provider::Provider;
#[cfg(feature = "oauth1")]
use tower_oauth::provider::oauth1;

use crate::CLIENT_ID;
use crate::Played;

/// One of each.
fn all() -> Vec<Provider> {
    let fixed = [
        provider::apple(),
        provider::atlassian(),
        provider::bitbucket(),
        provider::discord(),
        provider::docusign(),
        provider::docusign_demo(),
        provider::douban(),
        provider::dropbox(),
        provider::ebay(),
        provider::ebay_sandbox(),
        provider::epic_games(),
        provider::facebook(),
        provider::figma(),
        provider::fitbit(),
        provider::github(),
        provider::google(),
        provider::hubspot(),
        provider::instagram(),
        provider::linkedin(),
        provider::mailchimp(),
        provider::notion(),
        provider::paypal(),
        provider::paypal_sandbox(),
        provider::quickbooks(),
        provider::reddit(),
        provider::slack(),
        provider::slack_user(),
        provider::spotify(),
        provider::stack_overflow(),
        provider::strava(),
        provider::stripe(),
        provider::tiktok(),
        provider::tiktok_business(),
        provider::twitch(),
        provider::wechat(),
        provider::weibo(),
        provider::x(),
        provider::xero(),
        provider::zoom(),
        provider::zoom_account("account"),
    ];
    let placed = [
        provider::amazon("na"),
        provider::auth0("example.eu.auth0.com"),
        provider::azure_b2c("contoso", "B2C_1_signin"),
        provider::cognito("example.auth.eu-west-1.amazoncognito.com"),
        provider::gitlab("gitlab.com"),
        provider::keycloak("http://localhost:8080", "main"),
        provider::microsoft("9188040d-6c67-4c5b-b112-36a304b66dad"),
        provider::okta("example.okta.com"),
        provider::okta_server("example.okta.com", "default"),
        provider::plentymarkets("shop.example.com"),
        provider::salesforce("login.salesforce.com"),
        provider::shopify("my-shop"),
        provider::supabase("abcdefghijklmnopqrst"),
        provider::zoho("us"),
    ];
    fixed.into_iter().chain(placed.into_iter().map(Result::unwrap)).collect()
}

#[test]
fn every_preset_builds_a_token_endpoint_and_has_sound_addresses() {
    for provider in all() {
        provider.token_endpoint(CLIENT_ID, "secret", Played::new()).unwrap();
        provider.public_token_endpoint(CLIENT_ID, Played::new()).unwrap();
        provider.placement(CLIENT_ID).unwrap();
        let urls = [
            Some(&provider.token_url),
            provider.authorization_url.as_ref(),
            provider.refresh_url.as_ref(),
            provider.device_authorization_url.as_ref(),
            provider.revocation_url.as_ref(),
            provider.issuer.as_ref(),
        ];
        for url in urls.into_iter().flatten() {
            let uri: Uri = url.parse().unwrap_or_else(|_| panic!("{url}"));
            let is_local = uri.host() == Some("localhost");
            assert!(uri.scheme_str() == Some("https") || is_local, "{url}");
        }
    }
}

#[test]
fn every_preset_says_how_it_is_known_and_is_checked_only_if_all_of_it_was_read_in_the_documentation() {
    for provider in all() {
        assert!(!provider.notes.is_empty(), "{}", provider.name);
        let is_documented = provider.notes.iter().all(|note| note.evidence == Evidence::Documentation);
        assert_eq!(provider.is_checked(), is_documented, "{}", provider.name);
    }
    let checked: BTreeSet<_> = all().iter().map(Provider::is_checked).collect();
    assert_eq!(checked.len(), 2, "some are checked, and some are not");
    assert!(!Provider::new("mine", "https://auth.test/token").is_checked());
}

type Attempt = fn(&str) -> Result<Provider, ConfigError>;

#[test]
fn a_part_of_an_address_cannot_lead_elsewhere() {
    let attempts: [Attempt; 11] = [
        |text| provider::amazon(text),
        |text| provider::auth0(text),
        |text| provider::azure_b2c(text, "policy"),
        |text| provider::azure_b2c("contoso", text),
        |text| provider::cognito(text),
        |text| provider::gitlab(text),
        |text| provider::keycloak("https://sso.test", text),
        |text| provider::microsoft(text),
        |text| provider::okta_server("example.okta.com", text),
        |text| provider::shopify(text),
        |text| provider::zoho(text),
    ];
    for attempt in attempts {
        for text in
            ["", "evil.test/", "evil.test#", "a@evil.test", "a b", "..", "a?b", "a\\b", "%2e%2e", "a:b@c"]
        {
            assert!(attempt(text).is_err(), "{text:?}");
        }
    }
    assert!(matches!(provider::keycloak("sso.test", "main"), Err(ConfigError::InvalidEndpoint { .. })));
}

/// The parameters of the URL to which a preset sends users.
fn login_of(provider: &Provider) -> std::collections::BTreeMap<String, String> {
    let endpoint = provider.token_endpoint(CLIENT_ID, "secret", Played::new()).unwrap();
    let login = provider.authorization_code(endpoint).unwrap();
    let (url, _) =
        login.redirect_uri("https://app.test/callback").scope("one two").request().build().unwrap();
    crate::form(url.split_once('?').unwrap().1)
}

#[test]
fn a_login_is_set_up_as_the_provider_wants_it() {
    for provider in all().iter().filter(|provider| provider.authorization_url.is_some()) {
        let login = login_of(provider);
        assert_eq!(login.contains_key("code_challenge"), provider.pkce != Pkce::Refused, "{}", provider.name);
        assert!(login.contains_key("state"), "{}", provider.name);
        for (name, value) in &provider.authorization_parameters {
            assert_eq!(login.get(&**name).map(String::as_str), Some(&**value), "{}", provider.name);
        }
    }
    assert_eq!(login_of(&provider::apple())["response_mode"], "form_post");
    let google = login_of(&provider::google());
    assert_eq!((&*google["access_type"], &*google["scope"]), ("offline", "one two"));
    let slack = login_of(&provider::slack_user());
    assert_eq!((&*slack["user_scope"], slack.get("scope")), ("one,two", None));
    let tiktok = login_of(&provider::tiktok());
    assert_eq!((&*tiktok["client_key"], tiktok.get("client_id")), (CLIENT_ID, None));
    let supabase = provider::supabase("abcdefghijklmnopqrst").unwrap();
    let endpoint = supabase.token_endpoint(CLIENT_ID, "secret", Played::new()).unwrap();
    assert!(matches!(supabase.authorization_code(endpoint), Err(ConfigError::MissingEndpoint { .. })));
}

#[test]
fn a_url_that_was_changed_to_nonsense_is_found_when_the_endpoint_is_built() {
    let mut github = provider::github();
    github.token_url = "github.com/token".into();
    let error = github.token_endpoint(CLIENT_ID, "secret", Played::new()).unwrap_err();
    assert!(matches!(error, ConfigError::InvalidEndpoint { .. }));
}

#[test]
fn no_debug_of_a_preset_shows_a_secret() {
    let shown = format!("{:?}", provider::zoom_account("hush-account"));
    assert!(!shown.contains("hush"), "{shown}");
}

#[cfg(feature = "oauth1")]
#[test]
fn providers_of_oauth_1_have_three_sound_addresses() {
    for provider in [oauth1::bitbucket(), oauth1::tumblr(), oauth1::x()] {
        let endpoints = tower_oauth::oauth1::flow::Endpoints::new(
            provider.request_token_url,
            provider.authorization_url,
            provider.access_token_url,
        );
        assert!(endpoints.is_ok() && !provider.notes.is_empty(), "{}", provider.name);
        assert!(!provider.is_checked());
    }
}
