//! What comes back from the resource owner's approval: the callback URL (RFC 5849 §2.2).

use crate::error::Error;
use crate::error::ErrorKind;
use crate::protocol::oauth1::problem::Report;
use crate::protocol::oauth1::token_response::error_of;
use crate::protocol::oauth1::token_response::pairs;
use crate::secret::Secret;

/// What a callback says.
#[derive(Debug)]
pub(crate) struct Callback {
    /// `None` when it is missing or empty.
    pub(crate) verifier: Option<Secret>,
    /// All other parameters, in order.
    pub(crate) parameters: Vec<(String, String)>,
}

/// Reads a URL, a path with its query, or a query alone. It has to be about the request token `expected`, which is
/// compared in constant time.
///
/// # Errors
/// [`ErrorKind::TokenMismatch`], [`ErrorKind::AuthorizationDenied`], and [`ErrorKind::Refused`] for another
/// `oauth_problem`.
pub(crate) fn parse(url: &str, expected: &Secret) -> Result<Callback, Error> {
    let query = query(url);
    let mut parameters: Vec<_> = pairs(query).collect();
    let token = take(&mut parameters, "oauth_token")?;
    if token.as_ref().is_some_and(|token| token != expected) {
        return Err(Error::new(ErrorKind::TokenMismatch));
    }
    // A denial need not name the token: Twitter gives it as the value of `denied`, others name nothing at all.
    if parameters.iter().any(|(name, _)| name == "denied") {
        return Err(Error::new(ErrorKind::AuthorizationDenied));
    }
    if let Some(report) = Report::in_body(query.as_bytes()) {
        return Err(error_of(&report, str::to_owned, None));
    }
    if token.is_none() {
        return Err(Error::new(ErrorKind::TokenMismatch).detail("it has no oauth_token"));
    }
    let verifier = take(&mut parameters, "oauth_verifier")?.filter(|verifier| !verifier.is_empty());
    Ok(Callback { verifier, parameters })
}

/// The query of `text`, without fragment.
fn query(text: &str) -> &str {
    let text = text.trim();
    let text = text.split('#').next().unwrap_or_default();
    let Some((before, after)) = text.split_once('?') else {
        return if is_path(text) { "" } else { text };
    };
    // A question mark may also stand in the value of a bare query.
    if before.contains('=') && !is_path(before) { text } else { after }
}

/// Whether `text` begins a URL or a path, and not a query.
fn is_path(text: &str) -> bool {
    let name = text.split('=').next().unwrap_or_default();
    text.starts_with('/') || name.contains("://")
}

/// Takes the one parameter called `name`.
fn take(parameters: &mut Vec<(String, String)>, name: &str) -> Result<Option<Secret>, Error> {
    let mut found = None;
    let mut is_repeated = false;
    parameters.retain_mut(|(known, value)| {
        if known != name {
            return true;
        }
        is_repeated |= found.replace(Secret::new(std::mem::take(value))).is_some();
        false
    });
    if is_repeated {
        // Whoever added the second one wants somebody to read another one than somebody else does.
        return Err(Error::new(ErrorKind::TokenMismatch).detail(format!("it has more than one {name}")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ServerError;

    fn read(url: &str) -> Result<Callback, Error> {
        parse(url, &Secret::new("a+b"))
    }

    #[test]
    fn a_url_a_path_and_a_query_are_read_alike() {
        for url in [
            "https://client.example.com/cb?oauth_token=a%2Bb&oauth_verifier=v%20w&realmId=7",
            "http://localhost:8080/?oauth_verifier=v+w&oauth_token=a%2Bb&realmId=7#_=_",
            "myapp://callback?oauth_token=a%2Bb&oauth_verifier=v%20w&realmId=7",
            "https://client.example.com/a=b?realmId=7&oauth_token=a%2Bb&oauth_verifier=v%20w",
            "client.example.com/cb?oauth_token=a%2Bb&oauth_verifier=v%20w&realmId=7",
            "/cb?oauth_token=a%2Bb&oauth_verifier=v%20w&realmId=7\n",
            "?oauth_token=a%2Bb&oauth_verifier=v%20w&realmId=7",
            "oauth_token=a%2Bb&oauth_verifier=v%20w&realmId=7",
        ] {
            let callback = read(url).unwrap();
            assert_eq!(callback.verifier, Some(Secret::new("v w")), "{url}");
            assert_eq!(callback.parameters, [("realmId".to_owned(), "7".to_owned())], "{url}");
        }
    }

    #[test]
    fn a_bare_query_may_hold_question_marks_and_urls() {
        let callback = read("oauth_token=a%2Bb&next=https://x.example/?y&oauth_verifier=v").unwrap();
        assert_eq!(callback.parameters, [("next".to_owned(), "https://x.example/?y".to_owned())]);
        assert_eq!(callback.verifier, Some(Secret::new("v")));
    }

    #[test]
    fn a_callback_for_another_token_or_for_none_is_refused() {
        for url in [
            "/cb?oauth_token=other&oauth_verifier=v",
            "/cb?oauth_token=other&denied=other",
            "/cb?oauth_token=&oauth_verifier=v",
            "/cb?oauth_token=a%2Bb&oauth_token=other&oauth_verifier=v",
            "/cb?oauth_token=a%2Bb&oauth_verifier=v&oauth_verifier=w",
            "/cb?oauth_verifier=v",
            "/cb",
            "https://client.example.com/oauth_token=a%2Bb",
            "",
        ] {
            assert_eq!(read(url).unwrap_err().kind(), ErrorKind::TokenMismatch, "{url}");
        }
    }

    #[test]
    fn a_denial_is_told_from_other_problems() {
        for url in [
            "/cb?denied=a%2Bb",
            "/cb?oauth_token=a%2Bb&denied",
            "/cb?oauth_problem=user_refused",
            "/cb?oauth_token=a%2Bb&oauth_problem=permission_denied",
        ] {
            assert_eq!(read(url).unwrap_err().kind(), ErrorKind::AuthorizationDenied, "{url}");
        }
        let error = read("/cb?oauth_problem=token_expired&oauth_problem_advice=too+late").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(error.server().map(ServerError::code), Some("token_expired"));
        assert_eq!(error.server().and_then(ServerError::error_description), Some("too late"));
    }

    #[test]
    fn an_empty_verifier_is_none() {
        for url in ["/cb?oauth_token=a%2Bb", "/cb?oauth_token=a%2Bb&oauth_verifier="] {
            assert_eq!(read(url).unwrap().verifier, None, "{url}");
        }
    }

    #[test]
    fn errors_show_neither_token() {
        let error = read("/cb?oauth_token=hunter2&oauth_verifier=hunter3").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
    }
}
