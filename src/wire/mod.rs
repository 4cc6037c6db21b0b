//! Kafka's protocol on a socket; knows nothing about migrations.

mod auth;
pub mod batch;
mod buffers;
mod certificate;
pub mod codec;
mod compress;
pub mod conn;
mod crc;
pub mod dial;
pub mod encode;
pub mod error;
pub mod frame;
pub mod frames;
pub mod kept;
pub mod leaders;
mod pipes;
pub mod record;
pub mod records;
pub mod retry;
pub mod scram;
mod skim;
pub mod slices;
mod socket;
pub mod tls;
pub mod versions;

pub use error::Error;
