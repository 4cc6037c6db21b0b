//! Kafka's protocol on a socket; knows nothing about migrations.

pub mod batch;
pub mod codec;
pub mod conn;
pub mod error;
pub mod record;
pub mod retry;

pub use error::Error;
