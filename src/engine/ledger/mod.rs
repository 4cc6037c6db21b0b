//! The shard's durable record in Kafka: claims, identities, runs, checkpoints.

pub mod read;
pub mod record;
pub mod state;
pub mod write;

/// Name of the ledger topic of a migration; its partitions are the shards.
pub fn topic(migration: &str) -> String {
    format!("kafka-migrate.{migration}.forward")
}

/// Transactional id under which a shard's ledger is written.
pub fn ledger_id(migration: &str, shard: u32) -> String {
    format!("kafka-migrate.{migration}.forward.{shard}.ledger")
}

/// Transactional id of the n-th data identity of a shard.
pub fn data_id(migration: &str, shard: u32, number: u32) -> String {
    format!("kafka-migrate.{migration}.forward.{shard}.data.{number}")
}
