//! From what is asked for to a signed request.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use serde_json::{Value, json};
use tower_oauth::Clock;
use tower_oauth::oauth1::{
    BodyDigest, BodyHash, Credentials, Explanation, HmacSha1, HmacSha256, HmacSha512, Placement, Plaintext,
    RsaSha1, RsaSha256, RsaSha512, Signer,
};

use super::failure::Failure;
use super::input::{self, Input};
use super::keys::Keys;

/// A signed request, and what was signed.
#[derive(Debug)]
pub struct Signed {
    request: Request<Bytes>,
    has_body: bool,
    explanation: Explanation,
}

/// Signs as `OAuth1Layer` does, whose `Signer` this is.
pub fn sign(input: &Input, keys: &mut Keys) -> Result<Signed, Failure> {
    let signer = signer(input, keys)?;
    let mut request = request(input)?;
    let explanation = signer.explain(&mut request)?;
    if input.placement == input::Placement::Body && input.body_hash.is_some() {
        return Err(invalid("`body_hash`: a body cannot hold a digest of itself"));
    }
    let has_body = input.body.is_some() || input.body_base64.is_some() || !request.body().is_empty();
    Ok(Signed { request, has_body, explanation })
}

impl Signed {
    pub fn into_json(self, id: Value) -> Value {
        let Self { request, has_body, explanation } = self;
        // A realm may hold any text.
        let authorization = request.headers().get(AUTHORIZATION);
        let authorization = authorization.map(|value| String::from_utf8_lossy(value.as_bytes()));
        let mut answer = json!({
            "id": id,
            "base_string": explanation.base_string().map(|base_string| base_string.expose()),
            "signature": explanation.signature().expose(),
            "authorization": authorization,
            "url": request.uri().to_string(),
            "query": request.uri().query(),
            "body": null,
        });
        if has_body {
            match std::str::from_utf8(request.body()) {
                Ok(text) => answer["body"] = text.into(),
                Err(_) => answer["body_base64"] = STANDARD.encode(request.body()).into(),
            }
        }
        answer
    }
}

fn request(input: &Input) -> Result<Request<Bytes>, Failure> {
    let mut request = Request::new(body(input)?);
    *request.method_mut() = Method::from_bytes(input.method.as_bytes()).map_err(|error| {
        Failure::new("invalid_method", format!("`{}`: {error}", input.method.escape_debug()))
    })?;
    // From the text as it is: a parser for browsers would change paths and queries.
    *request.uri_mut() = Uri::try_from(input.url.as_str())
        .map_err(|error| Failure::new("invalid_url", format!("`{}`: {error}", input.url.escape_debug())))?;
    header(&mut request, HOST, input.host_header.as_deref())?;
    header(&mut request, CONTENT_TYPE, input.content_type.as_deref())?;
    Ok(request)
}

fn header(request: &mut Request<Bytes>, name: HeaderName, value: Option<&str>) -> Result<(), Failure> {
    if let Some(value) = value {
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|error| Failure::new("invalid_header", format!("`{name}`: {error}")))?;
        request.headers_mut().insert(name, value);
    }
    Ok(())
}

fn body(input: &Input) -> Result<Bytes, Failure> {
    let text = input.body.as_ref().map(|body| Bytes::copy_from_slice(body.as_bytes()));
    let binary = match &input.body_base64 {
        Some(body) => Some(Bytes::from(
            STANDARD.decode(body).map_err(|error| invalid(format!("`body_base64`: {error}")))?,
        )),
        None => None,
    };
    match (text, binary) {
        (Some(text), Some(binary)) if text != binary => {
            Err(invalid("`body` and `body_base64` are not the same"))
        }
        (text, binary) => Ok(text.or(binary).unwrap_or_default()),
    }
}

fn signer(input: &Input, keys: &mut Keys) -> Result<Signer, Failure> {
    let nonce = input.nonce.clone();
    let mut signer = Signer::new(credentials(input)?)
        .placement(match input.placement {
            input::Placement::Body => Placement::Form,
            input::Placement::Header => Placement::Header,
            input::Placement::Query => Placement::Query,
        })
        .clock(Fixed(timestamp(&input.timestamp)?))
        .nonce_fn(move || nonce.clone())
        .allow_other_oauth_parameters();
    signer = signature_method(signer, input, keys)?;
    if let Some(realm) = &input.realm {
        signer = signer.realm(realm)?;
    }
    if let Some(callback) = &input.callback {
        signer = signer.callback(callback);
    }
    if let Some(verifier) = &input.verifier {
        signer = signer.verifier(verifier);
    }
    if !input.version {
        signer = signer.omit_version();
    }
    if let Some(digest) = input.body_hash {
        signer = signer.body_hash(BodyHash::Always).body_digest(match digest {
            input::BodyHash::Sha1 => BodyDigest::Sha1,
            input::BodyHash::Sha256 => BodyDigest::Sha256,
            input::BodyHash::Sha512 => BodyDigest::Sha512,
        });
    }
    let mut names = HashSet::new();
    for (name, value) in &input.extra {
        if !names.insert(name) {
            return Err(invalid(format!("`extra`: `{}` is there twice", name.escape_debug())));
        }
        signer = signer.parameter(name, value)?;
    }
    Ok(signer)
}

fn signature_method(signer: Signer, input: &Input, keys: &mut Keys) -> Result<Signer, Failure> {
    let mut key = || match &input.rsa_key {
        Some(name) => keys.get(name),
        None => Err(Failure::new("missing_key", "`rsa_key` is missing")),
    };
    Ok(match input.signature_method.as_str() {
        "HMAC-SHA1" => signer.signature_method(HmacSha1),
        "HMAC-SHA256" => signer.signature_method(HmacSha256),
        "HMAC-SHA512" => signer.signature_method(HmacSha512),
        "RSA-SHA1" => signer.signature_method(RsaSha1::new(key()?)),
        "RSA-SHA256" => signer.signature_method(RsaSha256::new(key()?)),
        "RSA-SHA512" => signer.signature_method(RsaSha512::new(key()?)),
        "PLAINTEXT" => signer.signature_method(Plaintext),
        other => return Err(Failure::new("unknown_signature_method", format!("`{}`", other.escape_debug()))),
    })
}

fn credentials(input: &Input) -> Result<Credentials, Failure> {
    let credentials = match &input.client_secret {
        Some(secret) => Credentials::new(&input.client_key, secret.as_str()),
        None if input.signature_method.starts_with("RSA-") => Credentials::without_secret(&input.client_key),
        None => return Err(invalid("`client_secret` is missing")),
    };
    let token_secret = input.token_secret.as_deref().unwrap_or_default();
    match &input.token {
        Some(token) => Ok(credentials.token(token.as_str(), token_secret)),
        None if token_secret.is_empty() => Ok(credentials),
        None => Err(invalid("`token_secret` is given, and no `token`")),
    }
}

/// The clock's time, if it gives this very text.
fn timestamp(text: &str) -> Result<SystemTime, Failure> {
    let seconds = text.parse::<u64>().ok().filter(|seconds| seconds.to_string() == text);
    let time = seconds.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    time.ok_or_else(|| invalid(format!("`timestamp`: `{}` is no number of seconds", text.escape_debug())))
}

fn invalid(message: impl ToString) -> Failure {
    Failure::new("invalid_input", message)
}

struct Fixed(SystemTime);

impl Clock for Fixed {
    fn now(&self) -> SystemTime {
        self.0
    }
}
