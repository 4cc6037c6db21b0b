//! Amazon's side over its own client: credentials, calls and their failures, tokens for MSK.

mod asked;
pub mod clients;
pub mod clusters;
pub mod failure;
pub mod reference;
pub mod replicators;
pub mod secrets;
pub mod token;

pub use clients::{Clients, Notice};

use crate::{error::Failure, exit::Exit};

/// An answer without what it always has.
fn lacks(action: &str, what: &str) -> Failure {
    Failure::new(
        Exit::Aws,
        "K310",
        format!("the answer to {action} has no {what}"),
    )
    .hint("is there something between this machine and AWS?")
}
