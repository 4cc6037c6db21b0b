//! The shard's durable record in Kafka: claims, identities, runs, checkpoints.

use crate::{error::Failure, exit::Exit, model::direction::Direction};

pub mod epochs;
pub mod mapped;
pub mod positions;
pub mod read;
pub mod record;
pub mod state;
pub mod synced;
pub mod write;

/// Name of the ledger topic of a migration's direction; its partitions are the shards. It stands on the cluster that is written.
pub fn topic(migration: &str, direction: Direction) -> String {
    format!("kafka-migrate.{migration}.{direction}")
}

/// Transactional id under which a shard's ledger is written.
pub fn ledger_id(migration: &str, direction: Direction, shard: u32) -> String {
    format!("kafka-migrate.{migration}.{direction}.{shard}.ledger")
}

/// Transactional id of the n-th data identity of a shard.
pub fn data_id(migration: &str, direction: Direction, shard: u32, number: u32) -> String {
    format!("kafka-migrate.{migration}.{direction}.{shard}.data.{number}")
}

/// Is a ledger the one that is wanted? The id given when it was made is not compared.
pub fn check_header(found: &record::Header, wanted: &record::Header) -> Result<(), Failure> {
    let differs = [
        ("migration", &found.migration, &wanted.migration),
        (
            "source cluster",
            &found.source_cluster,
            &wanted.source_cluster,
        ),
        (
            "target cluster",
            &found.target_cluster,
            &wanted.target_cluster,
        ),
        ("direction", &found.direction, &wanted.direction),
    ]
    .into_iter()
    .filter(|(_, found, wanted)| found != wanted)
    .map(|(what, found, wanted)| format!("its {what} is {found}, ours is {wanted}"))
    .collect::<Vec<_>>();
    if differs.is_empty() && found.shards == wanted.shards {
        return Ok(());
    }
    let direction = wanted.direction();
    let name = topic(&wanted.migration, direction);
    let mut failure = Failure::new(
        Exit::Refused,
        "K410",
        format!("the ledger {name} on the target belongs to another migration"),
    )
    .hint("give this migration another name, or point it at the clusters the ledger names")
    .next("kafka-migrate config");
    for difference in differs {
        failure = failure.cause(difference);
    }
    if found.shards != wanted.shards {
        failure = failure.cause(format!(
            "it has {} shards, the migration file says {}",
            found.shards, wanted.shards
        ));
    }
    Err(failure)
}
