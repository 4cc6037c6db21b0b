//! Amazon's side over its own client: credentials, calls and their failures, tokens for MSK.

mod asked;
pub mod clients;
pub mod clusters;
pub mod failure;
pub mod logs;
pub mod metrics;
pub mod place;
pub mod reference;
pub mod replicators;
pub mod secrets;
pub mod token;

pub use clients::{Clients, Notice};
