//! Changes that wait to be written together.

use std::mem::take;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::Semaphore;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::store::file::blocking;
use crate::store::file::disk::Disk;
use crate::store::file::disk::Draft;

/// Collects changes while one batch is written, so that many keys which change at once need few writings of the file.
pub(super) struct Queue {
    waiting: Mutex<Vec<Change>>,
    /// Held by whoever writes, across awaits by intent.
    turn: Arc<Semaphore>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }
}

/// A change; it gives what is to be done when the file is written, or is not.
type Change = Box<dyn FnOnce(Result<&mut Draft<'_>, Error>) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;

impl Queue {
    /// Applies `work` to what is on the disk, and stores the outcome.
    pub(super) async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        disk: &Arc<Disk>,
        work: impl FnOnce(&mut Draft<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, mut outcome) = oneshot::channel();
        self.waiting().push(Box::new(move |draft| {
            // Who went away before it was his turn changes nothing: a lease for nobody would keep others waiting.
            let done = if sender.is_closed() { None } else { Some(draft.and_then(work)) };
            Box::new(move |written| {
                if let Some(done) = done {
                    let _ = sender.send(written.and(done));
                }
            })
        }));
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(Error::store)?;
        // Whoever had the turn before may have taken this change along.
        if let Ok(outcome) = outcome.try_recv() {
            return outcome;
        }
        let (queue, disk) = (Arc::clone(self), Arc::clone(disk));
        blocking(move || {
            queue.run(&disk);
            drop(turn);
        })
        .await?;
        outcome.await.map_err(Error::store)?
    }

    /// Makes all changes that wait.
    fn run(&self, disk: &Disk) {
        // The lock comes first: what is asked for while it is waited for goes along.
        let draft = disk.begin();
        let changes = take(&mut *self.waiting());
        match draft {
            Ok(mut draft) => {
                let answers: Vec<_> = changes.into_iter().map(|change| change(Ok(&mut draft))).collect();
                let written = draft.commit();
                answers.into_iter().for_each(|answer| answer(written.clone()));
            }
            Err(error) => {
                for change in changes {
                    change(Err(error.clone()))(Ok(()));
                }
            }
        }
    }

    /// Keeps all others from writing.
    #[cfg(test)]
    pub(super) fn hold(&self) -> impl Drop {
        Arc::clone(&self.turn).try_acquire_owned().unwrap()
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Change>> {
        // Nothing in here can panic half-way through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
