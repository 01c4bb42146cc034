//! Identity platforms, and the accounts of large companies.

use std::time::Duration;

use crate::endpoint::RequestRules;
use crate::error::ConfigError;
use crate::protocol::oauth2::authorize::ResponseMode;
use crate::protocol::oauth2::placement::Placement;
use crate::provider::ClientAuthStyle;
use crate::provider::CompanionValue;
use crate::provider::Pkce;
use crate::provider::Provider;
use crate::provider::place::base;
use crate::provider::place::host;
use crate::provider::place::label;
use crate::provider::place::one_of;
use crate::provider::place::segment;

/// Login with Amazon, and the Selling Partner API; `region` is `na`, `eu` or `fe`.
///
/// # Errors
/// [`ConfigError::InvalidSetting`] for another region.
pub fn amazon(region: &str) -> Result<Provider, ConfigError> {
    let token = [
        ("na", "https://api.amazon.com/auth/o2/token"),
        ("eu", "https://api.amazon.co.uk/auth/o2/token"),
        ("fe", "https://api.amazon.co.jp/auth/o2/token"),
    ];
    let authorize = [
        ("na", "https://www.amazon.com/ap/oa"),
        ("eu", "https://eu.account.amazon.com/ap/oa"),
        ("fe", "https://apac.account.amazon.com/ap/oa"),
    ];
    Ok(Provider::new("Amazon", one_of("region", region, &token)?)
        .authorize(one_of("region", region, &authorize)?)
        .post()
        .placed(Placement::fixed_header("x-amz-access-token"))
        .seen_elsewhere("each region has a token endpoint of its own")
        .unchecked("the Selling Partner API wants the token in `x-amz-access-token`; renewals repeat the refresh token"))
}

/// Sign in with Apple. Its secret is a JWT that lives for half a year at most: give a
/// [`SecretSource`](crate::endpoint::SecretSource) that makes it.
pub fn apple() -> Provider {
    let mut apple = Provider::new("Apple", "https://appleid.apple.com/auth/token")
        .authorize("https://appleid.apple.com/auth/authorize")
        .revoke("https://appleid.apple.com/auth/revoke")
        .issuer("https://appleid.apple.com")
        .post()
        .reported("the client secret is a JWT that is signed with ES256, in the body only")
        .unchecked("with scopes, the response has to be a form post; refresh tokens do not rotate");
    apple.response_mode = Some(ResponseMode::FormPost);
    apple
}

/// Auth0. Where an API is meant, give its `audience` to the authorization request.
///
/// # Errors
/// [`ConfigError::InvalidSetting`] when `domain` is no host, such as `example.eu.auth0.com`.
pub fn auth0(domain: &str) -> Result<Provider, ConfigError> {
    let base = format!("https://{}", host("domain", domain)?);
    Ok(Provider::new("Auth0", format!("{base}/oauth/token"))
        .authorize(format!("{base}/authorize"))
        .device(format!("{base}/oauth/device/code"))
        .revoke(format!("{base}/oauth/revoke"))
        .issuer(format!("{base}/"))
        .post()
        .unchecked("without `audience`, access tokens are no JWT")
        .unchecked("a refresh token that has ended is answered with 403")
        .reported("refresh tokens rotate, and a second use ends the grant"))
}

/// Azure AD B2C; `policy` is the user flow, such as `B2C_1_signin`. Ask for a scope of an API, or set
/// [`id_token_as_bearer`](crate::endpoint::ResponseRules::id_token_as_bearer): else there is no access token.
///
/// # Errors
/// [`ConfigError::InvalidSetting`] when `tenant` is no label of a host, or `policy` no segment of a path.
pub fn azure_b2c(tenant: &str, policy: &str) -> Result<Provider, ConfigError> {
    let (tenant, policy) = (label("tenant", tenant)?, segment("policy", policy)?);
    let base = format!("https://{tenant}.b2clogin.com/{tenant}.onmicrosoft.com/{policy}/oauth2/v2.0");
    Ok(Provider::new("Azure AD B2C", format!("{base}/token"))
        .authorize(format!("{base}/authorize"))
        .post()
        .reported("a renewal may give an `id_token` and no `access_token`"))
}

/// Amazon Cognito; `domain` is that of the user pool, such as `example.auth.eu-west-1.amazoncognito.com`.
///
/// # Errors
/// [`ConfigError::InvalidSetting`] when `domain` is no host.
pub fn cognito(domain: &str) -> Result<Provider, ConfigError> {
    let base = format!("https://{}/oauth2", host("domain", domain)?);
    Ok(Provider::new("Amazon Cognito", format!("{base}/token"))
        .authorize(format!("{base}/authorize"))
        .revoke(format!("{base}/revoke"))
        .reported("renewals leave the refresh token out, unless rotation is switched on"))
}

/// Epic Games.
pub fn epic_games() -> Provider {
    let mut epic = Provider::new("Epic Games", "https://api.epicgames.dev/epic/oauth/v2/token")
        .authorize("https://www.epicgames.com/id/authorize")
        .reported("the parts of Basic must not be form-encoded")
        .unchecked("the end of a token is a date in `expires_at`");
    epic.client_auth = ClientAuthStyle::BasicRaw;
    epic
}

/// Google.
pub fn google() -> Provider {
    Provider::new("Google", "https://oauth2.googleapis.com/token")
        .authorize("https://accounts.google.com/o/oauth2/v2/auth")
        .device("https://oauth2.googleapis.com/device/code")
        .revoke("https://oauth2.googleapis.com/revoke")
        .issuer("https://accounts.google.com")
        .post()
        .ask("access_type", "offline")
        .ask("prompt", "consent")
        .reported(
            "a refresh token comes with `access_type=offline` only, and often at the first consent only",
        )
        .reported("the scope that is granted is written differently from the one that was asked for")
        .unchecked("the device endpoint calls its address `verification_url`")
}

/// Keycloak; `base` is the address of the server, such as `https://sso.example.com` or `https://example.com/auth`.
///
/// # Errors
/// [`ConfigError::InvalidEndpoint`] when `base` is no URL, [`ConfigError::InvalidSetting`] when it has a query, or when
/// `realm` is no segment of a path.
pub fn keycloak(server: &str, realm: &str) -> Result<Provider, ConfigError> {
    let issuer = format!("{}/realms/{}", base("base", server)?, segment("realm", realm)?);
    let connect = format!("{issuer}/protocol/openid-connect");
    Ok(Provider::new("Keycloak", format!("{connect}/token"))
        .authorize(format!("{connect}/auth"))
        .device(format!("{connect}/auth/device"))
        .revoke(format!("{connect}/revoke"))
        .issuer(issuer)
        .reported("`refresh_expires_in` of 0 says nothing")
        .reported("the parts of Basic have to be form-encoded"))
}

/// Microsoft Entra, v2.0; `tenant` is a directory's id or domain, or `common`, `organizations`, `consumers`.
///
/// # Errors
/// [`ConfigError::InvalidSetting`] when `tenant` is no segment of a path.
pub fn microsoft(tenant: &str) -> Result<Provider, ConfigError> {
    let tenant = segment("tenant", tenant)?;
    let base = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0");
    let provider = Provider::new("Microsoft", format!("{base}/token"))
        .authorize(format!("{base}/authorize"))
        .device(format!("{base}/devicecode"))
        .post()
        .reported("numbers come as texts, from v1 and from managed identities")
        .reported("`offline_access` is missing from the scope that is granted, and `User.Read` is added")
        .reported("an authorization code is spent even when its exchange fails, so nothing must be tried out with it")
        .seen_elsewhere("`refresh_in` says when to renew");
    // For everything but an id, the metadata has another issuer than this address.
    let is_id = tenant.len() == 36 && tenant.bytes().filter(|byte| *byte == b'-').count() == 4;
    Ok(if is_id {
        provider.issuer(format!("https://login.microsoftonline.com/{tenant}/v2.0"))
    } else {
        provider
    })
}

/// Okta, with the authorization server of the organization; `domain` is such as `example.okta.com`.
///
/// # Errors
/// [`ConfigError::InvalidSetting`] when `domain` is no host.
pub fn okta(domain: &str) -> Result<Provider, ConfigError> {
    let issuer = format!("https://{}", host("domain", domain)?);
    Ok(okta_at(issuer.clone(), format!("{issuer}/oauth2/v1")))
}

/// Okta, with an authorization server of one's own, such as `default`.
///
/// # Errors
/// [`ConfigError::InvalidSetting`] when `domain` is no host, or `server` no segment of a path.
pub fn okta_server(domain: &str, server: &str) -> Result<Provider, ConfigError> {
    let issuer = format!("https://{}/oauth2/{}", host("domain", domain)?, segment("server", server)?);
    Ok(okta_at(issuer.clone(), format!("{issuer}/v1")))
}

fn okta_at(issuer: String, base: String) -> Provider {
    Provider::new("Okta", format!("{base}/token"))
        .authorize(format!("{base}/authorize"))
        .device(format!("{base}/device/authorize"))
        .revoke(format!("{base}/revoke"))
        .issuer(issuer)
        .seen_elsewhere("each authorization server has an issuer of its own, and each customer a host")
        .unchecked("rate limits say in `X-Rate-Limit-Reset` when they end; how long a spent refresh token works is configured")
}

/// The sessions of Supabase (GoTrue); `project` is the reference of the project. Only renewals are done here, and they want
/// the project's `apikey` as a header in the request rules.
///
/// # Errors
/// [`ConfigError::InvalidSetting`] when `project` is no label of a host.
pub fn supabase(project: &str) -> Result<Provider, ConfigError> {
    let url = format!("https://{}.supabase.co/auth/v1/token", label("project", project)?);
    let rules = RequestRules::new().json().omit("grant_type").omit("client_id");
    Ok(Provider::new("Supabase", url.clone())
        .refresh(format!("{url}?grant_type=refresh_token"))
        .refreshes(rules)
        .pkce(Pkce::Accepted)
        .beside("apikey", CompanionValue::OfEachToken("the key of the project"))
        .reuse(Duration::from_secs(10))
        .reported("errors are `error_code` and `msg`; a spent refresh token works for ten seconds more"))
}
