//! The one test binary: real brokers, faults, the command line, hostile bytes, the documents, the architecture.

mod documents;
mod faults;
mod hostile;
mod layers;
mod support;
