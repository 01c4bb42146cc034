//! Many users at once, with everything that can come between: chance decides, by the same dice in every run.

use std::sync::Arc;
use std::sync::Mutex;

use http_body_util::BodyExt;
use tower::Layer;
use tower::ServiceExt;
use tower_oauth::TokenKey;
use tower_oauth::oauth1::credential_source_fn;
use tower_oauth::testing::Provider;

use super::many_users::credentials_of;
use super::many_users::of;
use super::*;

/// A random number below `bound`, the same in every run (xorshift, by Marsaglia).
fn dice(state: &Mutex<u64>, bound: u64) -> u64 {
    let mut state = state.lock().unwrap();
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) % bound
}

#[tokio::test]
async fn keys_never_mix() {
    const USERS: u64 = 12;
    let mut provider = Provider::builder().oauth1_client("client", "client secret");
    for user in 0..USERS {
        provider = provider.oauth1_token("client", format!("token-of-{user}"), format!("secret-of-{user}"));
    }
    let provider = provider.clock(ManualClock::at(at(START + 600))).build();
    let state = Arc::new(Mutex::new(0x2545_f491_4f6c_dd1d));
    let dice_of_source = Arc::clone(&state);
    let source = credential_source_fn(move |key: TokenKey| {
        let (pauses, fails) = (dice(&dice_of_source, 4), dice(&dice_of_source, 10) == 0);
        async move {
            for _ in 0..pauses {
                tokio::task::yield_now().await;
            }
            if fails { Err(Error::transient("by chance")) } else { Ok(credentials_of(key.as_str())) }
        }
    });
    let origins = Origins::one("http://localhost").unwrap();
    let layer = OAuth1Layer::per_request(origins, source).clock(clock()).max_keys(5);
    let service = layer.layer(provider);
    let mut verified = 0;
    for round in 0..200 {
        let mut tasks = Vec::new();
        for _ in 0..8 {
            let user = dice(&state, USERS).to_string();
            let body = if dice(&state, 2) == 0 { form("a=1") } else { post("text/plain", "") };
            let mut request = of(&user, body);
            *request.uri_mut() = format!("http://localhost/oauth1/resource?user={user}").parse().unwrap();
            let task = tokio::spawn(service.clone().oneshot(request));
            tasks.push((user, task));
        }
        for _ in 0..dice(&state, 4) {
            tokio::task::yield_now().await;
        }
        match dice(&state, 3) {
            0 => layer.forget(&TokenKey::new(dice(&state, USERS).to_string())),
            1 => tasks[0].1.abort(),
            _ => {}
        }
        for (user, task) in tasks {
            let Ok(outcome) = task.await else { continue };
            let response = match outcome {
                Ok(response) => response,
                Err(error) => {
                    assert_eq!(kind_of(&error), ErrorKind::Source);
                    continue;
                }
            };
            assert_eq!(response.status(), 200, "{round}");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["token"], format!("token-of-{user}"));
            let parameters = body["parameters"].as_array().unwrap();
            assert!(parameters.contains(&serde_json::json!(["user", user])), "{body}");
            verified += 1;
        }
    }
    assert!(verified > 1000, "{verified}");
}
