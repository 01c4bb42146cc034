//! Implementations of [`TokenStore`](crate::token::TokenStore).
//!
//! | store | shared by | lost with |
//! |---|---|---|
//! | [`MemoryStore`], the default | the clones of it | the process |
//! | `FileStore` (feature `file`) | the processes of a host | the file |
//!
//! To write one of your own, implement three methods; [`Record::to_json`](crate::token::Record::to_json) gives a text to
//! keep.

#[cfg(feature = "encrypted")]
mod encrypted;
#[cfg(feature = "file")]
mod file;
#[cfg(feature = "keyring")]
mod keyring;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "keyring", feature = "postgres", feature = "redis", feature = "sqlite"))]
mod stored;

// It lives beside the manager, whose default it is.
pub use crate::token::memory::MemoryStore;
#[cfg(feature = "encrypted")]
pub use encrypted::EncryptedStore;
#[cfg(feature = "encrypted")]
pub use encrypted::EncryptionKey;
#[cfg(feature = "file")]
pub use file::FileStore;
#[cfg(feature = "keyring")]
pub use keyring::KeyringStore;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "redis")]
pub use redis::RedisStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
