//! The examples in which somebody logs in, run against the embedded provider as they run without any settings.
#![cfg(all(feature = "client", feature = "loopback", feature = "testing"))]

#[expect(dead_code, reason = "its `main` is not called")]
#[path = "../examples/authorization_code.rs"]
mod authorization_code;

#[expect(dead_code, reason = "its `main` is not called")]
#[path = "../examples/device_code.rs"]
mod device_code;

#[expect(dead_code, reason = "its `main` is not called")]
#[path = "../examples/web_login/main.rs"]
mod web_login;

#[tokio::test]
async fn the_terminal_logs_in_through_its_loopback_receiver() {
    let mut said = Vec::new();
    authorization_code::demonstrate(tower_oauth::client(), true, &mut said).await.unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("The browser shows: You are logged in"), "{said}");
    assert!(said.contains("200 OK") && said.contains(r#""user":"test-user""#), "{said}");
}

#[tokio::test]
async fn the_device_logs_in_with_a_code_that_somebody_else_enters() {
    let mut said = Vec::new();
    device_code::demonstrate(tower_oauth::client(), true, &mut said).await.unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("waiting; next question in 1s"), "{said}");
    assert!(said.contains("200 OK") && said.contains(r#""user":"test-user""#), "{said}");
}

#[tokio::test]
async fn the_web_application_works_from_login_to_logout() {
    web_login::demonstrate().await.unwrap();
}
