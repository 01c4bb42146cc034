//! Pages that belong to no single module.

#[doc = include_str!("../docs/defaults.md")]
pub mod defaults {}

#[cfg(feature = "oauth2")]
#[doc = include_str!("../docs/fleet.md")]
pub mod fleet {}

#[cfg(feature = "oauth2")]
#[doc = include_str!("../docs/refreshing.md")]
pub mod refreshing {}
