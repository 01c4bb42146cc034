//! Shops and payments.

use crate::error::ConfigError;
use crate::protocol::oauth2::placement::Placement;
use crate::provider::ClientAuthStyle;
use crate::provider::Provider;
use crate::provider::place::host;
use crate::provider::place::label;

/// eBay. Its `redirect_uri` is a name that eBay gives (RuName), and no URL.
pub fn ebay() -> Provider {
    ebay_at("https://auth.ebay.com/oauth2/authorize", "https://api.ebay.com/identity/v1/oauth2/token")
}

/// eBay's sandbox.
pub fn ebay_sandbox() -> Provider {
    ebay_at(
        "https://auth.sandbox.ebay.com/oauth2/authorize",
        "https://api.sandbox.ebay.com/identity/v1/oauth2/token",
    )
}

fn ebay_at(authorize: &'static str, token: &'static str) -> Provider {
    let types = ["User Access Token", "Application Access Token"];
    Provider::new("eBay", token)
        .authorize(authorize)
        .answers(|rules| types.into_iter().fold(rules, |rules, name| rules.bearer_type(name)))
        .seen_elsewhere("`token_type` is `User Access Token` or `Application Access Token`; Basic")
        .unchecked("`redirect_uri` is a RuName; renewals keep the refresh token, which lives for 18 months")
}

/// PayPal.
pub fn paypal() -> Provider {
    paypal_at("https://www.paypal.com/signin/authorize", "https://api-m.paypal.com/v1/oauth2/token")
}

/// PayPal's sandbox.
pub fn paypal_sandbox() -> Provider {
    paypal_at(
        "https://www.sandbox.paypal.com/signin/authorize",
        "https://api-m.sandbox.paypal.com/v1/oauth2/token",
    )
}

fn paypal_at(authorize: &'static str, token: &'static str) -> Provider {
    Provider::new("PayPal", token).authorize(authorize).seen_elsewhere("`expires_in` was seen as a text")
}

/// plentymarkets; `server` is the host of the shop.
///
/// # Errors
/// [`ConfigError::InvalidSetting`] when it is no host.
pub fn plentymarkets(server: &str) -> Result<Provider, ConfigError> {
    let base = format!("https://{}/rest/oauth", host("host", server)?);
    Ok(Provider::new("plentymarkets", format!("{base}/access_token"))
        .authorize(format!("{base}/authorize"))
        .post()
        .seen_elsewhere("names are in camel case")
        .unchecked("the addresses"))
}

/// Shopify; `shop` is the name before `.myshopify.com`. The `hmac` of the authorization response has to be checked by the
/// application.
///
/// # Errors
/// [`ConfigError::InvalidSetting`] when it is no label of a host.
pub fn shopify(shop: &str) -> Result<Provider, ConfigError> {
    let base = format!("https://{}.myshopify.com/admin/oauth", label("shop", shop)?);
    Ok(Provider::new("Shopify", format!("{base}/access_token"))
        .authorize(format!("{base}/authorize"))
        .post()
        .commas()
        .placed(Placement::fixed_header("x-shopify-access-token"))
        .reported("the answer has no `token_type`, and a renewal was seen without `expires_in`")
        .seen_elsewhere(
            "tokens end only if they were asked for with `expiring=1`, and refresh tokens rotate then",
        )
        .unchecked("APIs want the token in `X-Shopify-Access-Token`"))
}

/// Stripe Connect. Its token endpoint wants the secret key of the platform as a bearer token.
pub fn stripe() -> Provider {
    let mut stripe = Provider::new("Stripe", "https://connect.stripe.com/oauth/token")
        .authorize("https://connect.stripe.com/oauth/authorize")
        .seen_elsewhere("the secret key is a bearer token at the token endpoint");
    stripe.client_auth = ClientAuthStyle::Bearer;
    stripe
}
