//! Identity platforms, and the accounts of large companies.

use std::time::Duration;

use tower_oauth::ErrorKind;
use tower_oauth::endpoint::SecretSource;
use tower_oauth::grant::ExtensionGrant;
use tower_oauth::grant::RefreshToken;
use tower_oauth::provider;

use crate::CLIENT_ID;
use crate::Client;
use crate::Played;
use crate::REFRESH_TOKEN;
use crate::api_call;
use crate::code;
use crate::extra;
use crate::moment;
use crate::refusal_of;
use crate::samples;
use crate::seconds;
use crate::token_of;

#[tokio::test(start_paused = true)]
async fn microsoft_entra_writes_numbers_as_texts_and_is_never_tried_out() {
    let entra = provider::microsoft("common").unwrap();
    let client = Client::new(&entra);
    let token = client.gets(200, samples::MICROSOFT).await.unwrap();
    assert_eq!(token.expires_at(), Some(client.now() + seconds(3599)));
    assert_eq!(extra(&token, "ext_expires_in"), "3599");
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("AwABAAmB8tLs4nQh07"));
    // Only the moment.
    let moment_only = r#"{"access_token":"a","expires_on":"1671217329"}"#;
    assert_eq!(token_of(&entra, moment_only).await.expires_at(), Some(moment(1_671_217_329)));
    // The hint of when to renew is kept: after it, the token is renewed while it stays in use.
    let client = Client::new(&entra);
    client.gets(200, r#"{"access_token":"first","expires_in":86400,"refresh_in":100}"#).await.unwrap();
    client.forward(seconds(101));
    assert_eq!(client.token().await.unwrap().access_token().expose(), "first");
    // A scope that differs from the one asked for is no error.
    let other = r#"{"access_token":"a","expires_in":"3599","scope":"User.Read profile"}"#;
    assert_eq!(token_of(&entra, other).await.scope().map(<[_]>::len), Some(2));
    // One request, with one proof, however it ends: codes are spent by the first.
    let client = Client::logged_in(&entra).await;
    let error =
        client.renews(401, r#"{"error":"invalid_client","error_codes":[7000215]}"#).await.unwrap_err();
    assert!(error.is_configuration());
    assert_eq!((client.provider.count(), client.seen().proof()), (1, "body"));
}

#[tokio::test(start_paused = true)]
async fn azure_b2c_may_renew_the_id_token_alone() {
    let b2c = provider::azure_b2c("contoso", "B2C_1_signin").unwrap();
    // The refresh token that came with it is not lost, and the error names what is there.
    let client = Client::logged_in(&b2c).await;
    let error = client.renews(200, samples::AZURE_B2C).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingAccessToken);
    assert!(error.to_string().contains("id_token") && !error.to_string().contains("eyJ"), "{error}");
    assert_eq!(error.endpoint(), Some(&*b2c.token_url));
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("eyJraWmB8tLs4nQhB2"));
    assert_eq!(client.record().await.refresh_expires_at(), Some(client.now() + seconds(7_776_000)));
    let alone = Client::new(&b2c).gets(200, samples::AZURE_B2C_ALONE).await.unwrap_err();
    assert_eq!(alone.kind(), ErrorKind::MissingAccessToken);
    // For an API that takes the id token, on request.
    let mut opted_in = b2c.clone();
    opted_in.response_rules = opted_in.response_rules.id_token_as_bearer();
    let client = Client::logged_in(&opted_in).await;
    let token = client.renews(200, samples::AZURE_B2C).await.unwrap();
    assert_eq!(token.access_token().expose(), "eyJpZDbN5kWe0oPaU");
    assert_eq!(token.expires_at(), Some(client.now() + seconds(3600)));
}

#[tokio::test(start_paused = true)]
async fn google_leaves_the_refresh_token_out_and_rewrites_the_scope() {
    let google = provider::google();
    assert_eq!(
        google.authorization_parameters,
        [("access_type".into(), "offline".into()), ("prompt".into(), "consent".into())]
    );
    let client = Client::new(&google);
    let token = client.gets(200, samples::GOOGLE).await.unwrap();
    let scope = ["openid".to_owned(), "https://www.googleapis.com/auth/userinfo.email".to_owned()];
    assert_eq!(token.scope(), Some(&scope[..]));
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("1//0gxmB8tLs4nQh08"));
    let client = Client::logged_in(&google).await;
    client.renews(200, r#"{"access_token":"ya29.b","expires_in":3599,"token_type":"Bearer"}"#).await.unwrap();
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some(REFRESH_TOKEN), "the old one stays");
    let ended = r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
    assert!(refusal_of(&google, 400, ended).await.needs_reauthorization());
}

#[tokio::test(start_paused = true)]
async fn apples_secret_is_made_for_each_request() {
    let made = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let secret = SecretSource::from_fn({
        let made = made.clone();
        move || {
            let number = made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            async move { Ok(format!("jwt-{number}").into()) }
        }
    });
    let apple = provider::apple();
    let played = Played::new();
    played.says(200, samples::APPLE);
    let endpoint = apple.token_endpoint(CLIENT_ID, secret, played.clone()).unwrap();
    let manager = tower_oauth::TokenManager::builder(RefreshToken::at(endpoint)).build();
    let login = tower_oauth::Token::new("login").expires_in(seconds(3600)).with_refresh_token(REFRESH_TOKEN);
    manager.put(&crate::key(), login).await.unwrap();
    for number in 0..2 {
        let token = manager.refresh(&crate::key()).await.unwrap();
        assert_eq!(extra(&token, "id_token"), "eyJAPL");
        let seen = played.last();
        assert_eq!(seen.parameter("client_secret"), Some(format!("jwt-{number}")));
        assert_eq!(seen.header("authorization"), None, "in the body only");
    }
    assert!(apple.response_mode.is_some());
}

#[tokio::test(start_paused = true)]
async fn okta_says_when_its_limit_ends_and_a_dpop_token_is_not_sent_as_a_bearer_token() {
    let okta = provider::okta("example.okta.com").unwrap();
    let error = Client::new(&okta).gets(200, samples::OKTA).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    let client = Client::logged_in(&okta).await;
    let reset = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 1800;
    client.provider.says_with(429, "x-rate-limit-reset", &reset.to_string(), "");
    let error = client.refresh().await.unwrap_err();
    let delay = error.retry_after().unwrap();
    assert!(error.is_transient() && delay > seconds(1700) && delay <= seconds(1800), "{delay:?}");
    let server = provider::okta_server("example.okta.com", "default").unwrap();
    assert_eq!(server.issuer.as_deref(), Some("https://example.okta.com/oauth2/default"));
    assert_eq!(server.token_url, "https://example.okta.com/oauth2/default/v1/token");
}

#[tokio::test(start_paused = true)]
async fn auth0_ends_a_grant_with_403() {
    let auth0 = provider::auth0("example.eu.auth0.com").unwrap();
    token_of(&auth0, samples::AUTH0).await;
    let ended = r#"{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}"#;
    assert!(refusal_of(&auth0, 403, ended).await.needs_reauthorization());
}

#[tokio::test(start_paused = true)]
async fn keycloak_decodes_basic_and_a_refresh_lifetime_of_0_says_nothing() {
    let keycloak = provider::keycloak("https://sso.example.com/auth/", "main").unwrap();
    assert_eq!(keycloak.token_url, "https://sso.example.com/auth/realms/main/protocol/openid-connect/token");
    let client = Client::new(&keycloak);
    let token = client.gets(200, samples::KEYCLOAK).await.unwrap();
    assert_eq!(token.extra("not-before-policy"), Some(&0.into()));
    assert_eq!(client.record().await.refresh_expires_at(), Some(client.now() + seconds(1800)));
    let client = Client::new(&keycloak);
    client
        .gets(200, r#"{"access_token":"a","expires_in":300,"refresh_token":"r","refresh_expires_in":0}"#)
        .await
        .unwrap();
    assert_eq!(client.record().await.refresh_expires_at(), None);
    // A secret with `+` arrives form-encoded.
    let played = Played::new();
    played.says(401, r#"{"error":"invalid_client"}"#);
    let endpoint = keycloak.token_endpoint("id", "a+b", played.clone()).unwrap();
    let manager = tower_oauth::TokenManager::builder(tower_oauth::ClientCredentials::at(endpoint)).build();
    let error = manager.token(&crate::key()).await.unwrap_err();
    // `id:a%2Bb`
    assert_eq!(played.last().header("authorization"), Some("Basic aWQ6YSUyQmI="));
    assert!(error.to_string().contains("basic_raw"), "the other form may be the right one: {error}");
}

#[tokio::test(start_paused = true)]
async fn cognito_leaves_the_refresh_token_out() {
    let cognito = provider::cognito("example.auth.eu-west-1.amazoncognito.com").unwrap();
    let client = Client::logged_in(&cognito).await;
    let token = client.renews(200, samples::COGNITO).await.unwrap();
    assert_eq!(token.access_token().expose(), "eyJCOAKq7Zp3Xw9v35");
    assert_eq!(extra(&token, "id_token"), "eyJCOI");
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some(REFRESH_TOKEN));
}

#[tokio::test(start_paused = true)]
async fn supabase_says_error_code_and_takes_a_spent_token_for_ten_seconds() {
    let supabase = provider::supabase("abcdefghijklmnopqrst").unwrap();
    let dead = r#"{"code":400,"error_code":"refresh_token_not_found","msg":"Invalid Refresh Token: Refresh Token Not Found"}"#;
    let error = refusal_of(&supabase, 400, dead).await;
    assert!(error.needs_reauthorization() && error.to_string().contains("Not Found"), "{error}");
    assert_eq!(code(&error), "refresh_token_not_found");
    let client = Client::logged_in(&supabase).await;
    let token = client.renews(200, samples::SUPABASE).await.unwrap();
    assert_eq!(token.expires_at(), Some(client.now() + seconds(3600)), "a lifetime needs one clock only");
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("4nYUCwmB8tLs4nQh42"));
    let seen = client.seen();
    assert_eq!(seen.uri, "https://abcdefghijklmnopqrst.supabase.co/auth/v1/token?grant_type=refresh_token");
    assert_eq!(seen.body, format!(r#"{{"refresh_token":"{REFRESH_TOKEN}"}}"#));
    assert_eq!(supabase.reuse_window, Some(Duration::from_secs(10)));
}

#[tokio::test(start_paused = true)]
async fn epic_games_wants_raw_basic_and_writes_the_end_as_a_date() {
    let epic = provider::epic_games();
    let played = Played::new();
    played
        .says(401, r#"{"errorCode":"errors.com.epicgames.account.invalid_client","error":"invalid_client"}"#);
    let endpoint = epic.token_endpoint("id", "a+b", played.clone()).unwrap();
    let manager = tower_oauth::TokenManager::builder(tower_oauth::ClientCredentials::at(endpoint)).build();
    let error = manager.token(&crate::key()).await.unwrap_err();
    // `id:a+b`
    assert_eq!(played.last().header("authorization"), Some("Basic aWQ6YSti"));
    assert!(error.to_string().contains("`ClientAuth::basic`"), "{error}");
    assert_eq!(token_of(&epic, samples::EPIC_GAMES).await.expires_at(), Some(moment(1_672_531_200)));
}

#[tokio::test(start_paused = true)]
async fn amazon_repeats_the_refresh_token_and_has_a_header_and_regions() {
    let amazon = provider::amazon("eu").unwrap();
    let client = Client::logged_in(&amazon).await;
    let body = r#"{"access_token":"Atza|x","token_type":"bearer","expires_in":3600,"refresh_token":"s3cret-refresh"}"#;
    client.renews(200, body).await.unwrap();
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some(REFRESH_TOKEN));
    assert_eq!(client.seen().url(), "https://api.amazon.co.uk/auth/o2/token");
    assert_eq!(token_of(&amazon, samples::AMAZON).await.access_token().expose(), "Atza|IwEBKq7Zp3Xw9v30");
    let call = api_call(&amazon).await;
    assert_eq!((call.header("x-amz-access-token"), call.header("authorization")), (Some("access"), None));
}

#[tokio::test(start_paused = true)]
async fn metabase_ends_a_grant_with_invalid_request_so_its_classifier_is_its_own() {
    use tower_oauth::endpoint::ErrorPattern;
    use tower_oauth::provider::Provider;
    let mut metabase = Provider::new("Metabase", "https://metabase.example.com/oauth/token");
    let body = r#"{"error":"invalid_request"}"#;
    assert_eq!(refusal_of(&metabase, 400, body).await.kind(), ErrorKind::Refused);
    metabase.response_rules =
        metabase.response_rules.reauthorize_on(ErrorPattern::new("invalid_request").status(400));
    assert!(refusal_of(&metabase, 400, body).await.needs_reauthorization());
    // A login that is asked for wrongly is no grant that has ended.
    let client = Client::with(&metabase, |endpoint| ExtensionGrant::at(endpoint, "custom"));
    assert_eq!(client.gets(400, body).await.unwrap_err().kind(), ErrorKind::Refused);
}
