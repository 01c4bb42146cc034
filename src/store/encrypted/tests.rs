use super::*;
use crate::error::ConfigError;
use crate::store::MemoryStore;

fn key(id: &str, byte: u8) -> EncryptionKey {
    EncryptionKey::new(id, [byte; 32]).unwrap()
}

fn record(generation: u64) -> Record {
    let json = format!(r#"{{"version":1,"generation":{generation},"refresh_token":"hunter2","tokens":[]}}"#);
    Record::from_json(&json).unwrap()
}

fn alice() -> TokenKey {
    TokenKey::new("alice")
}

/// A store with a record of Alice, encrypted with the key `old`.
async fn inner() -> MemoryStore {
    let inner = MemoryStore::new();
    let store = EncryptedStore::new(inner.clone(), key("old", 1));
    assert_eq!(store.compare_and_swap(&alice(), None, &record(1)).await.unwrap(), Swap::Stored);
    inner
}

/// That a store can do nothing with Alice's record, says so in these words, and leaves it as it is.
async fn assert_refused(store: &EncryptedStore<MemoryStore>, words: &str) {
    let before = store.inner().load(&alice()).await.unwrap();
    let generation = before.as_ref().unwrap().generation();
    for error in [
        store.load(&alice()).await.unwrap_err(),
        store.compare_and_swap(&alice(), None, &record(1)).await.unwrap_err(),
        store.compare_and_swap(&alice(), Some(generation), &record(generation + 1)).await.unwrap_err(),
        store.delete_if(&alice(), generation).await.unwrap_err(),
        store.reencrypt(&alice()).await.unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(text.contains(words) && text.contains(r#""alice""#), "{text}");
        assert!(!format!("{text} {error:?}").contains("hunter2"));
    }
    assert_eq!(store.inner().load(&alice()).await.unwrap(), before);
}

#[tokio::test]
async fn the_store_inside_sees_the_generation_and_no_secret() {
    let stored = inner().await.load(&alice()).await.unwrap().unwrap();
    assert_eq!((stored.generation(), stored.refresh_token()), (1, None));
    assert!(!stored.to_json().expose().contains("hunter2"));
    assert!(stored.sealed_text().unwrap().expose().starts_with("1.old."));
}

#[tokio::test]
async fn no_two_encryptions_are_the_same() {
    let (one, other) = (inner().await, inner().await);
    assert_ne!(one.load(&alice()).await.unwrap(), other.load(&alice()).await.unwrap());
}

#[tokio::test]
async fn a_wrong_or_unknown_key_is_an_error_and_loses_nothing() {
    let inner = inner().await;
    assert_refused(&EncryptedStore::new(inner.clone(), key("old", 2)), "does not open with the key `old`")
        .await;
    assert_refused(&EncryptedStore::new(inner.clone(), key("new", 1)), "the key `old`, which was not given")
        .await;
    let right = EncryptedStore::new(inner, key("old", 1));
    assert_eq!(right.load(&alice()).await.unwrap(), Some(record(1)));
}

#[tokio::test]
async fn a_record_opens_under_its_own_name_and_generation_alone() {
    let inner = inner().await;
    let sealed = inner.load(&alice()).await.unwrap().unwrap();
    let store = EncryptedStore::new(inner.clone(), key("old", 1));
    assert!(inner.delete_if(&alice(), 1).await.unwrap());
    inner.compare_and_swap(&"bob".into(), None, &sealed).await.unwrap();
    let error = store.load(&"bob".into()).await.unwrap_err();
    assert!(error.to_string().contains("it was altered"), "{error}");
    let later = Record::sealed(2, sealed.sealed_text().unwrap().clone());
    inner.compare_and_swap(&alice(), None, &later).await.unwrap();
    assert_refused(&store, "it was altered").await;
}

#[tokio::test]
async fn an_altered_record_is_an_error() {
    let inner = inner().await;
    let text = inner.load(&alice()).await.unwrap().unwrap().sealed_text().unwrap().expose().to_owned();
    let place = text.len() / 2;
    let other = if text.as_bytes()[place] == b'A' { "B" } else { "A" };
    for (altered, words) in [
        (format!("{}{other}{}", &text[..place], &text[place + 1..]), "it was altered"),
        (text[..place].to_owned(), "the record of"),
        (text.replacen("1.", "2.", 1), "in a way that this program does not know"),
        (String::new(), "in a way that this program does not know"),
    ] {
        assert!(inner.delete_if(&alice(), 1).await.unwrap());
        inner.compare_and_swap(&alice(), None, &Record::sealed(1, altered)).await.unwrap();
        assert_refused(&EncryptedStore::new(inner.clone(), key("old", 1)), words).await;
    }
}

#[tokio::test]
async fn keys_are_rotated_with_each_change_or_at_once() {
    let inner = inner().await;
    let both = EncryptedStore::new(inner.clone(), key("new", 2)).also_reading(key("old", 1));
    let new = EncryptedStore::new(inner.clone(), key("new", 2));
    assert_eq!(both.load(&alice()).await.unwrap(), Some(record(1)));
    assert!(new.load(&alice()).await.is_err());
    assert!(both.reencrypt(&alice()).await.unwrap());
    assert_eq!(new.load(&alice()).await.unwrap(), Some(record(1)), "the same record, with its generation");
    assert!(!both.reencrypt(&alice()).await.unwrap());
    assert!(!both.reencrypt(&"nobody".into()).await.unwrap());

    let old = EncryptedStore::new(inner.clone(), key("old", 1)).also_reading(key("new", 2));
    assert_eq!(old.compare_and_swap(&alice(), Some(1), &record(2)).await.unwrap(), Swap::Stored);
    assert_eq!(both.compare_and_swap(&alice(), Some(2), &record(3)).await.unwrap(), Swap::Stored);
    assert_eq!(new.load(&alice()).await.unwrap(), Some(record(3)));
}

#[tokio::test]
async fn plain_records_are_refused_unless_they_are_asked_for() {
    let inner = MemoryStore::new();
    inner.compare_and_swap(&alice(), None, &record(1)).await.unwrap();
    let strict = EncryptedStore::new(inner.clone(), key("old", 1));
    assert_refused(&strict, "is not encrypted").await;
    let lenient = strict.clone().dangerously_reading_plain();
    assert_eq!(lenient.load(&alice()).await.unwrap(), Some(record(1)));
    assert!(lenient.reencrypt(&alice()).await.unwrap());
    assert_eq!(strict.load(&alice()).await.unwrap(), Some(record(1)));
}

#[test]
fn nothing_of_a_key_is_printed() {
    let store = EncryptedStore::new(MemoryStore::new(), key("old", 255));
    let shown = format!("{store:?}");
    assert!(shown.contains("EncryptionKey(\"old\")") && !shown.contains("255"), "{shown}");
    let error = EncryptionKey::from_base64("a", &"hunter2".into()).unwrap_err();
    assert!(
        matches!(error, ConfigError::InvalidEncryptionKey { .. }) && !error.to_string().contains("hunter2")
    );
}
