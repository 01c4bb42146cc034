//! What the layers tell.

use crate::error::Error;
#[cfg(feature = "metrics")]
use crate::observe::measure;
#[cfg(feature = "metrics")]
use crate::observe::measure::label;
use crate::observe::span::Span;
#[cfg(feature = "oauth1")]
use crate::observe::stopwatch::Stopwatch;

/// A request is to be sent again.
pub(crate) struct Retry {
    span: Span,
    protocol: &'static str,
    reason: &'static str,
    #[cfg(feature = "metrics")]
    labels: Vec<metrics::Label>,
}

impl Retry {
    pub(super) fn new(
        protocol: &'static str,
        reason: &'static str,
        #[cfg(feature = "metrics")] labels: Vec<metrics::Label>,
    ) -> Self {
        Self {
            span: span!(INFO, "request_retry", protocol, reason, outcome = tracing::field::Empty),
            protocol,
            reason,
            #[cfg(feature = "metrics")]
            labels,
        }
    }

    /// The span of what is done for it.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// It is sent.
    pub(crate) fn sent(self) {
        self.span.record("outcome", "sent");
        self.span.inside(|| {
            event!(
                INFO,
                "request_repeated",
                "a request is sent again",
                protocol = self.protocol,
                reason = self.reason
            );
        });
        measured!({
            let mut labels = self.labels;
            labels.extend([label("protocol", self.protocol), label("reason", self.reason)]);
            measure::count(measure::RETRIES, labels);
        });
    }

    /// It is not, because there is no other token: the refusal is delivered.
    #[cfg(feature = "oauth2")]
    pub(crate) fn without_token(self) {
        self.span.record("outcome", "no_token");
    }
}

/// A signed request is to be sent again, for this reason.
#[cfg(feature = "oauth1")]
pub(crate) fn retry(reason: &'static str) -> Retry {
    Retry::new(
        "oauth1",
        reason,
        #[cfg(feature = "metrics")]
        Vec::new(),
    )
}

/// A response refused a signed request.
#[cfg(feature = "oauth1")]
pub(crate) fn refused(status: u16) {
    event!(INFO, "request_refused", "a server refused a signed request", protocol = "oauth1", status);
    measured!({
        let labels = vec![label("protocol", "oauth1"), label("status", status.to_string())];
        measure::count(measure::REFUSED, labels);
    });
}

/// A server's clock was learned: both in seconds since 1970.
#[cfg(feature = "oauth1")]
pub(crate) fn clock_learned(timestamp: u64, server: u64) {
    event!(
        WARN,
        "clock_learned",
        "a server's clock is not ours; requests to it are signed by its time",
        timestamp,
        server_time = server
    );
}

/// Counts the signatures of one layer.
#[cfg(feature = "oauth1")]
#[derive(Default)]
pub(crate) struct Signatures {
    #[cfg(feature = "metrics")]
    kept: std::sync::OnceLock<measure::Kept<metrics::Counter>>,
}

#[cfg(feature = "oauth1")]
impl Signatures {
    /// A request was signed. Method and placement are those of the layer, which do not change once it is in use.
    pub(crate) fn signed(&self, method: &str, placement: &'static str) {
        event!(TRACE, "request_signed", "a request was signed", method, placement);
        measured!({
            let labels = || vec![label("method", method.to_owned()), label("placement", placement)];
            let kept = || measure::Kept::new(measure::key(measure::SIGNATURES, labels()));
            self.kept.get_or_init(kept).count();
        });
    }
}

#[cfg(feature = "oauth1")]
impl Clone for Signatures {
    /// Empty: the copy's method and placement may change.
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[cfg(feature = "oauth1")]
impl std::fmt::Debug for Signatures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Signatures")
    }
}

/// A source of OAuth 1 credentials is asked.
#[cfg(feature = "oauth1")]
pub(crate) struct CredentialLookup {
    span: Span,
    since: Stopwatch,
    outcome: &'static str,
}

#[cfg(feature = "oauth1")]
impl CredentialLookup {
    pub(crate) fn start() -> Self {
        let span = span!(
            DEBUG,
            "credential_lookup",
            outcome = tracing::field::Empty,
            error_kind = tracing::field::Empty
        );
        Self { span, since: Stopwatch::start(), outcome: "cancelled" }
    }

    /// The span of the question.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// It is over, with credentials or an error.
    pub(crate) fn end(mut self, error: Option<&Error>) {
        self.outcome = if error.is_none() { "credentials" } else { "failed" };
        if let Some(error) = error {
            self.span.record("error_kind", error.kind().as_str());
        }
    }
}

#[cfg(feature = "oauth1")]
impl Drop for CredentialLookup {
    fn drop(&mut self) {
        let seconds = self.since.elapsed().as_secs_f64();
        self.span.record("outcome", self.outcome);
        self.span.inside(|| {
            event!(
                DEBUG,
                "credentials_looked_up",
                "a source of credentials was asked",
                outcome = self.outcome,
                elapsed_seconds = seconds
            );
        });
        measured!(measure::count(measure::LOOKUPS, vec![label("outcome", self.outcome)]););
    }
}
