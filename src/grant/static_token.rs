//! A token that somebody else made.

use crate::error::Error;
use crate::error::ErrorKind;
use crate::secret::Secret;
use crate::token::Reason;
use crate::token::SourceRequest;
use crate::token::Token;
use crate::token::TokenSource;

/// A token that cannot be renewed: a personal access token, for instance.
///
/// Once a server has refused it, requests fail with
/// [`ErrorKind::ReauthorizationRequired`] until [`TokenManager::put`](crate::TokenManager::put) brings another.
///
/// ```
/// use tower_oauth::grant::StaticToken;
///
/// let source = StaticToken::new("personal access token");
/// assert!(!format!("{source:?}").contains("personal"));
/// ```
#[derive(Clone, Debug)]
pub struct StaticToken(Secret);

impl StaticToken {
    /// Gives out `access_token`.
    pub fn new(access_token: impl Into<Secret>) -> Self {
        Self(access_token.into())
    }
}

impl TokenSource for StaticToken {
    async fn token(&self, request: SourceRequest) -> Result<Token, Error> {
        if request.reason() == Reason::First {
            return Ok(Token::new(self.0.clone()));
        }
        Err(Error::new(ErrorKind::ReauthorizationRequired).detail("this token cannot be renewed"))
    }
}
