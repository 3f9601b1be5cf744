//! The guide: the pages of `docs/` with the reference of the configuration.

#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/configuration.md")]
pub mod configuration {}
