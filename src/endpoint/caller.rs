//! Calls endpoints in the name of a client: what all endpoints share.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Request;
use http::Response;
use http::Uri;
use http::header::AUTHORIZATION;
use http::header::CONTENT_TYPE;
use zeroize::Zeroizing;

use crate::endpoint::ClientAuth;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth2::form::Form;
use crate::protocol::oauth2::form::form_encode;
use crate::protocol::oauth2::request::RequestRules;
use crate::secret::REDACTED;
use crate::secret::Secret;
use crate::transport::Endpoint;
use crate::transport::HttpService;
use crate::transport::Transport;

/// A client, and the way to the endpoints at which it is known.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) auth: ClientAuth,
    pub(super) transport: Transport,
}

/// What an endpoint answered, and the secrets that have to be taken out of whatever is said of it.
pub(super) struct Answer {
    pub(super) response: Response<Bytes>,
    pub(super) sent: Vec<Secret>,
    /// What to try when the client was refused, where that can be told from what was sent.
    pub(super) hint: Option<&'static str>,
}

impl Caller {
    pub(super) fn new<S, Q, R>(auth: ClientAuth, http: S) -> Self
    where
        S: HttpService<Q, R>,
    {
        Self { auth, transport: Transport::new(http) }
    }

    pub(super) fn timeout(&mut self, timeout: Duration) {
        self.transport.timeout(timeout);
    }

    pub(super) fn response_limit(&mut self, limit: usize) {
        self.transport.response_limit(limit);
    }

    pub(super) fn allow_http(&mut self) {
        self.transport.allow_http();
    }

    /// Sends a form with the proof of who the client is, and asks for JSON.
    pub(super) async fn post(&self, endpoint: &Endpoint, form: Form) -> Result<Answer, Error> {
        self.send(endpoint, HeaderMap::new(), form, &RequestRules::new(), |_, _| ()).await
    }

    /// Sends parameters with the proof of who the client is, as `rules` say; `edit` has the last word.
    pub(super) async fn send(
        &self,
        endpoint: &Endpoint,
        mut headers: HeaderMap,
        mut form: Form,
        rules: &RequestRules,
        edit: impl FnOnce(&mut Form, &mut HeaderMap),
    ) -> Result<Answer, Error> {
        rules.add_headers(&mut headers);
        let mut sent = self.auth.apply(endpoint, &mut form, &mut headers).await?;
        let hint = basic_hint(self.auth.client_id(), &sent, &headers);
        rules.bend(&mut form);
        sent.extend(form.secrets().cloned());
        edit(&mut form, &mut headers);
        sent.extend(form.secrets().cloned());
        let encoded = rules.encode(&form);
        if let Some(content_type) = encoded.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let uri = match &encoded.query {
            Some(query) => with_query(endpoint, query)?,
            None => endpoint.uri().clone(),
        };
        let mut request = Request::new(encoded.body);
        *request.method_mut() = rules.method();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let query = request.uri().query().map(str::to_owned).filter(|_| rules.is_in_query());
        let response = self.transport.send(endpoint, request).await.map_err(|error| match query {
            // An HTTP client may name the URL that it could not reach, and the secrets are in there.
            Some(query) => without_query(error, &query, &sent),
            None => error,
        })?;
        Ok(Answer { response, sent, hint })
    }
}

/// Whether Basic was sent in one of two forms that differ: servers disagree over which is right.
fn basic_hint(client_id: &str, sent: &[Secret], headers: &HeaderMap) -> Option<&'static str> {
    let pair = headers.get(AUTHORIZATION)?.as_bytes().strip_prefix(b"Basic ")?;
    let pair = Zeroizing::new(STANDARD.decode(pair).ok()?);
    sent.iter().find_map(|secret| {
        let secret = secret.expose();
        let encoded = Zeroizing::new(format!("{}:{}", form_encode(client_id), form_encode(secret)));
        let raw = Zeroizing::new(format!("{client_id}:{secret}"));
        match &**pair {
            _ if encoded == raw => None,
            pair if pair == encoded.as_bytes() => Some(
                "id or secret has characters that some servers do not decode: try `ClientAuth::basic_raw`",
            ),
            pair if pair == raw.as_bytes() => {
                Some("id or secret has characters that most servers decode: try `ClientAuth::basic`")
            }
            _ => None,
        }
    })
}

/// The URL of an endpoint with more in its query.
fn with_query(endpoint: &Endpoint, query: &[u8]) -> Result<Uri, Error> {
    let before = endpoint.uri().to_string();
    let separator = match endpoint.uri().query() {
        None => "?",
        Some("") => "",
        Some(_) => "&",
    };
    // A form is ASCII, and so a query; it can only be too long.
    let too_long =
        |_| Error::new(ErrorKind::Transport).at(endpoint.shown()).detail("the URL would be too long");
    Uri::try_from([before.as_bytes(), separator.as_bytes(), query].concat()).map_err(too_long)
}

/// The same failure with the texts of its causes in place of themselves, so that no secret of the query is left in them.
fn without_query(error: Error, query: &str, sent: &[Secret]) -> Error {
    let mut texts = Vec::new();
    let mut next = std::error::Error::source(&error);
    while let Some(cause) = next {
        let text = cause.to_string().replace(query, REDACTED);
        let clean = |text: String, secret: &Secret| match secret.expose() {
            "" => text,
            secret => text.replace(secret, REDACTED).replace(&form_encode(secret), REDACTED),
        };
        texts.push(sent.iter().fold(text, clean));
        next = cause.source();
    }
    if texts.is_empty() { error } else { error.caused_by(Told(texts.join(": "))) }
}

/// What was said of a failure.
#[derive(Debug)]
struct Told(String);

impl fmt::Display for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Told {}
