//! What has a beginning and an end: told when the value is dropped, however that comes about.

use crate::error::Error;
use crate::error::ErrorKind;
#[cfg(feature = "metrics")]
use crate::observe::measure;
use crate::observe::span::Span;
use crate::observe::stopwatch::Stopwatch;
use crate::observe::telemetry::Telemetry;
use crate::token_key::TokenKey;

/// A request waits for a token.
pub(crate) struct Wait<'a> {
    telemetry: &'a Telemetry,
    span: Span,
    since: Stopwatch,
    outcome: &'static str,
}

impl<'a> Wait<'a> {
    pub(super) fn new(telemetry: &'a Telemetry, span: Span) -> Self {
        // As long as nothing else is said: whoever waited went away.
        Self { telemetry, span, since: Stopwatch::start(), outcome: "cancelled" }
    }

    /// The span of the wait.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// It is over, with a token or an error.
    pub(crate) fn end(mut self, error: Option<&Error>) {
        self.outcome = match error.map(Error::kind) {
            None => "token",
            Some(ErrorKind::WaitTimeout) => "timed_out",
            Some(_) => "failed",
        };
        if let Some(error) = error {
            self.span.record("error_kind", error.kind().as_str());
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let seconds = self.since.elapsed().as_secs_f64();
        self.span.record("outcome", self.outcome);
        self.span.inside(|| {
            event!(
                DEBUG,
                "token_waited",
                "a request waited for a token",
                manager = self.telemetry.name(),
                outcome = self.outcome,
                elapsed_seconds = seconds
            );
        });
        measured!({
            measure::count(measure::WAITS, self.telemetry.labels([("outcome", self.outcome)]));
            measure::record(measure::WAIT_DURATION, self.telemetry.labels([]), seconds);
        });
    }
}

/// A refresh is under way.
#[derive(Debug)]
pub(crate) struct Refresh {
    telemetry: Telemetry,
    span: Span,
    key: TokenKey,
    reason: &'static str,
    since: Stopwatch,
    is_over: bool,
}

impl Refresh {
    pub(super) fn new(telemetry: Telemetry, span: Span, key: TokenKey, reason: &'static str) -> Self {
        Self { telemetry, span, key, reason, since: Stopwatch::start(), is_over: false }
    }

    /// The span of the refresh.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// It ended well.
    pub(crate) fn succeed(&mut self, outcome: &'static str) {
        self.is_over = true;
        self.span.record("outcome", outcome);
    }

    /// It failed; `outcome` says whether that mattered to anybody.
    pub(crate) fn fail(&mut self, outcome: &'static str, error: &Error) {
        self.is_over = true;
        self.span.record("outcome", outcome);
        self.span.record("error_kind", error.kind().as_str());
    }
}

impl Drop for Refresh {
    /// One that panicked, or whose runtime ended, is told as failed.
    fn drop(&mut self) {
        if !self.is_over {
            let error = Error::new(ErrorKind::Abandoned);
            self.fail("failed", &error);
            let elapsed = self.since.elapsed();
            self.span.inside(|| self.telemetry.refresh_failed(&self.key, self.reason, &error, elapsed));
        }
    }
}

/// The source is asked for a token.
pub(crate) struct Exchange<'a> {
    telemetry: &'a Telemetry,
    span: Span,
    key: &'a TokenKey,
    since: Stopwatch,
    is_over: bool,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(telemetry: &'a Telemetry, span: Span, key: &'a TokenKey) -> Self {
        Self { telemetry, span, key, since: Stopwatch::start(), is_over: false }
    }

    /// The span of the exchange.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// It is over, with a token or an error.
    pub(crate) fn end(mut self, error: Option<&Error>) {
        self.is_over = true;
        let Some(error) = error else {
            self.tell("token", || {
                let seconds = self.since.elapsed().as_secs_f64();
                event!(
                    DEBUG,
                    "exchange_answered",
                    "the source gave a token",
                    manager = self.telemetry.name(),
                    elapsed_seconds = seconds
                );
            });
            return;
        };
        self.span.record("error_kind", error.kind().as_str());
        self.tell("failed", || {
            let seconds = self.since.elapsed().as_secs_f64();
            event!(
                INFO,
                "exchange_failed",
                "the source gave no token",
                manager = self.telemetry.name(),
                error_kind = error.kind().as_str(),
                error = %self.telemetry.told(error, self.key),
                elapsed_seconds = seconds
            );
        });
    }

    fn tell(&self, outcome: &'static str, event: impl FnOnce()) {
        self.span.record("outcome", outcome);
        self.span.inside(event);
        measured!({
            measure::count(measure::EXCHANGES, self.telemetry.labels([("outcome", outcome)]));
            let seconds = self.since.elapsed().as_secs_f64();
            measure::record(measure::EXCHANGE_DURATION, self.telemetry.labels([]), seconds);
        });
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            // What follows is told by the refresh.
            self.tell("abandoned", || ());
        }
    }
}

/// The store is asked for something.
pub(crate) struct Operation<'a> {
    telemetry: &'a Telemetry,
    span: Span,
    operation: &'static str,
    key: &'a TokenKey,
    since: Stopwatch,
    is_over: bool,
}

impl<'a> Operation<'a> {
    pub(super) fn new(
        telemetry: &'a Telemetry,
        span: Span,
        operation: &'static str,
        key: &'a TokenKey,
    ) -> Self {
        Self { telemetry, span, operation, key, since: Stopwatch::start(), is_over: false }
    }

    /// The span of the operation.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// It is over, with what the store said, in a word, or an error.
    pub(crate) fn end(mut self, outcome: Result<&'static str, &Error>) {
        self.is_over = true;
        match outcome {
            Ok(outcome) => self.answered(outcome),
            Err(error) => self.failed("failed", error),
        }
    }

    fn answered(&self, outcome: &'static str) {
        let seconds = self.since.elapsed().as_secs_f64();
        self.span.record("outcome", outcome);
        self.span.inside(|| {
            event!(
                DEBUG,
                "store_answered",
                "the store answered",
                manager = self.telemetry.name(),
                operation = self.operation,
                outcome,
                elapsed_seconds = seconds
            );
        });
        self.took(seconds);
    }

    fn failed(&self, outcome: &'static str, error: &Error) {
        let seconds = self.since.elapsed().as_secs_f64();
        self.span.record("outcome", outcome);
        self.span.record("error_kind", error.kind().as_str());
        self.span.inside(|| {
            event!(
                WARN,
                "store_failed",
                "the store failed",
                manager = self.telemetry.name(),
                operation = self.operation,
                outcome,
                error_kind = error.kind().as_str(),
                error = %self.telemetry.told(error, self.key),
                elapsed_seconds = seconds
            );
        });
        measured!(measure::count(
            measure::STORE_ERRORS,
            self.telemetry.labels([("operation", self.operation), ("outcome", outcome)])
        ););
        self.took(seconds);
    }

    fn took(&self, seconds: f64) {
        measured!({
            let labels = self.telemetry.labels([("operation", self.operation)]);
            measure::record(measure::STORE_DURATION, labels, seconds);
        });
    }
}

impl Drop for Operation<'_> {
    /// Nobody waited any longer.
    fn drop(&mut self) {
        if !self.is_over {
            let error = Error::new(ErrorKind::Store).detail("nobody waited any longer for its answer");
            self.failed("unanswered", &error);
        }
    }
}

/// A token is in memory alone, as long as this lives.
pub(crate) struct Kept(#[cfg(feature = "metrics")] metrics::Gauge);

impl Kept {
    pub(super) fn new(#[cfg(feature = "metrics")] gauge: metrics::Gauge) -> Self {
        measured!(gauge.increment(1.0););
        Self(
            #[cfg(feature = "metrics")]
            gauge,
        )
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        measured!(self.0.decrement(1.0););
    }
}
