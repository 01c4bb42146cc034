//! Implementations of [`TokenStore`](crate::token::TokenStore).
//!
//! | store | shared by | lost with |
//! |---|---|---|
//! | [`MemoryStore`], the default | the clones of it | the process |
//! | `FileStore` (feature `file`) | the processes of a host | the file |
//!
//! To write one of your own, implement three methods; [`Record::to_json`](crate::token::Record::to_json) gives a text to
//! keep.

#[cfg(feature = "file")]
mod file;

#[cfg(feature = "file")]
pub use file::FileStore;
// It lives beside the manager, whose default it is.
pub use crate::token::memory::MemoryStore;
