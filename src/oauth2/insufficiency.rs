//! A token that is good, and not good enough.

use std::error;
use std::fmt;
use std::time::Duration;

use http::Response;
use http::StatusCode;
use http::header::WWW_AUTHENTICATE;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth2::challenge::Challenge;
use crate::secret::Secret;
use crate::token::AccessScope;

/// Scope tokens that are kept.
const SCOPES: usize = 64;
/// Bytes of each text that is kept; longer ones are left out, because a part of them means something else.
const TEXT: usize = 256;

/// The token is valid, but not for what the request needs (`insufficient_scope`, RFC 6750 §3.1).
///
/// The layer puts it into the extensions of the response, which is delivered as it came; with
/// [`insufficiency_is_error`](crate::OAuth2Layer::insufficiency_is_error) it is the cause of an error. No token is
/// renewed for it: the next one would be good for the same.
///
/// ```
/// use http::{Request, Response};
/// use tower_oauth::oauth2::InsufficientScope;
/// use tower_oauth::token::AccessScope;
///
/// /// The request to send once more, with a token that is good for what the server asked for.
/// fn escalated(response: &Response<()>, mut request: Request<()>) -> Option<Request<()>> {
///     let wanted = response.extensions().get::<InsufficientScope>()?;
///     request.extensions_mut().insert(wanted.access_scope(&AccessScope::new()));
///     Some(request)
/// }
/// # assert!(escalated(&Response::new(()), Request::new(())).is_none());
/// ```
///
/// A source that needs no user (client credentials) gets such a token at once. A refresh token gives no more than the
/// user agreed to (RFC 6749 §6): then the user is sent to log in with the wider scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsufficientScope {
    scopes: Vec<Box<str>>,
    resource_metadata: Option<Box<str>>,
}

impl InsufficientScope {
    /// The scope tokens that the server asks for, which may be those that the token has already, and more. Empty when
    /// it does not say.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(|scope| &**scope)
    }

    /// `scope`, extended by what the server asks for: for the extensions of a request,
    /// [`TokenManager::token_for`](crate::TokenManager::token_for), or a login.
    pub fn access_scope(&self, scope: &AccessScope) -> AccessScope {
        scope.scope(&self.scopes.join(" "))
    }

    /// Where the resource says which authorization servers it trusts (RFC 9728 §5.1).
    pub fn resource_metadata(&self) -> Option<&str> {
        self.resource_metadata.as_deref()
    }

    /// Finds it in `error` or in the chain of its sources.
    pub fn find<'a>(error: &'a (dyn error::Error + 'static)) -> Option<&'a Self> {
        find(error)
    }
}

impl fmt::Display for InsufficientScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scopes.is_empty() {
            return formatter.write_str("the server asks for a wider scope, and does not say which");
        }
        write!(formatter, "the server asks for the scope `{}`", self.scopes.join(" "))
    }
}

impl error::Error for InsufficientScope {}

/// The token is valid, but the user was authenticated too weakly, or too long ago (`insufficient_user_authentication`,
/// RFC 9470 §3). Only a new login helps. Delivered as [`InsufficientScope`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsufficientAuthentication {
    acr_values: Vec<Box<str>>,
    max_age: Option<Duration>,
}

impl InsufficientAuthentication {
    /// The authentication context classes, one of which the login must meet, the preferred ones first: the parameter
    /// `acr_values` of the authorization request.
    pub fn acr_values(&self) -> impl Iterator<Item = &str> {
        self.acr_values.iter().map(|value| &**value)
    }

    /// How long ago the login may have been: the parameter `max_age` of the authorization request.
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// Finds it in `error` or in the chain of its sources.
    pub fn find<'a>(error: &'a (dyn error::Error + 'static)) -> Option<&'a Self> {
        find(error)
    }
}

impl fmt::Display for InsufficientAuthentication {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the server asks for another login")?;
        if !self.acr_values.is_empty() {
            write!(formatter, " with `{}`", self.acr_values.join(" "))?;
        }
        self.max_age.map_or(Ok(()), |age| write!(formatter, " that is at most {age:?} old"))
    }
}

impl error::Error for InsufficientAuthentication {}

/// What a token lacks.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Insufficiency {
    Scope(InsufficientScope),
    Authentication(InsufficientAuthentication),
}

impl Insufficiency {
    /// What `response` says the token lacks. `token` is what was sent, which no text of ours repeats.
    pub(super) fn of<R>(response: &Response<R>, token: impl FnOnce() -> Option<Secret>) -> Option<Self> {
        let may_say_so = matches!(response.status(), StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED)
            && response.headers().contains_key(WWW_AUTHENTICATE);
        if !may_say_so {
            return None;
        }
        let challenges = Challenge::parse(response.headers());
        let find = |code| challenges.iter().find(|challenge| challenge.error() == Some(code));
        let scope = find("insufficient_scope");
        let challenge = scope.or_else(|| find("insufficient_user_authentication"))?;
        let token = token();
        let repeats = |word: &str| {
            token.as_ref().is_some_and(|token| !token.is_empty() && word.contains(token.expose()))
        };
        let words = |words: &mut dyn Iterator<Item = &str>| -> Vec<Box<str>> {
            words.filter(|word| is_plain(word) && !repeats(word)).take(SCOPES).map(Into::into).collect()
        };
        Some(if scope.is_some() {
            Self::Scope(InsufficientScope {
                scopes: words(&mut challenge.scopes()),
                resource_metadata: words(&mut challenge.resource_metadata().into_iter()).pop(),
            })
        } else {
            Self::Authentication(InsufficientAuthentication {
                acr_values: words(&mut challenge.acr_values()),
                max_age: challenge.max_age(),
            })
        })
    }

    pub(super) fn into_error(self, status: StatusCode) -> Error {
        match self {
            Self::Scope(lack) => Error::new(ErrorKind::InsufficientScope)
                .with_status(status)
                .detail(lack.to_string())
                .caused_by(lack),
            Self::Authentication(lack) => Error::new(ErrorKind::InsufficientAuthentication)
                .with_status(status)
                .detail(lack.to_string())
                .caused_by(lack),
        }
    }

    pub(super) fn put_into<R>(self, response: &mut Response<R>) {
        let extensions = response.extensions_mut();
        match self {
            Self::Scope(lack) => drop(extensions.insert(lack)),
            Self::Authentication(lack) => drop(extensions.insert(lack)),
        }
    }
}

/// What scope tokens are made of (RFC 6749 §3.3), within a bound.
fn is_plain(text: &str) -> bool {
    text.len() <= TEXT && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

fn find<'a, E: error::Error + 'static>(error: &'a (dyn error::Error + 'static)) -> Option<&'a E> {
    let mut chain = std::iter::successors(Some(error), |error| error.source());
    chain.find_map(|error| error.downcast_ref::<E>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, challenge: &str) -> Option<Insufficiency> {
        let response =
            Response::builder().status(status).header(WWW_AUTHENTICATE, challenge).body(()).unwrap();
        Insufficiency::of(&response, || Some("sent-token".into()))
    }

    #[test]
    fn what_the_server_asks_for_is_read() {
        let lack =
            of(403, r#"Bearer error="insufficient_scope", scope="b a", resource_metadata="https://a.test""#);
        let Some(Insufficiency::Scope(lack)) = lack else { panic!("{lack:?}") };
        assert_eq!(lack.scopes().collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(lack.resource_metadata(), Some("https://a.test"));
        assert_eq!(lack.access_scope(&AccessScope::new().scope("c")), AccessScope::new().scope("a b c"));
        let lack =
            of(401, r#"Bearer error="insufficient_user_authentication", acr_values="x y", max_age="5""#);
        let Some(Insufficiency::Authentication(lack)) = lack else { panic!("{lack:?}") };
        assert_eq!(lack.acr_values().collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(lack.max_age(), Some(Duration::from_secs(5)));
        assert_eq!(lack.to_string(), "the server asks for another login with `x y` that is at most 5s old");
    }

    #[test]
    fn only_a_challenge_of_a_403_or_401_says_so() {
        let challenge = r#"Bearer error="insufficient_scope""#;
        assert!(of(401, challenge).is_some() && of(403, challenge).is_some());
        assert_eq!((of(200, challenge), of(400, challenge), of(407, challenge)), (None, None, None));
        for other in ["Bearer", "Bearer error=invalid_token", "Bearer realm=\"error=insufficient_scope\""] {
            assert_eq!(of(403, other), None, "{other}");
        }
    }

    #[test]
    fn what_was_sent_is_not_said_again_and_what_is_no_scope_is_left_out() {
        let long = "x".repeat(TEXT + 1);
        let lack = of(
            403,
            &format!(r#"Bearer error=insufficient_scope, scope="a sent-token a:sent-token:b {long} b\\c""#),
        );
        let Some(Insufficiency::Scope(lack)) = lack else { panic!("{lack:?}") };
        assert_eq!(lack.scopes().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn the_bounds_are_those_of_the_table() {
        use crate::defaults::assert_continued;
        let what = "scope tokens in an `InsufficientScope` that are kept";
        crate::defaults::assert_documented(what, SCOPES);
        assert_continued(what, TEXT);
    }
}
