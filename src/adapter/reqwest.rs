//! `reqwest::Client` as a tower service.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use http::Request;
use http::Response;
use http::Uri;
use reqwest::Body;
use reqwest::Client;
use reqwest::ClientBuilder;
use reqwest::ResponseBuilderExt;
use reqwest::redirect::Policy;
use tower::BoxError;
use tower::Layer;
use tower::Service;
use url::Url;

use crate::adapter::NormalizeUri;
use crate::adapter::normalize_uri::difference;
use crate::adapter::normalize_uri::invalid;
use crate::adapter::normalize_uri::normal_form;
use crate::adapter::normalize_uri::shown;
use crate::error::Error;
use crate::error::ErrorKind;

/// A [`reqwest::Client`] as a `Service<http::Request<reqwest::Body>>`: inside of a layer, and as the HTTP client of a grant.
///
/// reqwest takes its own type of requests, rewrites URLs, and follows redirects, so its client is not simply put inside of a
/// layer. [`layered`](Self::layered) does what has to be done:
///
/// ```
/// use http::Request;
/// use tower::ServiceExt;
/// use tower_oauth::adapter::Reqwest;
/// use tower_oauth::{ClientAuth, ClientCredentials, OAuth2Layer, Origins};
/// # use tower_oauth::testing::Provider;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// # let provider = Provider::new().serve().await?;
/// # let (token_url, api) = (provider.url("/token"), provider.origin());
/// let http = Reqwest::new(reqwest::Client::builder().user_agent("orders/1.0"))?;
///
/// let auth = ClientAuth::basic("test-client", "test-secret");
/// let grant = ClientCredentials::new(&token_url, auth, http.clone())?;
/// let orders = http.layered(OAuth2Layer::new(Origins::one(&api)?, grant));
///
/// // A request as reqwest's users write it …
/// let request = reqwest::Client::new().get(format!("{api}/resource/orders")).build()?;
/// let response = orders.oneshot(request.try_into()?).await?;
/// // … and a response as they know it.
/// let body = reqwest::Response::from(response).error_for_status()?.text().await?;
/// # assert!(body.contains("test-client"), "{body}");
/// # Ok(())
/// # }
/// ```
///
/// # URLs
/// What is signed has to be what is sent. reqwest normalises each URL just before it sends it, which is after a layer has
/// signed it or compared it with its origins. So this service **refuses** a URI that reqwest would change
/// ([`ErrorKind::InvalidUri`]), and [`NormalizeUri`], outside of the layer, changes it in time. `layered` puts it there; in a
/// `ServiceBuilder` it comes first:
///
/// ```
/// # use tower_oauth::adapter::{NormalizeUriLayer, Reqwest};
/// # use tower_oauth::{Credentials, OAuth1Layer, Origins};
/// # fn main() -> Result<(), tower::BoxError> {
/// # let layer = OAuth1Layer::new(Origins::one("https://api.example.com")?, Credentials::new("key", "secret"));
/// let api = tower::ServiceBuilder::new()
///     .layer(NormalizeUriLayer::new()) // outside of what signs, but inside of what follows redirects
///     .layer(layer)
///     .service(Reqwest::new(reqwest::Client::builder())?);
/// # let _ = api;
/// # Ok(())
/// # }
/// ```
///
/// A request built by reqwest itself has a normal URL already. A user name and password in the URL, which reqwest's own
/// methods turn into an `Authorization`, are an error.
///
/// # Redirects
/// By default, reqwest follows redirects itself, with the headers that it was given: an OAuth 1 signature is then wrong, since it
/// is for another URL, and so are a nonce sent twice and a body sent where no layer looked at the origin; of a token, only
/// another host is spared. [`new`](Self::new) turns that off. tower-http's `FollowRedirect` goes outside of the layer, where every
/// hop is signed, and checked, by itself.
///
/// # What else reqwest does
/// | of reqwest | with this |
/// |---|---|
/// | default headers, cookies | added after signing, where they are not on the request; have no `Authorization` or `Host` among them |
/// | timeouts, proxies (the system's too), TLS, DNS, compression | as set |
/// | retries | of requests that HTTP/2 servers did not look at, by default; others belong outside of the layer, as redirects |
/// | features | none is switched on, TLS included: have `reqwest` in your `Cargo.toml` with those you want |
/// | errors | as they are, without the URL, whose query may hold a token or signature |
/// | the URL of a [`reqwest::Response`] made of the response | as sent, without its query, for the same reason |
/// | HTTP versions | the request's is passed on; `HTTP/2` means that nothing less will do |
///
/// # Errors
/// [`ErrorKind::InvalidUri`] before anything is sent; [`ErrorKind::RedirectFollowed`] in the place of a response that came
/// after a redirect; [`reqwest::Error`].
#[derive(Clone)]
pub struct Reqwest {
    client: Client,
}

impl Reqwest {
    /// Builds the client, with redirects off, whatever was set.
    ///
    /// # Errors
    /// reqwest's, when it cannot set up TLS, DNS or one of its settings.
    pub fn new(builder: ClientBuilder) -> Result<Self, reqwest::Error> {
        Ok(Self { client: builder.redirect(Policy::none()).build()? })
    }

    /// A client that was built elsewhere, and **must not follow redirects**: it has to be built with
    /// `redirect(reqwest::redirect::Policy::none())`, which is not reqwest's default and cannot be seen from outside.
    ///
    /// If it follows one all the same, the next server has what was meant for the first before anybody can stop it: a
    /// signature for another URL, a token that the origins of the layer did not clear, perhaps the body. All that can be done
    /// is to fail afterwards ([`ErrorKind::RedirectFollowed`]), and not even that where a redirect leads to the same URL.
    pub fn dangerously_from_client(client: Client) -> Self {
        Self { client }
    }

    /// Puts a layer, or a `ServiceBuilder` with several, between [`NormalizeUri`] and this client.
    pub fn layered<L>(self, layer: L) -> NormalizeUri<L::Service>
    where
        L: Layer<Self>,
    {
        NormalizeUri::new(layer.layer(self))
    }

    /// The client, for requests that need neither signature nor token, and for building requests.
    pub fn get_ref(&self) -> &Client {
        &self.client
    }
}

impl Service<Request<Body>> for Reqwest {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.client.poll_ready(context).map_err(bare)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let uri = request.uri().clone();
        let sent = check(&uri)
            .and_then(|()| reqwest::Request::try_from(request).map_err(bare))
            .map(|request| (request.url().clone(), self.client.call(request)));
        Box::pin(async move {
            let (url, response) = sent?;
            let response = response.await.map_err(|error| {
                if error.is_redirect() { followed(&uri, "it gave up on the way").into() } else { bare(error) }
            })?;
            if *response.url() != url {
                let end = response.url().as_str().parse::<Uri>();
                let end = end.as_ref().map(shown).unwrap_or_default();
                return Err(followed(&uri, format!("it ended at {end}")).into());
            }
            Ok(with_url(response.into(), url))
        })
    }
}

impl fmt::Debug for Reqwest {
    /// Without the client, which would show its default headers.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reqwest").finish_non_exhaustive()
    }
}

/// Whether reqwest will send `uri` as it is.
fn check(uri: &Uri) -> Result<(), BoxError> {
    if uri.scheme().is_none() {
        return Err(invalid("it has no scheme and host, and reqwest sends no relative ones").into());
    }
    match normal_form(uri)? {
        None => Ok(()),
        Some(normal) => {
            let detail = difference(uri, &normal);
            Err(invalid(detail + "; write it so, or put `NormalizeUriLayer` outside of the layer").into())
        }
    }
}

/// An error of reqwest, without its URL.
fn bare(error: reqwest::Error) -> BoxError {
    error.without_url().into()
}

fn followed(start: &Uri, detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::RedirectFollowed).at(shown(start)).detail(detail)
}

/// Lets a `reqwest::Response` that is made of `response` know the URL, but for the query.
fn with_url(mut response: Response<Body>, mut url: Url) -> Response<Body> {
    url.set_query(None);
    // reqwest's note has a type of its own, which only its builder can make.
    if let Ok(note) = Response::builder().url(url).body(()) {
        response.extensions_mut().extend(note.into_parts().0.extensions);
    }
    response
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;

    fn get(uri: &str) -> Request<Body> {
        Request::get(uri).body(Body::default()).unwrap()
    }

    async fn refusal(uri: &str) -> Error {
        let service = Reqwest::new(Client::builder()).unwrap();
        let error = service.oneshot(get(uri)).await.unwrap_err();
        Error::find(&*error).expect("an error of ours").clone()
    }

    #[tokio::test]
    async fn what_reqwest_would_change_is_refused_with_both_forms_and_without_secrets() {
        let error = refusal("http://localhost:80/a/../b?access_token=hush").await;
        assert_eq!(error.kind(), ErrorKind::InvalidUri);
        let message = error.to_string();
        assert!(
            message.contains("`http://localhost:80/a/../b` would be sent as `http://localhost/b`"),
            "{message}"
        );
        assert!(message.contains("NormalizeUriLayer") && !message.contains("hush"), "{message}");
        assert_eq!(refusal("/a").await.kind(), ErrorKind::InvalidUri);
        let error = refusal("http://user:hush@localhost/").await;
        assert_eq!(error.kind(), ErrorKind::InvalidUri);
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }

    #[tokio::test]
    async fn an_error_of_reqwest_comes_without_the_url() {
        let service = Reqwest::new(Client::builder()).unwrap();
        // Nobody listens on port 1.
        let error = service.oneshot(get("http://127.0.0.1:1/path?access_token=hush")).await.unwrap_err();
        let reqwest = error.downcast_ref::<reqwest::Error>().expect("an error of reqwest");
        assert!(reqwest.is_connect() && reqwest.url().is_none(), "{reqwest:?}");
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }

    #[test]
    fn debug_shows_no_default_headers() {
        let headers = http::HeaderMap::from_iter([(http::header::COOKIE, "hush".parse().unwrap())]);
        let service = Reqwest::new(Client::builder().default_headers(headers)).unwrap();
        assert!(!format!("{service:?}").contains("hush"));
    }
}
