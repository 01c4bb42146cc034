//! What a token manager tells.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use crate::error::Error;
use crate::observe::guards::Exchange;
use crate::observe::guards::Kept;
use crate::observe::guards::Operation;
use crate::observe::guards::Refresh;
use crate::observe::guards::Wait;
use crate::observe::key_names::KeyNames;
use crate::observe::key_names::Told;
#[cfg(feature = "metrics")]
use crate::observe::measure;
#[cfg(feature = "metrics")]
use crate::observe::measure::label;
use crate::observe::requests::Retry;
use crate::observe::span::Link;
use crate::token_key::TokenKey;

/// The name of a manager that was not given one.
const DEFAULT_NAME: &str = "default";

/// What a manager tells with, and in whose name. Clones share it.
#[derive(Clone)]
pub(crate) struct Telemetry(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    key_names: KeyNames,
    #[cfg(feature = "metrics")]
    age: measure::Kept<metrics::Histogram>,
}

impl Telemetry {
    pub(crate) fn new(name: Option<&str>, key_names: KeyNames) -> Self {
        let name: Arc<str> = name.unwrap_or(DEFAULT_NAME).into();
        Self(Arc::new(Inner {
            #[cfg(feature = "metrics")]
            age: measure::Kept::new(measure::key(
                measure::TOKEN_AGE,
                vec![label("manager", Arc::clone(&name))],
            )),
            name,
            key_names,
        }))
    }

    /// The manager's name.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    #[cfg(feature = "metrics")]
    pub(super) fn labels<const N: usize>(
        &self,
        more: [(&'static str, &'static str); N],
    ) -> Vec<metrics::Label> {
        let mut labels = vec![label("manager", Arc::clone(&self.0.name))];
        labels.extend(more.into_iter().map(|(name, value)| label(name, value)));
        labels
    }

    /// What may be said of a key.
    pub(super) fn key(&self, key: &TokenKey) -> Option<String> {
        self.0.key_names.say(key)
    }

    /// What may be said of an error.
    pub(super) fn told<'a>(&'a self, error: &'a Error, key: &'a TokenKey) -> Told<'a> {
        Told { error, key, key_names: &self.0.key_names }
    }
}

/// What happens with requests.
impl Telemetry {
    /// A request gets a token that was obtained at that time. Allocates nothing.
    pub(crate) fn served(&self, key: &TokenKey, obtained_at: Option<SystemTime>, now: SystemTime) {
        #[cfg(any(feature = "tracing", feature = "metrics"))]
        {
            let age = obtained_at.and_then(|obtained_at| now.duration_since(obtained_at).ok());
            let age = age.unwrap_or_default().as_secs_f64();
            event!(
                TRACE,
                "token_served",
                "a request gets a token",
                manager = self.name(),
                key = self.key(key),
                age_seconds = age
            );
            measured!(self.0.age.record(age););
        }
    }

    /// A request has to wait for a token.
    pub(crate) fn wait(&self, key: &TokenKey, flight: &Link) -> Wait<'_> {
        let span = span!(
            DEBUG,
            "token_wait",
            manager = self.name(),
            key = self.key(key),
            outcome = tracing::field::Empty,
            error_kind = tracing::field::Empty
        );
        flight.is_waited_for_by(&span);
        Wait::new(self, span)
    }

    /// A response refused the token.
    pub(crate) fn refused(&self, status: u16) {
        event!(
            INFO,
            "request_refused",
            "a server refused a token",
            protocol = "oauth2",
            manager = self.name(),
            status
        );
        measured!({
            let mut labels = self.labels([("protocol", "oauth2")]);
            labels.push(label("status", status.to_string()));
            measure::count(measure::REFUSED, labels);
        });
    }

    /// A request is to be sent again, because its token was refused.
    pub(crate) fn retry(&self) -> Retry {
        Retry::new(
            "oauth2",
            "token_refused",
            #[cfg(feature = "metrics")]
            self.labels([]),
        )
    }
}

/// What happens to grants.
impl Telemetry {
    /// A refresh begins. Whoever caused it is not held up by its span, nor is their span kept open.
    pub(crate) fn refresh(&self, key: &TokenKey, reason: &'static str) -> Refresh {
        measured!(self.introduce(););
        // Not below the span that is current: it would last as long as the refresh.
        let span = span!(
            root: INFO,
            "token_refresh",
            manager = self.name(),
            key = self.key(key),
            reason,
            outcome = tracing::field::Empty,
            error_kind = tracing::field::Empty
        );
        Refresh::new(self.clone(), span.after_the_current(), key.clone(), reason)
    }

    /// Shows the numbers that alerts look at before there is anything to count: a counter that is there with 1 at once has
    /// not risen, as Prometheus sees it.
    #[cfg(feature = "metrics")]
    fn introduce(&self) {
        measure::add(measure::GRANTS_DIED, self.labels([]), 0);
        measure::add(measure::REFUSED, self.labels([("protocol", "oauth2"), ("status", "401")]), 0);
        measure::gauge(measure::UNPERSISTED, self.labels([])).increment(0.0);
    }

    /// The source is asked.
    pub(crate) fn exchange<'a>(&'a self, key: &'a TokenKey) -> Exchange<'a> {
        let span = span!(
            DEBUG,
            "token_exchange",
            manager = self.name(),
            key = self.key(key),
            outcome = tracing::field::Empty,
            error_kind = tracing::field::Empty
        );
        Exchange::new(self, span, key)
    }

    /// The source is asked again after this pause.
    pub(crate) fn exchange_again(&self, error: &Error, pause: Duration) {
        event!(
            INFO,
            "exchange_repeated",
            "the source is asked again after a pause",
            manager = self.name(),
            error_kind = error.kind().as_str(),
            pause_seconds = pause.as_secs_f64()
        );
    }

    /// The store is asked.
    pub(crate) fn store<'a>(&'a self, operation: &'static str, key: &'a TokenKey) -> Operation<'a> {
        let span = span!(
            DEBUG,
            "store_operation",
            manager = self.name(),
            key = self.key(key),
            operation,
            outcome = tracing::field::Empty,
            error_kind = tracing::field::Empty
        );
        Operation::new(self, span, operation, key)
    }

    /// A grant has ended.
    pub(crate) fn died(&self, key: &TokenKey, error: &Error) {
        event!(
            ERROR,
            "grant_died",
            "a grant has ended; somebody has to log in again",
            manager = self.name(),
            key = self.key(key),
            error_kind = error.kind().as_str(),
            error = %self.told(error, key)
        );
        measured!(measure::count(measure::GRANTS_DIED, self.labels([])););
    }

    /// A new token could not be stored.
    pub(crate) fn persist_failed(&self, key: &TokenKey, error: &Error) {
        event!(
            ERROR,
            "persist_failed",
            "a new token could not be stored and is kept in memory",
            manager = self.name(),
            key = self.key(key),
            error_kind = error.kind().as_str(),
            error = %self.told(error, key)
        );
    }

    /// It is stored at last.
    pub(crate) fn persisted_late(&self, key: &TokenKey) {
        event!(
            INFO,
            "persisted_late",
            "a token that could not be stored before is stored now",
            manager = self.name(),
            key = self.key(key)
        );
    }

    /// A token is in memory alone, as long as what is returned lives.
    pub(crate) fn kept_in_memory(&self) -> Kept {
        Kept::new(
            #[cfg(feature = "metrics")]
            measure::gauge(measure::UNPERSISTED, self.labels([])),
        )
    }

    /// A login was stored.
    pub(crate) fn logged_in(&self, key: &TokenKey) {
        event!(INFO, "logged_in", "a login was stored", manager = self.name(), key = self.key(key));
    }

    /// A grant was forgotten.
    pub(crate) fn forgotten(&self, key: &TokenKey, revoked: bool) {
        event!(
            INFO,
            "forgotten",
            "a grant was forgotten",
            manager = self.name(),
            key = self.key(key),
            revoked
        );
    }

    /// A refresh ended well.
    pub(crate) fn refreshed(&self, key: &TokenKey, reason: &'static str, elapsed: Duration) {
        event!(
            DEBUG,
            "token_refreshed",
            "a new token is there",
            manager = self.name(),
            key = self.key(key),
            reason,
            elapsed_seconds = elapsed.as_secs_f64()
        );
        self.ended(reason, "refreshed", elapsed);
    }

    /// A token was found in the store.
    pub(crate) fn adopted(&self, key: &TokenKey, reason: &'static str, elapsed: Duration) {
        event!(
            DEBUG,
            "token_adopted",
            "a token was found in the store",
            manager = self.name(),
            key = self.key(key),
            reason,
            elapsed_seconds = elapsed.as_secs_f64()
        );
        self.ended(reason, "adopted", elapsed);
    }

    /// A refresh failed.
    pub(crate) fn refresh_failed(
        &self,
        key: &TokenKey,
        reason: &'static str,
        error: &Error,
        elapsed: Duration,
    ) {
        event!(
            WARN,
            "refresh_failed",
            "no new token could be had",
            manager = self.name(),
            key = self.key(key),
            reason,
            error_kind = error.kind().as_str(),
            error = %self.told(error, key),
            elapsed_seconds = elapsed.as_secs_f64()
        );
        measured!(measure::count(
            measure::REFRESH_FAILURES,
            self.labels([("error_kind", error.kind().as_str())])
        ););
        self.ended(reason, "failed", elapsed);
    }

    fn ended(&self, reason: &'static str, outcome: &'static str, elapsed: Duration) {
        measured!({
            measure::count(measure::REFRESHES, self.labels([("reason", reason), ("outcome", outcome)]));
            let labels = self.labels([("outcome", outcome)]);
            measure::record(measure::REFRESH_DURATION, labels, elapsed.as_secs_f64());
        });
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Telemetry")
            .field("name", &self.0.name)
            .field("key_names", &self.0.key_names)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let telemetry = Telemetry::new(None, KeyNames::default());
        let name = "name of a manager, in what is logged and measured";
        assert_documented(name, format!("`{}`", telemetry.name()));
        let key = telemetry.key(&TokenKey::new("alice"));
        assert_documented("what is logged of keys", key.as_deref().unwrap_or("hidden"));
    }
}
