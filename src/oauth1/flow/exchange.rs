//! One request of the flow: built, signed, sent, and its answer read.

use bytes::Bytes;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Uri;
use http::header::CONTENT_LENGTH;
use http::header::CONTENT_TYPE;
use http::uri::InvalidUri;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::oauth1::Placement;
use crate::oauth1::Signer;
use crate::oauth1::flow::Flow;
use crate::oauth1::flow::Step;
use crate::oauth1::flow::settings::StepSettings;
use crate::origin::is_secure;
use crate::protocol::oauth1::encode::escaped;
use crate::protocol::oauth1::token_response;
use crate::protocol::oauth1::token_response::TokenResponse;
use crate::secret::Secret;

impl Flow {
    /// Asks the endpoint of `step` for a token.
    ///
    /// `form` is sent in the body of a `POST`, whatever was set: it holds a password. `sent` are the secrets that no error
    /// may show.
    pub(super) async fn exchange(
        &self,
        step: Step,
        signer: Signer,
        form: &[(&str, &Secret)],
        sent: &[Secret],
    ) -> Result<TokenResponse, Error> {
        let endpoint = self.endpoints.of(step)?;
        // Whether plain http is allowed at all is the transport's to say; what a method shows, it does not know.
        if signer.needs_secure_channel() && !is_secure(endpoint.uri()) {
            let detail = "the signature method shows its secrets";
            return Err(Error::new(ErrorKind::InsecureScheme).at(endpoint.shown()).detail(detail));
        }
        let request = self.step(step).request(endpoint.uri(), form);
        let request = request.and_then(|request| sign(&signer, request));
        let request = request.map_err(|error| error.at(endpoint.shown()))?;
        // One attempt. A clock that a refusal of the timestamp set right would be asked for another signature, with
        // another nonce, by going through `sign` once more.
        let answer = self.transport.send(endpoint, request).await?;
        token_response::parse(answer.status(), answer.headers(), answer.body(), sent)
            .map_err(|error| error.at(endpoint.shown()))
    }
}

impl StepSettings {
    /// The request before it is signed.
    fn request(&self, uri: &Uri, form: &[(&str, &Secret)]) -> Result<Request<Bytes>, Error> {
        let method = if form.is_empty() { self.http_method.clone() } else { Method::POST };
        let own = self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs = encode(own.chain(form.iter().map(|(name, value)| (*name, value.expose()))));

        let has_body = self.placement == Placement::Form || !matches!(method, Method::GET | Method::HEAD);
        let (uri, body) = if has_body {
            (uri.clone(), Bytes::from(pairs))
        } else {
            let uri = with_query(&uri.to_string(), &pairs).parse();
            (uri.map_err(|error: InvalidUri| unfit().caused_by(error))?, Bytes::new())
        };
        let is_form = self.placement == Placement::Form || !body.is_empty();
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        if is_form {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert(CONTENT_TYPE, form);
        }
        Ok(request)
    }
}

fn sign(signer: &Signer, mut request: Request<Bytes>) -> Result<Request<Bytes>, Error> {
    signer.sign(&mut request)?;
    // HTTP clients leave it out when there is no body, and servers want it all the same (RFC 9110 §8.6).
    if request.body().is_empty() && request.method() == Method::POST {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
    }
    Ok(request)
}

/// `url` with `pairs` at the end of its query.
pub(super) fn with_query(url: &str, pairs: &str) -> String {
    let separator = match url.split_once('?') {
        _ if pairs.is_empty() => "",
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{url}{separator}{pairs}")
}

/// Pairs as a query or a form has them. A space is `%20`, which every server decodes.
pub(super) fn encode<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    // What is escaped is ASCII.
    let escape = |text: &str| String::from_utf8(escaped(text.as_bytes())).unwrap_or_default();
    pairs.map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect::<Vec<_>>().join("&")
}

fn unfit() -> Error {
    Error::new(ErrorKind::Signature).detail("the URL with its parameters is longer than a URL may be")
}
