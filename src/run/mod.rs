//! Steps become effects, once each, and are remembered: plans, their executor, the journal, hooks, the lock, confirmations, signals.
//!
//! What may be relied on:
//!
//! 1. No effect before its intent stands in the journal: on disk, and on at least one cluster.
//! 2. However a command ends, the same command goes on from the journal, on this machine or another.
//! 3. A plan ends *done*, *undone* or as *attention*. What is between is only until the same command runs again.
//! 4. An attestation is asked again whenever something is about to be done on the strength of it.

pub mod confirm;
pub mod copies;

pub mod executor;
pub mod file;
pub mod hooks;
pub mod journal;
pub mod lock;
pub mod placed;
pub mod plan;
pub mod signals;
pub mod state;
pub mod step;
pub mod upcast;
pub mod waiver;
