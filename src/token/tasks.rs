//! The tasks of a manager: counted, so that a shutdown can wait for them.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::error::Error;
use crate::error::ErrorKind;
#[cfg(test)]
use crate::token::explorer;

/// Tasks that are under way.
#[derive(Clone, Default)]
pub(super) struct Tasks(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Default)]
struct State {
    closing: bool,
    aborted: bool,
    next: u64,
    /// Without a handle as long as it is being spawned.
    running: HashMap<u64, Option<AbortHandle>>,
}

impl Tasks {
    /// Runs `task` on the runtime of the caller.
    ///
    /// # Errors
    /// [`ErrorKind::ShutDown`] after [`close`](Self::close), [`ErrorKind::Abandoned`] outside of a tokio runtime.
    pub(super) fn spawn(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Result<AbortHandle, Error> {
        let runtime = runtime()?;
        #[cfg(test)]
        let task = explorer::scheduled(task);
        let number = {
            let mut state = self.state();
            if state.closing {
                return Err(Error::new(ErrorKind::ShutDown));
            }
            let number = state.next;
            state.next += 1;
            state.running.insert(number, None);
            number
        };
        let end = End { tasks: self.clone(), number };
        // Not under the lock: a runtime that is being shut down drops the task right here, and `End` takes the lock.
        let handle = runtime.spawn(async move {
            let _end = end;
            task.await;
        });
        let mut state = self.state();
        let is_too_late = state.aborted;
        if let Some(place) = state.running.get_mut(&number) {
            *place = Some(handle.abort_handle());
        }
        drop(state);
        if is_too_late {
            handle.abort();
        }
        Ok(handle.abort_handle())
    }

    /// The error of those who want a task after [`close`](Self::close).
    pub(super) fn closed(&self) -> Option<Error> {
        self.state().closing.then(|| Error::new(ErrorKind::ShutDown))
    }

    /// Takes no more tasks, and waits for those under way for at most `grace`; what is left then is aborted. Gives the
    /// number of those.
    pub(super) async fn close(&self, grace: Duration) -> usize {
        self.state().closing = true;
        let all_ended = async {
            loop {
                let ended = self.0.ended.notified();
                if self.state().running.is_empty() {
                    break;
                }
                ended.await;
            }
        };
        let _ = tokio::time::timeout(grace, all_ended).await;
        let left: Vec<Option<AbortHandle>> = {
            let mut state = self.state();
            state.aborted = true;
            state.running.values().cloned().collect()
        };
        left.iter().flatten().for_each(AbortHandle::abort);
        left.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runtime of the caller.
///
/// # Errors
/// [`ErrorKind::Abandoned`] outside of a tokio runtime.
pub(super) fn runtime() -> Result<Handle, Error> {
    Handle::try_current().map_err(|error| {
        Error::new(ErrorKind::Abandoned).detail("there is no tokio runtime").caused_by(error)
    })
}

/// Signs a task off, however it ends.
struct End {
    tasks: Tasks,
    number: u64,
}

impl Drop for End {
    fn drop(&mut self) {
        self.tasks.state().running.remove(&self.number);
        self.tasks.0.ended.notify_waiters();
    }
}
