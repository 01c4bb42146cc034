//! URIs in the form in which they are sent.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use http::Request;
use http::Uri;
use http::header::AUTHORIZATION;
use http::uri::PathAndQuery;
use pin_project_lite::pin_project;
use tower::BoxError;
use tower::Layer;
use tower::Service;
use url::Position;
use url::Url;

use crate::error::Error;
use crate::error::ErrorKind;

/// Bytes of a URI that an error shows.
const SHOWN: usize = 200;

/// Writes the URIs of requests as browsers and reqwest do (the WHATWG's URL Standard), **before** they are signed.
///
/// reqwest rewrites each URL just before it is sent. A signature that was made for the URL as it stood before is then wrong,
/// and a token may be on its way to another host than the one that was checked:
///
/// | written | sent |
/// |---|---|
/// | `https://api.example.com/a/../b`, `/a/%2e%2e/b` | `https://api.example.com/b` |
/// | `https://API.example.com:443/` | `https://api.example.com/` |
/// | `/users/{id}` | `/users/%7Bid%7D` |
/// | `/search?q='x'` | `/search?q=%27x%27` |
/// | `https://127.1/` | `https://127.0.0.1/` |
///
/// So this layer goes outside of everything that signs, attaches or checks. A relative URI stays relative: its path and query
/// are normalised. It needs the feature `reqwest`, but is good for any client.
///
/// ```
/// use http::Request;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_oauth::adapter::NormalizeUriLayer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// let echo = service_fn(|request: Request<()>| async move { Ok::<_, std::io::Error>(request.uri().to_string()) });
/// let stack = ServiceBuilder::new().layer(NormalizeUriLayer::new()).service(echo); // between the two: `OAuth1Layer`
///
/// let request = Request::get("https://api.example.com:443/a/%2e%2e/users/{id}").body(())?;
/// assert_eq!(stack.oneshot(request).await?, "https://api.example.com/users/%7Bid%7D");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NormalizeUriLayer(());

impl NormalizeUriLayer {
    /// The layer; there is nothing to set.
    pub fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for NormalizeUriLayer {
    type Service = NormalizeUri<S>;

    fn layer(&self, inner: S) -> NormalizeUri<S> {
        NormalizeUri::new(inner)
    }
}

/// A service whose requests have normal URIs; see [`NormalizeUriLayer`].
///
/// # Errors
/// [`ErrorKind::InvalidUri`] when there is a user name or password in the URI (RFC 9110 §4.2.4 forbids to send one), when the
/// URI has no normal form, and when it would change although it was signed already: the order of the layers is wrong then.
/// Errors of the wrapped service come out as they were, in a box.
#[derive(Clone, Copy, Debug)]
pub struct NormalizeUri<S> {
    inner: S,
}

impl<S> NormalizeUri<S> {
    /// Wraps `inner`.
    pub fn new(inner: S) -> Self {
        Self { inner }
    }

    /// The wrapped service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The wrapped service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B> Service<Request<B>> for NormalizeUri<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = NormalizeUriFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match normal_form(request.uri()) {
            Ok(None) => {}
            Ok(Some(normal)) if is_signed(&request) => {
                let detail = format!("it is signed, and {}", difference(request.uri(), &normal));
                return NormalizeUriFuture::failed(invalid(
                    detail + "; put `NormalizeUriLayer` outside of the layer that signs",
                ));
            }
            Ok(Some(normal)) => *request.uri_mut() = normal,
            Err(error) => return NormalizeUriFuture::failed(error),
        }
        NormalizeUriFuture { state: State::Sent { future: self.inner.call(request) } }
    }
}

pin_project! {
    /// The response to a request that went through [`NormalizeUri`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct NormalizeUriFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    #[derive(Debug)]
    enum State<F> {
        Sent { #[pin] future: F },
        Failed { error: Option<Error> },
    }
}

impl<F> NormalizeUriFuture<F> {
    fn failed(error: Error) -> Self {
        Self { state: State::Failed { error: Some(error) } }
    }
}

impl<F, R, E> Future for NormalizeUriFuture<F>
where
    F: Future<Output = Result<R, E>>,
    E: Into<BoxError>,
{
    type Output = Result<R, BoxError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Sent { future } => future.poll(context).map_err(Into::into),
            // Whoever polls once more after the end waits for ever.
            StateProjection::Failed { error } => {
                error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error.into())))
            }
        }
    }
}

/// The form in which reqwest sends a URI; `None` when it has that form already.
pub(super) fn normal_form(uri: &Uri) -> Result<Option<Uri>, Error> {
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(invalid(
            "it has a user name or password, which no URI on the way may have (RFC 9110 §4.2.4)",
        ));
    }
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(_)) => {
            let written = uri.to_string();
            let url = Url::parse(&written).map_err(|error| invalid(error.to_string()))?;
            if url.as_str() == written {
                return Ok(None);
            }
            Uri::try_from(url.as_str()).map(Some).map_err(|error| invalid(error.to_string()))
        }
        (Some(_), _) => Err(invalid("its scheme is neither http nor https")),
        // `OPTIONS *`, and what a `CONNECT` names.
        (None, Some(_)) => Ok(None),
        (None, None) if !uri.path().starts_with('/') => Ok(None),
        (None, None) => {
            let url = Url::parse(&format!("http://relative.invalid{uri}"))
                .map_err(|error| invalid(error.to_string()))?;
            // What comes before the path has its normal form, and always a path follows.
            let normal = &url[Position::BeforePath..];
            if uri.path_and_query().is_some_and(|written| written.as_str() == normal) {
                return Ok(None);
            }
            let normal = PathAndQuery::try_from(normal).map_err(|error| invalid(error.to_string()))?;
            Ok(Some(Uri::from(normal)))
        }
    }
}

pub(super) fn invalid(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidUri).detail(detail.into())
}

/// What would become of a URI, without its query, which may hold secrets.
pub(super) fn difference(written: &Uri, normal: &Uri) -> String {
    let (written, normal) = (shown(written), shown(normal));
    if written == normal {
        return format!("the query of `{written}` would be written in another way");
    }
    format!("`{written}` would be sent as `{normal}`")
}

/// A URI without query and user name, and not without end.
pub(super) fn shown(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let scheme = uri.scheme_str().map(|scheme| format!("{scheme}://")).unwrap_or_default();
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    shortened(format_args!("{scheme}{host}{port}{}", uri.path()))
}

fn shortened(text: impl Display) -> String {
    let text = text.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => text.get(..end).map(|start| format!("{start}…")).unwrap_or_default(),
        None => text,
    }
}

/// Whether a request carries a signature of RFC 5849 in its header or query. One in a form cannot be seen.
fn is_signed<B>(request: &Request<B>) -> bool {
    let in_header = request.headers().get_all(AUTHORIZATION).iter().any(|value| {
        let scheme = value.as_bytes().get(..6);
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"OAuth "))
    });
    let query = request.uri().query().unwrap_or_default();
    in_header || query.split('&').any(|pair| pair.starts_with("oauth_signature="))
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;
    use tower::service_fn;

    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    fn normal(text: &str) -> String {
        normal_form(&uri(text)).unwrap().unwrap_or_else(|| uri(text)).to_string()
    }

    #[test]
    fn uris_are_written_as_reqwest_sends_them() {
        let cases = [
            ("https://api.test/a/../b", "https://api.test/b"),
            ("https://api.test/a/%2e%2E/b/%2e", "https://api.test/b/"),
            ("https://api.test/a/..%2fb", "https://api.test/a/..%2fb"),
            ("https://api.test/../../b", "https://api.test/b"),
            (r"https://api.test/a\..\b", "https://api.test/b"),
            ("https://API.test:443/", "https://api.test/"),
            ("http://api.test:80/", "http://api.test/"),
            ("http://api.test:443/", "http://api.test:443/"),
            ("https://api.test/{id}?{id}", "https://api.test/%7Bid%7D?{id}"),
            ("https://api.test/caf\u{e9}?q=caf\u{e9}", "https://api.test/caf%C3%A9?q=caf%C3%A9"),
            ("https://api.test/?q='x'", "https://api.test/?q=%27x%27"),
            ("https://api.test/?", "https://api.test/?"),
            ("https://api.test", "https://api.test/"),
            ("https://api.test//a//b", "https://api.test//a//b"),
            ("https://127.1/", "https://127.0.0.1/"),
            ("https://0x7f000001/", "https://127.0.0.1/"),
            ("https://[0:0::1]/", "https://[::1]/"),
            ("/a/../b?q='x'", "/b?q=%27x%27"),
            ("/a//b", "/a//b"),
            ("*", "*"),
        ];
        for (written, expected) in cases {
            assert_eq!(normal(written), expected, "{written}");
            assert_eq!(normal_form(&uri(expected)).unwrap(), None, "{expected} is normal");
        }
    }

    #[test]
    fn what_has_no_normal_form_is_refused_without_showing_secrets() {
        for written in [
            "https://user:hush@api.test/",
            "https://api.test:99999/",
            "https://1.2.3.256/?hush",
            "ftp://api.test/hush",
        ] {
            let error = normal_form(&uri(written)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidUri, "{written}");
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
    }

    #[test]
    fn a_difference_is_told_without_the_query() {
        let told = difference(&uri("https://api.test:443/a?key=hush"), &uri("https://api.test/a?key=hush"));
        assert_eq!(told, "`https://api.test:443/a` would be sent as `https://api.test/a`");
        let told =
            difference(&uri("https://api.test/a?key='hush'"), &uri("https://api.test/a?key=%27hush%27"));
        assert_eq!(told, "the query of `https://api.test/a` would be written in another way");
        let endless = format!("https://api.test/{}", "a".repeat(10_000));
        assert!(shown(&uri(&endless)).len() < 300);
    }

    #[tokio::test]
    async fn a_signed_request_is_not_changed_any_more() {
        let echo =
            service_fn(|request: Request<()>| async move { Ok::<_, BoxError>(request.uri().to_string()) });
        let service = NormalizeUriLayer::new().layer(echo);
        let header =
            Request::get("https://api.test/a/../b").header(AUTHORIZATION, "oauth oauth_signature=\"x\"");
        let query = Request::get("https://api.test/a/../b?q=1&oauth_signature=x");
        for signed in [header.body(()).unwrap(), query.body(()).unwrap()] {
            let error = service.oneshot(signed).await.unwrap_err();
            let error = Error::find(&*error).unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidUri);
            assert!(error.to_string().contains("outside of the layer that signs"), "{error}");
        }
        let unchanged = Request::get("https://api.test/b?oauth_signature=x").body(()).unwrap();
        assert_eq!(service.oneshot(unchanged).await.unwrap(), "https://api.test/b?oauth_signature=x");
        let token =
            Request::get("https://api.test/a/../b").header(AUTHORIZATION, "Bearer x").body(()).unwrap();
        assert_eq!(service.oneshot(token).await.unwrap(), "https://api.test/b");
    }
}
