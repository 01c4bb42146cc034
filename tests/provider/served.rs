//! The provider on a loopback port, spoken to over a bare socket.

use std::time::Duration;
use std::time::SystemTime;

use http::StatusCode;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tower_oauth::testing::Fault;
use tower_oauth::testing::ManualClock;
use tower_oauth::testing::Provider;
use tower_oauth::testing::Served;

const TOKEN_REQUEST: &str = "POST /token HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
     authorization: Basic dGVzdC1jbGllbnQ6dGVzdC1zZWNyZXQ=\r\ncontent-type: application/x-www-form-urlencoded\r\n\
     content-length: 29\r\n\r\ngrant_type=client_credentials";

async fn open(served: &Served, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(served.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Everything that comes until the connection is closed, as text, whichever way it is closed.
async fn read(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_served_provider_answers_http() {
    let provider = Provider::new();
    let served = provider.serve().await.unwrap();
    assert_eq!(served.url("/token"), format!("{}/token", served.origin()));
    let answer = read(open(&served, TOKEN_REQUEST).await).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\"access_token\":\"access-"), "{answer}");
    assert_eq!(provider.stats().tokens_issued, 1, "it is the same provider");
}

#[tokio::test]
async fn a_signature_over_a_socket_covers_the_host_header() {
    let clock = ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(137_131_202));
    let served = Provider::builder().test_clients().clock(clock).build().serve().await.unwrap();
    let request = "GET /oauth1/resource?file=vacation.jpg&size=original HTTP/1.1\r\nhost: api.example.com\r\n\
         connection: close\r\nauthorization: OAuth oauth_consumer_key=\"consumer-key\",oauth_token=\"token\",\
         oauth_signature_method=\"HMAC-SHA1\",oauth_timestamp=\"137131202\",oauth_nonce=\"chapoH\",\
         oauth_signature=\"J240T3WLA%2BOBvejy5v7w2S4hOJ4%3D\"\r\n\r\n";
    let answer = read(open(&served, request).await).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let elsewhere = request.replace("api.example.com", "localhost");
    let answer = read(open(&served, &elsewhere).await).await;
    assert!(answer.contains("signature_invalid"), "{answer}");
}

#[tokio::test]
async fn a_dropped_connection_is_closed_without_an_answer() {
    let provider = Provider::new();
    let served = provider.serve().await.unwrap();
    provider.inject(Fault::new().drop_connection().after_processing());
    assert_eq!(read(open(&served, TOKEN_REQUEST).await).await, "");
    assert_eq!(provider.stats().tokens_issued, 1);
}

#[tokio::test]
async fn a_broken_answer_ends_before_its_end() {
    let provider = Provider::new();
    let served = provider.serve().await.unwrap();
    provider.inject(Fault::new().body("{\"access_token\":").drop_connection());
    let answer = read(open(&served, TOKEN_REQUEST).await).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("{\"access_token\":"), "{answer}");
    assert!(!answer.ends_with("0\r\n\r\n"), "no last chunk: {answer}");
}

#[tokio::test]
async fn an_endless_body_flows_until_the_client_has_enough() {
    let provider = Provider::new();
    let served = provider.serve().await.unwrap();
    provider.inject(Fault::new().status(StatusCode::OK).endless_body());
    let mut stream = open(&served, TOKEN_REQUEST).await;
    let mut enough = vec![0; 1024 * 1024];
    stream.read_exact(&mut enough).await.unwrap();
}

#[tokio::test]
async fn what_is_served_ends_with_its_handle() {
    let provider = Provider::new();
    let served = provider.serve().await.unwrap();
    let hold = provider.hold("/token");
    let stream = open(&served, TOKEN_REQUEST).await;
    hold.until_waiting(1).await;
    let address = served.address();
    drop(served);
    assert_eq!(read(stream).await, "", "the connection is closed");
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
    hold.until_empty().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_its_request() {
    let provider = Provider::new();
    let served = provider.serve().await.unwrap();
    let hold = provider.hold("/token");
    let stream = open(&served, TOKEN_REQUEST).await;
    hold.until_waiting(1).await;
    drop(stream);
    hold.until_empty().await;
    hold.release();
    assert_eq!(provider.stats().tokens_issued, 0);
}
