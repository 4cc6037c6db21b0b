//! What the ledgers of a migration say, folded by the program's own code.

use kafka_migrate::{
    engine::ledger::{self, record::Record, state::State},
    model::{direction::Direction, map::Way, names::TopicPartition},
};

use super::{
    kafka::Kafka,
    read::{self, View},
};

/// What the ledger of a direction, which stands on the cluster that is written, says of partition 0 of a topic by now.
pub fn way(written: &Kafka, migration: &str, direction: Direction, topic: &str) -> Option<Way> {
    let name = ledger::topic(migration, direction);
    (0..written.partitions(&name)).find_map(|shard| {
        let mut state = State::default();
        for record in read::partition(written, &name, shard, View::Uncommitted) {
            let value = record.value.expect("ledger records have values");
            let told = Record::decode(&value).expect("it is ours");
            state.apply(told, record.offset);
        }
        let (_, partition) = state.partition(&TopicPartition::new(topic, 0))?;
        partition.way()
    })
}
