//! A clone of a service, to be cloned again when a request is sent a second time.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;

use crate::lanes::Spread;
use crate::oauth1::layer::Shared;

/// What a request takes along that may be sent again: a clone of the service that is made once, because to clone a service
/// for every request is dear (an HTTP client is half a dozen reference counts, which all cores would fight for), and the
/// settings of the layer.
pub(super) struct Spare<S> {
    // The lock is for services that are not `Sync`.
    service: OnceLock<Mutex<S>>,
    shared: Arc<Spread<Shared>>,
}

impl<S> Spare<S> {
    pub(super) fn new(shared: Arc<Spread<Shared>>) -> Self {
        Self { service: OnceLock::new(), shared }
    }

    pub(super) fn shared(&self) -> &Spread<Shared> {
        &self.shared
    }
}

impl<S: Clone> Spare<S> {
    /// Clones `service`, unless there is a clone already.
    pub(super) fn keep(&self, service: &S) {
        self.service.get_or_init(|| Mutex::new(service.clone()));
    }

    /// A clone that was not asked whether it is ready.
    pub(super) fn get(&self) -> Option<S> {
        Some(self.service.get()?.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl<S> fmt::Debug for Spare<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Spare")
    }
}
