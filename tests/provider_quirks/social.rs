//! Social networks, media, sports, chat.

use http::Method;
use tower_oauth::ErrorKind;
use tower_oauth::grant::ExtensionGrant;
use tower_oauth::provider;
use tower_oauth::provider::Pkce;

use crate::CLIENT_ID;
use crate::CLIENT_SECRET;
use crate::Client;
use crate::Played;
use crate::REFRESH_TOKEN;
use crate::api_call;
use crate::code;
use crate::extra;
use crate::refusal_of;
use crate::samples;
use crate::seconds;
use crate::token_of;

#[tokio::test(start_paused = true)]
async fn facebook_answers_forms_and_objects_as_errors_and_renews_by_exchange() {
    let facebook = provider::facebook();
    let client = Client::with(&facebook, tower_oauth::grant::RefreshToken::at);
    client.provider.says_with(
        200,
        "content-type",
        "text/plain; charset=UTF-8",
        "access_token=EAAJjmKq7Zp3Xw9v03&expires=5183944",
    );
    let login = tower_oauth::Token::new("EAA0").expires_in(seconds(3600)).with_refresh_token("EAA0");
    client.manager.put(&crate::key(), login).await.unwrap();
    let token = client.refresh().await.unwrap();
    assert_eq!(
        (token.access_token().expose(), token.expires_at()),
        ("EAAJjmKq7Zp3Xw9v03", Some(client.now() + seconds(5_183_944)))
    );
    let seen = client.seen();
    assert_eq!(
        (seen.method.clone(), seen.parameter("grant_type").as_deref()),
        (Method::GET, Some("fb_exchange_token"))
    );
    assert_eq!(seen.parameter("fb_exchange_token").as_deref(), Some("EAA0"));
    // What it got is what it exchanges the next time.
    client.renews(200, samples::FACEBOOK).await.unwrap();
    assert_eq!(client.seen().parameter("fb_exchange_token").as_deref(), Some("EAAJjmKq7Zp3Xw9v03"));
    let dead = r#"{"error":{"message":"Error validating access token","type":"OAuthException","code":190}}"#;
    let error = refusal_of(&facebook, 400, dead).await;
    assert_eq!((error.kind(), code(&error)), (ErrorKind::Refused, "OAuthException"));
    assert!(error.to_string().contains("Error validating"), "{error}");
    // The same as a grant of its own.
    let client = Client::with(&facebook, |endpoint| {
        ExtensionGrant::at(endpoint, "fb_exchange_token").secret_parameter("fb_exchange_token", "short")
    });
    client.gets(200, samples::FACEBOOK).await.unwrap();
    assert_eq!(client.seen().parameter("fb_exchange_token").as_deref(), Some("short"));
}

#[tokio::test(start_paused = true)]
async fn instagram_renews_elsewhere_by_a_grant_of_its_own_and_takes_the_token_in_the_query() {
    let instagram = provider::instagram();
    let client = Client::logged_in(&instagram).await;
    client.renews(200, samples::INSTAGRAM).await.unwrap();
    let seen = client.seen();
    assert_eq!(
        (&seen.method, &*seen.url()),
        (&Method::GET, "https://graph.instagram.com/refresh_access_token")
    );
    assert_eq!(
        seen.parameters().into_iter().collect::<Vec<_>>(),
        [
            ("access_token".to_owned(), REFRESH_TOKEN.to_owned()),
            ("grant_type".to_owned(), "ig_refresh_token".to_owned()),
        ]
    );
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("IGQVJKq7Zp3Xw9v04"));
    let client = Client::new(&instagram);
    client.gets(200, samples::INSTAGRAM).await.unwrap();
    assert_eq!(client.seen().url(), "https://api.instagram.com/oauth/access_token");
    assert_eq!(client.seen().parameter("scope").as_deref(), Some("one,two"));
    let call = api_call(&instagram).await;
    assert_eq!((call.uri.query(), call.header("authorization")), (Some("access_token=access"), None));
}

#[tokio::test(start_paused = true)]
async fn fitbit_has_its_own_errors_and_wants_basic() {
    let fitbit = provider::fitbit();
    let client = Client::new(&fitbit);
    let token = client.gets(200, samples::FITBIT).await.unwrap();
    assert_eq!((extra(&token, "user_id"), client.seen().proof()), ("ABC", "header"));
    let dead =
        r#"{"errors":[{"errorType":"invalid_grant","message":"Refresh token invalid: x"}],"success":false}"#;
    let error = refusal_of(&fitbit, 400, dead).await;
    assert!(error.needs_reauthorization() && code(&error) == "invalid_grant", "{error}");
    let client = Client::logged_in(&fitbit).await;
    client.renews(200, samples::FITBIT).await.unwrap();
    assert_eq!(
        client.stored_refresh_token().await.as_deref(),
        Some("c643a6mB8tLs4nQh05"),
        "the old one is spent"
    );
}

#[tokio::test(start_paused = true)]
async fn linkedin_leaves_the_type_out_and_the_refresh_token_has_an_end() {
    let linkedin = provider::linkedin();
    let client = Client::new(&linkedin);
    let token = client.gets(200, samples::LINKEDIN).await.unwrap();
    assert_eq!(token.token_type(), "Bearer");
    assert_eq!(client.record().await.refresh_expires_at(), Some(client.now() + seconds(31_536_000)));
    // It does not slide: the answer to a renewal says what is left.
    let client = Client::logged_in(&linkedin).await;
    let left = r#"{"access_token":"b","expires_in":5184000,"refresh_token":"AQWAftmB8tLs4nQh06","refresh_token_expires_in":439200}"#;
    client.renews(200, left).await.unwrap();
    assert_eq!(client.record().await.refresh_expires_at(), Some(client.now() + seconds(439_200)));
    assert_eq!((linkedin.pkce, client.seen().proof()), (Pkce::Refused, "body"));
}

#[tokio::test(start_paused = true)]
async fn strava_may_give_the_same_token_again_which_does_not_drive_refreshes() {
    let strava = provider::strava();
    let client = Client::logged_in(&strava).await;
    let same = r#"{"token_type":"Bearer","access_token":"login","expires_at":1500003600,"expires_in":3600,"refresh_token":"b5c569mB8tLs4nQh10"}"#;
    let token = client.renews(200, same).await.unwrap();
    assert_eq!(token.expires_at(), Some(client.now() + seconds(3600)));
    assert_eq!(
        client.stored_refresh_token().await.as_deref(),
        Some("b5c569mB8tLs4nQh10"),
        "the newest is stored"
    );
    client.forward(seconds(3500));
    for _ in 0..5 {
        assert_eq!(client.token().await.unwrap().access_token().expose(), "login");
    }
    assert_eq!(client.provider.count(), 1);
    // The lifetime counts from now, whatever the other clock says.
    let client = Client::new(&strava);
    let token = client.gets(200, samples::STRAVA).await.unwrap();
    assert_eq!(token.expires_at(), Some(client.now() + seconds(20_566)));
    assert_eq!(client.seen().parameter("scope").as_deref(), Some("one,two"));
}

#[tokio::test(start_paused = true)]
async fn twitch_lists_scopes_and_wants_the_client_id_beside_the_token() {
    let twitch = provider::twitch();
    let scopes = ["channel:moderate".to_owned(), "chat:edit".to_owned()];
    assert_eq!(token_of(&twitch, samples::TWITCH).await.scope(), Some(&scopes[..]));
    let client = Client::logged_in(&twitch).await;
    assert_eq!(client.renews(200, samples::TWITCH).await.unwrap().scope(), Some(&scopes[..]));
    let call = api_call(&twitch).await;
    assert_eq!(
        (call.header("authorization"), call.header("client-id")),
        (Some("Bearer access"), Some(CLIENT_ID))
    );
}

#[tokio::test(start_paused = true)]
async fn spotify_keeps_the_refresh_token_or_rotates_it() {
    let spotify = provider::spotify();
    let client = Client::logged_in(&spotify).await;
    client.renews(200, samples::SPOTIFY).await.unwrap();
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some(REFRESH_TOKEN));
    client.renews(200, r#"{"access_token":"b","expires_in":3600,"refresh_token":"next"}"#).await.unwrap();
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("next"));
    assert_eq!(client.seen().proof(), "header");
}

#[tokio::test(start_paused = true)]
async fn discord_says_in_the_body_how_long_to_wait() {
    let discord = provider::discord();
    token_of(&discord, samples::DISCORD).await;
    let client = Client::logged_in(&discord).await;
    let limited = r#"{"message":"You are being rate limited.","retry_after":64.57,"global":false}"#;
    let error = client.renews(429, limited).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(std::time::Duration::from_secs_f64(64.57)));
    assert!(error.is_transient());
    client.provider.says(200, samples::DISCORD);
    client.forward(seconds(64));
    assert_eq!(client.refresh().await.unwrap_err().kind(), ErrorKind::BackOff);
    client.forward(seconds(1));
    assert_eq!(client.refresh().await.unwrap().access_token().expose(), "6qrZcUKq7Zp3Xw9v13");
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("D43f5ymB8tLs4nQh13"));
}

#[tokio::test(start_paused = true)]
async fn x_ends_a_grant_with_invalid_request_and_wants_basic_and_pkce() {
    let x = provider::x();
    let dead = r#"{"error":"invalid_request","error_description":"Value passed for the token was invalid."}"#;
    let error = refusal_of(&x, 400, dead).await;
    assert!(error.needs_reauthorization() && code(&error) == "invalid_request", "{error}");
    let other =
        r#"{"error":"invalid_request","error_description":"Missing required parameter [grant_type]."}"#;
    assert_eq!(refusal_of(&x, 400, other).await.kind(), ErrorKind::Refused);
    let client = Client::logged_in(&x).await;
    client.renews(200, samples::X).await.unwrap();
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("bWRWa3mB8tLs4nQh19"));
    assert_eq!((client.seen().proof(), x.pkce), ("header", Pkce::Required));
    let missing =
        r#"{"error":"unauthorized_client","error_description":"Missing valid authorization header"}"#;
    assert!(refusal_of(&x, 401, missing).await.is_configuration());
}

#[tokio::test(start_paused = true)]
async fn reddit_wants_a_user_agent_and_basic_even_without_a_secret() {
    let mut reddit = provider::reddit();
    reddit.request_rules = reddit.request_rules.user_agent("linux:com.example:v1 (by /u/me)").unwrap();
    let client = Client::new(&reddit);
    client.gets(200, samples::REDDIT).await.unwrap();
    assert_eq!(client.seen().header("user-agent"), Some("linux:com.example:v1 (by /u/me)"));
    let played = Played::new();
    played.says(200, samples::REDDIT);
    let endpoint = reddit.public_token_endpoint("id", played.clone()).unwrap();
    let manager = tower_oauth::TokenManager::builder(tower_oauth::ClientCredentials::at(endpoint)).build();
    manager.token(&crate::key()).await.unwrap();
    // `id:`
    assert_eq!(played.last().header("authorization"), Some("Basic aWQ6"));
    assert!(reddit.authorization_parameters.contains(&("duration".into(), "permanent".into())));
    assert!(refusal_of(&reddit, 200, r#"{"error":"invalid_grant"}"#).await.needs_reauthorization());
}

#[tokio::test(start_paused = true)]
async fn tiktok_calls_the_client_id_otherwise_and_its_business_api_wraps_everything() {
    let tiktok = provider::tiktok();
    let client = Client::new(&tiktok);
    let token = client.gets(200, samples::TIKTOK).await.unwrap();
    assert_eq!((extra(&token, "open_id"), token.scope().map(<[_]>::len)), ("o5", Some(2)));
    assert_eq!(client.record().await.refresh_expires_at(), Some(client.now() + seconds(31_536_000)));
    let seen = client.seen();
    assert_eq!(
        (seen.parameter("client_key").as_deref(), seen.parameter("client_id")),
        (Some(CLIENT_ID), None)
    );
    assert_eq!((tiktok.client_id_parameter(), &*tiktok.scope_separator), ("client_key", ","));
    let error =
        r#"{"error":"invalid_grant","error_description":"Refresh token is invalid.","log_id":"2022"}"#;
    assert!(refusal_of(&tiktok, 200, error).await.needs_reauthorization());

    let business = provider::tiktok_business();
    let client = Client::new(&business);
    let token = client.gets(
        200,
        r#"{"code":0,"message":"OK","request_id":"r","data":{"access_token":"b","advertiser_ids":["1"]}}"#,
    );
    let token = token.await.unwrap();
    assert_eq!((token.access_token().expose(), extra(&token, "request_id")), ("b", "r"));
    let seen = client.seen();
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.parameter("app_id").as_deref(), Some(CLIENT_ID));
    assert_eq!(seen.parameter("secret").as_deref(), Some(CLIENT_SECRET));
    for (body, expected) in [
        (r#"{"code":40105,"message":"Access token is incorrect","request_id":"r","data":{}}"#, "40105"),
        (r#"{"data":{"error_code":10007,"description":"Expired"},"message":"error"}"#, "10007"),
    ] {
        let error = Client::new(&business).gets(200, body).await.unwrap_err();
        assert_eq!((error.kind(), code(&error)), (ErrorKind::Refused, expected));
    }
}

#[tokio::test(start_paused = true)]
async fn wechat_asks_with_get_and_answers_errors_as_success() {
    let wechat = provider::wechat();
    let client = Client::with(&wechat, |endpoint| {
        ExtensionGrant::at(endpoint, "authorization_code").secret_parameter("code", "CODE")
    });
    client.provider.says_with(200, "content-type", "text/plain", samples::WECHAT);
    let token = client.token().await.unwrap();
    assert_eq!((token.token_type(), extra(&token, "openid")), ("Bearer", "OPENID"));
    let seen = client.seen();
    assert_eq!(
        (&seen.method, &*seen.url(), &*seen.body),
        (&Method::GET, "https://api.weixin.qq.com/sns/oauth2/access_token", "")
    );
    assert_eq!(seen.header("content-type"), None);
    let expected = [
        ("appid", CLIENT_ID),
        ("code", "CODE"),
        ("grant_type", "authorization_code"),
        ("secret", CLIENT_SECRET),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(seen.parameters().into_iter().collect::<Vec<_>>(), expected);
    let error =
        Client::new(&wechat).gets(200, r#"{"errcode":40029,"errmsg":"invalid code"}"#).await.unwrap_err();
    assert_eq!((code(&error), error.server().unwrap().error_description()), ("40029", Some("invalid code")));
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    // Renewed before its end, the same token lives longer.
    let client = Client::logged_in(&wechat).await;
    let longer =
        r#"{"access_token":"login","expires_in":7200,"refresh_token":"s3cret-refresh","openid":"OPENID"}"#;
    client.forward(seconds(1800));
    let token = client.renews(200, longer).await.unwrap();
    assert_eq!(token.expires_at(), Some(client.now() + seconds(7200)));
    let seen = client.seen();
    assert_eq!(
        (&*seen.url(), seen.parameter("secret")),
        ("https://api.weixin.qq.com/sns/oauth2/refresh_token", None)
    );
    assert!(
        refusal_of(&wechat, 200, r#"{"errcode":40030,"errmsg":"invalid refresh_token"}"#)
            .await
            .needs_reauthorization()
    );
    assert!(refusal_of(&wechat, 200, r#"{"errcode":-1,"errmsg":"system error"}"#).await.is_transient());
}

#[tokio::test(start_paused = true)]
async fn weibo_and_douban_leave_the_type_out() {
    for (provider, in_query) in [(provider::weibo(), true), (provider::douban(), false)] {
        let client = Client::new(&provider);
        let token = client.gets(200, samples::WEIBO).await.unwrap();
        assert_eq!((token.token_type(), extra(&token, "uid")), ("Bearer", "1"));
        assert_eq!(token.expires_at(), Some(client.now() + seconds(798_114)));
        let call = api_call(&provider).await;
        assert_eq!(call.uri.query() == Some("access_token=access"), in_query);
        assert_eq!(call.header("authorization") == Some("Bearer access"), !in_query);
    }
}

#[tokio::test(start_paused = true)]
async fn stack_overflow_answers_a_form_and_wants_the_token_in_the_query() {
    let stack = provider::stack_overflow();
    let client = Client::new(&stack);
    let token = client.gets(200, samples::STACK_OVERFLOW).await.unwrap();
    assert_eq!(
        (token.access_token().expose(), token.expires_at()),
        ("xVg1XCKq7Zp3Xw9v39", Some(client.now() + seconds(86_399)))
    );
    assert_eq!(api_call(&stack).await.uri.query(), Some("access_token=access"));
}
