//! Brokers that lie, stall, hang up or are no brokers: always an error, never a panic or a large allocation.

pub mod broker;
mod bytes;
mod lines;
pub mod tls;
