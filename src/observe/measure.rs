//! Numbers, where the feature `metrics` is on.
//!
//! A handle of the facade belongs to the recorder that was there when it was looked up. So what happens seldom looks its
//! handle up each time; what happens with each request keeps one, together with the address of its recorder, and looks
//! again when there is another. A program may therefore install its recorder at any time.

use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use metrics::Counter;
use metrics::Gauge;
use metrics::Histogram;
use metrics::Key;
use metrics::Label;
use metrics::Level;
use metrics::Metadata;
use metrics::Recorder;
use metrics::SharedString;
use metrics::Unit;
use metrics::with_recorder;

use crate::observe::TARGET;

static METADATA: Metadata<'static> = Metadata::new(TARGET, Level::INFO, Some(module_path!()));

/// A metric: its name and what is said of it to the recorder.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

/// What a metric does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// It counts.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It collects times, in seconds.
    Seconds,
}

macro_rules! metrics {
    ($($constant:ident $name:literal $kind:ident $help:literal;)+) => {
        $(pub(super) const $constant: &Metric = &Metric { name: $name, kind: Kind::$kind, help: $help };)+
        /// All of them.
        pub(super) const ALL: &[&Metric] = &[$($constant),+];
    };
}

metrics! {
    REFRESHES "tower_oauth_refreshes_total" Counter "Refreshes that ended, by reason and outcome";
    REFRESH_FAILURES "tower_oauth_refresh_failures_total" Counter "Refreshes that failed, by kind of error";
    REFRESH_DURATION "tower_oauth_refresh_duration_seconds" Seconds "From when a token was wanted until it could be given out";
    EXCHANGES "tower_oauth_exchanges_total" Counter "Attempts to get a token from its source, by outcome";
    EXCHANGE_DURATION "tower_oauth_exchange_duration_seconds" Seconds "Time that the source took for one attempt";
    TOKEN_AGE "tower_oauth_token_age_seconds" Seconds "Age of the token, at each request that got one";
    WAITS "tower_oauth_waits_total" Counter "Requests that had to wait for a token, by outcome";
    WAIT_DURATION "tower_oauth_wait_duration_seconds" Seconds "Time that requests waited for a token";
    STORE_ERRORS "tower_oauth_store_errors_total" Counter "Operations of the store that failed or were not answered";
    STORE_DURATION "tower_oauth_store_operation_duration_seconds" Seconds "Time that the store took, by operation";
    UNPERSISTED "tower_oauth_unpersisted_tokens" Gauge "Tokens in memory that the store has not taken yet";
    GRANTS_DIED "tower_oauth_grants_died_total" Counter "Grants that ended, so that somebody has to log in again";
    REFUSED "tower_oauth_refused_total" Counter "Responses that refused a token or a signature, by status";
    RETRIES "tower_oauth_retries_total" Counter "Requests that were sent again, by reason";
    SIGNATURES "tower_oauth_signatures_total" Counter "OAuth 1 signatures, by method and placement";
    LOOKUPS "tower_oauth_credential_lookups_total" Counter "Questions to a source of OAuth 1 credentials, by outcome";
}

pub(super) fn label(name: &'static str, value: impl Into<SharedString>) -> Label {
    Label::new(name, value)
}

pub(super) fn key(metric: &'static Metric, labels: Vec<Label>) -> Key {
    Key::from_parts(metric.name, labels)
}

/// One more.
pub(super) fn count(metric: &'static Metric, labels: Vec<Label>) {
    add(metric, labels, 1);
}

/// So many more.
pub(super) fn add(metric: &'static Metric, labels: Vec<Label>, number: u64) {
    let key = key(metric, labels);
    with_recorder(|recorder| {
        describe(recorder);
        recorder.register_counter(&key, &METADATA).increment(number);
    });
}

/// It took so many seconds.
pub(super) fn record(metric: &'static Metric, labels: Vec<Label>, seconds: f64) {
    let key = key(metric, labels);
    with_recorder(|recorder| {
        describe(recorder);
        recorder.register_histogram(&key, &METADATA).record(seconds);
    });
}

/// What goes up and down; the recorder is the one that is there now.
pub(super) fn gauge(metric: &'static Metric, labels: Vec<Label>) -> Gauge {
    let key = key(metric, labels);
    with_recorder(|recorder| {
        describe(recorder);
        recorder.register_gauge(&key, &METADATA)
    })
}

/// A handle that is kept, for what happens with each request.
pub(super) struct Kept<H> {
    key: Key,
    /// With the address of its recorder.
    handle: OnceLock<(usize, H)>,
}

impl<H> Kept<H> {
    pub(super) fn new(key: Key) -> Self {
        Self { key, handle: OnceLock::new() }
    }

    fn with(&self, register: impl FnOnce(&dyn Recorder, &Key) -> H, act: impl FnOnce(&H)) {
        with_recorder(|recorder| {
            let address = address(recorder);
            if let Some((known, handle)) = self.handle.get() {
                if *known == address {
                    return act(handle);
                }
            }
            describe(recorder);
            let handle = register(recorder, &self.key);
            act(&handle);
            // One without a size is the facade's own that does nothing, or has no address to know it by.
            if size_of_val(recorder) != 0 {
                let _ = self.handle.set((address, handle));
            }
        });
    }
}

impl Kept<Histogram> {
    pub(super) fn record(&self, seconds: f64) {
        self.with(
            |recorder, key| recorder.register_histogram(key, &METADATA),
            |histogram| histogram.record(seconds),
        );
    }
}

impl Kept<Counter> {
    pub(super) fn count(&self) {
        self.with(|recorder, key| recorder.register_counter(key, &METADATA), |counter| counter.increment(1));
    }
}

fn address(recorder: &dyn Recorder) -> usize {
    std::ptr::from_ref(recorder).cast::<()>().addr()
}

/// Tells a recorder that was not seen before what the metrics are.
fn describe(recorder: &dyn Recorder) {
    static DESCRIBED: AtomicUsize = AtomicUsize::new(0);
    let address = address(recorder);
    if DESCRIBED.load(Ordering::Relaxed) == address || size_of_val(recorder) == 0 {
        return;
    }
    for metric in ALL {
        let (name, help) = (metric.name.into(), metric.help.into());
        match metric.kind {
            Kind::Counter => recorder.describe_counter(name, Some(Unit::Count), help),
            Kind::Gauge => recorder.describe_gauge(name, Some(Unit::Count), help),
            Kind::Seconds => recorder.describe_histogram(name, Some(Unit::Seconds), help),
        }
    }
    DESCRIBED.store(address, Ordering::Relaxed);
}
