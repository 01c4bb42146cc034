//! Pages that belong to no single module.

#[doc = include_str!("../docs/defaults.md")]
pub mod defaults {}
