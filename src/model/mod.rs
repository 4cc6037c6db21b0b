//! The nouns; no I/O, no async, no clocks.

pub mod acl;
pub mod application;
pub mod backend;
pub mod connection;
pub mod direction;
pub mod freeze;
pub mod limits;
pub mod map;
pub mod msk;
pub mod names;
pub mod numbers;
pub mod pace;
pub mod patterns;
pub mod scope;
pub mod secret;
