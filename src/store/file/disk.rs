//! The files: how they are found, locked, read and replaced.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::ErrorKind::AlreadyExists;
use std::io::ErrorKind::NotFound;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use fs4::FileExt;
use fs4::TryLockError;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::store::file::document::Document;
use crate::store::file::document::HEAD;
use crate::store::file::leases::Leases;

/// How long the lock is waited for; less than a store is given for one answer.
const LOCK_PATIENCE: Duration = Duration::from_secs(4);
/// The longest pause between two attempts to get it.
const LOCK_POLL: Duration = Duration::from_millis(8);

/// The file of tokens, and the files beside it.
pub(super) struct Disk {
    path: PathBuf,
    allow_open_file: bool,
    last_read: Mutex<Option<(Writing, Arc<Document>)>>,
}

impl Disk {
    pub(super) fn new(path: PathBuf) -> Self {
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path, allow_open_file: false, last_read: Mutex::default() }
    }

    pub(super) fn allowing_open_file(&self) -> Self {
        Self { path: self.path.clone(), allow_open_file: true, last_read: Mutex::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file holds now. No lock is needed, because it is replaced as a whole.
    pub(super) fn tokens(&self) -> Result<Arc<Document>, Error> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            // A link that points to nothing is no reason to put a file in its place.
            Err(error) if error.kind() == NotFound && fs::symlink_metadata(&self.path).is_err() => {
                return Ok(Arc::default());
            }
            Err(error) => return Err(failed(&self.path, "could not be opened", error)),
        };
        let could_not = |error| failed(&self.path, "could not be read", error);
        let metadata = file.metadata().map_err(could_not)?;
        self.check(&metadata)?;
        let mut head = Vec::with_capacity(HEAD);
        Read::take(&file, HEAD as u64).read_to_end(&mut head).map_err(could_not)?;
        let writing = Writing::new(&metadata, head);
        if let Some((last, document)) = &*self.last_read.lock().unwrap_or_else(PoisonError::into_inner) {
            if *last == writing {
                return Ok(Arc::clone(document));
            }
        }
        // In one piece, so that growing leaves no copies of secrets behind.
        let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX).saturating_add(1);
        let mut text = Zeroizing::new(Vec::new());
        text.try_reserve_exact(length)
            .map_err(|error| failed(&self.path, "is too long", io::Error::other(error)))?;
        text.extend_from_slice(&writing.head);
        file.read_to_end(&mut text).map_err(could_not)?;
        let read = std::str::from_utf8(&text).map_err(|_| "is not text".to_owned()).and_then(Document::read);
        let document = Arc::new(read.map_err(|what| {
            Error::new(ErrorKind::Store)
                .detail(format!("{} {what}; it is left as it is", self.path.display()))
        })?);
        self.remember(writing, &document);
        Ok(document)
    }

    /// Waits for the lock, and reads what there is.
    pub(super) fn begin(&self) -> Result<Draft<'_>, Error> {
        let target = self.target()?;
        let lock = lock(&beside(&target, "", ".lock"))?;
        let tokens = self.tokens()?;
        let leases = read_leases(&beside(&target, "", ".leases"))?;
        Ok(Draft { disk: self, target, tokens, tokens_changed: false, leases, _lock: lock })
    }

    /// The file itself, when `path` is a link to it; its folder is made if it is missing.
    fn target(&self) -> Result<PathBuf, Error> {
        match self.path.canonicalize() {
            Ok(target) => return Ok(target),
            Err(error) if error.kind() == NotFound && fs::symlink_metadata(&self.path).is_err() => {}
            Err(error) => return Err(failed(&self.path, "could not be found", error)),
        }
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Err(failed(&self.path, "is no file", io::Error::from(NotFound)));
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|error| failed(folder, "could not be made", error))?;
        let folder = folder.canonicalize().map_err(|error| failed(folder, "could not be found", error))?;
        Ok(folder.join(name))
    }

    /// Refuses what is no file, or is open to others.
    fn check(&self, metadata: &fs::Metadata) -> Result<(), Error> {
        let refuse = |what: String| {
            Err(Error::new(ErrorKind::Store).detail(format!("{} {what}", self.path.display())))
        };
        if !metadata.is_file() {
            return refuse("is not a file".to_owned());
        }
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::MetadataExt::mode(metadata) & 0o777;
            if mode & 0o077 != 0 && !self.allow_open_file {
                return refuse(format!("is open to others (mode {mode:03o}): `chmod 600` it"));
            }
        }
        Ok(())
    }

    fn remember(&self, writing: Writing, document: &Arc<Document>) {
        let mut last = self.last_read.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((writing, Arc::clone(document)));
    }
}

/// What tells one writing of the file from another. The mark in the head is enough for what we write; the rest tells what
/// was edited by hand.
#[derive(PartialEq)]
struct Writing {
    head: Vec<u8>,
    length: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    inode: (u64, u64),
}

impl Writing {
    fn new(metadata: &fs::Metadata, head: Vec<u8>) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Self {
            head,
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            inode: (metadata.dev(), metadata.ino()),
        }
    }
}

/// What is on the disk, while nobody else changes it.
pub(super) struct Draft<'a> {
    disk: &'a Disk,
    target: PathBuf,
    tokens: Arc<Document>,
    tokens_changed: bool,
    leases: Leases,
    /// Closing it unlocks it, also when the process ends.
    _lock: File,
}

impl Draft<'_> {
    pub(super) fn tokens(&self) -> &Document {
        &self.tokens
    }

    pub(super) fn change_tokens(&mut self) -> &mut Document {
        self.tokens_changed = true;
        Arc::make_mut(&mut self.tokens)
    }

    pub(super) fn leases(&mut self) -> &mut Leases {
        &mut self.leases
    }

    /// Puts on the disk what has changed. When this fails, the file of tokens is what it was, or it is what it was to become
    /// and may not survive a power failure.
    pub(super) fn commit(self) -> Result<(), Error> {
        if self.tokens_changed {
            self.write_tokens()?;
        }
        if self.leases.is_changed() {
            let path = beside(&self.target, "", ".leases");
            let made = make(&self.target, &self.leases.write(), None).map(drop);
            made.and_then(|()| fs::rename(beside(&self.target, ".", ".new"), &path))
                .map_err(|error| failed(&path, "could not be written", error))?;
        }
        Ok(())
    }

    fn write_tokens(&self) -> Result<(), Error> {
        let target = &self.target;
        let text = self.tokens.write(rand::random());
        let write = || {
            let before = fs::metadata(target).ok().filter(|_| self.disk.allow_open_file);
            let file = make(target, text.as_bytes(), before.map(|metadata| metadata.permissions()))?;
            file.sync_all()?;
            fs::rename(beside(target, ".", ".new"), target)?;
            sync_folder(target)?;
            file.metadata()
        };
        let metadata = write().map_err(|error| failed(target, "could not be written", error))?;
        let head = text.as_bytes().get(..HEAD).unwrap_or_default().to_vec();
        self.disk.remember(Writing::new(&metadata, head), &self.tokens);
        Ok(())
    }
}

/// Makes the file that is to take the place of another. What a crash left there is nobody's: we have the lock.
fn make(target: &Path, content: &[u8], permissions: Option<fs::Permissions>) -> io::Result<File> {
    let path = beside(target, ".", ".new");
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = match options.open(&path) {
        Err(error) if error.kind() == AlreadyExists => {
            fs::remove_file(&path)?;
            options.open(&path)?
        }
        opened => opened?,
    };
    file.write_all(content)?;
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    Ok(file)
}

/// Makes a new name in the folder survive a power failure.
fn sync_folder(target: &Path) -> io::Result<()> {
    // Elsewhere, folders cannot be opened.
    #[cfg(unix)]
    if let Some(folder) = target.parent() {
        File::open(folder)?.sync_all()?;
    }
    let _ = target;
    Ok(())
}

fn lock(path: &Path) -> Result<File, Error> {
    let could_not = |error| failed(path, "could not be locked", error);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(could_not)?;
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        match FileExt::try_lock(&file) {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(could_not(error)),
            Err(TryLockError::WouldBlock) if started.elapsed() >= LOCK_PATIENCE => {
                let detail = format!("another process has {} locked for {LOCK_PATIENCE:?}", path.display());
                return Err(Error::new(ErrorKind::Store).detail(detail));
            }
            Err(TryLockError::WouldBlock) => sleep(pause),
        }
        pause = (pause * 2).min(LOCK_POLL);
    }
}

fn read_leases(path: &Path) -> Result<Leases, Error> {
    match fs::read(path) {
        Ok(text) => Leases::read(&text).map_err(|version| {
            let detail =
                format!("{} has version {version}, which this program does not know", path.display());
            Error::new(ErrorKind::Store).detail(detail)
        }),
        Err(error) if error.kind() == NotFound => Ok(Leases::default()),
        Err(error) => Err(failed(path, "could not be read", error)),
    }
}

/// A file in the same folder, named after this one.
fn beside(path: &Path, before: &str, after: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(before);
    name.push(path.file_name().unwrap_or_default());
    name.push(after);
    path.with_file_name(name)
}

fn failed(path: &Path, what: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Store).detail(format!("{} {what}: {error}", path.display())).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::assert_documented;

    #[test]
    fn the_defaults_are_those_of_the_table() {
        assert_documented("time that `FileStore` waits for another process's lock", LOCK_PATIENCE);
    }
}
