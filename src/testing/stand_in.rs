//! A provider that answers at the addresses of others.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use bytes::BytesMut;
use http::Request;
use http::Response;
use http::Uri;
use http::header;
use http_body::Body as _;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tower::BoxError;
use tower::Service;

use crate::origin::Origin;
use crate::provider::oauth1::OAuth1Provider;
use crate::testing::body::Body;
use crate::testing::provider::Provider;
use crate::testing::provider::ResponseFuture;

/// Redirects that a browser follows.
const REDIRECTS: usize = 10;

/// A [`Provider`] in the place of real servers: a tower service that takes requests for their addresses, and no others.
///
/// So a program is tested as it is written, with the addresses that it has in production; only its HTTP client is another one.
/// [`open`](Self::open) is the browser of a user who approves.
///
/// ```
/// use http::Request;
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_oauth::testing::{Body, Provider, StandIn};
/// use tower_oauth::{OAuth2Layer, Origins, TokenKey, TokenManager, provider};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// let embedded = Provider::builder().client("id", "secret").build();
/// let http = StandIn::<Body>::new(&embedded)
///     .preset(&provider::github())
///     .at("https://api.github.com", "/resource");
///
/// // What is tested, with `http` instead of an HTTP client:
/// let github = provider::github();
/// let flow = github.authorization_code(github.token_endpoint("id", "secret", http.clone())?)?.scope("repo");
/// let manager = TokenManager::builder(flow.clone()).build();
/// let me = TokenKey::new("me");
/// let (url, pending) = flow.request().redirect_uri("https://app.example.com/callback").build()?;
/// let visited = http.open(&url).await?;
/// flow.log_in(&manager, &me, pending, visited.url()).await?;
///
/// let layer = OAuth2Layer::with_manager(Origins::one("https://api.github.com")?, manager).key(&me);
/// let api = ServiceBuilder::new().layer(layer).service(http);
/// let answer = api.oneshot(Request::get("https://api.github.com/user").body(Body::default())?).await?;
/// assert_eq!(answer.status(), 200);
/// # Ok(())
/// # }
/// ```
///
/// An answer of the authorization endpoint names the issuer of the preset, or none where the preset has none.
pub struct StandIn<B = Body> {
    provider: Provider,
    places: Arc<Vec<Place>>,
    body: PhantomData<fn(B)>,
}

/// An address, and what answers there.
#[derive(Clone)]
struct Place {
    uri: Uri,
    assigned: Assigned,
}

impl Place {
    fn path(&self) -> &str {
        self.uri.path().trim_end_matches('/')
    }
}

/// What a request that was meant for another server is to this one; it travels in the request's extensions.
#[derive(Clone)]
pub(super) struct Assigned {
    /// The path of the endpoint.
    pub(super) endpoint: String,
    /// What the authorization endpoint says of itself.
    pub(super) issuer: Option<Arc<str>>,
}

/// Where a browser came to in the end; see [`StandIn::open`].
#[derive(Clone, Debug)]
pub struct Visited {
    url: String,
    page: Option<String>,
}

impl Visited {
    /// What is in the address bar.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the browser shows, if there was anybody to answer.
    pub fn page(&self) -> Option<&str> {
        self.page.as_deref()
    }
}

impl<B> StandIn<B> {
    /// Stands in for nobody yet.
    pub fn new(provider: &Provider) -> Self {
        Self { provider: provider.clone(), places: Arc::default(), body: PhantomData }
    }

    /// Answers at the endpoints of a provider of OAuth 2.
    pub fn preset(self, preset: &crate::provider::Provider) -> Self {
        let endpoints = [
            (preset.authorization_url.as_deref(), "/authorize"),
            (Some(&*preset.token_url), "/token"),
            (preset.refresh_url.as_deref(), "/token"),
            (preset.device_authorization_url.as_deref(), "/device_authorization"),
            (preset.revocation_url.as_deref(), "/revoke"),
        ];
        let issuer = preset.issuer.as_deref().map(Arc::from);
        let there = endpoints.into_iter().filter_map(|(url, endpoint)| Some((url?, endpoint)));
        there.fold(self, |this, (url, endpoint)| this.place(url, endpoint, issuer.clone()))
    }

    /// Answers at the endpoints of a provider of OAuth 1.0a.
    pub fn oauth1_preset(self, preset: &OAuth1Provider) -> Self {
        self.at(preset.request_token_url, "/oauth1/initiate")
            .at(preset.authorization_url, "/oauth1/authorize")
            .at(preset.access_token_url, "/oauth1/token")
    }

    /// Answers at `url`, and below, as the provider does at `endpoint`, which is one of the paths of the
    /// [module docs](super). Of several that fit, the longest counts.
    ///
    /// What is no absolute URL is left out.
    pub fn at(self, url: &str, endpoint: &str) -> Self {
        self.place(url, endpoint, None)
    }

    fn place(mut self, url: &str, endpoint: &str, issuer: Option<Arc<str>>) -> Self {
        if let Some(uri) = url.parse::<Uri>().ok().filter(|uri| Origin::of(uri).is_some()) {
            let assigned = Assigned { endpoint: endpoint.to_owned(), issuer };
            Arc::make_mut(&mut self.places).push(Place { uri, assigned });
        }
        self
    }

    /// What a request for `uri` is to the provider.
    fn assigned(&self, uri: &Uri) -> Option<Assigned> {
        let origin = Origin::of(uri)?;
        let below = |place: &Place| -> Option<&str> {
            let rest = uri.path().strip_prefix(place.path())?;
            let is_below = rest.is_empty() || rest.starts_with('/');
            (is_below && Origin::of(&place.uri).as_ref() == Some(&origin)).then_some(rest)
        };
        let fits = self.places.iter().filter_map(|place| Some((place, below(place)?)));
        let (place, rest) = fits.max_by_key(|(place, _)| place.path().len())?;
        let rest = rest.trim_end_matches('/');
        Some(Assigned { endpoint: format!("{}{rest}", place.assigned.endpoint), ..place.assigned.clone() })
    }

    /// Opens a URL as a browser does: follows redirects, and shows what it came to. An address of this machine, such as that of
    /// a [`Receiver`](crate::loopback::Receiver), is requested over HTTP; anything else that nobody stands in for stays in the
    /// address bar, and no page is shown.
    ///
    /// # Errors
    /// Those of the connection to this machine, and too many redirects.
    pub async fn open(&self, url: &str) -> io::Result<Visited> {
        let mut url = url.to_owned();
        for _ in 0..REDIRECTS {
            let uri: Uri = url.parse().map_err(io::Error::other)?;
            let Some(assigned) = self.assigned(&uri) else {
                let is_here = Origin::of(&uri).is_some_and(|origin| origin.is_loopback());
                let page = if is_here { Some(get(&uri).await?) } else { None };
                return Ok(Visited { url, page });
            };
            let mut request = Request::get(&uri).body(Body::default()).map_err(io::Error::other)?;
            request.extensions_mut().insert(assigned);
            let response = self.provider.clone().answer(request).await?;
            match response.headers().get(header::LOCATION) {
                Some(next) => url = next.to_str().map_err(io::Error::other)?.to_owned(),
                None => return Ok(Visited { url, page: Some(text(response).await?) }),
            }
        }
        Err(io::Error::other("the browser was redirected too often"))
    }
}

async fn text(response: Response<Body>) -> io::Result<String> {
    let mut body = Box::pin(response.into_body());
    let mut bytes = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
        bytes.extend(frame?.into_data().ok());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// One request over HTTP/1.0, whose answer ends with the connection.
async fn get(uri: &Uri) -> io::Result<String> {
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    let address = (uri.host().unwrap_or_default().trim_matches(['[', ']']), uri.port_u16().unwrap_or(80));
    let target = uri.path_and_query().map(|target| target.as_str()).unwrap_or("/");
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {target} HTTP/1.0\r\nhost: {authority}\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    Ok(answer.split_once("\r\n\r\n").map(|(_, page)| page.to_owned()).unwrap_or(answer))
}

impl<B> Service<Request<B>> for StandIn<B>
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = io::Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// # Errors
    /// [`io::ErrorKind::NotFound`] for an address that nobody stands in for.
    fn call(&mut self, mut request: Request<B>) -> ResponseFuture {
        let Some(assigned) = self.assigned(request.uri()) else {
            let host = request.uri().authority().map(|authority| authority.to_string()).unwrap_or_default();
            let text = format!("nobody stands in for {host}{}", request.uri().path());
            return ResponseFuture::failed(io::Error::new(io::ErrorKind::NotFound, text));
        };
        request.extensions_mut().insert(assigned);
        self.provider.call(request)
    }
}

impl<B> Clone for StandIn<B> {
    fn clone(&self) -> Self {
        Self { provider: self.provider.clone(), places: Arc::clone(&self.places), body: PhantomData }
    }
}

impl<B> fmt::Debug for StandIn<B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<_> = self.places.iter().map(|place| &place.uri).collect();
        formatter.debug_struct("StandIn").field("places", &places).finish_non_exhaustive()
    }
}
