//! What counts as the refusal of a token.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::Response;
use http::StatusCode;

use crate::protocol::oauth2::challenge::Challenge;

/// gRPC's UNAUTHENTICATED.
const GRPC_UNAUTHENTICATED: &[u8] = b"16";

/// How a server says that it does not accept a token.
///
/// A token that is refused is not sent again, and its successor is fetched; so this is for what a new token mends. A
/// challenge with `insufficient_scope` or `insufficient_user_authentication` is therefore none, whatever its status,
/// unless a closure says so; nor is a 407, which is about a proxy.
///
/// ```
/// use tower_oauth::oauth2::Refusal;
///
/// // Salesforce says 401; this API says it in a header of its own.
/// let refusal = Refusal::when(|status, headers| {
///     status == 401 || headers.get("x-session").is_some_and(|session| session == "expired")
/// });
/// # let _ = refusal;
/// ```
#[derive(Clone)]
pub struct Refusal(Kind);

#[derive(Clone)]
enum Kind {
    Stock(StockRefusal),
    When(Arc<Predicate>),
}

/// One that is the same in every program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum StockRefusal {
    Unauthorized,
    Challenged,
    InvalidToken,
    Grpc,
}

type Predicate = dyn Fn(StatusCode, &HeaderMap) -> bool + Send + Sync;

impl Refusal {
    /// Status 401 (RFC 6750 §3.1). The default.
    pub fn unauthorized() -> Self {
        Self(Kind::Stock(StockRefusal::Unauthorized))
    }

    /// Status 401 with a `Bearer` challenge whose `error`, if it has one, is `invalid_token`. For an API that stands
    /// behind something else which says 401 as well, such as a gateway with a login of its own.
    pub fn challenged() -> Self {
        Self(Kind::Stock(StockRefusal::Challenged))
    }

    /// Status 401 with a challenge that says `error="invalid_token"` (RFC 6750 §3.1), and nothing less. For servers that
    /// keep to the RFC; many say only 401.
    pub fn invalid_token() -> Self {
        Self(Kind::Stock(StockRefusal::InvalidToken))
    }

    /// Status 401, or gRPC's `UNAUTHENTICATED` in the head of the response: status 200 with `grpc-status: 16`, which gRPC calls
    /// Trailers-Only. That is how servers and gateways refuse a call before it begins.
    ///
    /// A status in the trailers, after a head that says nothing, is not seen, because the layer leaves responses' bodies
    /// alone. The caller sees it, and can say so with [`TokenManager::invalidate`](crate::TokenManager::invalidate).
    ///
    /// For a refused call to be sent again, its body has to be [recorded](crate::body::Recording); there is no
    /// telling one message from a stream beforehand.
    pub fn grpc() -> Self {
        Self(Kind::Stock(StockRefusal::Grpc))
    }

    /// Whatever `predicate` is true for. It sees status and headers, not the body.
    pub fn when(predicate: impl Fn(StatusCode, &HeaderMap) -> bool + Send + Sync + 'static) -> Self {
        Self(Kind::When(Arc::new(predicate)))
    }

    /// Which it is, unless it is the user's own.
    pub(super) fn stock(&self) -> Option<StockRefusal> {
        match self.0 {
            Kind::Stock(stock) => Some(stock),
            Kind::When(_) => None,
        }
    }

    /// Whether a response with a status of success can be one.
    pub(super) fn is_possible_in_success(&self) -> bool {
        self.stock().is_none_or(StockRefusal::is_possible_in_success)
    }

    /// `is_insufficient`: whether it says that the token is good, and not good enough.
    pub(super) fn matches<R>(&self, response: &Response<R>, is_insufficient: bool) -> bool {
        match &self.0 {
            Kind::Stock(stock) => stock.matches(response.status(), response.headers(), is_insufficient),
            Kind::When(predicate) => predicate(response.status(), response.headers()),
        }
    }
}

impl StockRefusal {
    /// Whether a response with a status of success can be one.
    pub(super) fn is_possible_in_success(self) -> bool {
        self == Self::Grpc
    }

    fn matches(self, status: StatusCode, headers: &HeaderMap, is_insufficient: bool) -> bool {
        let is_unauthorized = status == StatusCode::UNAUTHORIZED && !is_insufficient;
        match self {
            Self::Unauthorized => is_unauthorized,
            Self::Challenged => is_unauthorized && says_challenged(headers),
            Self::InvalidToken => is_unauthorized && says_invalid_token(headers),
            Self::Grpc => {
                let grpc_status = headers.get("grpc-status");
                is_unauthorized || grpc_status.is_some_and(|status| status.as_bytes() == GRPC_UNAUTHENTICATED)
            }
        }
    }
}

impl Default for Refusal {
    fn default() -> Self {
        Self::unauthorized()
    }
}

impl From<StockRefusal> for Refusal {
    fn from(stock: StockRefusal) -> Self {
        Self(Kind::Stock(stock))
    }
}

fn says_challenged(headers: &HeaderMap) -> bool {
    Challenge::parse(headers).iter().any(|challenge| {
        challenge.is("Bearer") && challenge.error().is_none_or(|error| error == "invalid_token")
    })
}

fn says_invalid_token(headers: &HeaderMap) -> bool {
    Challenge::parse(headers).iter().any(|challenge| challenge.error() == Some("invalid_token"))
}

impl fmt::Debug for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.stock() {
            Some(StockRefusal::Unauthorized) => "Refusal(401)",
            Some(StockRefusal::Challenged) => "Refusal(401 with a Bearer challenge)",
            Some(StockRefusal::InvalidToken) => "Refusal(401 with invalid_token)",
            Some(StockRefusal::Grpc) => "Refusal(401 or grpc-status 16)",
            None => "Refusal(predicate)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&'static str, &'static str)]) -> Response<()> {
        let builder = Response::builder().status(status);
        headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).body(()).unwrap()
    }

    #[test]
    fn unauthorized_is_401_and_nothing_else() {
        let refusal = Refusal::default();
        assert!(refusal.matches(&response(401, &[]), false));
        for other in [200, 400, 403, 407, 500] {
            assert!(!refusal.matches(&response(other, &[("grpc-status", "16")]), false), "{other}");
        }
    }

    #[test]
    fn a_token_that_is_not_good_enough_is_not_refused() {
        for refusal in
            [Refusal::unauthorized(), Refusal::challenged(), Refusal::invalid_token(), Refusal::grpc()]
        {
            let both = response(401, &[("www-authenticate", "Bearer, Bearer error=\"invalid_token\"")]);
            assert!(refusal.matches(&both, false), "{refusal:?}");
            assert!(!refusal.matches(&both, true), "{refusal:?}");
        }
    }

    #[test]
    fn a_challenge_may_be_required() {
        let matches = |refusal: &Refusal, challenge: &'static str| {
            refusal.matches(&response(401, &[("www-authenticate", challenge)]), false)
        };
        let (challenged, invalid) = (Refusal::challenged(), Refusal::invalid_token());
        for challenge in ["bearer error=invalid_token", "Basic realm=\"a\", Bearer error=\"invalid_token\""] {
            assert!(matches(&challenged, challenge) && matches(&invalid, challenge), "{challenge}");
        }
        assert!(matches(&challenged, "Bearer realm=\"a\"") && !matches(&invalid, "Bearer realm=\"a\""));
        for challenge in
            ["Basic", "Bearer error=invalid_request", "Basic realm=\"Bearer error=invalid_token\""]
        {
            assert!(!matches(&challenged, challenge) && !matches(&invalid, challenge), "{challenge}");
        }
        for refusal in [challenged, invalid] {
            assert!(!refusal.matches(&response(401, &[]), false));
            let forbidden = response(403, &[("www-authenticate", "Bearer error=invalid_token")]);
            assert!(!refusal.matches(&forbidden, false));
        }
    }

    #[test]
    fn grpc_says_it_with_status_200() {
        let refusal = Refusal::grpc();
        assert!(refusal.matches(&response(200, &[("grpc-status", "16")]), false));
        assert!(refusal.matches(&response(401, &[]), false));
        assert!(!refusal.matches(&response(200, &[("grpc-status", "0")]), false));
        assert!(!refusal.matches(&response(200, &[("grpc-status", "7")]), false));
        assert!(!refusal.matches(&response(200, &[]), false));
    }

    #[test]
    fn a_closure_decides_alone() {
        let refusal = Refusal::when(|status, headers| status == 200 && headers.contains_key("x-expired"));
        assert!(refusal.matches(&response(200, &[("x-expired", "1")]), false));
        assert!(!refusal.matches(&response(401, &[]), false));
    }
}
