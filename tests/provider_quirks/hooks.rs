//! Closures that edit requests before they are sent, and answers before they are read.

use std::sync::Arc;
use std::sync::Mutex;

use http::HeaderValue;
use http::StatusCode;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Token;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::TokenEndpoint;
use tower_oauth::grant::RefreshToken;

use crate::Played;
use crate::REFRESH_TOKEN;
use crate::key;

const GOOD: &str = r#"{"access_token":"good","expires_in":3600}"#;

fn endpoint(played: &Played) -> TokenEndpoint {
    let auth = ClientAuth::post("client-id", "s3cret-client");
    TokenEndpoint::new("https://auth.test/token", auth, played.clone()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_hooks_of_the_access_token_edit_its_request_and_its_answer_alone() {
    let played = Played::new();
    played.says(500, r#"{"token":{"value":"wrapped"}}"#);
    let shown = Arc::new(Mutex::new(String::new()));
    let endpoint = endpoint(&played)
        .access_token_request({
            let shown = Arc::clone(&shown);
            move |request| {
                assert_eq!(
                    request.parameter("client_secret"),
                    Some("s3cret-client"),
                    "it comes after the proof"
                );
                request.set("device", "4711");
                request.set("scope", "edited");
                request.remove("client_id");
                request.headers().insert("x-trace", HeaderValue::from_static("abc"));
                *shown.lock().unwrap() = format!("{request:?}");
            }
        })
        .access_token_response(|response| {
            let body = String::from_utf8(response.body().to_vec()).unwrap();
            let token = body.split('"').nth(5).unwrap_or_default();
            *response.body_mut() = format!(r#"{{"access_token":"{token}"}}"#).into();
            *response.status_mut() = StatusCode::OK;
        })
        .refresh_token_request(|_| panic!("this is no refresh"))
        .refresh_token_response(|_| panic!("this is no refresh"));
    let debug = format!("{endpoint:?}");
    let manager = TokenManager::builder(ClientCredentials::at(endpoint).scope("asked")).build();
    assert_eq!(manager.token(&key()).await.unwrap().access_token().expose(), "wrapped");
    let seen = played.last();
    assert_eq!(seen.parameter("device").as_deref(), Some("4711"));
    assert_eq!((seen.parameter("scope").as_deref(), seen.parameter("client_id")), (Some("edited"), None));
    assert_eq!(seen.header("x-trace"), Some("abc"));
    let shown = shown.lock().unwrap().clone() + &debug;
    assert!(shown.contains("client_secret") && !shown.contains("s3cret"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn the_hooks_of_the_refresh_edit_it_alone() {
    let played = Played::new();
    played.says(200, "nonsense");
    let endpoint = endpoint(&played)
        .access_token_request(|_| panic!("this is a refresh"))
        .access_token_response(|_| panic!("this is a refresh"))
        .refresh_token_request(|request| request.set("client_id", "edited"))
        .refresh_token_response(|response| *response.body_mut() = GOOD.into());
    let manager = TokenManager::builder(RefreshToken::at(endpoint)).build();
    manager.put(&key(), Token::new("login").with_refresh_token(REFRESH_TOKEN)).await.unwrap();
    assert_eq!(manager.refresh(&key()).await.unwrap().access_token().expose(), "good");
    assert_eq!(played.last().parameter("client_id").as_deref(), Some("edited"));
}

#[tokio::test(start_paused = true)]
async fn what_a_hook_sends_is_taken_out_of_what_the_server_says_of_it() {
    let played = Played::new();
    played.says(
        400,
        r#"{"error":"invalid_request","error_description":"hush-of-the-hook and s3cret-client?"}"#,
    );
    let endpoint = endpoint(&played).access_token_request(|request| {
        request.remove("client_secret");
        request.set("ticket", "hush-of-the-hook");
    });
    let error =
        TokenManager::builder(ClientCredentials::at(endpoint)).build().token(&key()).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("[redacted]") && !shown.contains("hush") && !shown.contains("s3cret"), "{shown}");
}
