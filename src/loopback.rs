//! Receives the browser on a port of this machine, for programs that run where the browser does (RFC 8252 §7.3).
//!
//! [`Receiver`] binds a free port and says which redirect URI that makes. It opens no browser: print the URL, or hand it to
//! whatever opens browsers on your platform. It answers the browser with one page, and is gone.
//!
//! ```
//! use tower_oauth::ClientAuth;
//! use tower_oauth::grant::AuthorizationCode;
//! use tower_oauth::loopback::Receiver;
//! # use http_body_util::Empty;
//! # use tower::ServiceExt;
//! # use tower_oauth::testing::{Body, Provider};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! # let provider = Provider::new();
//! # let http = provider.client();
//! # let open_in_browser = |url: String| tokio::spawn(async move {
//! #     let page = provider.oneshot(http::Request::get(url).body(Body::default())?).await?;
//! #     let back = page.headers()["location"].to_str()?.to_owned();
//! #     let browser = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
//! #     let answer = browser.request(http::Request::get(back).body(Empty::<bytes::Bytes>::new())?).await?;
//! #     Ok::<_, tower::BoxError>(answer.status())
//! # });
//! let receiver = Receiver::bind().await?;
//! let auth = ClientAuth::none("test-app");
//! let flow = AuthorizationCode::new("http://localhost/authorize", "http://localhost/token", auth, http)?
//!     .redirect_uri(receiver.redirect_uri());
//!
//! let (url, pending) = flow.request().build()?;
//! # let browser =
//! open_in_browser(url);
//! let grant = receiver.receive(pending).await?;
//! let token = flow.redeem(grant).await?;
//! # assert_eq!(browser.await??, 200);
//! # let _ = token;
//! # Ok(())
//! # }
//! ```
//!
//! # What it answers
//! | request | answer |
//! |---|---|
//! | the answer to this login, in a query or a posted form | the page for success, or the one for failure; then it is over |
//! | an answer to another login, or a forged one | a page that says so; it goes on waiting |
//! | whatever else browsers ask for, such as `/favicon.ico` | 404; it goes on waiting |
//!
//! Pages have no script, load nothing, and show nothing of what came in the URL but the server's words of a refusal, as text. A
//! `Content-Security-Policy` holds them to that. They fit a phone and a desktop, are light or dark as the reader wants it, and name
//! your program if you do ([`application`](ReceiverBuilder::application)). The browser's history keeps the URL with the code, which is of no use to
//! others: it is spent, and was bound to this login by PKCE.
//!
//! A token in the fragment never reaches a server, so the implicit grant cannot be received.

mod answer;
mod page;
mod receiver;

pub use receiver::Receiver;
pub use receiver::ReceiverBuilder;
