//! A request as the endpoints see it: its target made absolute, its body read.

use std::future::poll_fn;
use std::io;

use bytes::Buf;
use bytes::BufMut;
use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderMap;
use http::Method;
use http::header;
use http::request::Parts;
use http_body::Body;
use tower::BoxError;

use crate::testing::stand_in::Assigned;

/// Longest form that is read, in bytes.
const FORM_LIMIT: usize = 1024 * 1024;

/// A request whose body was read to its end. Only the bytes of a form are kept; other bodies are counted.
pub(super) struct Incoming {
    pub(super) method: Method,
    /// `http` or `https`, in lower case.
    pub(super) scheme: String,
    /// Host, and the port where one was written, as they were written.
    pub(super) authority: String,
    pub(super) path: String,
    /// The path of the endpoint that answers, which is another one when the provider stands in for others.
    pub(super) endpoint: String,
    /// What the authorization endpoint calls itself.
    pub(super) issuer: Option<String>,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    /// The body, when its media type says that it is a form.
    pub(super) form: Option<Bytes>,
    /// Length of the body in bytes.
    pub(super) body_length: u64,
}

impl Incoming {
    /// Reads the body. A target that names no host, neither in its URI nor in a header, is taken to be at `origin`.
    ///
    /// `None` for a form of more than 1 MiB.
    ///
    /// # Errors
    /// The body's own.
    pub(super) async fn read<B>(parts: Parts, body: B, origin: &str) -> io::Result<Option<Self>>
    where
        B: Body,
        B::Error: Into<BoxError>,
    {
        let is_form = is_form(&parts.headers);
        let Some((body_length, form)) = read(body, is_form).await? else { return Ok(None) };
        let (scheme, authority) = base(&parts, origin);
        let assigned = parts.extensions.get::<Assigned>();
        let issuer = match assigned {
            Some(assigned) => assigned.issuer.as_deref().map(str::to_owned),
            None => Some(format!("{scheme}://{authority}")),
        };
        Ok(Some(Self {
            endpoint: endpoint(&parts).to_owned(),
            issuer,
            method: parts.method,
            scheme,
            authority,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers,
            form: is_form.then_some(form),
            body_length,
        }))
    }

    /// The origin at which the request arrived.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    pub(super) fn query_bytes(&self) -> &[u8] {
        self.query.as_deref().unwrap_or_default().as_bytes()
    }

    pub(super) fn form_bytes(&self) -> &[u8] {
        self.form.as_deref().unwrap_or_default()
    }
}

/// The path of the endpoint that a request is for.
pub(super) fn endpoint(parts: &Parts) -> &str {
    parts.extensions.get::<Assigned>().map_or(parts.uri.path(), |assigned| &assigned.endpoint)
}

/// Scheme and authority of the target URI. A `Host` header counts before an absolute URI, because an HTTP client would
/// send no more than the header.
fn base(parts: &Parts, origin: &str) -> (String, String) {
    let (scheme, authority) = origin.split_once("://").unwrap_or(("http", origin));
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let written = parts.uri.authority().map(|authority| authority.as_str());
    let scheme = parts.uri.scheme_str().unwrap_or(scheme).to_ascii_lowercase();
    (scheme, host.or(written).unwrap_or(authority).to_owned())
}

/// Whether the body is a form (RFC 5849 §3.4.1.3.1), whatever the case and the parameters of its media type.
fn is_form(headers: &HeaderMap) -> bool {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The length of a body, and its bytes when they are to be kept; `None` when these are too many.
async fn read<B>(body: B, keep: bool) -> io::Result<Option<(u64, Bytes)>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let mut body = Box::pin(body);
    let mut length = 0_u64;
    let mut kept = BytesMut::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(data) = frame.map_err(io::Error::other)?.into_data() else { continue };
        length = length.saturating_add(u64::try_from(data.remaining()).unwrap_or(u64::MAX));
        if keep {
            if data.remaining() > FORM_LIMIT - kept.len() {
                return Ok(None);
            }
            kept.put(data);
        }
    }
    Ok(Some((length, kept.freeze())))
}
