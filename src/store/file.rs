//! A store in a file.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;

use crate::error::Error;
use crate::secret::Secret;
use crate::token::Record;
use crate::token::Swap;
use crate::token::TokenKey;
use crate::token::TokenStore;

mod disk;
mod document;
mod leases;
mod queue;
#[cfg(test)]
mod tests;

use disk::Disk;
use disk::Draft;
use queue::Queue;

/// Keeps the records of one key or of some thousand in one JSON file, for all processes of a host. Clones share it.
///
/// ```
/// use tower_oauth::store::FileStore;
/// use tower_oauth::token::{TokenKey, TokenStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("tower-oauth-example-{}", std::process::id()));
/// let store = FileStore::new(folder.join("tokens.json"));
/// assert!(store.load(&TokenKey::new("alice")).await?.is_none());
/// # Ok(())
/// # }
/// ```
///
/// # What is on the disk
/// The file is made with the first record, for its owner alone (mode 0600), in a folder that is made as well if it is
/// missing (0700). It is never written to: each change goes into a new file in the same folder (`.tokens.json.new`), which is
/// synced and then takes the name of the old one, and the folder is synced after that. So whoever reads sees one state or the
/// next, whenever the power fails. Changes that are asked for while one is being written go into the next file together.
///
/// Beside it are `tokens.json.lock`, an empty file with an advisory lock that is held while somebody changes the tokens, and
/// `tokens.json.leases`, with the leases that are held just now. A lease ends with its time on the clock of the host, also when
/// its holder crashed.
///
/// A symbolic link to the file stays a link: what it points to is replaced.
///
/// # Errors
/// All name the file, and none of them changes it. It is an error when the file
/// - is not one of these, was cut off, or was written by a later version of this crate: move it away, or restore it;
/// - may be read or written by others: `chmod 600`, or [`dangerously_allow_open_file`](Self::dangerously_allow_open_file);
/// - cannot be read, or has been locked by another process for 4 seconds.
///
/// # How many keys
/// Each change writes the whole file, and those that come at once share one writing. With 10 000 keys (10 MB) a change takes 50 to
/// 100 ms, and all 10 000 at once less than a second: enough for tokens that live for an hour. Beyond that use
/// [`SqliteStore`](super::SqliteStore). The records are kept in memory as well, so that loading takes microseconds.
///
/// # Network file systems
/// The lock has to work, and the name of a file must be replaced in one step: NFS promises neither in all of its versions.
#[derive(Clone)]
pub struct FileStore {
    disk: Arc<Disk>,
    queue: Arc<Queue>,
}

impl FileStore {
    /// The records in the file at `path`. Nothing is read or written yet. A relative path is taken from the folder that
    /// is the current one now.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::over(Disk::new(path.into()))
    }

    /// Takes a file although others may read or write it. They then have the tokens, or may plant their own. Its
    /// permissions stay what they are; a file that is made anew is for its owner alone all the same.
    pub fn dangerously_allow_open_file(self) -> Self {
        Self::over(self.disk.allowing_open_file())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.disk.path()
    }

    fn over(disk: Disk) -> Self {
        Self { disk: Arc::new(disk), queue: Arc::default() }
    }

    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Draft<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.queue.change(&self.disk, work).await
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FileStore").field("path", &self.path()).finish()
    }
}

impl TokenStore for FileStore {
    async fn load(&self, key: &TokenKey) -> Result<Option<Record>, Error> {
        let (disk, key) = (Arc::clone(&self.disk), key.clone());
        blocking(move || read(disk.path(), disk.tokens()?.get(key.as_str()))).await?
    }

    async fn compare_and_swap(
        &self,
        key: &TokenKey,
        expected: Option<u64>,
        record: &Record,
    ) -> Result<Swap, Error> {
        let (disk, key, record) = (Arc::clone(&self.disk), key.clone(), record.to_json());
        self.change(move |draft| {
            let stored = read(disk.path(), draft.tokens().get(key.as_str()))?;
            if stored.as_ref().map(Record::generation) != expected {
                return Ok(Swap::Conflict(stored));
            }
            draft.change_tokens().insert(key.as_str(), record);
            Ok(Swap::Stored)
        })
        .await
    }

    async fn delete_if(&self, key: &TokenKey, generation: u64) -> Result<bool, Error> {
        let (disk, key) = (Arc::clone(&self.disk), key.clone());
        self.change(move |draft| {
            let stored = read(disk.path(), draft.tokens().get(key.as_str()))?;
            let is_that_one = stored.is_some_and(|stored| stored.generation() == generation);
            if is_that_one {
                draft.change_tokens().remove(key.as_str());
            }
            Ok(is_that_one)
        })
        .await
    }

    async fn lease(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        let (key, owner) = (key.clone(), owner.to_owned());
        self.change(move |draft| Ok(draft.leases().take(key.as_str(), &owner, SystemTime::now(), ttl))).await
    }

    async fn renew(&self, key: &TokenKey, owner: &str, ttl: Duration) -> Result<bool, Error> {
        let (key, owner) = (key.clone(), owner.to_owned());
        self.change(move |draft| Ok(draft.leases().renew(key.as_str(), &owner, SystemTime::now(), ttl))).await
    }

    async fn release(&self, key: &TokenKey, owner: &str) -> Result<(), Error> {
        let (key, owner) = (key.clone(), owner.to_owned());
        self.change(move |draft| {
            draft.leases().release(key.as_str(), &owner);
            Ok(())
        })
        .await
    }
}

/// The record of this text, which the file at `path` holds.
fn read(path: &Path, text: Option<&Secret>) -> Result<Option<Record>, Error> {
    let named = |error: Error| {
        Error::store(error).detail(format!("{} holds a record that could not be read", path.display()))
    };
    text.map(|text| Record::from_json(text.expose()).map_err(named)).transpose()
}

/// Does what may block where that is allowed. It runs to its end even when nobody waits for it any more.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(Error::store)
}
