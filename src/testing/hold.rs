//! Requests that wait until a test lets them go.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// Holds every request to one path until it is released or dropped; see [`Provider::hold`](super::Provider::hold).
///
/// A held request has not been processed: it sees the clock, the tokens and the revocations of the moment of its
/// release.
#[must_use = "requests are held only as long as this is kept"]
pub struct Hold {
    /// Dropping it releases the requests.
    _release: watch::Sender<()>,
    waiting: Arc<watch::Sender<usize>>,
}

impl Hold {
    /// Lets all held requests go, and later ones pass.
    pub fn release(self) {}

    /// The number of requests that are held at this moment. One whose caller went away is not counted.
    pub fn waiting(&self) -> usize {
        *self.waiting.borrow()
    }

    /// Waits until at least `count` requests are held.
    pub async fn until_waiting(&self, count: usize) {
        // An error would mean that the sender is gone, and it is in `self`.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting >= count).await;
    }

    /// Waits until no request is held, because the callers of those that were have gone away.
    pub async fn until_empty(&self) {
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting == 0).await;
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hold").field("waiting", &self.waiting()).finish()
    }
}

/// The holds in force.
#[derive(Default)]
pub(super) struct Holds(Vec<Held>);

/// The provider's end of a [`Hold`].
#[derive(Clone)]
pub(super) struct Held {
    path: String,
    released: watch::Receiver<()>,
    waiting: Arc<watch::Sender<usize>>,
}

impl Holds {
    pub(super) fn add(&mut self, path: String) -> Hold {
        let (release, released) = watch::channel(());
        let waiting = Arc::new(watch::Sender::new(0));
        self.0.push(Held { path, released, waiting: Arc::clone(&waiting) });
        Hold { _release: release, waiting }
    }

    /// The holds on `path`.
    pub(super) fn on(&mut self, path: &str) -> Vec<Held> {
        self.0.retain(|held| held.released.has_changed().is_ok());
        self.0.iter().filter(|held| held.path == path).cloned().collect()
    }
}

impl Held {
    /// Waits for the release.
    pub(super) async fn released(mut self) {
        self.waiting.send_modify(|waiting| *waiting += 1);
        // Counts down when the caller goes away too.
        let _counted = Counted(Arc::clone(&self.waiting));
        // Nothing is ever sent, so this returns when the sender is dropped.
        while self.released.changed().await.is_ok() {}
    }
}

struct Counted(Arc<watch::Sender<usize>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}
