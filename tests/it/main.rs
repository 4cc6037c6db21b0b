//! The one test binary: real brokers, faults, the command line, hostile bytes, the protocol's model, the documents, the architecture.

#[cfg(feature = "aws")]
mod aws;
mod cli;
mod clients;
mod crash;
mod demo;
mod documents;
mod faults;
mod gates;
mod groups;
mod guides;
mod hostile;
mod layers;
mod logins;
mod machine_output;
mod model;
mod moves;
#[cfg(feature = "aws")]
mod msk;
mod phases;
mod rules;
mod run;
mod support;
mod sync;
mod two_way;
mod verify_two_ways;
mod worlds;
