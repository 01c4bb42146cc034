//! What people work with: code, documents, customers, books.

use std::time::Duration;

use crate::endpoint::ErrorPattern;
use crate::error::ConfigError;
use crate::protocol::oauth2::placement::Placement;
use crate::provider::CompanionValue;
use crate::provider::Pkce;
use crate::provider::Provider;
use crate::provider::place::host;
use crate::provider::place::one_of;
use crate::secret::Secret;

/// Atlassian: Jira and Confluence in the cloud. Ask for the scope `offline_access` to get a refresh token.
pub fn atlassian() -> Provider {
    Provider::new("Atlassian", "https://auth.atlassian.com/oauth/token")
        .authorize("https://auth.atlassian.com/authorize")
        .post()
        .ask("audience", "api.atlassian.com")
        .ask("prompt", "consent")
        .requests(|rules| rules.json())
        .answers(|rules| {
            let ended = ErrorPattern::new("unauthorized_client").description("refresh_token is invalid");
            rules.reauthorize_on(ended.status(403))
        })
        .reuse(Duration::from_secs(600))
        .seen_elsewhere("logins need `audience` and `prompt`")
        .reported(
            "refresh tokens rotate; a spent one works for ten minutes more; one that has ended is a 403",
        )
        .unchecked("requests are JSON")
}

/// Bitbucket.
pub fn bitbucket() -> Provider {
    Provider::new("Bitbucket", "https://bitbucket.org/site/oauth2/access_token")
        .authorize("https://bitbucket.org/site/oauth2/authorize")
        .unchecked("scopes are those of the consumer, and are not asked for")
}

/// DocuSign. A JWT grant that nobody consented to is an error that [needs
/// reauthorization](crate::Error::needs_reauthorization).
pub fn docusign() -> Provider {
    docusign_at("https://account.docusign.com/oauth")
}

/// DocuSign's environment for developers.
pub fn docusign_demo() -> Provider {
    docusign_at("https://account-d.docusign.com/oauth")
}

fn docusign_at(base: &str) -> Provider {
    Provider::new("DocuSign", format!("{base}/token"))
        .authorize(format!("{base}/auth"))
        .answers(|rules| rules.reauthorize_on(ErrorPattern::new("consent_required").at_any_grant()))
        .seen_elsewhere("demo and production have hosts of their own; clients prove themselves by Basic")
        .unchecked("a JWT grant that nobody consented to is `consent_required`")
}

/// Dropbox.
pub fn dropbox() -> Provider {
    Provider::new("Dropbox", "https://api.dropboxapi.com/oauth2/token")
        .authorize("https://www.dropbox.com/oauth2/authorize")
        .ask("token_access_type", "offline")
        .seen_elsewhere("without `token_access_type=offline` there is no refresh token")
        .seen_elsewhere("a request with the secret in two places is refused")
}

/// Figma.
pub fn figma() -> Provider {
    Provider::new("Figma", "https://api.figma.com/v1/oauth/token")
        .authorize("https://www.figma.com/oauth")
        .refresh("https://api.figma.com/v1/oauth/refresh")
        .pkce(Pkce::Refused)
        .commas()
        .seen_elsewhere("tokens are renewed at an address of its own; Basic, scopes with commas, no PKCE")
}

/// GitHub, for OAuth applications and for GitHub Apps.
pub fn github() -> Provider {
    Provider::new("GitHub", "https://github.com/login/oauth/access_token")
        .authorize("https://github.com/login/oauth/authorize")
        .device("https://github.com/login/device/code")
        .post()
        .answers(|rules| rules.reauthorize_on(ErrorPattern::new("bad_refresh_token")))
        .reported("errors come with status 200, in the device flow too")
        .seen_elsewhere("the answer is a form unless JSON is asked for")
        .unchecked("scopes come with commas; tokens of OAuth applications do not end")
        .unchecked("a refresh token that has ended is `bad_refresh_token`")
}

/// GitLab; `server` is `gitlab.com`, or the host of one's own.
///
/// # Errors
/// [`ConfigError::InvalidSetting`] when it is no host.
pub fn gitlab(server: &str) -> Result<Provider, ConfigError> {
    let issuer = format!("https://{}", host("host", server)?);
    Ok(Provider::new("GitLab", format!("{issuer}/oauth/token"))
        .authorize(format!("{issuer}/oauth/authorize"))
        .device(format!("{issuer}/oauth/authorize_device"))
        .revoke(format!("{issuer}/oauth/revoke"))
        .issuer(issuer)
        .post()
        .documented("refresh tokens rotate, and tokens live for two hours"))
}

/// HubSpot.
pub fn hubspot() -> Provider {
    Provider::new("HubSpot", "https://api.hubapi.com/oauth/v1/token")
        .authorize("https://app.hubspot.com/oauth/authorize")
        .post()
        .reported("errors are `status` and `message`; a refresh token that has ended is `BAD_REFRESH_TOKEN`")
}

/// Mailchimp. Its tokens have no end; the host of the API comes from `https://login.mailchimp.com/oauth2/metadata`.
pub fn mailchimp() -> Provider {
    Provider::new("Mailchimp", "https://login.mailchimp.com/oauth2/token")
        .authorize("https://login.mailchimp.com/oauth2/authorize")
        .post()
        .answers(|rules| rules.zero_is_no_end())
        .seen_elsewhere("`expires_in` is 0 and the token has no end; `scope` is null")
}

/// Notion.
pub fn notion() -> Provider {
    Provider::new("Notion", "https://api.notion.com/v1/oauth/token")
        .authorize("https://api.notion.com/v1/oauth/authorize")
        .revoke("https://api.notion.com/v1/oauth/revoke")
        .ask("owner", "user")
        .requests(|rules| rules.json())
        .beside("notion-version", CompanionValue::Fixed("2022-06-28".into()))
        .seen_elsewhere("requests are JSON, with Basic")
        .reported("there is no lifetime; refresh tokens rotate, and a second use ends all of the grant")
        .unchecked("APIs want `Notion-Version`")
}

/// QuickBooks. The company (`realmId`) comes with the authorization response.
pub fn quickbooks() -> Provider {
    Provider::new("QuickBooks", "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer")
        .authorize("https://appcenter.intuit.com/connect/oauth2")
        .reported("the refresh token changes about once a day, and the one before ends soon after")
        .unchecked("the lifetime of the refresh token is `x_refresh_token_expires_in`; Basic; `realmId` is in the callback")
}

/// Salesforce; `server` is `login.salesforce.com`, `test.salesforce.com`, or one's own domain. The address of the API is
/// `instance_url` in [`Token::extra`](crate::Token::extra).
///
/// # Errors
/// [`ConfigError::InvalidSetting`] when it is no host.
pub fn salesforce(server: &str) -> Result<Provider, ConfigError> {
    let issuer = format!("https://{}", host("host", server)?);
    let base = format!("{issuer}/services/oauth2");
    Ok(Provider::new("Salesforce", format!("{base}/token"))
        .authorize(format!("{base}/authorize"))
        .revoke(format!("{base}/revoke"))
        .issuer(issuer)
        .post()
        .documented("there is no `expires_in`: the lifetime is that of a session, and grows with its use")
        .documented("the address of the API is `instance_url`")
        .unchecked("APIs answer a token that has ended with 401 and a list that has `INVALID_SESSION_ID`"))
}

/// Slack, for the token of the application (a bot token).
pub fn slack() -> Provider {
    Provider::new("Slack", "https://slack.com/api/oauth.v2.access")
        .authorize("https://slack.com/oauth/v2/authorize")
        .post()
        .pkce(Pkce::Refused)
        .commas()
        .answers(|rules| {
            let rules = rules.bearer_type("bot").bearer_type("user");
            let rules = rules.reauthorize_on(ErrorPattern::new("invalid_refresh_token"));
            let passing = ["ratelimited", "internal_error", "service_unavailable"].map(ErrorPattern::new);
            passing.into_iter().fold(rules, |rules, code| rules.transient_on(code.at_any_grant()))
        })
        .reported("errors have `ok` false, and status 200")
        .seen_elsewhere(
            "the user's token is in `authed_user`; there are two parameters for scopes, with commas; no PKCE",
        )
        .unchecked("`token_type` is `bot` or `user`; `invalid_refresh_token` ends the grant")
}

/// Slack, for the token of the user who logged in.
pub fn slack_user() -> Provider {
    let mut slack = slack().answers(|rules| rules.inside("/authed_user").refreshed_inside(""));
    slack.name = "Slack, user tokens".into();
    slack.scope_parameter = "user_scope".into();
    slack
}

/// Xero. The organization goes into the header `xero-tenant-id` of each request.
pub fn xero() -> Provider {
    Provider::new("Xero", "https://identity.xero.com/connect/token")
        .authorize("https://login.xero.com/identity/connect/authorize")
        .revoke("https://identity.xero.com/connect/revocation")
        .issuer("https://identity.xero.com")
        .beside("xero-tenant-id", CompanionValue::OfEachToken("the organization"))
        .reuse(Duration::from_secs(1800))
        .documented("refresh tokens rotate; a spent one works for thirty minutes more")
        .unchecked("APIs want `xero-tenant-id`")
        .reported("scopes that were granted before come back too")
}

/// Zoho; `region` is the data centre of the account, which comes as `location` with the authorization response: `us`,
/// `eu`, `in`, `au`, `jp`, `ca`, `cn` or `sa`.
///
/// # Errors
/// [`ConfigError::InvalidSetting`] for another region.
pub fn zoho(region: &str) -> Result<Provider, ConfigError> {
    let hosts = [
        ("us", "accounts.zoho.com"),
        ("eu", "accounts.zoho.eu"),
        ("in", "accounts.zoho.in"),
        ("au", "accounts.zoho.com.au"),
        ("jp", "accounts.zoho.jp"),
        ("ca", "accounts.zohocloud.ca"),
        ("cn", "accounts.zoho.com.cn"),
        ("sa", "accounts.zoho.sa"),
    ];
    let base = format!("https://{}/oauth/v2", one_of("region", region, &hosts)?);
    Ok(Provider::new("Zoho", format!("{base}/token"))
        .authorize(format!("{base}/auth"))
        .revoke(format!("{base}/token/revoke"))
        .post()
        .commas()
        .ask("access_type", "offline")
        .ask("prompt", "consent")
        .answers(|rules| {
            let rules = rules.reauthorize_on(ErrorPattern::new("invalid_code"));
            rules.transient_on(ErrorPattern::new("Access Denied").description("too many requests").at_any_grant())
        })
        .placed(Placement::fixed_scheme("Zoho-oauthtoken "))
        .seen_elsewhere("each data centre has a host of its own, and the wrong one answers `invalid_client`")
        .documented("of more than twenty refresh tokens, the oldest ends silently")
        .unchecked("errors come with status 200; access tokens per refresh token are few; the scheme is `Zoho-oauthtoken`"))
}

/// Zoom.
pub fn zoom() -> Provider {
    Provider::new("Zoom", "https://zoom.us/oauth/token")
        .authorize("https://zoom.us/oauth/authorize")
        .device("https://zoom.us/oauth/devicecode")
        .revoke("https://zoom.us/oauth/revoke")
        .reported("refresh tokens rotate; more scopes come back than were asked for")
}

/// Zoom, server to server: [`ClientCredentials`](crate::ClientCredentials) with this preset get a token for an account.
pub fn zoom_account(account_id: impl Into<Secret>) -> Provider {
    zoom()
        .requests(|rules| {
            let rules = rules.parameter_for("client_credentials", "grant_type", "account_credentials");
            rules.parameter_for("client_credentials", "account_id", account_id)
        })
        .unchecked("the grant is `account_credentials`, with the `account_id`")
}
