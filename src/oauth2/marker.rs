//! What one request may wish, said in its extensions.

use std::sync::Arc;

use crate::error::Error;
use crate::token::Published;
use crate::token::Token;

/// In a request's extensions: send this request without a token, and leave its `Authorization` alone.
///
/// ```
/// use tower_oauth::oauth2::WithoutToken;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(WithoutToken);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutToken;

/// In a request's extensions: get a new token before this request is sent, although the current one may be good.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForceRefresh;

/// In a request's extensions: send this token, whatever the manager has. It is neither stored nor renewed. The guards
/// on where a token may go, and the layer's [`Placement`](super::Placement), hold for it as for any other.
///
/// ```
/// use tower_oauth::Token;
/// use tower_oauth::oauth2::WithToken;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(WithToken::new(&Token::new("mF_9.B5f-4.1JqM"))?);
/// # Ok::<(), tower_oauth::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct WithToken(Arc<Published>);

impl WithToken {
    /// Sends `token`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`](crate::ErrorKind::InvalidToken) when it cannot be put on a request.
    pub fn new(token: &Token) -> Result<Self, Error> {
        Ok(Self(Arc::new(Published::alone(token.clone())?)))
    }

    pub(super) fn published(&self) -> &Arc<Published> {
        &self.0
    }
}
