//! What one request may wish, said in its extensions.

use http::HeaderValue;

use crate::error::Error;
use crate::token::Token;
use crate::token::header_value;

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
/// on where a token may go hold for it as for any other.
#[derive(Clone, Debug)]
pub struct WithToken(HeaderValue);

impl WithToken {
    /// Sends `token`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`](crate::ErrorKind::InvalidToken) when it cannot be put on a request.
    pub fn new(token: &Token) -> Result<Self, Error> {
        header_value(token).map(Self)
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}
