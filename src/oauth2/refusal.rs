//! What counts as the refusal of a token.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::Response;
use http::StatusCode;

/// gRPC's UNAUTHENTICATED.
const GRPC_UNAUTHENTICATED: &[u8] = b"16";

/// How a server says that it does not accept a token.
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
#[derive(Clone, Default)]
pub struct Refusal(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Unauthorized,
    Grpc,
    When(Arc<Predicate>),
}

type Predicate = dyn Fn(StatusCode, &HeaderMap) -> bool + Send + Sync;

impl Refusal {
    /// Status 401 (RFC 6750 §3.1). The default.
    pub fn unauthorized() -> Self {
        Self(Kind::Unauthorized)
    }

    /// Status 401, or gRPC's `UNAUTHENTICATED` in the headers (`grpc-status: 16`), as servers send it when they refuse a
    /// call before it begins. A status that comes in the trailers, after messages, is not seen.
    pub fn grpc() -> Self {
        Self(Kind::Grpc)
    }

    /// Whatever `predicate` is true for. It sees status and headers, not the body.
    pub fn when(predicate: impl Fn(StatusCode, &HeaderMap) -> bool + Send + Sync + 'static) -> Self {
        Self(Kind::When(Arc::new(predicate)))
    }

    pub(super) fn matches<R>(&self, response: &Response<R>) -> bool {
        let status = response.status();
        match &self.0 {
            Kind::Unauthorized => status == StatusCode::UNAUTHORIZED,
            Kind::Grpc => {
                status == StatusCode::UNAUTHORIZED
                    || response
                        .headers()
                        .get("grpc-status")
                        .is_some_and(|grpc_status| grpc_status.as_bytes() == GRPC_UNAUTHENTICATED)
            }
            Kind::When(predicate) => predicate(status, response.headers()),
        }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            Kind::Unauthorized => "Refusal(401)",
            Kind::Grpc => "Refusal(401 or grpc-status 16)",
            Kind::When(_) => "Refusal(predicate)",
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
        assert!(refusal.matches(&response(401, &[])));
        for other in [200, 400, 403, 407, 500] {
            assert!(!refusal.matches(&response(other, &[("grpc-status", "16")])), "{other}");
        }
    }

    #[test]
    fn grpc_says_it_with_status_200() {
        let refusal = Refusal::grpc();
        assert!(refusal.matches(&response(200, &[("grpc-status", "16")])));
        assert!(refusal.matches(&response(401, &[])));
        assert!(!refusal.matches(&response(200, &[("grpc-status", "0")])));
        assert!(!refusal.matches(&response(200, &[("grpc-status", "7")])));
        assert!(!refusal.matches(&response(200, &[])));
    }

    #[test]
    fn a_closure_decides_alone() {
        let refusal = Refusal::when(|status, headers| status == 200 && headers.contains_key("x-expired"));
        assert!(refusal.matches(&response(200, &[("x-expired", "1")])));
        assert!(!refusal.matches(&response(401, &[])));
    }
}
