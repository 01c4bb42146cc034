//! What people work with: code, documents, customers, books.

use tower_oauth::ClientCredentials;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::endpoint::ResponseRules;
use tower_oauth::grant::ExtensionGrant;
use tower_oauth::provider;
use tower_oauth::provider::Pkce;

use crate::CLIENT_ID;
use crate::Client;
use crate::REFRESH_TOKEN;
use crate::api_call;
use crate::code;
use crate::extra;
use crate::refusal_of;
use crate::samples;
use crate::seconds;
use crate::token_of;

#[tokio::test(start_paused = true)]
async fn github_answers_errors_with_200_and_forms_unless_it_is_asked_for_json() {
    let github = provider::github();
    let client = Client::new(&github);
    for body in [samples::GITHUB, samples::GITHUB_FORM] {
        client.provider.says(200, body);
        let token = client.refresh().await.unwrap();
        assert_eq!(token.access_token().expose(), "gho_16C7Kq7Zp3Xw9v00");
        assert_eq!(token.scope(), Some(&["repo".to_owned(), "gist".to_owned()][..]));
        assert_eq!(token.expires_at(), None);
    }
    assert_eq!((client.seen().header("accept"), client.seen().proof()), (Some("application/json"), "body"));
    for body in [
        r#"{"error":"bad_verification_code","error_description":"The code passed is incorrect or expired.","error_uri":"https://docs.github.com/x"}"#,
        "error=bad_verification_code&error_description=The+code+passed+is+incorrect+or+expired.&error_uri=https%3A%2F%2Fdocs.github.com%2Fx",
    ] {
        let error = Client::new(&github).gets(200, body).await.unwrap_err();
        let server = error.server().unwrap();
        assert_eq!(
            (error.kind(), error.status().map(|status| status.as_u16())),
            (ErrorKind::Refused, Some(200))
        );
        assert_eq!(server.code(), "bad_verification_code");
        assert_eq!(server.error_description(), Some("The code passed is incorrect or expired."));
        assert_eq!(server.error_uri(), Some("https://docs.github.com/x"));
    }
    // GitHub Apps: tokens that end, and a refresh token with an end.
    let client = Client::logged_in(&github).await;
    let app = r#"{"access_token":"ghu_1","expires_in":28800,"refresh_token":"ghr_1","refresh_token_expires_in":15897600,"scope":"","token_type":"bearer"}"#;
    client.renews(200, app).await.unwrap();
    assert_eq!(client.record().await.refresh_expires_at(), Some(client.now() + seconds(15_897_600)));
    let dead = r#"{"error":"bad_refresh_token","error_description":"The refresh token passed is incorrect or expired."}"#;
    assert!(refusal_of(&github, 200, dead).await.needs_reauthorization());
    let slow = r#"{"error":"slow_down","error_description":"Too many requests","interval":10}"#;
    assert!(refusal_of(&github, 200, slow).await.is_transient());
}

#[tokio::test(start_paused = true)]
async fn slack_has_two_tokens_in_one_answer_and_says_ok_false() {
    let (bot, user) = (provider::slack(), provider::slack_user());
    let token = token_of(&bot, samples::SLACK).await;
    assert_eq!((token.access_token().expose(), token.token_type()), ("xoxb-17Kq7Zp3Xw9v02", "Bearer"));
    assert_eq!(token.scope(), Some(&["chat:write".to_owned(), "commands".to_owned()][..]));
    assert_eq!(
        token.extra("authed_user").and_then(|user| user["access_token"].as_str()),
        Some("xoxp-23Gd6RfTy1cJ")
    );
    let token = token_of(&user, samples::SLACK).await;
    assert_eq!((token.access_token().expose(), token.token_type()), ("xoxp-23Gd6RfTy1cJ", "Bearer"));
    assert_eq!((&*user.scope_parameter, user.pkce), ("user_scope", Pkce::Refused));
    // A user's token is never replaced by the bot's.
    let without =
        r#"{"ok":true,"access_token":"xoxb-17Kq7Zp3Xw9v02","token_type":"bot","authed_user":{"id":"U1"}}"#;
    assert_eq!(Client::new(&user).gets(200, without).await.unwrap_err().kind(), ErrorKind::UnusableResponse);
    // Renewals of either come at the top.
    let client = Client::logged_in(&user).await;
    let renewed = r#"{"ok":true,"access_token":"xoxe.xoxp","token_type":"user","expires_in":43200,"refresh_token":"xoxe-2"}"#;
    assert_eq!(client.renews(200, renewed).await.unwrap().access_token().expose(), "xoxe.xoxp");
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("xoxe-2"));
    for (body, transient, ended) in [
        (r#"{"ok":false,"error":"invalid_code"}"#, false, false),
        (r#"{"ok":false,"error":"ratelimited"}"#, true, false),
        (r#"{"ok":false,"error":"invalid_refresh_token"}"#, false, true),
    ] {
        let error = refusal_of(&bot, 200, body).await;
        assert_eq!((error.is_transient(), error.needs_reauthorization()), (transient, ended), "{body}");
    }
    // The legacy API wants the token as a field of a form.
    let mut legacy = provider::slack();
    legacy.placement = tower_oauth::oauth2::Placement::form_field("token").unwrap();
    assert!(format!("{:?}", legacy.placement).contains("Form"));
}

#[tokio::test(start_paused = true)]
async fn salesforce_does_not_say_how_long_a_token_lives() {
    let salesforce = provider::salesforce("example.my.salesforce.com").unwrap();
    let client = Client::new(&salesforce);
    let token = client.gets(200, samples::SALESFORCE).await.unwrap();
    assert_eq!(token.expires_at(), None, "issued_at is no end");
    assert_eq!(extra(&token, "instance_url"), "https://x.my.salesforce.com");
    assert_eq!(extra(&token, "issued_at"), "1278448384422");
    // It is renewed when it is refused, and not before.
    let client = Client::with(&salesforce, tower_oauth::grant::RefreshToken::at);
    client.manager.put(&crate::key(), Token::new("login").with_refresh_token(REFRESH_TOKEN)).await.unwrap();
    client.forward(seconds(1_000_000));
    assert_eq!(client.token().await.unwrap().access_token().expose(), "login");
    client.provider.says(200, samples::SALESFORCE);
    client.manager.invalidate(&crate::key(), &Token::new("login"));
    assert_eq!(client.token().await.unwrap().access_token().expose(), "00Dx!AR8Kq7Zp3Xw9v09");
    // Errors come as lists.
    let list = r#"[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]"#;
    assert_eq!(code(&refusal_of(&salesforce, 401, list).await), "INVALID_SESSION_ID");
    let form = "error=invalid_grant&error_description=expired+access%2Frefresh+token";
    assert!(refusal_of(&salesforce, 400, form).await.needs_reauthorization());
}

#[tokio::test(start_paused = true)]
async fn mailchimps_tokens_never_end() {
    let mailchimp = provider::mailchimp();
    let client = Client::new(&mailchimp);
    let token = client.gets(200, samples::MAILCHIMP).await.unwrap();
    assert_eq!((token.expires_at(), token.scope()), (None, None));
    client.forward(seconds(10_000_000));
    assert_eq!(client.token().await.unwrap().access_token().expose(), "5c6cccKq7Zp3Xw9v14");
    assert_eq!(client.provider.count(), 1);
    // Anywhere else it would have ended.
    let mut elsewhere = mailchimp.clone();
    elsewhere.response_rules = ResponseRules::lenient();
    assert_eq!(
        Client::new(&elsewhere).gets(200, samples::MAILCHIMP).await.unwrap_err().kind(),
        ErrorKind::UnusableResponse
    );
}

#[tokio::test(start_paused = true)]
async fn zoho_has_data_centres_a_scheme_of_its_own_and_errors_with_200() {
    let zoho = provider::zoho("eu").unwrap();
    let client = Client::logged_in(&zoho).await;
    let token = client.renews(200, samples::ZOHO).await.unwrap();
    assert_eq!(extra(&token, "api_domain"), "https://www.zohoapis.com");
    assert_eq!(client.seen().url(), "https://accounts.zoho.eu/oauth/v2/token");
    assert_eq!(api_call(&zoho).await.header("authorization"), Some("Zoho-oauthtoken access"));
    assert!(refusal_of(&zoho, 200, r#"{"error":"invalid_code"}"#).await.needs_reauthorization());
    assert!(refusal_of(&zoho, 200, r#"{"error":"invalid_client"}"#).await.is_configuration());
    let quota =
        r#"{"error":"Access Denied","error_description":"You have made too many requests continuously."}"#;
    assert!(refusal_of(&zoho, 400, quota).await.is_transient());
    assert!(provider::zoho("mars").is_err());
    // However many ask, one request is made.
    let client = Client::logged_in(&zoho).await;
    client.provider.says(200, samples::ZOHO);
    client.forward(seconds(3600));
    let all = futures_util::future::join_all((0..50).map(|_| client.token())).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(client.provider.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn notion_wants_json_and_basic_and_never_the_same_refresh_token_twice() {
    let notion = provider::notion();
    let client = Client::logged_in(&notion).await;
    let token = client.renews(200, samples::NOTION).await.unwrap();
    assert_eq!((token.expires_at(), extra(&token, "workspace_id")), (None, "w1"));
    let seen = client.seen();
    assert_eq!((seen.header("content-type"), seen.proof()), (Some("application/json"), "header"));
    assert_eq!(seen.parameter("refresh_token").as_deref(), Some(REFRESH_TOKEN));
    client.renews(200, samples::NOTION).await.unwrap();
    assert_eq!(client.seen().parameter("refresh_token").as_deref(), Some("nrt_49mB8tLs4nQh17"));
    let call = api_call(&notion).await;
    assert_eq!(call.header("notion-version"), Some("2022-06-28"));
    // After it was refused, it is not presented again.
    let client = Client::logged_in(&notion).await;
    client.renews(400, r#"{"error":"invalid_grant"}"#).await.unwrap_err();
    client.forward(seconds(7200));
    assert!(client.token().await.unwrap_err().needs_reauthorization());
    assert_eq!(client.provider.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn atlassian_ends_a_grant_with_403_and_unauthorized_client() {
    let atlassian = provider::atlassian();
    let dead = r#"{"error":"unauthorized_client","error_description":"refresh_token is invalid"}"#;
    let error = refusal_of(&atlassian, 403, dead).await;
    assert!(error.needs_reauthorization() && code(&error) == "unauthorized_client", "{error}");
    let client = r#"{"error":"unauthorized_client","error_description":"client is not allowed"}"#;
    let error = refusal_of(&atlassian, 403, client).await;
    assert!(error.is_configuration() && !error.needs_reauthorization());
    let client = Client::logged_in(&atlassian).await;
    client.renews(200, samples::ATLASSIAN).await.unwrap();
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("eyJRTLmB8tLs4nQh18"));
    assert_eq!(client.seen().header("content-type"), Some("application/json"));
    assert_eq!(atlassian.reuse_window, Some(seconds(600)));
    assert!(atlassian.authorization_parameters.contains(&("audience".into(), "api.atlassian.com".into())));
}

#[tokio::test(start_paused = true)]
async fn quickbooks_changes_the_refresh_token_and_names_its_life_otherwise() {
    let quickbooks = provider::quickbooks();
    let client = Client::logged_in(&quickbooks).await;
    client.renews(200, samples::QUICKBOOKS).await.unwrap();
    let record = client.record().await;
    assert_eq!(record.refresh_token().map(|token| token.expose()), Some("AB1177mB8tLs4nQh25"));
    assert_eq!(record.refresh_expires_at(), Some(client.now() + seconds(8_726_400)));
    assert_eq!(client.seen().proof(), "header");
}

#[tokio::test(start_paused = true)]
async fn xero_grants_more_than_was_asked_for_and_takes_a_spent_token_for_half_an_hour() {
    let xero = provider::xero();
    let client = Client::new(&xero);
    let token = client.gets(200, samples::XERO).await.unwrap();
    assert_eq!(token.scope().map(<[_]>::len), Some(3), "two were asked for");
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("LwvFZ3mB8tLs4nQh26"));
    assert_eq!(xero.reuse_window, Some(seconds(1800)));
    assert_eq!(xero.companions.first().map(|header| header.name), Some("xero-tenant-id"));
}

#[tokio::test(start_paused = true)]
async fn hubspot_says_status_and_message() {
    let hubspot = provider::hubspot();
    let dead =
        r#"{"status":"BAD_REFRESH_TOKEN","message":"missing or unknown refresh token","correlationId":"c1"}"#;
    let error = refusal_of(&hubspot, 400, dead).await;
    assert!(error.needs_reauthorization() && error.to_string().contains("missing or unknown"), "{error}");
    let client = Client::logged_in(&hubspot).await;
    client.renews(200, samples::HUBSPOT).await.unwrap();
    assert_eq!(
        (client.seen().proof(), client.stored_refresh_token().await.as_deref()),
        ("body", Some("1e8fbfmB8tLs4nQh27"))
    );
}

#[tokio::test(start_paused = true)]
async fn zoom_has_a_grant_of_its_own_for_accounts() {
    let zoom = provider::zoom();
    let client = Client::logged_in(&zoom).await;
    let token = client.renews(200, samples::ZOOM).await.unwrap();
    assert_eq!(extra(&token, "api_url"), "https://api.zoom.us");
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("eyJRZOmB8tLs4nQh28"));
    let dead = r#"{"reason":"Invalid Token!","error":"invalid_grant"}"#;
    assert!(refusal_of(&zoom, 400, dead).await.needs_reauthorization());
    let client = Client::with(&provider::zoom_account("acc"), ClientCredentials::at);
    client.gets(200, r#"{"access_token":"a","token_type":"bearer","expires_in":3599}"#).await.unwrap();
    let seen = client.seen();
    assert_eq!(seen.parameter("grant_type").as_deref(), Some("account_credentials"));
    assert_eq!((seen.parameter("account_id").as_deref(), seen.proof()), (Some("acc"), "header"));
    // Parameters may go into the query.
    let mut in_query = zoom.clone();
    in_query.request_rules = in_query.request_rules.query();
    let client = Client::logged_in(&in_query).await;
    client.renews(200, samples::ZOOM).await.unwrap();
    assert_eq!(client.seen().uri.query(), Some("grant_type=refresh_token&refresh_token=s3cret-refresh"));
}

#[tokio::test(start_paused = true)]
async fn docusign_wants_consent_for_its_jwt_grant() {
    for docusign in [provider::docusign(), provider::docusign_demo()] {
        let client = Client::with(&docusign, |endpoint| {
            ExtensionGrant::at(endpoint, "urn:ietf:params:oauth:grant-type:jwt-bearer")
                .secret_parameter("assertion", "jwt")
        });
        let error = client.gets(400, r#"{"error":"consent_required"}"#).await.unwrap_err();
        assert!(error.needs_reauthorization());
        let client = Client::logged_in(&docusign).await;
        client.renews(200, samples::DOCUSIGN).await.unwrap();
        assert_eq!(
            (client.seen().proof(), client.stored_refresh_token().await.as_deref()),
            ("header", Some("eyJRDOmB8tLs4nQh29"))
        );
    }
    assert!(provider::docusign_demo().token_url.starts_with("https://account-d."));
}

#[tokio::test(start_paused = true)]
async fn dropbox_never_sees_the_secret_in_two_places() {
    let dropbox = provider::dropbox();
    let client = Client::logged_in(&dropbox).await;
    let token = client.renews(200, samples::DROPBOX).await.unwrap();
    assert_eq!((extra(&token, "account_id"), client.seen().proof()), ("dbid:x", "header"));
    assert!(dropbox.authorization_parameters.contains(&("token_access_type".into(), "offline".into())));
}

#[tokio::test(start_paused = true)]
async fn figma_renews_elsewhere() {
    let figma = provider::figma();
    let client = Client::logged_in(&figma).await;
    client.renews(200, samples::FIGMA).await.unwrap();
    assert_eq!(client.seen().url(), "https://api.figma.com/v1/oauth/refresh");
    assert_eq!((client.seen().proof(), figma.pkce, &*figma.scope_separator), ("header", Pkce::Refused, ","));
    let client = Client::new(&figma);
    client.gets(200, samples::FIGMA).await.unwrap();
    assert_eq!(client.seen().url(), "https://api.figma.com/v1/oauth/token");
}

#[tokio::test(start_paused = true)]
async fn gitlab_and_bitbucket_answer_as_the_rfc_says() {
    let gitlab = provider::gitlab("gitlab.example.com").unwrap();
    assert_eq!(
        gitlab.device_authorization_url.as_deref(),
        Some("https://gitlab.example.com/oauth/authorize_device")
    );
    let body = r#"{"access_token":"a","token_type":"bearer","expires_in":7200,"refresh_token":"b","created_at":1607635748}"#;
    let client = Client::logged_in(&gitlab).await;
    client.renews(200, body).await.unwrap();
    assert_eq!(
        (client.seen().proof(), client.seen().parameter("client_id").as_deref()),
        ("body", Some(CLIENT_ID))
    );
    assert_eq!(client.stored_refresh_token().await.as_deref(), Some("b"));
    token_of(
        &provider::bitbucket(),
        r#"{"access_token":"a","scopes":"account","expires_in":7200,"token_type":"bearer"}"#,
    )
    .await;
}
