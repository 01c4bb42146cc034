//! Where on a request the token goes (RFC 6750 §2).

use std::borrow::Cow;
use std::fmt;

use http::HeaderName;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use http::header::CONNECTION;
use http::header::CONTENT_LENGTH;
use http::header::HOST;
use http::header::TE;
use http::header::TRAILER;
use http::header::TRANSFER_ENCODING;
use http::header::UPGRADE;

use crate::error::ConfigError;
use crate::secret::Secret;

/// The parameter of RFC 6750 §2.2 and §2.3.
const ACCESS_TOKEN: &str = "access_token";

/// What frames a request, and is not for anybody else to write.
const FRAMING: [HeaderName; 7] = [CONNECTION, CONTENT_LENGTH, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Where on a request the token goes, and which headers go with it.
///
/// The default is `Authorization: Bearer …` (RFC 6750 §2.1), the one that every server of RFC 6750 reads. The others
/// are for servers that want something else:
///
/// ```
/// use tower_oauth::oauth2::Placement;
///
/// let zoho = Placement::scheme("Zoho-oauthtoken")?; // Authorization: Zoho-oauthtoken …
/// let shopify = Placement::header("X-Shopify-Access-Token")?; // X-Shopify-Access-Token: …
/// let instagram = Placement::query(); // ?access_token=…
/// let slack = Placement::form_field("token")?; // token=… in a form
/// let notion = Placement::bearer().companion("Notion-Version", "2022-06-28")?;
/// let twitch = Placement::bearer().secret_companion("Client-Id", "hof5gwx0su6owfnys0nyan9c87zr6t")?;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
///
/// Whatever the place, there is one token on a request: an `Authorization` that came with it is removed, and what is in
/// the place already is replaced.
#[derive(Clone)]
pub struct Placement {
    place: Place,
    companions: Vec<(HeaderName, HeaderValue)>,
}

/// The place itself.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A header, whose value is this text and the token.
    Header { name: HeaderName, prefix: Cow<'static, str> },
    /// A parameter of the URI's query.
    Query { name: Cow<'static, str> },
    /// A field of the form that is the body.
    Form { name: Cow<'static, str> },
}

impl Placement {
    /// `Authorization: Bearer …` (RFC 6750 §2.1). The default.
    pub const fn bearer() -> Self {
        Self::fixed(Place::Header { name: AUTHORIZATION, prefix: Cow::Borrowed("Bearer ") })
    }

    /// `Authorization` with another scheme, such as `OAuth` or `Zoho-oauthtoken`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidPlacement`] when `scheme` is not a token of RFC 9110 §5.6.2.
    pub fn scheme(scheme: &str) -> Result<Self, ConfigError> {
        Ok(Self::fixed(Place::Header { name: AUTHORIZATION, prefix: prefix(scheme)? }))
    }

    /// A header of its own, whose value is the token and nothing else, such as `X-Shopify-Access-Token`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidPlacement`] when `name` cannot be the name of a header, or is one that frames requests
    /// (`Host`, `Content-Length` …).
    pub fn header(name: &str) -> Result<Self, ConfigError> {
        Ok(Self::fixed(Place::Header { name: header_name(name)?, prefix: Cow::Borrowed("") }))
    }

    /// A header of its own, whose value is `scheme`, a space, and the token.
    ///
    /// # Errors
    /// As [`header`](Self::header) and [`scheme`](Self::scheme).
    pub fn header_with_scheme(name: &str, scheme: &str) -> Result<Self, ConfigError> {
        Ok(Self::fixed(Place::Header { name: header_name(name)?, prefix: prefix(scheme)? }))
    }

    /// The parameter `access_token` of the URI's query (RFC 6750 §2.3). URIs are written to logs, and the token with
    /// them: for servers that read no header. Requests get `Cache-Control: no-store`, as the RFC asks.
    pub const fn query() -> Self {
        Self::fixed(Place::Query { name: Cow::Borrowed(ACCESS_TOKEN) })
    }

    /// Another parameter of the query.
    ///
    /// # Errors
    /// [`ConfigError::InvalidPlacement`] when `name` is empty.
    pub fn query_parameter(name: &str) -> Result<Self, ConfigError> {
        Ok(Self::fixed(Place::Query { name: parameter_name(name)? }))
    }

    /// The field `access_token` of a form that is the request's body (RFC 6750 §2.2). A request with another body is an
    /// error, and so is a GET; the layer's [body policy](crate::body) has to be able to read forms.
    pub const fn form() -> Self {
        Self::fixed(Place::Form { name: Cow::Borrowed(ACCESS_TOKEN) })
    }

    /// Another field of the form.
    ///
    /// # Errors
    /// [`ConfigError::InvalidPlacement`] when `name` is empty.
    pub fn form_field(name: &str) -> Result<Self, ConfigError> {
        Ok(Self::fixed(Place::Form { name: parameter_name(name)? }))
    }

    /// Adds a header that every request with a token gets, in place of one with the same name: an API version, an
    /// account, a tenant. Requests that go without a token do not get it.
    ///
    /// # Errors
    /// [`ConfigError::InvalidPlacement`] when `name` cannot be the name of a header, frames requests, or is the one in
    /// which the token goes; or when `value` cannot be a header's value.
    pub fn companion(self, name: &str, value: &str) -> Result<Self, ConfigError> {
        self.with(name, value, false)
    }

    /// Adds a header as [`companion`](Self::companion) does, whose value is marked sensitive and never shown.
    ///
    /// # Errors
    /// As [`companion`](Self::companion).
    pub fn secret_companion(self, name: &str, value: impl Into<Secret>) -> Result<Self, ConfigError> {
        self.with(name, value.into().expose(), true)
    }

    fn with(mut self, name: &str, value: &str, is_secret: bool) -> Result<Self, ConfigError> {
        let invalid = |reason| ConfigError::InvalidPlacement { name: name.to_owned(), reason };
        let header = header_name(name)?;
        if matches!(&self.place, Place::Header { name, .. } if *name == header) {
            return Err(invalid("the token goes into this header"));
        }
        let mut value =
            HeaderValue::from_str(value).map_err(|_| invalid("its value is not visible ASCII"))?;
        value.set_sensitive(is_secret);
        self.companions.retain(|(other, _)| *other != header);
        self.companions.push((header, value));
        // The first clone of each sets up what the later ones share.
        let _ = self.companions.clone();
        Ok(self)
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn companions(&self) -> &[(HeaderName, HeaderValue)] {
        &self.companions
    }

    /// Whether it is what requests get when nobody says anything.
    pub(crate) fn is_default(&self) -> bool {
        self.companions.is_empty()
            && matches!(&self.place, Place::Header { name, prefix } if name == AUTHORIZATION && prefix == "Bearer ")
    }

    const fn fixed(place: Place) -> Self {
        Self { place, companions: Vec::new() }
    }
}

/// What is written in the code of this crate, and needs no check.
#[allow(dead_code, reason = "for the presets of providers")]
impl Placement {
    /// `prefix` is the scheme with its space.
    pub(crate) const fn fixed_scheme(prefix: &'static str) -> Self {
        Self::fixed(Place::Header { name: AUTHORIZATION, prefix: Cow::Borrowed(prefix) })
    }

    /// `name` is in lower case.
    pub(crate) const fn fixed_header(name: &'static str) -> Self {
        Self::fixed(Place::Header { name: HeaderName::from_static(name), prefix: Cow::Borrowed("") })
    }

    pub(crate) const fn fixed_query(name: &'static str) -> Self {
        Self::fixed(Place::Query { name: Cow::Borrowed(name) })
    }

    pub(crate) const fn fixed_form(name: &'static str) -> Self {
        Self::fixed(Place::Form { name: Cow::Borrowed(name) })
    }

    /// `name` is in lower case.
    pub(crate) fn fixed_companion(mut self, name: &'static str, value: &'static str) -> Self {
        self.companions.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
        self
    }
}

impl Default for Placement {
    fn default() -> Self {
        Self::bearer()
    }
}

impl fmt::Debug for Placement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Placement")
            .field("place", &self.place)
            // Those that are secret print as `Sensitive`.
            .field("companions", &self.companions)
            .finish()
    }
}

fn header_name(text: &str) -> Result<HeaderName, ConfigError> {
    let invalid = |reason| ConfigError::InvalidPlacement { name: text.to_owned(), reason };
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| invalid("no header has this name"))?;
    if FRAMING.contains(&name) {
        return Err(invalid("this header frames the request and belongs to the HTTP client"));
    }
    // As with the companions: so that requests need not.
    let _ = name.clone();
    Ok(name)
}

fn prefix(scheme: &str) -> Result<Cow<'static, str>, ConfigError> {
    if scheme.is_empty() || !scheme.bytes().all(is_token_byte) {
        let reason = "a scheme is one word of visible ASCII without separators";
        return Err(ConfigError::InvalidPlacement { name: scheme.to_owned(), reason });
    }
    Ok(format!("{scheme} ").into())
}

fn parameter_name(name: &str) -> Result<Cow<'static, str>, ConfigError> {
    if name.is_empty() {
        let reason = "a parameter needs a name";
        return Err(ConfigError::InvalidPlacement { name: String::new(), reason });
    }
    Ok(name.to_owned().into())
}

/// What tokens of RFC 9110 §5.6.2 are made of.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(result: Result<Placement, ConfigError>) -> &'static str {
        match result.unwrap_err() {
            ConfigError::InvalidPlacement { reason, .. } => reason,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_scheme_is_one_token() {
        for scheme in ["", "Zoho oauthtoken", "Bearer:", "a,b", "é", "a\n", "\"a\""] {
            assert!(reason(Placement::scheme(scheme)).contains("one word"), "{scheme:?}");
            assert!(Placement::header_with_scheme("x-token", scheme).is_err(), "{scheme:?}");
        }
        assert!(Placement::scheme("Zoho-oauthtoken").is_ok());
    }

    #[test]
    fn a_header_has_a_name_and_does_not_frame_the_request() {
        for name in ["", "x token", "x:token", "é", "a\r\nb"] {
            assert!(reason(Placement::header(name)).contains("no header"), "{name:?}");
        }
        for name in ["Host", "content-length", "Transfer-Encoding", "connection"] {
            assert!(reason(Placement::header(name)).contains("frames"), "{name:?}");
            assert!(reason(Placement::query().companion(name, "x")).contains("frames"), "{name:?}");
        }
    }

    #[test]
    fn a_parameter_has_a_name() {
        assert!(reason(Placement::query_parameter("")).contains("name"));
        assert!(reason(Placement::form_field("")).contains("name"));
    }

    #[test]
    fn a_companion_does_not_displace_the_token_and_no_line_break_gets_in() {
        let reason_of = |name, value| reason(Placement::bearer().companion(name, value));
        assert!(reason_of("authorization", "x").contains("token"));
        assert!(reason_of("x-tenant", "a\r\nb: c").contains("ASCII"));
        assert!(reason(Placement::bearer().secret_companion("x-tenant", "a\n")).contains("ASCII"));
        assert!(Placement::query().companion("Authorization", "Basic eDp5").is_ok());
    }

    #[test]
    fn the_later_companion_of_a_name_counts() {
        let placement = Placement::bearer().companion("a", "1").unwrap().companion("A", "2").unwrap();
        assert_eq!(placement.companions(), [(HeaderName::from_static("a"), HeaderValue::from_static("2"))]);
    }

    #[test]
    fn a_secret_companion_is_not_shown() {
        let placement = Placement::bearer().secret_companion("x-key", "hush").unwrap();
        let placement = placement.companion("x-version", "7").unwrap();
        let shown = format!("{placement:?} {placement:#?}");
        assert!(shown.contains("x-key") && shown.contains('7'));
        assert!(!shown.contains("hush"), "{shown}");
    }

    #[test]
    fn only_the_default_is_the_default() {
        assert!(Placement::default().is_default());
        assert!(Placement::scheme("Bearer").unwrap().is_default());
        assert!(!Placement::bearer().companion("a", "1").unwrap().is_default());
        assert!(!Placement::header("x-token").unwrap().is_default());
        assert!(!Placement::query().is_default());
    }

    #[test]
    fn what_the_crate_writes_itself_is_what_the_checks_allow() {
        let pairs = [
            (Placement::fixed_scheme("OAuth "), Placement::scheme("OAuth")),
            (Placement::fixed_header("x-token"), Placement::header("X-Token")),
            (Placement::fixed_query("token"), Placement::query_parameter("token")),
            (Placement::fixed_form("token"), Placement::form_field("token")),
            (
                Placement::bearer().fixed_companion("x-version", "1"),
                Placement::bearer().companion("x-version", "1"),
            ),
        ];
        for (fixed, checked) in pairs {
            assert_eq!(format!("{fixed:?}"), format!("{:?}", checked.unwrap()));
        }
    }
}
