//! The real client against servers that cannot be connected to: nothing was sent, so the refresh token is still good.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tower_oauth::ClientAuth;
use tower_oauth::ErrorKind;
use tower_oauth::Token;
use tower_oauth::TokenManager;
use tower_oauth::grant::RefreshToken;
use tower_oauth::store::MemoryStore;
use tower_oauth::token::Record;
use tower_oauth::token::TokenStore;

use crate::key;

/// A manager whose server was seen to rotate, and what it says when its refresh token cannot be exchanged.
async fn refresh_at(url: &str) -> (TokenManager, tower_oauth::Error) {
    let source = RefreshToken::new(url, ClientAuth::none("id"), tower_oauth::client()).unwrap();
    let store = MemoryStore::new();
    let json = r#"{"version":1,"generation":1,"refresh_token":"r","rotates":true,"tokens":[]}"#;
    store.compare_and_swap(&key(), None, &Record::from_json(json).unwrap()).await.unwrap();
    let brief = Duration::from_millis(1);
    let manager = TokenManager::builder(source).store(store).back_off(brief, brief).build();
    let error = manager.token(&key()).await.unwrap_err();
    (manager, error)
}

#[tokio::test]
async fn a_refused_connection_an_unknown_name_and_a_broken_handshake_leave_no_question() {
    // A port that nobody listens on any more.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    // A server that does not speak TLS.
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain_address = plain.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = plain.accept().await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    for url in [
        format!("http://{closed}/token"),
        format!("https://{plain_address}/token"),
        "https://nothing.invalid/token".to_owned(),
    ] {
        let (_, error) = refresh_at(&url).await;
        assert!(matches!(error.kind(), ErrorKind::Transport | ErrorKind::Timeout), "{url}: {error:?}");
        assert!(error.is_transient() && !error.needs_reauthorization(), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_after_the_request_does() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = server.accept().await.unwrap();
            // The request arrives; its answer never does.
            let _ = stream.read(&mut [0; 4096]).await;
        }
    });
    let (manager, error) = refresh_at(&format!("http://{address}/token")).await;
    assert!(error.needs_reauthorization() && error.to_string().contains("may be spent"), "{error:?}");
    manager.put(&key(), Token::new("login")).await.unwrap();
    assert!(manager.peek(&key()).is_some());
}
