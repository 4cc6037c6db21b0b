//! The one test binary: real brokers, faults, the command line, hostile bytes.
#![forbid(unsafe_code)]

mod cli;
mod faults;
mod hostile;
mod model;
mod support;
