//! A subscriber and a recorder that keep what they are told.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;

use metrics::Counter;
use metrics::CounterFn;
use metrics::Gauge;
use metrics::GaugeFn;
use metrics::Histogram;
use metrics::HistogramFn;
use metrics::Key;
use metrics::KeyName;
use metrics::SharedString;
use metrics::Unit;
use tracing::Metadata;
use tracing::Subscriber;
use tracing::field::Field;
use tracing::field::Visit;
use tracing::span;
use tracing_core::span::Current;

type Names = BTreeMap<String, BTreeSet<String>>;

/// What was told. Clones share it.
#[derive(Clone, Default)]
pub struct Capture(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    spans: Vec<Span>,
    events: Names,
    levels: BTreeMap<String, String>,
    values: Vec<(String, String)>,
    kinds: BTreeMap<String, (String, String)>,
    described: BTreeMap<String, (String, String)>,
    labels: Names,
    label_values: BTreeSet<(String, String)>,
    numbers: BTreeMap<Key, f64>,
    recorded: Vec<(String, f64)>,
    most: BTreeMap<String, f64>,
    current: Vec<u64>,
    text: String,
}

/// A span as it was told.
#[derive(Clone, Debug)]
pub struct Span {
    pub name: String,
    pub metadata: &'static Metadata<'static>,
    pub fields: BTreeSet<String>,
    pub parent: Option<u64>,
    pub follows_from: Vec<u64>,
    /// How many hold it.
    pub held: usize,
}

impl Capture {
    pub fn subscriber(&self) -> impl Subscriber + use<> {
        Watcher(self.clone())
    }

    /// One that stays where it is, as a program's does: recorders are told apart by their address.
    pub fn recorder(&self) -> &'static dyn metrics::Recorder {
        Box::leak(Box::new(Recorder(self.clone())))
    }

    /// The spans by the order in which they began; their numbers begin with 1.
    pub fn all_spans(&self) -> Vec<Span> {
        self.lock().spans.clone()
    }

    /// Spans of ours with all fields that they ever had.
    pub fn spans(&self) -> Names {
        let mut spans = Names::new();
        for span in &self.lock().spans {
            spans.entry(span.name.clone()).or_default().extend(span.fields.iter().cloned());
        }
        spans
    }

    pub fn events(&self) -> Names {
        self.lock().events.clone()
    }

    pub fn levels(&self) -> BTreeMap<String, String> {
        self.lock().levels.clone()
    }

    pub fn metrics(&self) -> Names {
        self.lock().labels.clone()
    }

    pub fn kinds(&self) -> BTreeMap<String, (String, String)> {
        self.lock().kinds.clone()
    }

    pub fn described(&self) -> BTreeMap<String, (String, String)> {
        self.lock().described.clone()
    }

    pub fn label_values(&self) -> BTreeSet<(String, String)> {
        self.lock().label_values.clone()
    }

    /// The values of a field.
    pub fn values(&self, field: &str) -> Vec<String> {
        let told = self.lock();
        told.values.iter().filter(|(name, _)| name == field).map(|(_, value)| value.clone()).collect()
    }

    /// The sum of the counters, or gauges, of this name that have these labels.
    pub fn number(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |key: &Key, (name, value): &(&str, &str)| {
            key.labels().any(|label| label.key() == *name && label.value() == *value)
        };
        let told = self.lock();
        let numbers = told.numbers.iter();
        numbers
            .filter(|(key, _)| key.name() == name && labels.iter().all(|label| has(key, label)))
            .map(|(_, number)| number)
            .sum()
    }

    /// The highest value that a gauge or a histogram was told.
    pub fn most(&self, name: &str) -> f64 {
        self.lock().most.get(name).copied().unwrap_or_default()
    }

    /// What a histogram was told.
    pub fn recorded(&self, name: &str) -> Vec<f64> {
        let told = self.lock();
        told.recorded.iter().filter(|(other, _)| other == name).map(|(_, value)| *value).collect()
    }

    /// Everything, as text.
    pub fn text(&self) -> String {
        self.lock().text.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }

    fn register(&self, kind: &str, key: &Key) -> Number {
        let mut told = self.lock();
        let name = key.name().to_owned();
        let unit = if kind == "histogram" { "seconds" } else { "count" };
        told.kinds.insert(name.clone(), (kind.to_owned(), unit.to_owned()));
        writeln!(told.text, "{key}").unwrap();
        let labels = told.labels.entry(name).or_default();
        labels.extend(key.labels().map(|label| label.key().to_owned()));
        told.label_values
            .extend(key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())));
        Number { capture: self.clone(), key: key.clone() }
    }

    fn describe(&self, kind: &str, key: &KeyName, unit: Option<Unit>, help: &str) {
        assert!(!help.is_empty());
        let unit = unit.unwrap().as_str().to_owned();
        self.lock().described.insert(key.as_str().to_owned(), (kind.to_owned(), unit));
    }
}

struct Watcher(Capture);

struct Fields<'a>(&'a mut Told, BTreeSet<String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if !["message", "event"].contains(&field.name()) {
            self.1.insert(field.name().to_owned());
        }
        self.0.values.push((field.name().to_owned(), value.to_owned()));
        writeln!(self.0.text, "{field}={value}").unwrap();
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl Watcher {
    fn is_ours(metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tower_oauth"
    }
}

impl Subscriber for Watcher {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        Self::is_ours(metadata)
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut told = self.0.lock();
        let metadata = attributes.metadata();
        told.levels.insert(metadata.name().to_owned(), metadata.level().as_str().to_lowercase());
        let mut fields = Fields(&mut told, BTreeSet::new());
        attributes.record(&mut fields);
        let fields = fields.1;
        let parent = match attributes.parent() {
            Some(parent) => Some(parent.into_u64()),
            None if attributes.is_contextual() => told.current.last().copied(),
            None => None,
        };
        if let Some(parent) = parent.and_then(|parent| told.spans.get_mut(parent as usize - 1)) {
            parent.held += 1;
        }
        let name = metadata.name().to_owned();
        told.spans.push(Span { name, metadata, fields, parent, follows_from: Vec::new(), held: 1 });
        span::Id::from_u64(told.spans.len() as u64)
    }

    fn record(&self, id: &span::Id, values: &span::Record<'_>) {
        let mut told = self.0.lock();
        let mut fields = Fields(&mut told, BTreeSet::new());
        values.record(&mut fields);
        let fields = fields.1;
        told.spans[id.into_u64() as usize - 1].fields.extend(fields);
    }

    fn record_follows_from(&self, id: &span::Id, follows: &span::Id) {
        self.0.lock().spans[id.into_u64() as usize - 1].follows_from.push(follows.into_u64());
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut told = self.0.lock();
        let metadata = event.metadata();
        told.levels.insert(metadata.name().to_owned(), metadata.level().as_str().to_lowercase());
        let mut fields = Fields(&mut told, BTreeSet::new());
        event.record(&mut fields);
        let fields = fields.1;
        // The field says what the metadata does.
        let named = told.values.iter().rev().find(|(field, _)| field == "event").cloned();
        assert_eq!(named.unwrap().1, metadata.name());
        told.events.entry(metadata.name().to_owned()).or_default().extend(fields);
    }

    fn enter(&self, id: &span::Id) {
        self.0.lock().current.push(id.into_u64());
    }

    fn exit(&self, id: &span::Id) {
        let mut told = self.0.lock();
        let place = told.current.iter().rposition(|other| *other == id.into_u64());
        told.current.remove(place.unwrap());
    }

    fn clone_span(&self, id: &span::Id) -> span::Id {
        self.0.lock().spans[id.into_u64() as usize - 1].held += 1;
        id.clone()
    }

    fn try_close(&self, id: span::Id) -> bool {
        let mut told = self.0.lock();
        let mut next = Some(id.into_u64());
        let mut is_closed = false;
        while let Some(span) = next.and_then(|id| told.spans.get_mut(id as usize - 1)) {
            span.held -= 1;
            is_closed |= span.held == 0;
            // As registries do: who is closed holds its parent no longer.
            next = span.parent.filter(|_| span.held == 0);
        }
        is_closed
    }

    fn current_span(&self) -> Current {
        let told = self.0.lock();
        let current = told.current.last().map(|id| (*id, told.spans[*id as usize - 1].metadata));
        current.map_or_else(Current::none, |(id, metadata)| Current::new(span::Id::from_u64(id), metadata))
    }
}

struct Recorder(Capture);

/// One metric with its labels.
struct Number {
    capture: Capture,
    key: Key,
}

impl Number {
    fn set(&self, change: impl FnOnce(f64) -> f64) {
        let mut told = self.capture.lock();
        let number = told.numbers.entry(self.key.clone()).or_default();
        *number = change(*number);
        let number = *number;
        let most = told.most.entry(self.key.name().to_owned()).or_default();
        *most = most.max(number);
    }
}

impl CounterFn for Number {
    fn increment(&self, by: u64) {
        self.set(|number| number + by as f64);
    }

    fn absolute(&self, value: u64) {
        self.set(|_| value as f64);
    }
}

impl GaugeFn for Number {
    fn increment(&self, by: f64) {
        self.set(|number| number + by);
    }

    fn decrement(&self, by: f64) {
        self.set(|number| number - by);
    }

    fn set(&self, value: f64) {
        Number::set(self, |_| value);
    }
}

impl HistogramFn for Number {
    fn record(&self, value: f64) {
        self.capture.lock().recorded.push((self.key.name().to_owned(), value));
        Number::set(self, |_| value);
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.0.describe("counter", &key, unit, &help);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.0.describe("gauge", &key, unit, &help);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.0.describe("histogram", &key, unit, &help);
    }

    fn register_counter(&self, key: &Key, _: &metrics::Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(self.0.register("counter", key)))
    }

    fn register_gauge(&self, key: &Key, _: &metrics::Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::new(self.0.register("gauge", key)))
    }

    fn register_histogram(&self, key: &Key, _: &metrics::Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(self.0.register("histogram", key)))
    }
}
