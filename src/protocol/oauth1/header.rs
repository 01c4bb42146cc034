//! Where the protocol parameters go: the `Authorization` header, the query or the form (RFC 5849 §3.5).

use crate::protocol::oauth1::encode::Escape;
use crate::protocol::oauth1::encode::escaped;
use crate::protocol::oauth1::params::PREFIX;
use crate::protocol::oauth1::template::Hole;
use crate::protocol::oauth1::template::ProtocolParameter;
use crate::protocol::oauth1::template::Template;
use crate::protocol::oauth1::template::Value;

/// Where the protocol parameters and the signature are put (RFC 5849 §3.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Placement {
    /// At the end of the form that is the request's body (§3.5.2). A request with another body, or none, is an error.
    /// A `Content-Length` header is corrected.
    Form,
    /// In the `Authorization` header (§3.5.1). Query and body stay as they are. The default.
    #[default]
    Header,
    /// At the end of the URI's query (§3.5.3). URIs are written to logs, and so are the tokens in them; use it only
    /// where a server does not read the header.
    Query,
}

impl Placement {
    /// A stable name in snake case.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Header => "header",
            Self::Query => "query",
        }
    }

    /// The text in which `parameters` and the signature travel.
    pub(crate) fn template(self, parameters: &[&ProtocolParameter], realm: Option<&str>) -> Template {
        match self {
            Self::Header => authorization(parameters, realm),
            Self::Form | Self::Query => pairs(parameters),
        }
    }
}

/// The value of the header: the realm first, the signature last.
fn authorization(parameters: &[&ProtocolParameter], realm: Option<&str>) -> Template {
    let mut template = Template::new(Escape::Once);
    template.text(b"OAuth ");
    if let Some(realm) = realm {
        template.text(b"realm=\"");
        template.text(&quoted(realm));
        template.text(b"\", ");
    }
    for parameter in parameters {
        template.text(&escaped(parameter.name.as_bytes()));
        template.text(b"=\"");
        template.value(&parameter.value);
        template.text(b"\", ");
    }
    template.text(b"oauth_signature=\"");
    template.value(&Value::Hole(Hole::Signature));
    template.text(b"\"");
    template
}

/// `name=value` pairs, joined by `&`. A space is `%20`, which every server decodes.
fn pairs(parameters: &[&ProtocolParameter]) -> Template {
    let mut template = Template::new(Escape::Once);
    for parameter in parameters {
        template.text(&escaped(parameter.name.as_bytes()));
        template.text(b"=");
        template.value(&parameter.value);
        template.text(b"&");
    }
    template.text(b"oauth_signature=");
    template.value(&Value::Hole(Hole::Signature));
    template
}

/// The inside of a quoted string (RFC 9110 §5.6.4). The realm is no protocol parameter: it is not percent-encoded.
fn quoted(realm: &str) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(realm.len());
    for byte in realm.bytes() {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(byte);
    }
    quoted
}

/// The name of the first protocol parameter in the value of an `Authorization` header, percent-encoded.
///
/// `OAuth` followed by a bare token, as some OAuth 2 services want it, holds none.
pub(crate) fn first_protocol_parameter(authorization: &[u8]) -> Option<Vec<u8>> {
    let (scheme, credentials) = authorization.trim_ascii_start().split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"OAuth") || !credentials.first()?.is_ascii_whitespace() {
        return None;
    }
    let mut is_quoted = false;
    let mut is_escaped = false;
    let outside_quotes = |byte: &u8| {
        let was_escaped = std::mem::replace(&mut is_escaped, false);
        match byte {
            b'"' if !was_escaped => is_quoted = !is_quoted,
            b'\\' if is_quoted && !was_escaped => is_escaped = true,
            _ => {}
        }
        *byte == b',' && !is_quoted
    };
    credentials.split(outside_quotes).find_map(|parameter| {
        let (name, _) = parameter.split_at_checked(parameter.iter().position(|&byte| byte == b'=')?)?;
        let name: Vec<u8> = percent_encoding::percent_decode(name.trim_ascii()).collect();
        name.starts_with(PREFIX).then(|| escaped(&name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::oauth1::buffer::Buffer;
    use crate::protocol::oauth1::template::Filling;
    use crate::protocol::oauth1::template::Text;

    fn write(placement: Placement, realm: Option<&str>) -> String {
        let parameters = [
            ProtocolParameter::fixed("oauth_consumer_key", "k&y"),
            ProtocolParameter::hole("oauth_nonce", Hole::Nonce),
        ];
        let template = placement.template(&parameters.each_ref(), realm);
        let filling =
            Filling { nonce: Text::Any(b"n n"), signature: Text::Any(b"a+b="), ..Filling::default() };
        let mut out = Buffer::default();
        out.append(|out| template.write(&filling, out));
        String::from_utf8(out.into_vec()).unwrap()
    }

    #[test]
    fn the_header_quotes_and_escapes_every_value() {
        assert_eq!(
            write(Placement::Header, None),
            r#"OAuth oauth_consumer_key="k%26y", oauth_nonce="n%20n", oauth_signature="a%2Bb%3D""#
        );
    }

    #[test]
    fn the_realm_comes_first_and_is_a_quoted_string() {
        let header = write(Placement::Header, Some(r#"a "b\c" é"#));
        assert!(header.starts_with(r#"OAuth realm="a \"b\\c\" é", oauth_consumer_key="#), "{header}");
    }

    #[test]
    fn query_and_form_get_pairs_without_the_realm() {
        for placement in [Placement::Query, Placement::Form] {
            assert_eq!(
                write(placement, Some("Photos")),
                "oauth_consumer_key=k%26y&oauth_nonce=n%20n&oauth_signature=a%2Bb%3D"
            );
        }
    }

    #[test]
    fn protocol_parameters_are_found_in_a_header() {
        for (header, expected) in [
            (r#"OAuth oauth_token="x""#, Some("oauth_token")),
            (r#"oauth realm="a, oauth_b=c" , oauth_nonce = "y""#, Some("oauth_nonce")),
            (r#"OAuth realm="\", oauth_b=", oauth%5Fnonce="y""#, Some("oauth_nonce")),
            (r#"OAuth realm="a, oauth_b=c""#, None),
            ("OAuth 00Dx0000000", None),
            ("OAuth", None),
            ("OAuthX oauth_token=a", None),
            ("Bearer oauth_token=x", None),
            ("", None),
        ] {
            let found = first_protocol_parameter(header.as_bytes());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{header}");
        }
    }
}
