//! Amazon's side over its own client: credentials, calls and their failures, tokens for MSK.

pub mod clients;
pub mod failure;
pub mod reference;
pub mod token;

pub use clients::{Clients, Notice};
