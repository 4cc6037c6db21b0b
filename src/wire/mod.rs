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
pub mod leaders;
pub mod record;
pub mod retry;
pub mod scram;
pub mod slices;
mod socket;
pub mod tls;
pub mod versions;

pub use error::Error;
