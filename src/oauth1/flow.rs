//! Getting token credentials: the three legs of OAuth 1.0a (RFC 5849 §2).
//!
//! A client that wants to act for somebody asks the provider for a *request token*, sends that somebody (the *resource
//! owner*) to the provider with it, and comes back with the *verifier* that the approval brought, to get an *access
//! token*. Other names for the same things: "temporary credentials" and "token credentials" in RFC 5849, "consumer" for
//! the client.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_oauth::oauth1::flow::{Endpoints, Flow};
//! use tower_oauth::testing::{Body, Provider};
//! use tower_oauth::{OAuth1Layer, Origins};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! # let provider = Provider::new();
//! # let http = provider.client();
//! # let open_in_browser = |url: String| async {
//! #     let page = provider.clone().oneshot(Request::get(url).body(Body::default())?).await?;
//! #     Ok::<_, tower::BoxError>(page.headers()["location"].to_str()?.to_owned())
//! # };
//! let endpoints = Endpoints::new(
//!     "http://localhost/oauth1/initiate",
//!     "http://localhost/oauth1/authorize",
//!     "http://localhost/oauth1/token",
//! )?;
//! let flow = Flow::new("consumer-key", "consumer-secret", endpoints, http.clone())
//!     .callback("http://localhost:8080/callback");
//!
//! let request_token = flow.fetch_request_token().await?;
//! // Here it goes into the session of the browser that is sent to the provider.
//! let url = flow.authorization_url(&request_token, &[])?;
//! let callback = open_in_browser(url).await?; // "/callback?oauth_token=…&oauth_verifier=…"
//! let response = flow.parse_authorization_response(&request_token, &callback)?;
//! let access_token = flow.fetch_access_token(&request_token, response).await?;
//!
//! let layer = OAuth1Layer::new(Origins::one("http://localhost")?, flow.authorized(&access_token));
//! let api = ServiceBuilder::new().layer(layer).service(http);
//! let answer = api.oneshot(Request::get("http://localhost/oauth1/resource").body(Body::default())?).await?;
//! assert_eq!(answer.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! The methods are called as in the Python clients. What a session object remembers there is a value here, so that a
//! [`Flow`] serves any number of logins at once: [`RequestToken`] while the resource owner decides, [`AccessToken`]
//! afterwards. Both go through JSON, and neither shows its secrets in `Debug`. And where a session is `authorized` there,
//! [`authorized`](Flow::authorized) makes credentials here.
//!
//! # Without a callback
//! A program that no browser can call back leaves [`callback`](Flow::callback) alone. The provider then shows the verifier,
//! the resource owner types it in, and it goes to [`fetch_access_token`](Flow::fetch_access_token) as it is.
//!
//! # Providers
//! What a provider wants otherwise is set once, per [`Step`] where the two requests differ:
//!
//! ```
//! use http::Method;
//! use tower_oauth::oauth1::flow::{Endpoints, Flow, Step};
//! use tower_oauth::oauth1::{HmacSha256, Placement};
//! # fn http() -> tower_oauth::testing::Client {
//! #     tower_oauth::testing::Provider::new().client()
//! # }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let endpoints = Endpoints::new(
//!     "https://provider.example.com/request_token",
//!     "https://provider.example.com/authorize",
//!     "https://provider.example.com/access_token",
//! )?;
//! let flow = Flow::new("client", "secret", endpoints, http())
//!     .signature_method(HmacSha256)
//!     .realm("photos")?
//!     .parameter(Step::RequestToken, "scope", "read,write")?
//!     .placement(Step::RequestToken, Placement::Query)
//!     .http_method(Step::AccessToken, Method::GET)
//!     .allow_unconfirmed_callback();
//! # let _ = flow;
//! # Ok(())
//! # }
//! ```
//!
//! Answers are understood as forms and as JSON, whatever they are labelled. One that is a refusal, or makes no sense, is an
//! error that says how it begins, without the secrets that were sent and received.
//!
//! # Renewal, and xAuth
//! Where access tokens expire and come with a session handle, [`renew_access_token`](Flow::renew_access_token) exchanges
//! them. [`fetch_access_token_with_xauth`](Flow::fetch_access_token_with_xauth) gets one for a user name and a password.
//!
//! # Security
//! - The callback is compared with the request token of the login, in constant time. Keep the [`RequestToken`] where only
//!   the browser that began the login reaches it: with a store that is keyed by the token alone, whoever can make a browser
//!   open a URL can log it in as somebody else.
//! - A callback that is not confirmed, and an approval without a verifier, are errors unless allowed.
//! - Requests go over https, this machine excepted; redirects are never followed.
//! - [`Placement::Query`](crate::oauth1::Placement::Query) puts tokens and verifiers into URLs, and so into logs.

mod access_token;
mod authorization_response;
mod endpoints;
mod exchange;
mod legs;
mod request_token;
mod settings;
mod stored;

pub use access_token::AccessToken;
pub use authorization_response::AuthorizationResponse;
pub use authorization_response::Verifier;
pub use endpoints::Endpoints;
pub use endpoints::Step;
pub use request_token::RequestToken;
pub use settings::Flow;
