//! Implementations of [`TokenStore`](crate::token::TokenStore): where grants are kept.
//!
//! | store | feature | shared by | lost with | leases |
//! |---|---|---|---|---|
//! | [`MemoryStore`], the default | | the clones of it | the process | none |
//! | [`FileStore`] | `file` | the processes of a host | the file | in a file beside it, on the host's clock |
//! | [`SqliteStore`] | `sqlite` | the processes of a host | the database | rows, on the host's clock |
//! | [`PostgresStore`] | `postgres` | all who reach the server | the database | rows, on the server's clock |
//! | [`RedisStore`] | `redis` | all who reach the server | the server's memory, unless it appends to a file | keys that expire, on the server's clock |
//! | [`KeyringStore`] | `keyring` | the processes of a user, one at a time | the keyring | none |
//! | [`EncryptedStore`] | `encrypted` | as the store inside | the store inside, or the encryption key | of the store inside |
//!
//! # Which one
//! - Grants that begin anew by themselves (client credentials) need no store but the default.
//! - A user's login must outlive the process: a file for a program on one machine, SQLite where there are many thousands of them.
//! - Several hosts share PostgreSQL or Redis. Both keep order; PostgreSQL is the one that loses nothing in a failover.
//! - Whatever others may read (a backup, a disk, a colleague's console) belongs inside an [`EncryptedStore`].
//!
//! # What every store does
//! A record is replaced as a whole, and only by whoever knows its generation: who comes late finds a conflict, and overwrites
//! nothing. What cannot be read (cut off, foreign, written by a later version, encrypted with another key) is an error that says
//! where it is, and is never taken for an empty place: nobody is logged out because a file was damaged.
//!
//! # Leases
//! Comparing generations protects the record, but not the refresh token: of two processes that present the same one, the server
//! answers one, and may end the grant for both. So whoever is about to present it takes the lease of its key, with a random
//! name of his own, and the others wait and then find the new token in the store.
//! - It lasts [`lease_ttl`](crate::token::TokenManagerBuilder::lease_ttl) (60 s), and is renewed while the exchange lasts. When its
//!   holder crashes, it ends by itself, and another goes on.
//! - Only its holder can renew it or give it back. Who has lost it, because he was suspended for too long, can still finish his
//!   exchange, but can replace only the generation he began with.
//! - A login ([`put`](crate::token::TokenManager::put)) does not wait for it.
//! - Stores without leases are for one process, in which the manager keeps order by itself.
//!
//! # One of your own
//! Implement three methods of [`TokenStore`](crate::token::TokenStore), and three more for leases;
//! [`Record::to_json`](crate::token::Record::to_json) gives a text to keep. `testing::store_conformance` (feature `testing`) checks all
//! that is said here.

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
#[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite"))]
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
