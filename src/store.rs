//! Implementations of [`TokenStore`](crate::token::TokenStore).
//!
//! | store | shared by | lost with |
//! |---|---|---|
//! | [`MemoryStore`], the default | the clones of it | the process |
//!
//! To write one of your own, implement three methods; [`Record::to_json`](crate::token::Record::to_json) gives a text to
//! keep.

// It lives beside the manager, whose default it is.
pub use crate::token::memory::MemoryStore;
