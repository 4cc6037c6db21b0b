//! MSK Replicator on paper: the documents it is made from, the rules they have to keep, and what a person does besides; no AWS call.

mod advice;
mod casing;
mod commands;
mod described;
mod differences;
mod documents;
mod lists;
pub mod numbers;
mod request;
mod rules;
mod template;

pub use advice::{Advice, of_log, of_state};
pub use casing::wire;
pub use commands::{Commands, checks, commands};
pub use described::{Described, Lifecycle, ManagedCluster};
pub use differences::{Difference, differences, resent};
pub use documents::{Documents, Place, Standing, is_ours, names, secret_names, tags};
pub use lists::{Lists, NotWritable, lists};
pub use request::{
    ApacheKafkaCluster, ClientAuthentication, ConsumerGroupReplication, Direction,
    EncryptionInTransit, KafkaCluster, LogDelivery, LogDestination, MskCluster, ReplicationInfo,
    ReplicatorLogDelivery, Request, SaslScram, TopicReplication, Type, VpcConfig,
};
pub use rules::{Broken, broken};

#[cfg(test)]
pub(crate) use documents::tests as sample;
