//! What the compliance fixes of requests-oauthlib mend, read without any preset where none is needed.

use tower_oauth::endpoint::ResponseRules;
use tower_oauth::oauth2::Placement;
use tower_oauth::provider;
use tower_oauth::provider::Provider;

use crate::Client;
use crate::api_call;
use crate::code;
use crate::seconds;
use crate::token_of;

/// A provider of which nothing is known.
fn unknown() -> Provider {
    Provider::new("unknown", "https://auth.test/token")
}

#[tokio::test(start_paused = true)]
async fn douban_gets_a_token_type() {
    let body = r#"{"access_token":"a14afef0f66fcffce3e0fcd2e34f6ff4","expires_in":3920,"refresh_token":"5d633d136b6d56a41829b73a424803ec","douban_user_id":"1221"}"#;
    assert_eq!(token_of(&unknown(), body).await.token_type(), "Bearer");
}

#[tokio::test(start_paused = true)]
async fn ebays_token_type_is_bearer() {
    let body = r#"{"access_token":"a","expires_in":7200,"token_type":"Application Access Token"}"#;
    assert_eq!(token_of(&provider::ebay(), body).await.token_type(), "Bearer");
    // Without the preset the type is told as it is, and the token is sent as a bearer token all the same.
    let token = token_of(&unknown(), body).await;
    assert_eq!(token.token_type(), "Application Access Token");
}

#[tokio::test(start_paused = true)]
async fn facebooks_form_labelled_as_text_is_read_and_expires_is_a_lifetime() {
    let client = Client::new(&unknown());
    client.provider.says_with(
        200,
        "content-type",
        "text/plain; charset=UTF-8",
        "access_token=urlencoded&expires=86400",
    );
    let token = client.token().await.unwrap();
    assert_eq!((token.access_token().expose(), token.token_type()), ("urlencoded", "Bearer"));
    assert_eq!(token.expires_at(), Some(client.now() + seconds(86_400)));
    // JSON with another label, too.
    let client = Client::new(&unknown());
    client.provider.says_with(200, "content-type", "text/plain", r#"{"access_token":"json"}"#);
    assert_eq!(client.token().await.unwrap().access_token().expose(), "json");
}

#[tokio::test(start_paused = true)]
async fn fitbits_errors_are_found() {
    let body = r#"{"errors":[{"errorType":"invalid_grant","message":"Authorization code invalid"}],"success":false}"#;
    let error = Client::new(&unknown()).gets(200, body).await.unwrap_err();
    assert_eq!(code(&error), "invalid_grant");
    let good = r#"{"access_token":"fitbit","refresh_token":"refresh","success":true}"#;
    assert_eq!(token_of(&unknown(), good).await.access_token().expose(), "fitbit");
}

#[tokio::test(start_paused = true)]
async fn instagrams_token_goes_into_the_query() {
    let call = api_call(&provider::instagram()).await;
    assert_eq!(call.uri, "https://api.test/thing?access_token=access");
}

#[tokio::test(start_paused = true)]
async fn mailchimps_lifetime_of_0_is_no_end_and_its_null_scope_is_none() {
    let body = r#"{"access_token":"mailchimp","expires_in":0,"scope":null}"#;
    let mut rules = unknown();
    rules.response_rules = ResponseRules::lenient().zero_is_no_end();
    for provider in [provider::mailchimp(), rules] {
        let token = token_of(&provider, body).await;
        assert_eq!((token.token_type(), token.expires_at(), token.scope()), ("Bearer", None, None));
    }
}

#[tokio::test(start_paused = true)]
async fn plentymarkets_camel_case_is_read() {
    let body = r#"{"accessToken":"ecUN1r8KhJewMCdLAmpHOdZ4O0ofXKB9zf6CXK61","tokenType":"Bearer","expiresIn":86400,"refreshToken":"iG2kBGIjcXaRE4xmTVUnv7xwxX7XMcWCHqJmFaSX"}"#;
    let client = Client::new(&unknown());
    let token = client.gets(200, body).await.unwrap();
    assert_eq!(token.access_token().expose(), "ecUN1r8KhJewMCdLAmpHOdZ4O0ofXKB9zf6CXK61");
    assert_eq!((token.token_type(), token.expires_at()), ("Bearer", Some(client.now() + seconds(86_400))));
    let refresh_token = client.stored_refresh_token().await;
    assert_eq!(refresh_token.as_deref(), Some("iG2kBGIjcXaRE4xmTVUnv7xwxX7XMcWCHqJmFaSX"));
}

#[tokio::test(start_paused = true)]
async fn slacks_token_goes_where_the_api_wants_it() {
    let mut legacy = provider::slack();
    legacy.placement = Placement::query_parameter("token").unwrap();
    assert_eq!(api_call(&legacy).await.uri, "https://api.test/thing?token=access");
    assert_eq!(api_call(&provider::slack()).await.header("authorization"), Some("Bearer access"));
}

#[tokio::test(start_paused = true)]
async fn weibos_token_type_is_missing() {
    let body = r#"{"access_token":"weibo","expires_in":1234,"uid":"12341234"}"#;
    assert_eq!(token_of(&unknown(), body).await.token_type(), "Bearer");
}
