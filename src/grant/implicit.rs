//! The implicit grant (RFC 6749 §4.2).

use std::borrow::Cow;
use std::time::Duration;

use crate::error::ConfigError;
use crate::error::Error;
use crate::grant::authorization_code::with_scope_asked_for;
use crate::origin::is_secure;
use crate::protocol::oauth2::authorize::AuthorizationRequest;
use crate::protocol::oauth2::authorize::AuthorizationResponse;
use crate::protocol::oauth2::authorize::PendingAuthorization;
use crate::protocol::oauth2::authorize::ResponseType;
use crate::token::Token;
use crate::transport::Endpoint;

/// Somebody logs in with a browser, and the token itself comes back, in the fragment of the URL (RFC 6749 §4.2).
///
/// RFC 9700 §2.1.2 says not to use it any more: use [`AuthorizationCode`](crate::grant::AuthorizationCode) wherever the server
/// lets you. Such a token cannot be renewed; a program that nobody can log in to hands it to a manager over a
/// [`StaticToken`](crate::grant::StaticToken) or puts it by [`TokenManager::put`](crate::TokenManager::put).
///
/// ```
/// use tower_oauth::grant::Implicit;
///
/// let flow = Implicit::new("https://auth.example.com/authorize", "client id")?
///     .redirect_uri("https://app.example.com/callback")
///     .scope("photos");
/// let (url, pending) = flow.request().build()?;
/// // The browser opens the URL, and a script of the page that it comes back to sends us `location.hash`.
/// # let state = url.split("&state=").nth(1).unwrap_or_default();
/// let hash = format!("#access_token=2YotnFZFEjr1zCsicMWpAA&state={state}&token_type=example&expires_in=3600");
/// let token = flow.token_from_fragment(pending, &*hash)?;
/// assert_eq!(token.access_token().expose(), "2YotnFZFEjr1zCsicMWpAA");
/// assert_eq!(token.scope(), Some(&["photos".to_owned()][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Implicit(AuthorizationRequest);

impl Implicit {
    /// A client whose users log in at `authorization_url`.
    ///
    /// # Errors
    /// [`ConfigError::InvalidEndpoint`] when that is not an absolute http or https URL, has a fragment, or parameters that
    /// the request sets.
    pub fn new(authorization_url: &str, client_id: &str) -> Result<Self, ConfigError> {
        let is_secure = is_secure(Endpoint::parse(authorization_url)?.uri());
        AuthorizationRequest::new(authorization_url, is_secure, client_id, ResponseType::Token).map(Self)
    }

    /// Where the server sends the browser back to.
    pub fn redirect_uri(self, redirect_uri: impl Into<Box<str>>) -> Self {
        Self(self.0.redirect_uri(redirect_uri))
    }

    /// Asks for these scope tokens, separated by spaces, in every request.
    pub fn scope(self, scope: &str) -> Self {
        Self(self.0.scope(scope))
    }

    /// What stands between scope tokens in the URL: a space unless a provider wants a comma.
    pub fn scope_separator(mut self, separator: impl Into<Cow<'static, str>>) -> Self {
        self.0.scope_separator(separator.into());
        self
    }

    /// The issuer identifier of the server; an answer that names another one is refused (RFC 9207 §2.4).
    pub fn issuer(mut self, issuer: impl Into<Box<str>>) -> Self {
        self.0.issuer(issuer.into(), false);
        self
    }

    /// Sets a parameter of every request.
    ///
    /// # Errors
    /// Those of [`AuthorizationRequest::parameter`].
    pub fn parameter(self, name: impl Into<String>, value: impl Into<String>) -> Result<Self, ConfigError> {
        self.0.parameter(name, value).map(Self)
    }

    /// Lets users type their passwords in over plain http, at any host.
    pub fn dangerously_allow_http(mut self) -> Self {
        self.0.allow_http();
        self
    }

    /// Begins a login.
    pub fn request(&self) -> AuthorizationRequest {
        self.0.clone()
    }

    /// Ends a login: checks the answer, which is a URL with a fragment, or the fragment with its `#`, and gives the token.
    ///
    /// # Errors
    /// Those of [`PendingAuthorization::complete`].
    pub fn token_from_fragment(
        &self,
        pending: PendingAuthorization,
        response: impl Into<AuthorizationResponse>,
    ) -> Result<Token, Error> {
        let parameters = pending.complete_implicit(&response.into())?;
        Ok(with_scope_asked_for(token(parameters), pending.scopes()))
    }
}

/// The token that these parameters make up (RFC 6749 §4.2.2). There is no refresh token among them.
fn token(parameters: Vec<(String, String)>) -> Token {
    let access_token = parameters.iter().find(|(name, _)| name == "access_token");
    let token = Token::new(access_token.map(|(_, token)| token.as_str()).unwrap_or_default());
    parameters.into_iter().fold(token, |token, (name, value)| match name.as_str() {
        "access_token" => token,
        "token_type" if value.is_empty() => token,
        "token_type" => token.with_token_type(value),
        "scope" => token.with_scope(value.split([' ', ',']).filter(|scope| !scope.is_empty())),
        "expires_in" => {
            match value.trim().parse().map(|seconds: f64| Duration::try_from_secs_f64(seconds.max(0.0))) {
                Ok(Ok(lifetime)) => token.expires_in(lifetime),
                // What is no number, or longer than a duration can be, is as if it were not there.
                _ => token,
            }
        }
        _ => token.with_extra(name, value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn the_answer_of_rfc_6749_4_2_2_is_read_leniently() {
        let read = |fragment: &str| {
            let flow = Implicit::new("https://auth.test/", "id").unwrap().scope("a");
            let pending = flow.request().state("xyz").build().unwrap().1;
            flow.token_from_fragment(pending, fragment)
        };
        let answer = "http://example.com/cb#access_token=2YotnFZFEjr1zCsicMWpAA&state=xyz&token_type=bearer&expires_in=";
        let token = read(&format!("{answer}3600.5&scope=b,c&user_id=7")).unwrap();
        assert_eq!(token.access_token().expose(), "2YotnFZFEjr1zCsicMWpAA");
        assert_eq!(token.token_type(), "bearer");
        assert_eq!(token.scope(), Some(&["b".to_owned(), "c".to_owned()][..]));
        assert_eq!(token.extra("user_id").and_then(|id| id.as_str()), Some("7"));
        assert!(token.extra("state").is_none());
        for odd in ["", "soon", "NaN", "1e300", "-1"] {
            assert!(read(&format!("{answer}{odd}")).is_ok(), "{odd}");
        }
        assert_eq!(read("#state=xyz").unwrap_err().kind(), ErrorKind::InvalidAuthorizationResponse);
        assert_eq!(read("#access_token=1").unwrap_err().kind(), ErrorKind::MissingState);
    }
}
