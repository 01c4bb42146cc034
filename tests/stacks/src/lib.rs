//! What the tests of stacks share; nothing that anybody else could use.

pub mod loopback;
pub mod stage;

/// Runs the examples of the README, which need more than the library's own tests have.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeExamples;
