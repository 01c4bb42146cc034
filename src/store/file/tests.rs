use std::fs;
use std::path::PathBuf;

use futures_util::future::join_all;
use tempfile::TempDir;

use super::*;

fn record(generation: u64) -> Record {
    let json = format!(
        r#"{{"version":1,"generation":{generation},"refresh_token":"refresh-{generation}","tokens":[]}}"#
    );
    Record::from_json(&json).unwrap()
}

/// A folder with a file of tokens in it.
struct World {
    folder: TempDir,
    store: FileStore,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = FileStore::new(folder.path().join("tokens.json"));
        Self { folder, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens the file as another process does.
    fn other(&self) -> FileStore {
        FileStore::new(self.store.path())
    }

    async fn put(&self, key: &str, expected: Option<u64>, generation: u64) {
        let swap = self.store.compare_and_swap(&key.into(), expected, &record(generation)).await.unwrap();
        assert_eq!(swap, Swap::Stored);
    }

    /// That reading and writing fail in these words, which name the file, and leave it as it is.
    async fn assert_refused(&self, words: &str) {
        let before = fs::read(self.store.path()).ok();
        let key = TokenKey::new("alice");
        for error in [
            self.store.load(&key).await.unwrap_err(),
            self.store.compare_and_swap(&key, None, &record(1)).await.unwrap_err(),
            self.store.compare_and_swap(&key, Some(1), &record(2)).await.unwrap_err(),
            self.store.delete_if(&key, 1).await.unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(text.contains(words), "{text}");
            assert!(text.contains(self.store.path().to_str().unwrap()), "{text}");
            assert!(!format!("{error:?}").contains("refresh-1"));
        }
        assert_eq!(fs::read(self.store.path()).ok(), before);
    }
}

#[tokio::test]
async fn nothing_is_made_before_there_is_something_to_keep() {
    let world = World::new();
    assert_eq!(world.store.load(&"alice".into()).await.unwrap(), None);
    assert!(!world.store.delete_if(&"alice".into(), 1).await.unwrap());
    let conflict = world.store.compare_and_swap(&"alice".into(), Some(1), &record(2)).await.unwrap();
    assert_eq!(conflict, Swap::Conflict(None));
    assert!(!world.store.path().exists());
}

#[tokio::test]
async fn a_record_is_there_for_the_next_who_opens_the_file() {
    let world = World::new();
    world.put("alice", None, 1).await;
    world.put("bob", None, 7).await;
    world.put("alice", Some(1), 2).await;
    let other = world.other();
    assert_eq!(other.load(&"alice".into()).await.unwrap(), Some(record(2)));
    assert_eq!(other.load(&"bob".into()).await.unwrap(), Some(record(7)));
    assert!(other.delete_if(&"bob".into(), 7).await.unwrap());
    assert_eq!(world.store.load(&"bob".into()).await.unwrap(), None);
}

#[tokio::test]
async fn the_folder_is_made_if_it_is_missing() {
    let world = World::new();
    let store = FileStore::new(world.path("a/b/tokens.json"));
    assert_eq!(store.compare_and_swap(&"alice".into(), None, &record(1)).await.unwrap(), Swap::Stored);
    assert_eq!(store.load(&"alice".into()).await.unwrap(), Some(record(1)));
}

#[tokio::test]
async fn a_torn_foreign_or_newer_file_is_named_and_never_overwritten() {
    let world = World::new();
    world.put("alice", None, 1).await;
    let whole = fs::read_to_string(world.store.path()).unwrap();
    for length in [0, 1, 30, whole.len() / 2, whole.len() - 3] {
        fs::write(world.store.path(), &whole[..length]).unwrap();
        world.assert_refused(if length == 0 { "is empty" } else { "is not a whole file of tokens" }).await;
    }
    fs::write(world.store.path(), whole.replace("tokens\",\"version\":1", "tokens\",\"version\":2")).unwrap();
    world.assert_refused("has version 2").await;
    fs::write(world.store.path(), "[package]\nname = \"refresh-1\"\n").unwrap();
    world.assert_refused("is not a whole file of tokens").await;
    fs::write(world.store.path(), b"\xff\xfe").unwrap();
    world.assert_refused("is not text").await;
    // A record of a later version, in a file of this one.
    fs::write(world.store.path(), whole.replace("{\"version\":1,\"gen", "{\"version\":2,\"gen")).unwrap();
    world.assert_refused("holds a record that could not be read").await;
    assert_eq!(world.store.load(&"bob".into()).await.unwrap(), None, "other keys are not affected");
    world.put("bob", None, 1).await;
    world.assert_refused("holds a record that could not be read").await;
}

#[tokio::test]
async fn what_was_edited_by_hand_is_seen() {
    let world = World::new();
    world.put("alice", None, 1).await;
    let text = fs::read_to_string(world.store.path()).unwrap();
    fs::write(world.store.path(), text.replace("\"generation\":1", "\"generation\":12")).unwrap();
    assert_eq!(world.store.load(&"alice".into()).await.unwrap().unwrap().generation(), 12);
}

#[tokio::test]
async fn a_folder_in_its_place_is_an_error() {
    let world = World::new();
    fs::create_dir(world.store.path()).unwrap();
    world.assert_refused("is not a file").await;
}

#[tokio::test]
async fn what_a_crash_left_in_the_folder_is_cleared_away() {
    let world = World::new();
    fs::write(world.path(".tokens.json.new"), "half a fi").unwrap();
    world.put("alice", None, 1).await;
    assert_eq!(world.store.load(&"alice".into()).await.unwrap(), Some(record(1)));
    assert!(!world.path(".tokens.json.new").exists());
}

#[tokio::test]
async fn a_lease_is_seen_by_other_processes_and_outlives_its_holder() {
    let world = World::new();
    let (key, minute) = (TokenKey::new("alice"), Duration::from_secs(60));
    assert!(world.store.lease(&key, "one", minute).await.unwrap());
    drop(world.store.clone());
    let other = world.other();
    assert!(!other.lease(&key, "other", minute).await.unwrap());
    other.release(&key, "other").await.unwrap();
    assert!(!other.lease(&key, "other", minute).await.unwrap());
    world.store.release(&key, "one").await.unwrap();
    assert!(other.lease(&key, "other", minute).await.unwrap());
    assert!(!world.store.path().exists(), "a lease is no record");
}

#[tokio::test]
async fn leases_of_a_later_version_are_an_error() {
    let world = World::new();
    fs::write(world.path("tokens.json.leases"), r#"{"version":2,"leases":{}}"#).unwrap();
    let error = world.store.lease(&"alice".into(), "one", Duration::from_secs(1)).await.unwrap_err();
    assert!(error.to_string().contains("tokens.json.leases has version 2"), "{error}");
}

#[tokio::test]
async fn changes_that_come_at_once_share_writings() {
    let world = World::new();
    let keys: Vec<TokenKey> = (0..2000).map(|number| TokenKey::new(format!("key-{number}"))).collect();
    let first = record(1);
    let begun = join_all(keys.iter().map(|key| world.store.compare_and_swap(key, None, &first))).await;
    assert!(begun.into_iter().all(|swap| swap.unwrap() == Swap::Stored));
    let other = world.other();
    let loaded = join_all(keys.iter().map(|key| other.load(key))).await;
    assert!(loaded.into_iter().all(|record| record.unwrap() == Some(first.clone())));
}

#[tokio::test]
async fn who_goes_away_before_its_turn_changes_nothing() {
    let world = World::new();
    let turn = world.store.queue.hold();
    let (key, first) = (TokenKey::new("alice"), record(1));
    let mut swap = tokio_test::task::spawn(world.store.compare_and_swap(&key, None, &first));
    assert!(swap.poll().is_pending());
    drop(swap);
    drop(turn);
    world.put("bob", None, 1).await;
    assert_eq!(world.store.load(&key).await.unwrap(), None);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: PathBuf) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn everything_is_for_its_owner_alone() {
        let world = World::new();
        let folder = world.path("made");
        let store = FileStore::new(folder.join("tokens.json"));
        store.compare_and_swap(&"alice".into(), None, &record(1)).await.unwrap();
        store.lease(&"alice".into(), "one", Duration::from_secs(60)).await.unwrap();
        assert_eq!(mode(folder.clone()), 0o700);
        for name in ["tokens.json", "tokens.json.lock", "tokens.json.leases"] {
            assert_eq!(mode(folder.join(name)), 0o600, "{name}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_open_to_others_is_refused_unless_that_is_allowed() {
        let world = World::new();
        world.put("alice", None, 1).await;
        for open in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(world.store.path(), fs::Permissions::from_mode(open)).unwrap();
            world.assert_refused("chmod 600").await;
            let lenient = world.other().dangerously_allow_open_file();
            let stored = lenient.load(&"alice".into()).await.unwrap().unwrap().generation();
            lenient.compare_and_swap(&"alice".into(), Some(stored), &record(stored + 1)).await.unwrap();
            assert_eq!(mode(world.store.path().to_owned()), open, "its permissions stay");
        }
        fs::set_permissions(world.store.path(), fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(world.store.load(&"alice".into()).await.unwrap(), Some(record(5)));
    }

    #[tokio::test]
    async fn a_link_stays_a_link() {
        let world = World::new();
        fs::create_dir(world.path("real")).unwrap();
        let real = FileStore::new(world.path("real/real.json"));
        real.compare_and_swap(&"alice".into(), None, &record(1)).await.unwrap();
        symlink("real/real.json", world.store.path()).unwrap();
        world.put("alice", Some(1), 2).await;
        assert!(fs::symlink_metadata(world.store.path()).unwrap().is_symlink());
        assert_eq!(real.load(&"alice".into()).await.unwrap(), Some(record(2)));
        assert!(!world.path("tokens.json.lock").exists(), "both names share one lock");
    }

    #[tokio::test]
    async fn a_link_to_nothing_is_an_error_and_stays() {
        let world = World::new();
        symlink("nowhere.json", world.store.path()).unwrap();
        world.assert_refused("tokens.json could not be").await;
        assert!(fs::symlink_metadata(world.store.path()).unwrap().is_symlink());
    }
}
