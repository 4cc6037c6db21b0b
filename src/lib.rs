//! The module list in reading order, and the direction in which modules may import each other.
#![warn(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::unwrap_used
)]

pub mod clock;
pub mod error;
pub mod events;
pub mod exit;
pub mod lock;

pub mod model;
pub mod msk;

pub mod run;

pub mod wire;

pub mod sandbox;

pub mod cluster;

pub mod engine;

pub mod config;

pub mod observe;

#[cfg(feature = "aws")]
pub mod aws;

pub mod gates;

pub mod explain;

pub mod verify;

pub mod phases;

pub mod report;

pub mod ui;

#[cfg(feature = "rdkafka")]
pub mod demo;

pub mod cli;
