//! A token response of each provider, with values that mean nothing.

/// A provider and what it answers.
pub(crate) struct Sample {
    pub(crate) provider: &'static str,
    pub(crate) body: &'static str,
    /// The access token that is in there, for a client without special rules.
    pub(crate) access_token: &'static str,
    pub(crate) refresh_token: Option<&'static str>,
}

const fn sample(
    provider: &'static str,
    body: &'static str,
    access_token: &'static str,
    refresh_token: Option<&'static str>,
) -> Sample {
    Sample { provider, body, access_token, refresh_token }
}

pub(crate) const GITHUB: &str =
    r#"{"access_token":"gho_16C7Kq7Zp3Xw9v00","scope":"repo,gist","token_type":"bearer"}"#;
pub(crate) const GITHUB_FORM: &str = "access_token=gho_16C7Kq7Zp3Xw9v00&scope=repo%2Cgist&token_type=bearer";
pub(crate) const SLACK: &str = r#"{"ok":true,"access_token":"xoxb-17Kq7Zp3Xw9v02","token_type":"bot","scope":"chat:write,commands","authed_user":{"id":"U1","access_token":"xoxp-23Gd6RfTy1cJ","token_type":"user","scope":"chat:write"}}"#;
pub(crate) const FACEBOOK: &str =
    r#"{"access_token":"EAAJjmKq7Zp3Xw9v03","token_type":"bearer","expires_in":5183944}"#;
pub(crate) const INSTAGRAM: &str =
    r#"{"access_token":"IGQVJKq7Zp3Xw9v04","token_type":"bearer","expires_in":5183944}"#;
pub(crate) const FITBIT: &str = r#"{"access_token":"eyJhbGKq7Zp3Xw9v05","expires_in":28800,"refresh_token":"c643a6mB8tLs4nQh05","scope":"activity","token_type":"Bearer","user_id":"ABC"}"#;
pub(crate) const LINKEDIN: &str = r#"{"access_token":"AQXdSPKq7Zp3Xw9v06","expires_in":5184000,"refresh_token":"AQWAftmB8tLs4nQh06","refresh_token_expires_in":31536000,"scope":"r_basicprofile"}"#;
pub(crate) const MICROSOFT: &str = r#"{"token_type":"Bearer","expires_in":"3599","ext_expires_in":"3599","expires_on":"1671217329","access_token":"eyJ0eXKq7Zp3Xw9v07","refresh_token":"AwABAAmB8tLs4nQh07"}"#;
pub(crate) const AZURE_B2C: &str = r#"{"id_token":"eyJpZDbN5kWe0oPaU","token_type":"Bearer","not_before":1729706541,"id_token_expires_in":3600,"scope":"offline_access openid","refresh_token":"eyJraWmB8tLs4nQhB2","refresh_token_expires_in":7776000}"#;
pub(crate) const GOOGLE: &str = r#"{"access_token":"ya29.a0Kq7Zp3Xw9v08","expires_in":3599,"refresh_token":"1//0gxmB8tLs4nQh08","scope":"openid https://www.googleapis.com/auth/userinfo.email","token_type":"Bearer"}"#;
pub(crate) const SALESFORCE: &str = r#"{"access_token":"00Dx!AR8Kq7Zp3Xw9v09","refresh_token":"5Aep86mB8tLs4nQh09","instance_url":"https://x.my.salesforce.com","id":"https://login.salesforce.com/id/00D/005","token_type":"Bearer","issued_at":"1278448384422","signature":"CMJ4l"}"#;
pub(crate) const STRAVA: &str = r#"{"token_type":"Bearer","access_token":"a9b723Kq7Zp3Xw9v10","expires_at":1568775134,"expires_in":20566,"refresh_token":"b5c569mB8tLs4nQh10"}"#;
pub(crate) const TWITCH: &str = r#"{"access_token":"rfx2usKq7Zp3Xw9v11","expires_in":14124,"refresh_token":"5b93chmB8tLs4nQh11","scope":["channel:moderate","chat:edit"],"token_type":"bearer"}"#;
pub(crate) const SPOTIFY: &str = r#"{"access_token":"NgA6ZZKq7Zp3Xw9v12","token_type":"Bearer","scope":"user-read-private","expires_in":3600}"#;
pub(crate) const DISCORD: &str = r#"{"access_token":"6qrZcUKq7Zp3Xw9v13","token_type":"Bearer","expires_in":604800,"refresh_token":"D43f5ymB8tLs4nQh13","scope":"identify"}"#;
pub(crate) const MAILCHIMP: &str = r#"{"access_token":"5c6cccKq7Zp3Xw9v14","expires_in":0,"scope":null}"#;
pub(crate) const ZOHO: &str = r#"{"access_token":"1000.axKq7Zp3Xw9v15","refresh_token":"1000.rymB8tLs4nQh15","api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600}"#;
pub(crate) const SHOPIFY: &str =
    r#"{"access_token":"shpat_x9Kq7Zp3Xw9v16","scope":"read_orders","expires_in":86399}"#;
pub(crate) const NOTION: &str = r#"{"access_token":"ntn_53Kq7Zp3Xw9v17","refresh_token":"nrt_49mB8tLs4nQh17","token_type":"bearer","bot_id":"b3414d","workspace_id":"w1","owner":{}}"#;
pub(crate) const ATLASSIAN: &str = r#"{"access_token":"eyJATLKq7Zp3Xw9v18","expires_in":3600,"token_type":"Bearer","refresh_token":"eyJRTLmB8tLs4nQh18","scope":"read:jira-work offline_access"}"#;
pub(crate) const X: &str = r#"{"token_type":"bearer","expires_in":7200,"access_token":"Q0Mzb0Kq7Zp3Xw9v19","scope":"users.read offline.access","refresh_token":"bWRWa3mB8tLs4nQh19"}"#;
pub(crate) const REDDIT: &str = r#"{"access_token":"J1qK1cKq7Zp3Xw9v20","token_type":"bearer","expires_in":3600,"refresh_token":"LUuBpxmB8tLs4nQh20","scope":"read"}"#;
pub(crate) const EBAY: &str = r#"{"access_token":"v^1.1#iKq7Zp3Xw9v21","expires_in":7200,"refresh_token":"v^1.1#rmB8tLs4nQh21","refresh_token_expires_in":47304000,"token_type":"User Access Token"}"#;
pub(crate) const TIKTOK: &str = r#"{"access_token":"act.x1Kq7Zp3Xw9v22","expires_in":86400,"open_id":"o5","refresh_expires_in":31536000,"refresh_token":"rft.y2mB8tLs4nQh22","scope":"user.info.basic,video.list","token_type":"Bearer"}"#;
pub(crate) const WECHAT: &str = r#"{"access_token":"ACCESS_TKq7Zp3Xw9v23","expires_in":7200,"refresh_token":"REFRESH_TmB8tLs4nQh23","openid":"OPENID","scope":"SCOPE"}"#;
pub(crate) const WEIBO: &str =
    r#"{"access_token":"2.00XyzKq7Zp3Xw9v24","remind_in":"798114","expires_in":798114,"uid":"1"}"#;
pub(crate) const QUICKBOOKS: &str = r#"{"token_type":"bearer","expires_in":3600,"refresh_token":"AB1177mB8tLs4nQh25","x_refresh_token_expires_in":8726400,"access_token":"eyJQBOKq7Zp3Xw9v25"}"#;
pub(crate) const XERO: &str = r#"{"access_token":"eyJXERKq7Zp3Xw9v26","expires_in":1800,"token_type":"Bearer","refresh_token":"LwvFZ3mB8tLs4nQh26","scope":"openid accounting.transactions offline_access"}"#;
pub(crate) const HUBSPOT: &str = r#"{"token_type":"bearer","refresh_token":"1e8fbfmB8tLs4nQh27","access_token":"CJSP5qKq7Zp3Xw9v27","expires_in":1800}"#;
pub(crate) const ZOOM: &str = r#"{"access_token":"eyJZOOKq7Zp3Xw9v28","token_type":"bearer","refresh_token":"eyJRZOmB8tLs4nQh28","expires_in":3599,"scope":"meeting:read","api_url":"https://api.zoom.us"}"#;
pub(crate) const DOCUSIGN: &str = r#"{"access_token":"eyJDOCKq7Zp3Xw9v29","token_type":"Bearer","refresh_token":"eyJRDOmB8tLs4nQh29","expires_in":28800}"#;
pub(crate) const AMAZON: &str = r#"{"access_token":"Atza|IwEBKq7Zp3Xw9v30","token_type":"bearer","expires_in":3600,"refresh_token":"Atzr|IwECmB8tLs4nQh30"}"#;
pub(crate) const APPLE: &str = r#"{"access_token":"a7d2.0Kq7Zp3Xw9v31","token_type":"Bearer","expires_in":3600,"refresh_token":"r9e1.0mB8tLs4nQh31","id_token":"eyJAPL"}"#;
pub(crate) const OKTA: &str = r#"{"token_type":"DPoP","expires_in":3600,"access_token":"eyJOKTKq7Zp3Xw9v32","scope":"okta.users.read"}"#;
pub(crate) const AUTH0: &str =
    r#"{"access_token":"eyJAU0Kq7Zp3Xw9v33","expires_in":86400,"token_type":"Bearer","scope":"read:x"}"#;
pub(crate) const KEYCLOAK: &str = r#"{"access_token":"eyJKCAKq7Zp3Xw9v34","expires_in":300,"refresh_expires_in":1800,"refresh_token":"eyJKCRmB8tLs4nQh34","token_type":"Bearer","not-before-policy":0,"session_state":"s1","scope":"email profile"}"#;
pub(crate) const COGNITO: &str =
    r#"{"id_token":"eyJCOI","access_token":"eyJCOAKq7Zp3Xw9v35","expires_in":3600,"token_type":"Bearer"}"#;
pub(crate) const STRIPE: &str = r#"{"access_token":"sk_test_4eKq7Zp3Xw9v36","livemode":false,"refresh_token":"rt_8xmB8tLs4nQh36","token_type":"bearer","stripe_user_id":"acct_1","scope":"read_write"}"#;
pub(crate) const PAYPAL: &str = r#"{"scope":"https://uri.paypal.com/services","access_token":"A21AAFKq7Zp3Xw9v37","token_type":"Bearer","expires_in":"32400"}"#;
pub(crate) const DROPBOX: &str = r#"{"access_token":"sl.u.AFKq7Zp3Xw9v38","token_type":"bearer","expires_in":14400,"refresh_token":"nBiM85mB8tLs4nQh38","scope":"account_info.read","uid":"1","account_id":"dbid:x"}"#;
pub(crate) const STACK_OVERFLOW: &str = "access_token=xVg1XCKq7Zp3Xw9v39&expires=86399";
pub(crate) const PLENTYMARKETS: &str = r#"{"tokenType":"Bearer","expiresIn":86400,"accessToken":"eyJPLAKq7Zp3Xw9v40","refreshToken":"eyJPLRmB8tLs4nQh40"}"#;
pub(crate) const FIGMA: &str = r#"{"access_token":"figu_x1Kq7Zp3Xw9v41","token_type":"bearer","expires_in":7776000,"refresh_token":"figur_ymB8tLs4nQh41"}"#;
pub(crate) const SUPABASE: &str = r#"{"access_token":"eyJSUPKq7Zp3Xw9v42","token_type":"bearer","expires_in":3600,"expires_at":1700000000,"refresh_token":"4nYUCwmB8tLs4nQh42"}"#;
pub(crate) const EPIC_GAMES: &str =
    r#"{"access_token":"eg1~eyKq7Zp3Xw9v43","token_type":"bearer","expires_at":"2023-01-01T00:00:00.000Z"}"#;

/// Those of which a client without special rules gets an access token.
pub(crate) const ALL: &[Sample] = &[
    sample("GitHub", GITHUB, "gho_16C7Kq7Zp3Xw9v00", None),
    sample("GitHub, as a form", GITHUB_FORM, "gho_16C7Kq7Zp3Xw9v00", None),
    sample("Slack", SLACK, "xoxb-17Kq7Zp3Xw9v02", None),
    sample("Facebook", FACEBOOK, "EAAJjmKq7Zp3Xw9v03", None),
    sample("Instagram", INSTAGRAM, "IGQVJKq7Zp3Xw9v04", None),
    sample("Fitbit", FITBIT, "eyJhbGKq7Zp3Xw9v05", Some("c643a6mB8tLs4nQh05")),
    sample("LinkedIn", LINKEDIN, "AQXdSPKq7Zp3Xw9v06", Some("AQWAftmB8tLs4nQh06")),
    sample("Microsoft", MICROSOFT, "eyJ0eXKq7Zp3Xw9v07", Some("AwABAAmB8tLs4nQh07")),
    sample("Google", GOOGLE, "ya29.a0Kq7Zp3Xw9v08", Some("1//0gxmB8tLs4nQh08")),
    sample("Salesforce", SALESFORCE, "00Dx!AR8Kq7Zp3Xw9v09", Some("5Aep86mB8tLs4nQh09")),
    sample("Strava", STRAVA, "a9b723Kq7Zp3Xw9v10", Some("b5c569mB8tLs4nQh10")),
    sample("Twitch", TWITCH, "rfx2usKq7Zp3Xw9v11", Some("5b93chmB8tLs4nQh11")),
    sample("Spotify", SPOTIFY, "NgA6ZZKq7Zp3Xw9v12", None),
    sample("Discord", DISCORD, "6qrZcUKq7Zp3Xw9v13", Some("D43f5ymB8tLs4nQh13")),
    sample("Mailchimp", MAILCHIMP, "5c6cccKq7Zp3Xw9v14", None),
    sample("Zoho", ZOHO, "1000.axKq7Zp3Xw9v15", Some("1000.rymB8tLs4nQh15")),
    sample("Shopify", SHOPIFY, "shpat_x9Kq7Zp3Xw9v16", None),
    sample("Notion", NOTION, "ntn_53Kq7Zp3Xw9v17", Some("nrt_49mB8tLs4nQh17")),
    sample("Atlassian", ATLASSIAN, "eyJATLKq7Zp3Xw9v18", Some("eyJRTLmB8tLs4nQh18")),
    sample("X", X, "Q0Mzb0Kq7Zp3Xw9v19", Some("bWRWa3mB8tLs4nQh19")),
    sample("Reddit", REDDIT, "J1qK1cKq7Zp3Xw9v20", Some("LUuBpxmB8tLs4nQh20")),
    sample("eBay", EBAY, "v^1.1#iKq7Zp3Xw9v21", Some("v^1.1#rmB8tLs4nQh21")),
    sample("TikTok", TIKTOK, "act.x1Kq7Zp3Xw9v22", Some("rft.y2mB8tLs4nQh22")),
    sample("WeChat", WECHAT, "ACCESS_TKq7Zp3Xw9v23", Some("REFRESH_TmB8tLs4nQh23")),
    sample("Weibo", WEIBO, "2.00XyzKq7Zp3Xw9v24", None),
    sample("QuickBooks", QUICKBOOKS, "eyJQBOKq7Zp3Xw9v25", Some("AB1177mB8tLs4nQh25")),
    sample("Xero", XERO, "eyJXERKq7Zp3Xw9v26", Some("LwvFZ3mB8tLs4nQh26")),
    sample("HubSpot", HUBSPOT, "CJSP5qKq7Zp3Xw9v27", Some("1e8fbfmB8tLs4nQh27")),
    sample("Zoom", ZOOM, "eyJZOOKq7Zp3Xw9v28", Some("eyJRZOmB8tLs4nQh28")),
    sample("DocuSign", DOCUSIGN, "eyJDOCKq7Zp3Xw9v29", Some("eyJRDOmB8tLs4nQh29")),
    sample("Amazon", AMAZON, "Atza|IwEBKq7Zp3Xw9v30", Some("Atzr|IwECmB8tLs4nQh30")),
    sample("Apple", APPLE, "a7d2.0Kq7Zp3Xw9v31", Some("r9e1.0mB8tLs4nQh31")),
    sample("Okta", OKTA, "eyJOKTKq7Zp3Xw9v32", None),
    sample("Auth0", AUTH0, "eyJAU0Kq7Zp3Xw9v33", None),
    sample("Keycloak", KEYCLOAK, "eyJKCAKq7Zp3Xw9v34", Some("eyJKCRmB8tLs4nQh34")),
    sample("Cognito", COGNITO, "eyJCOAKq7Zp3Xw9v35", None),
    sample("Stripe", STRIPE, "sk_test_4eKq7Zp3Xw9v36", Some("rt_8xmB8tLs4nQh36")),
    sample("PayPal", PAYPAL, "A21AAFKq7Zp3Xw9v37", None),
    sample("Dropbox", DROPBOX, "sl.u.AFKq7Zp3Xw9v38", Some("nBiM85mB8tLs4nQh38")),
    sample("Stack Overflow", STACK_OVERFLOW, "xVg1XCKq7Zp3Xw9v39", None),
    sample("plentymarkets", PLENTYMARKETS, "eyJPLAKq7Zp3Xw9v40", Some("eyJPLRmB8tLs4nQh40")),
    sample("Figma", FIGMA, "figu_x1Kq7Zp3Xw9v41", Some("figur_ymB8tLs4nQh41")),
    sample("Supabase", SUPABASE, "eyJSUPKq7Zp3Xw9v42", Some("4nYUCwmB8tLs4nQh42")),
    sample("Epic Games", EPIC_GAMES, "eg1~eyKq7Zp3Xw9v43", None),
];

/// Answers of which nobody gets an access token.
pub(crate) const REFUSALS: &[&str] = &[
    r#"{"error":"bad_verification_code","error_description":"The code passed is incorrect.","error_uri":"https://docs.github.com/x"}"#,
    "error=bad_verification_code&error_description=The+code+passed+is+incorrect",
    r#"{"ok":false,"error":"invalid_code"}"#,
    r#"{"error":{"message":"Error validating access token","type":"OAuthException","code":190}}"#,
    r#"{"errors":[{"errorType":"invalid_grant","message":"Refresh token invalid"}],"success":false}"#,
    r#"{"errcode":40029,"errmsg":"invalid code"}"#,
    r#"{"status":"BAD_REFRESH_TOKEN","message":"missing or unknown","correlationId":"c1"}"#,
    r#"{"code":400,"error_code":"refresh_token_not_found","msg":"Invalid Refresh Token"}"#,
    r#"[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]"#,
    r#"{"code":40105,"message":"Access token is incorrect","request_id":"r1","data":{}}"#,
    r#"{"error":"unauthorized_client","error_description":"refresh_token is invalid"}"#,
    r#"{"message":"You are being rate limited.","retry_after":0.65,"global":false}"#,
    AZURE_B2C_ALONE,
    "<!DOCTYPE html><title>Sign in</title><form action=\"/login?access_token=x&b=c\">",
];

/// What Azure AD B2C answers when no scope of an API is asked for, without a refresh token.
pub(crate) const AZURE_B2C_ALONE: &str = r#"{"id_token":"eyJpZDbN5kWe0oPaU","token_type":"Bearer","not_before":1729706541,"id_token_expires_in":3600,"scope":"openid"}"#;
