//! Any bytes that a token endpoint answers, with any status, read by rules of every kind: an access token is one that was in
//! there, and no error says what was sent.
#![no_main]

use std::convert::Infallible;
use std::future::ready;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::StatusCode;
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use tower_oauth::ClientAuth;
use tower_oauth::ClientCredentials;
use tower_oauth::Error;
use tower_oauth::Token;
use tower_oauth::TokenKey;
use tower_oauth::TokenManager;
use tower_oauth::endpoint::ErrorPattern;
use tower_oauth::endpoint::ResponseRules;
use tower_oauth::endpoint::TokenEndpoint;
use tower_oauth::endpoint::TokenField;
use tower_oauth::grant::RefreshToken;
use tower_oauth::provider;

const CLIENT_SECRET: &str = "s3cret-client-s3cret";
const REFRESH_TOKEN: &str = "s3cret-refresh-s3cret";

fn rules(choice: u8) -> ResponseRules {
    match choice % 8 {
        0 => ResponseRules::strict(),
        1 => provider::slack_user().response_rules,
        2 => provider::tiktok_business().response_rules,
        3 => ResponseRules::lenient().id_token_as_bearer().access_token_refreshes(),
        4 => ResponseRules::lenient().lifetimes_in_milliseconds().zero_is_no_end().scope_separator(','),
        5 => ResponseRules::lenient().name(TokenField::AccessToken, "token").bearer_type("user"),
        6 => ResponseRules::lenient()
            .reauthorize_on(ErrorPattern::new("a").description("b").at_any_grant())
            .transient_on(ErrorPattern::new("c").status(400)),
        _ => ResponseRules::lenient(),
    }
}

fuzz_target!(|data: (u8, bool, u16, &[u8])| {
    let (choice, is_refresh, status, body) = data;
    let Ok(status) = StatusCode::from_u16(if status % 4 == 0 { status } else { 200 }) else { return };
    let answer = Bytes::copy_from_slice(body);
    let http = tower::service_fn(move |_: Request<Full<Bytes>>| {
        let mut response = Response::new(Full::new(answer.clone()));
        *response.status_mut() = status;
        response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
        ready(Ok::<_, Infallible>(response))
    });
    let auth = ClientAuth::post("id", CLIENT_SECRET);
    let endpoint = TokenEndpoint::new("https://auth.test/token", auth, http).expect("a URL");
    let endpoint = endpoint.response_rules(rules(choice));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let outcome: Result<Token, Error> = runtime.block_on(async {
        let key = TokenKey::default();
        if is_refresh {
            let manager = TokenManager::builder(RefreshToken::at(endpoint)).build();
            manager.put(&key, Token::new("login").with_refresh_token(REFRESH_TOKEN)).await?;
            manager.refresh(&key).await
        } else {
            TokenManager::builder(ClientCredentials::at(endpoint)).build().token(&key).await
        }
    });
    match outcome {
        Ok(token) => {
            let access_token = token.access_token().expose();
            assert!(status.is_success());
            assert!(!access_token.is_empty() && access_token.bytes().all(|byte| byte.is_ascii_graphic()));
            // Without escapes, it is in there as it came out.
            let is_plain = !body.iter().any(|byte| b"\\%+".contains(byte));
            let is_inside = body.windows(access_token.len()).any(|part| part == access_token.as_bytes());
            assert!(!is_plain || is_inside, "{access_token}");
        }
        Err(error) => {
            let shown = format!("{error} {error:?} {:?}", error.server());
            assert!(!shown.contains(CLIENT_SECRET) && !shown.contains(REFRESH_TOKEN), "{shown}");
        }
    }
});
