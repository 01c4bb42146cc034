//! Finds the endpoints of an issuer (RFC 8414, OpenID Connect Discovery).

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::Request;
use http::StatusCode;
use http::header::ACCEPT;

use crate::error::ConfigError;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::origin::Origin;
use crate::origin::Origins;
use crate::protocol::oauth2::metadata::Issuer;
use crate::protocol::oauth2::metadata::ServerMetadata;
use crate::protocol::oauth2::metadata::WellKnown;
use crate::transport::Endpoint;
use crate::transport::HttpService;
use crate::transport::Transport;

/// Fetches what an issuer says of itself, and checks it before anybody uses it.
///
/// ```
/// use tower_oauth::{ClientAuth, ClientCredentials, Origins};
/// use tower_oauth::endpoint::{AuthorizationServer, Discovery};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let http = tower_oauth::client();
/// let metadata = Discovery::new("https://accounts.google.com", http.clone())?
///     .endpoints_also_at(Origins::predicate(|origin| origin.host().ends_with(".googleapis.com")))
///     .discover()
///     .await?;
/// let server = AuthorizationServer::new(metadata, ClientAuth::post("client id", "client secret"), http);
/// let grant = ClientCredentials::at(server.token_endpoint()?);
/// # let _ = grant;
/// # Ok(())
/// # }
/// ```
///
/// | what | default |
/// |---|---|
/// | where the document is looked for | [`WellKnown::OAuth`], then [`OpenId`](WellKnown::OpenId), then [`OpenIdInserted`](WellKnown::OpenIdInserted) |
/// | where endpoints may be | at the issuer's own origin: [`endpoints_also_at`](Self::endpoints_also_at) |
/// | the longest time of one call | 20 s |
/// | the largest document | 1 MiB |
/// | plain http | refused, except to this machine |
///
/// # Security
/// Who writes the document decides where client secrets, codes and refresh tokens are sent. So:
///
/// - its `issuer` has to be the one that was asked for, byte by byte (RFC 8414 §3.3). Otherwise one server could pass itself
///   off as another, and be sent what was meant for that one (RFC 9207 §1, mix-up);
/// - its endpoints have to be at the issuer's origin, or where you say. A document that was tampered with, or comes from an
///   issuer that a user typed in, then leads neither to another host nor into your own network;
/// - its endpoints have to be https. Those of an issuer on this machine may be http on this machine;
/// - redirects are errors.
#[derive(Clone, Debug)]
pub struct Discovery {
    issuer: Issuer,
    /// What the document has to call its issuer, if not `issuer`.
    expected: Option<String>,
    document: Document,
    also: Option<Origins>,
    allow_http: bool,
    transport: Transport,
}

#[derive(Clone, Debug)]
enum Document {
    WellKnown(Vec<WellKnown>),
    At(Endpoint),
}

impl Discovery {
    /// A discovery of `issuer`, which is the URL that the server's documentation gives, without `/.well-known/`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidIssuer`] when it is no absolute http or https URL, or has a query or fragment.
    pub fn new<S, Q, R>(issuer: &str, http: S) -> Result<Self, ConfigError>
    where
        S: HttpService<Q, R>,
    {
        Ok(Self {
            issuer: Issuer::parse(issuer)?,
            expected: None,
            document: Document::WellKnown(vec![
                WellKnown::OAuth,
                WellKnown::OpenId,
                WellKnown::OpenIdInserted,
            ]),
            also: None,
            allow_http: false,
            transport: Transport::new(http),
        })
    }

    /// Where the document is looked for, in this order. The next place is tried when there is no document at one (a status
    /// of 4xx that will not pass, a redirect, or something that is no JSON object); a document that is there has to be good.
    pub fn well_known(mut self, places: impl IntoIterator<Item = WellKnown>) -> Self {
        self.document = Document::WellKnown(places.into_iter().collect());
        self
    }

    /// Fetches the document from this URL and nowhere else, for servers that have it in a place of their own.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when `url` is not an absolute http or https URL.
    pub fn document_at(mut self, url: &str) -> Result<Self, ConfigError> {
        self.document = Document::At(Endpoint::parse(url)?);
        Ok(self)
    }

    /// What the document has to call its issuer, where it is known to differ from the URL that it is fetched by: Microsoft's
    /// `https://login.microsoftonline.com/common/v2.0` says `https://login.microsoftonline.com/{tenantid}/v2.0`. The
    /// endpoints still have to be where [`endpoints_also_at`](Self::endpoints_also_at) says.
    pub fn expected_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.expected = Some(issuer.into());
        self
    }

    /// Where endpoints may be, beside the issuer's own origin. `Origins::dangerously_any()` lets the document lead anywhere.
    pub fn endpoints_also_at(mut self, origins: Origins) -> Self {
        self.also = Some(origins);
        self
    }

    /// The longest time of one call.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.transport.timeout(timeout);
        self
    }

    /// The largest document that is read, in bytes.
    pub fn response_limit(mut self, limit: usize) -> Self {
        self.transport.response_limit(limit);
        self
    }

    /// Fetches the document over plain http from any host, and lets it name endpoints that are plain http: whoever is on the
    /// way decides where secrets go.
    pub fn dangerously_allow_http(mut self) -> Self {
        self.transport.allow_http();
        self.allow_http = true;
        self
    }

    /// Fetches the document, and checks it.
    ///
    /// # Errors
    /// - [`ErrorKind::UnexpectedStatus`] when it is not there, [`ErrorKind::Redirected`], [`ErrorKind::ResponseTooLarge`],
    ///   [`ErrorKind::Timeout`] and [`ErrorKind::Transport`] when it cannot be had;
    /// - [`ErrorKind::UnusableResponse`] when it is no JSON object with an `issuer`, or names an endpoint that is no URL;
    /// - [`ErrorKind::IssuerMismatch`] when it is that of another issuer;
    /// - [`ErrorKind::ForeignEndpoint`] when it names an endpoint where none may be;
    /// - [`ErrorKind::InsecureScheme`] when it names an endpoint that is plain http, or is itself only to be had over it.
    pub async fn discover(&self) -> Result<ServerMetadata, Error> {
        let mut urls: Vec<Endpoint> = Vec::new();
        match &self.document {
            Document::At(url) => urls.push(url.clone()),
            Document::WellKnown(places) => {
                for place in places {
                    let url = self.issuer.well_known(*place);
                    if urls.iter().all(|known| known.shown() != url) {
                        urls.push(Endpoint::parse(&url).map_err(no_place)?);
                    }
                }
            }
        }
        let mut failure: Option<Error> = None;
        for url in &urls {
            match self.fetch(url).await {
                Ok(metadata) => return self.check(metadata).map_err(|error| named(error, url)),
                Err(Missing::Elsewhere(error)) => failure = Some(more_telling(failure, error)),
                Err(Missing::Failed(error)) => return Err(error),
            }
        }
        Err(failure.unwrap_or_else(|| {
            Error::new(ErrorKind::MissingEndpoint).detail("no place to look for it is given")
        }))
    }

    async fn fetch(&self, url: &Endpoint) -> Result<ServerMetadata, Missing> {
        let accept = HeaderValue::from_static("application/json");
        let request = Request::get(url.uri().clone()).header(ACCEPT, accept).body(Bytes::new());
        let request = request.map_err(|error| Missing::Failed(Error::transient(error)))?;
        let response = self.transport.send(url, request).await.map_err(|error| match error.kind() {
            ErrorKind::Redirected => Missing::Elsewhere(error),
            _ => Missing::Failed(error),
        })?;
        let status = response.status();
        if status != StatusCode::OK {
            let error = Error::new(ErrorKind::UnexpectedStatus).at(url.shown()).with_status(status);
            let will_pass = error.is_transient();
            return Err(if will_pass { Missing::Failed(error) } else { Missing::Elsewhere(error) });
        }
        ServerMetadata::parse(response.body())
            .map_err(|error| Missing::Elsewhere(error.at(url.shown()).with_status(status)))
    }

    fn check(&self, metadata: ServerMetadata) -> Result<ServerMetadata, Error> {
        let expected = self.expected.as_deref().unwrap_or_else(|| self.issuer.as_str());
        if metadata.issuer() != expected {
            let detail =
                format!("the document names `{}` instead of `{expected}`", shortened(metadata.issuer()));
            return Err(Error::new(ErrorKind::IssuerMismatch).detail(detail));
        }
        let urls = metadata.urls()?;
        if !self.allow_http {
            let issuer_is_here = Origin::of(self.issuer.uri()).is_some_and(|origin| origin.is_loopback());
            urls.check_secure(issuer_is_here)?;
        }
        urls.check_origins(self.issuer.uri(), self.also.as_ref())?;
        Ok(metadata)
    }
}

/// Why a place gave no document.
enum Missing {
    /// It may be in another place.
    Elsewhere(Error),
    /// There is no use in looking on.
    Failed(Error),
}

/// Of two failures, the one that says more: nearly every server has no document in one of the places.
fn more_telling(first: Option<Error>, second: Error) -> Error {
    let says_little = |error: &Error| error.kind() == ErrorKind::UnexpectedStatus;
    match first {
        Some(first) if !says_little(&first) || says_little(&second) => first,
        _ => second,
    }
}

/// Says which document it is about, unless the error is about one of the endpoints in it.
fn named(error: Error, url: &Endpoint) -> Error {
    if error.endpoint().is_some() { error } else { error.at(url.shown()) }
}

fn no_place(error: ConfigError) -> Error {
    Error::new(ErrorKind::MissingEndpoint).detail(error.to_string()).caused_by(error)
}

/// A text of the server, fit for an error.
fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;

    #[test]
    fn the_default_is_that_of_the_table() {
        let http = tower::service_fn(|_: Request<http_body_util::Full<Bytes>>| async {
            Ok::<_, std::convert::Infallible>(http::Response::<http_body_util::Full<Bytes>>::default())
        });
        assert!(Discovery::new("https://a.test", http).unwrap().also.is_none());
        assert_documented("where endpoints may be that a discovery finds", "at the issuer's own origin");
    }
}
