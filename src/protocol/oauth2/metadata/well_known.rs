//! Issuers, and where their documents are.

use http::Uri;

use crate::error::ConfigError;
use crate::origin::Origin;

/// Where the document of an issuer is. For `https://auth.example.com/tenant`:
///
/// | | |
/// |---|---|
/// | `OAuth` | `https://auth.example.com/.well-known/oauth-authorization-server/tenant` |
/// | `OpenId` | `https://auth.example.com/tenant/.well-known/openid-configuration` |
/// | `OpenIdInserted` | `https://auth.example.com/.well-known/openid-configuration/tenant` |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WellKnown {
    /// That of RFC 8414 §3: the issuer's path comes last.
    OAuth,
    /// That of OpenID Connect Discovery §4: the issuer's path comes first.
    OpenId,
    /// The name of OpenID in the place of RFC 8414 (§5 there).
    OpenIdInserted,
}

/// An issuer identifier (RFC 8414 §2): an absolute URL without query and fragment. Its text is kept as it is, because issuers
/// are compared byte by byte.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    text: String,
    uri: Uri,
}

impl Issuer {
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        let invalid = |reason| {
            // What stands before an `@` may be a password.
            let issuer = if text.contains('@') { "(a URL with an `@`)" } else { text };
            ConfigError::InvalidIssuer { issuer: issuer.to_owned(), reason }
        };
        let uri: Uri = text.parse().map_err(|_| invalid("it is not a URI"))?;
        if Origin::of(&uri).is_none() {
            return Err(invalid("it has no http or https scheme and host"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(invalid("it has a user name"));
        }
        if text.contains(['?', '#']) {
            return Err(invalid("it has a query or a fragment, which issuers do not have (RFC 8414 §2)"));
        }
        if text.contains("/.well-known/") {
            return Err(invalid(
                "it is the URL of a document; give the issuer itself, or name the document with `document_at`",
            ));
        }
        Ok(Self { text: text.to_owned(), uri })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The URL of its document.
    pub(crate) fn well_known(&self, form: WellKnown) -> String {
        // `parse` has seen to it that there is an authority.
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let base = format!("{scheme}://{authority}");
        let path = self.uri.path();
        let path = path.strip_suffix('/').unwrap_or(path);
        match form {
            WellKnown::OAuth => format!("{base}/.well-known/oauth-authorization-server{path}"),
            WellKnown::OpenId => format!("{base}{path}/.well-known/openid-configuration"),
            WellKnown::OpenIdInserted => format!("{base}/.well-known/openid-configuration{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(issuer: &str) -> [String; 3] {
        let issuer = Issuer::parse(issuer).unwrap();
        [WellKnown::OAuth, WellKnown::OpenId, WellKnown::OpenIdInserted].map(|form| issuer.well_known(form))
    }

    #[test]
    fn the_path_of_the_issuer_is_kept_and_its_last_slash_is_not() {
        for issuer in ["https://a.test:8443/x/tenant", "https://a.test:8443/x/tenant/"] {
            assert_eq!(
                all(issuer),
                [
                    "https://a.test:8443/.well-known/oauth-authorization-server/x/tenant",
                    "https://a.test:8443/x/tenant/.well-known/openid-configuration",
                    "https://a.test:8443/.well-known/openid-configuration/x/tenant",
                ]
            );
        }
    }

    #[test]
    fn without_a_path_the_forms_of_openid_are_the_same() {
        for issuer in ["https://a.test", "https://a.test/"] {
            assert_eq!(
                all(issuer),
                [
                    "https://a.test/.well-known/oauth-authorization-server",
                    "https://a.test/.well-known/openid-configuration",
                    "https://a.test/.well-known/openid-configuration",
                ]
            );
        }
    }

    #[test]
    fn what_is_no_issuer_is_refused_with_the_reason() {
        for text in [
            "",
            "a.test",
            "/x",
            "ftp://a.test",
            "https://a.test?x=y",
            "https://a.test#x",
            "https://a.test/.well-known/openid-configuration",
            "https://user:hush@a.test",
        ] {
            let error = Issuer::parse(text).unwrap_err();
            assert!(matches!(error, ConfigError::InvalidIssuer { .. }), "{text}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }
}
