//! Social networks, media, sports, chat.

use crate::endpoint::ErrorPattern;
use crate::endpoint::RequestRules;
use crate::protocol::oauth2::placement::Placement;
use crate::provider::ClientAuthStyle;
use crate::provider::CompanionValue;
use crate::provider::Pkce;
use crate::provider::Provider;

/// Discord.
pub fn discord() -> Provider {
    Provider::new("Discord", "https://discord.com/api/oauth2/token")
        .authorize("https://discord.com/oauth2/authorize")
        .revoke("https://discord.com/api/oauth2/token/revoke")
        .unchecked("refresh tokens rotate")
        .unchecked("rate limits are tight; the answer has `retry_after` as a fraction of seconds")
        .unchecked("client credentials give a token for the owner of the application")
}

/// Douban.
pub fn douban() -> Provider {
    Provider::new("Douban", "https://www.douban.com/service/auth2/token")
        .authorize("https://www.douban.com/service/auth2/auth")
        .post()
        .seen_elsewhere("the answer has no `token_type`")
}

/// Facebook. A token is renewed in exchange for itself (`fb_exchange_token`), as long as it is valid.
pub fn facebook() -> Provider {
    Provider::new("Facebook", "https://graph.facebook.com/oauth/access_token")
        .authorize("https://www.facebook.com/dialog/oauth")
        .post()
        .commas()
        .refreshes(
            RequestRules::new()
                .get()
                .parameter("grant_type", "fb_exchange_token")
                .rename("refresh_token", "fb_exchange_token"),
        )
        .answers(|rules| rules.access_token_refreshes())
        .seen_elsewhere("the answer was a form labelled as text, with `expires`")
        .unchecked("errors are objects: `message`, `type`, `code`")
        .unchecked("there is no refresh token; long-lived tokens come by `fb_exchange_token`, with GET")
}

/// Fitbit.
pub fn fitbit() -> Provider {
    Provider::new("Fitbit", "https://api.fitbit.com/oauth2/token")
        .authorize("https://www.fitbit.com/oauth2/authorize")
        .revoke("https://api.fitbit.com/oauth2/revoke")
        .seen_elsewhere("errors are a list, with `success` false")
        .seen_elsewhere("clients prove themselves by Basic")
        .unchecked("a refresh token is good for one use")
}

/// Instagram, with business login. A token is renewed in exchange for itself at an address of its own.
pub fn instagram() -> Provider {
    Provider::new("Instagram", "https://api.instagram.com/oauth/access_token")
        .authorize("https://www.instagram.com/oauth/authorize")
        .refresh("https://graph.instagram.com/refresh_access_token")
        .post()
        .commas()
        .refreshes(
            RequestRules::new()
                .get()
                .parameter("grant_type", "ig_refresh_token")
                .rename("refresh_token", "access_token")
                .omit("client_id")
                .omit("client_secret"),
        )
        .answers(|rules| rules.access_token_refreshes())
        .placed(Placement::query())
        .seen_elsewhere("APIs want the token in the query")
        .seen_elsewhere("tokens are renewed at graph.instagram.com, and scopes have commas")
}

/// LinkedIn.
pub fn linkedin() -> Provider {
    Provider::new("LinkedIn", "https://www.linkedin.com/oauth/v2/accessToken")
        .authorize("https://www.linkedin.com/oauth/v2/authorization")
        .post()
        .pkce(Pkce::Refused)
        .reported("the answer has no `token_type`")
        .seen_elsewhere("PKCE is left out")
        .documented("refresh tokens are for approved partners, and end 365 days after the login, however often they are used")
}

/// Reddit. Give it a [`user_agent`](RequestRules::user_agent) of your own in the request rules: it blocks others.
pub fn reddit() -> Provider {
    let mut reddit = Provider::new("Reddit", "https://www.reddit.com/api/v1/access_token")
        .authorize("https://www.reddit.com/api/v1/authorize")
        .revoke("https://www.reddit.com/api/v1/revoke_token")
        .ask("duration", "permanent")
        .seen_elsewhere("clients prove themselves by Basic, those without a secret with an empty one")
        .reported("without `duration=permanent` there is no refresh token")
        .unchecked("default user agents are blocked; errors come with status 200");
    reddit.public_client_auth = ClientAuthStyle::Basic;
    reddit
}

/// Spotify.
pub fn spotify() -> Provider {
    Provider::new("Spotify", "https://accounts.spotify.com/api/token")
        .authorize("https://accounts.spotify.com/authorize")
        .unchecked("refresh tokens rotate for clients with PKCE and no secret, and are left out for others")
}

/// Stack Overflow and Stack Exchange. Every call wants a `site` and the application's `key` in the query too.
pub fn stack_overflow() -> Provider {
    Provider::new("Stack Overflow", "https://stackoverflow.com/oauth/access_token")
        .authorize("https://stackoverflow.com/oauth")
        .post()
        .commas()
        .placed(Placement::query())
        .seen_elsewhere("the answer is a form, with `expires`; every call of the API wants a `site`")
}

/// Strava.
pub fn strava() -> Provider {
    Provider::new("Strava", "https://www.strava.com/oauth/token")
        .authorize("https://www.strava.com/oauth/authorize")
        .post()
        .commas()
        .seen_elsewhere("scopes have commas")
        .unchecked("a renewal may give the same access token again, and another refresh token at any time")
}

/// TikTok, Login Kit v2.
pub fn tiktok() -> Provider {
    Provider::new("TikTok", "https://open.tiktokapis.com/v2/oauth/token/")
        .authorize("https://www.tiktok.com/v2/auth/authorize/")
        .revoke("https://open.tiktokapis.com/v2/oauth/revoke/")
        .post()
        .commas()
        .requests(|rules| rules.rename("client_id", "client_key"))
        .documented("`client_id` is called `client_key`; scopes have commas")
}

/// TikTok for Business, API v1.3.
pub fn tiktok_business() -> Provider {
    Provider::new(
        "TikTok for Business",
        "https://business-api.tiktok.com/open_api/v1.3/oauth2/access_token/",
    )
    .authorize("https://business-api.tiktok.com/portal/auth")
    .post()
    .requests(|rules| {
        let rules = rules.json().rename("client_id", "app_id").rename("client_secret", "secret");
        rules.rename("code", "auth_code")
    })
    .answers(|rules| rules.inside("/data"))
    .placed(Placement::fixed_header("access-token"))
    .seen_elsewhere("requests are JSON with `app_id` and `secret`; everything comes in `data`, errors with status 200")
    .unchecked("APIs want the token in `Access-Token`")
}

/// Twitch.
pub fn twitch() -> Provider {
    Provider::new("Twitch", "https://id.twitch.tv/oauth2/token")
        .authorize("https://id.twitch.tv/oauth2/authorize")
        .device("https://id.twitch.tv/oauth2/device")
        .revoke("https://id.twitch.tv/oauth2/revoke")
        .issuer("https://id.twitch.tv/oauth2")
        .post()
        .beside("client-id", CompanionValue::ClientId)
        .reported("scopes come as a list")
        .unchecked("APIs want `Client-Id` beside the token; tokens have to be validated each hour, with the scheme `OAuth`")
}

/// WeChat, for web sites.
pub fn wechat() -> Provider {
    let rules = RequestRules::new().get().rename("client_id", "appid").rename("client_secret", "secret");
    Provider::new("WeChat", "https://api.weixin.qq.com/sns/oauth2/access_token")
        .authorize("https://open.weixin.qq.com/connect/qrconnect")
        .refresh("https://api.weixin.qq.com/sns/oauth2/refresh_token")
        .post()
        .pkce(Pkce::Refused)
        .commas()
        .refreshes(rules.clone().omit("client_secret"))
        .requests(|_| rules.scope_separator(","))
        .answers(|rules| {
            let ended = ["40030", "42002"].map(ErrorPattern::new);
            let rules = ended.into_iter().fold(rules, |rules, code| rules.reauthorize_on(code));
            rules.transient_on(ErrorPattern::new("-1").at_any_grant())
        })
        .placed(Placement::query())
        .documented("tokens are asked for with GET; `appid` and `secret` are in the query, and so is the token at the APIs")
        .documented("errors are `errcode` and `errmsg`, with status 200; there is no `token_type`")
        .documented("a renewal before the end extends the token and does not change it")
        .unchecked("which codes end the grant: 40030 and 42002; -1 is a server that is busy")
}

/// Weibo.
pub fn weibo() -> Provider {
    Provider::new("Weibo", "https://api.weibo.com/oauth2/access_token")
        .authorize("https://api.weibo.com/oauth2/authorize")
        .post()
        .commas()
        .placed(Placement::query())
        .seen_elsewhere("the answer has no `token_type`; APIs take the token in the query")
}

/// X, formerly Twitter, API v2.
pub fn x() -> Provider {
    Provider::new("X", "https://api.x.com/2/oauth2/token")
        .authorize("https://x.com/i/oauth2/authorize")
        .revoke("https://api.x.com/2/oauth2/revoke")
        .pkce(Pkce::Required)
        .answers(|rules| {
            let ended = ErrorPattern::new("invalid_request").description("token was invalid");
            rules.reauthorize_on(ended.status(400))
        })
        .reported("a refresh token is good for one use; one that has ended is `invalid_request`")
        .reported("a client with a secret has to use Basic; PKCE is compulsory")
}
