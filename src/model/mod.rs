//! The nouns; no I/O, no async, no clocks.

pub mod connection;
pub mod names;
pub mod pace;
pub mod scope;
pub mod secret;
