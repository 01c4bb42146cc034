//! What the tests of stacks share; nothing that anybody else could use.

pub mod etcd;
pub mod guard;
pub mod loopback;
pub mod sides;
pub mod stage;

/// Runs the examples of the README, which need more than the library's own tests have.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeExamples;

/// Runs the examples of the page on stacks.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/stacks.md")]
struct StacksExamples;
