//! The receiver of redirects (RFC 8252 §7.3), asked over TCP as browsers do.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tower_oauth::Error;
use tower_oauth::ErrorKind;
use tower_oauth::grant::AuthorizationCode;
use tower_oauth::grant::AuthorizationGrant;
use tower_oauth::grant::Implicit;
use tower_oauth::grant::PendingAuthorization;
use tower_oauth::grant::ResponseMode;
use tower_oauth::loopback::Receiver;
use tower_oauth::testing::Provider;

/// A login of state `xyz`.
fn pending(mode: ResponseMode) -> PendingAuthorization {
    let (authorize, token) = ("http://localhost/authorize", "http://localhost/token");
    let auth = tower_oauth::ClientAuth::none("test-app");
    let flow = AuthorizationCode::new(authorize, token, auth, Provider::new().client()).unwrap();
    let flow = flow.issuer("https://auth.test");
    flow.request().state("xyz").response_mode(mode).build().unwrap().1
}

struct Waiting {
    /// Host and port.
    authority: String,
    outcome: JoinHandle<Result<AuthorizationGrant, Error>>,
}

async fn wait(mode: ResponseMode) -> Waiting {
    let receiver = Receiver::builder().application("<Photos>").bind().await.unwrap();
    let authority =
        receiver.redirect_uri().strip_prefix("http://").unwrap().strip_suffix("/callback").unwrap();
    let authority = authority.to_owned();
    assert!(authority.starts_with("127.0.0.1:"));
    Waiting { authority, outcome: tokio::spawn(receiver.receive(pending(mode))) }
}

impl Waiting {
    /// Sends a request, and reads the answer until the server closes the connection.
    async fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.authority).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(&self, target: &str) -> String {
        self.send(&format!("GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n", self.authority)).await
    }

    async fn post(&self, media_type: &str, form: &str) -> String {
        let head = format!("POST /callback HTTP/1.1\r\nhost: x\r\ncontent-type: {media_type}\r\n");
        self.send(&format!("{head}content-length: {}\r\n\r\n{form}", form.len())).await
    }

    async fn outcome(self) -> Result<AuthorizationGrant, Error> {
        self.outcome.await.unwrap()
    }
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or(answer)
}

#[tokio::test]
async fn a_code_is_received_the_browser_gets_a_page_and_the_port_is_closed() {
    let waiting = wait(ResponseMode::Query).await;
    let page = waiting.get("/callback?code=SplxlOBeZQ&state=xyz&realmId=7").await;
    assert_eq!(status(&page), "200");
    assert!(page.contains("You are logged in") && page.contains("&lt;Photos&gt;"), "{page}");
    assert!(!page.contains("SplxlOBeZQ") && !page.contains("xyz"));

    let authority = waiting.authority.clone();
    let grant = waiting.outcome().await.unwrap();
    assert_eq!(grant.code().expose(), "SplxlOBeZQ");
    assert_eq!(grant.parameter("realmId"), Some("7"));
    assert!(TcpStream::connect(authority).await.is_err());
}

#[tokio::test]
async fn pages_load_nothing_run_nothing_and_are_not_kept() {
    let waiting = wait(ResponseMode::Query).await;
    let page = waiting.get("/callback?code=1&state=xyz").await.to_ascii_lowercase();
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "form-action 'none'; frame-ancestors 'none'",
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "connection: close",
    ] {
        assert!(page.contains(header), "{header} is not in {page}");
    }
    for loading in ["<script", "<img", "<link", "src=", "href=", "url(", "@import", "onload"] {
        assert!(!page.contains(loading), "{loading} is in {page}");
    }
    assert!(page.contains("prefers-color-scheme:dark") && page.contains("width=device-width"));
}

#[tokio::test]
async fn a_refusal_is_told_to_both_sides() {
    let waiting = wait(ResponseMode::Query).await;
    let page = waiting.get("/callback?error=access_denied&state=xyz").await;
    assert!(page.contains("Login cancelled"), "{page}");
    assert_eq!(waiting.outcome().await.unwrap_err().kind(), ErrorKind::AuthorizationDenied);
}

#[tokio::test]
async fn what_the_server_says_of_a_failure_is_text_on_the_page() {
    let waiting = wait(ResponseMode::Query).await;
    let said = "error=server_error&error_description=%3Cscript%3Ealert(1)%3C%2Fscript%3E%26%22%27";
    let page = waiting.get(&format!("/callback?{said}&state=xyz")).await;
    assert_eq!(status(&page), "400");
    assert!(page.contains("server_error (&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;)"), "{page}");
    assert_eq!(waiting.outcome().await.unwrap_err().kind(), ErrorKind::Refused);

    let waiting = wait(ResponseMode::Query).await;
    let page = waiting.get("/callback?code=1&state=xyz&iss=https%3A%2F%2Fother.test").await;
    assert!(page.contains("The login failed") && page.contains("issuer"), "{page}");
    assert_eq!(waiting.outcome().await.unwrap_err().kind(), ErrorKind::IssuerMismatch);
}

#[tokio::test]
async fn it_goes_on_waiting_whatever_else_comes() {
    let waiting = wait(ResponseMode::Query).await;
    for (target, expected) in [
        ("/favicon.ico", "404"),
        ("/", "404"),
        ("/callback", "404"),
        ("/callback?utm_source=x", "404"),
        ("/callback/more?code=1&state=xyz", "404"),
        ("/callback?code=1&state=other", "400"),
        ("/callback?code=1", "400"),
        ("/callback?error=access_denied", "400"),
        ("/callback?error=access_denied&state=", "400"),
    ] {
        assert_eq!(status(&waiting.get(target).await), expected, "{target}");
    }
    for method in ["HEAD", "OPTIONS", "PUT", "DELETE"] {
        let request = format!("{method} /callback?code=1&state=xyz HTTP/1.1\r\nhost: x\r\n\r\n");
        assert_eq!(status(&waiting.send(&request).await), "405", "{method}");
    }
    assert_eq!(status(&waiting.send("what is this\r\n\r\n").await), "400");
    assert_eq!(status(&waiting.post("text/plain", "code=1&state=xyz").await), "415");
    let form = "application/x-www-form-urlencoded";
    assert_eq!(status(&waiting.post(form, &"x".repeat(65_537)).await), "413");
    drop(TcpStream::connect(&waiting.authority).await.unwrap());

    waiting.get("/callback?code=good&state=xyz").await;
    assert_eq!(waiting.outcome().await.unwrap().code().expose(), "good");
}

#[tokio::test]
async fn a_posted_form_is_received_where_one_was_asked_for() {
    let waiting = wait(ResponseMode::FormPost).await;
    let page = waiting.post("Application/X-WWW-Form-urlencoded; charset=utf-8", "code=good&state=xyz").await;
    assert_eq!(status(&page), "200");
    assert_eq!(waiting.outcome().await.unwrap().code().expose(), "good");

    let waiting = wait(ResponseMode::Query).await;
    assert_eq!(status(&waiting.post("application/x-www-form-urlencoded", "code=1&state=xyz").await), "400");
    assert_eq!(waiting.outcome().await.unwrap_err().kind(), ErrorKind::InvalidAuthorizationResponse);
}

#[tokio::test]
async fn connections_that_browsers_keep_in_reserve_do_not_hold_it_up() {
    let waiting = wait(ResponseMode::Query).await;
    let mut reserve = TcpStream::connect(&waiting.authority).await.unwrap();
    let mut half = TcpStream::connect(&waiting.authority).await.unwrap();
    half.write_all(b"GET /callb").await.unwrap();
    assert_eq!(status(&waiting.get("/callback?code=1&state=xyz").await), "200");
    waiting.outcome().await.unwrap();
    // They were closed: there is an end, or a reset.
    let mut rest = Vec::new();
    let _ = reserve.read_to_end(&mut rest).await;
    let _ = half.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn whoever_drops_it_closes_the_port() {
    let receiver = Receiver::bind().await.unwrap();
    let uri: http::Uri = receiver.redirect_uri().parse().unwrap();
    let authority = uri.authority().unwrap().as_str();
    let mut waiting = tokio_test::task::spawn(receiver.receive(pending(ResponseMode::Query)));
    assert!(waiting.poll().is_pending());
    drop(TcpStream::connect(authority).await.unwrap());
    drop(waiting);
    assert!(TcpStream::connect(authority).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn it_waits_five_minutes_unless_told_otherwise() {
    let limits = [(Receiver::builder(), 300), (Receiver::builder().timeout(Duration::from_secs(7)), 7)];
    for (builder, seconds) in limits {
        let began = tokio::time::Instant::now();
        let receiver = builder.bind().await.unwrap();
        let error = receiver.receive(pending(ResponseMode::Query)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AuthorizationExpired);
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
}

#[tokio::test]
async fn the_redirect_uri_is_what_was_asked_for() {
    let taken = Receiver::builder().path("cb?tab=1").localhost().bind().await.unwrap();
    let uri: http::Uri = taken.redirect_uri().parse().unwrap();
    let port = uri.port_u16().unwrap();
    assert_eq!(taken.redirect_uri(), format!("http://localhost:{port}/cb?tab=1"));
    assert!(Receiver::builder().port(port).bind().await.is_err());

    let outcome = tokio::spawn(taken.receive(pending(ResponseMode::Query)));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"GET /cb?tab=1&code=1&state=xyz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(outcome.await.unwrap().unwrap().parameter("tab"), Some("1"));

    let again = Receiver::builder().port(port).bind().await.unwrap();
    assert_eq!(again.redirect_uri(), format!("http://127.0.0.1:{port}/callback"));
    let six = Receiver::builder().ipv6().bind().await.unwrap();
    assert!(six.redirect_uri().starts_with("http://[::1]:"), "{six:?}");
}

#[tokio::test]
async fn a_fragment_is_refused_at_once() {
    let flow = Implicit::new("https://auth.test/authorize", "id").unwrap();
    let (_, pending) = flow.request().build().unwrap();
    let error = Receiver::bind().await.unwrap().receive(pending).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidAuthorizationResponse);
}
