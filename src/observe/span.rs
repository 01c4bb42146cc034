//! Spans, or nothing where the feature `tracing` is off.

#[cfg(feature = "tracing")]
use std::sync::Mutex;
#[cfg(feature = "tracing")]
use std::sync::PoisonError;

#[cfg(feature = "tracing")]
use tracing::Instrument;

/// A span of `tracing`.
#[derive(Clone, Debug)]
pub(crate) struct Span(#[cfg(feature = "tracing")] tracing::Span);

impl Span {
    pub(super) fn of(#[cfg(feature = "tracing")] span: tracing::Span) -> Self {
        Self(
            #[cfg(feature = "tracing")]
            span,
        )
    }

    /// Runs `work` in the span.
    pub(crate) fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        #[cfg(feature = "tracing")]
        return work.instrument(self.0.clone());
        #[cfg(not(feature = "tracing"))]
        return work;
    }

    /// Fills in a field that the span has and that had no value yet.
    pub(crate) fn record(&self, field: &'static str, value: &'static str) {
        #[cfg(feature = "tracing")]
        self.0.record(field, value);
    }

    /// Runs `work` in the span, at once.
    pub(super) fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tracing")]
        return self.0.in_scope(work);
        #[cfg(not(feature = "tracing"))]
        return work();
    }

    /// Says that the span which is current led to this one, without keeping it open.
    pub(super) fn after_the_current(self) -> Self {
        #[cfg(feature = "tracing")]
        self.0.follows_from(tracing::Span::current().id());
        self
    }
}

/// The span of what somebody waits for, as long as it lasts.
///
/// It is given up at the end, because whoever holds a span keeps it open.
#[derive(Debug, Default)]
pub(crate) struct Link(#[cfg(feature = "tracing")] Mutex<Option<tracing::Span>>);

impl Link {
    /// This is what is waited for.
    pub(crate) fn tie(&self, span: &Span) {
        #[cfg(feature = "tracing")]
        {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(span.0.clone());
        }
    }

    /// It is over.
    pub(crate) fn cut(&self) {
        #[cfg(feature = "tracing")]
        {
            let span = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Outside of the lock: the end of a span is somebody else's code.
            drop(span);
        }
    }

    /// Says that `waiting` waits for it.
    pub(super) fn is_waited_for_by(&self, waiting: &Span) {
        #[cfg(feature = "tracing")]
        {
            let span = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(span) = span {
                waiting.0.follows_from(span.id());
            }
        }
    }
}
