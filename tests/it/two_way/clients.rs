//! Clients that are switched from one cluster to the other and keep their producer: the new cluster takes what they send, and so do we.

use super::{ON_SOURCE, ON_TARGET, assert_both_have_all, identities, two_way, wait_until_even};
use crate::support::{
    codecs::{Envelope, Record, encode},
    kafka::Kafka,
    shared_pair,
    tool::PATIENCE,
    unique, wait,
};

/// Records that a client sends under the producer id that it has, one a batch.
struct Client {
    topic: String,
    producer_id: i64,
    sequence: i32,
}

impl Client {
    fn sends(&mut self, to: &Kafka, mark: &str, count: i32) {
        let mut wire = to.wire_to_leader(&self.topic, 0).expect("it has a leader");
        for _ in 0..count {
            let value = format!("{mark}client {} {}", self.producer_id, self.sequence);
            let record = Record {
                offset: 0,
                timestamp: now(),
                key: None,
                value: Some(value.into_bytes()),
                headers: Vec::new(),
            };
            let envelope = Envelope {
                producer_id: self.producer_id,
                producer_epoch: 0,
                base_sequence: self.sequence,
            };
            let batch = encode(envelope, &[record]);
            let produced = wire.produce(&self.topic, 0, &batch).expect("an answer");
            assert!(produced.is_ok(), "{produced:?}");
            self.sequence += 1;
        }
    }
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.expect("it is later than 1970").as_millis()).expect("it is not that late")
}

#[test]
fn clients_that_keep_their_producer_across_the_switch_lose_nothing() {
    let (source, target) = shared_pair();
    let topic = unique("keeps-its-producer");
    source.create_topic(&topic, 1, &[]);
    let migration = two_way(source, target, &topic, &[&topic]);
    let mut tool = migration.command(&["replicate", "--json"]).start();
    wait::until("the topic is met", PATIENCE, || {
        target.partitions(&topic) > 0
    });
    tool.wait_for("shard-claimed", PATIENCE);
    // Producer ids are numbers that each cluster gives out for itself: ours on one side may be anybody's on the other.
    let ours = |kafka, direction: &str| -> Vec<i64> {
        let all = identities(kafka, &format!("kafka-migrate.{topic}.{direction}"));
        all.into_iter()
            .map(|(producer_id, _)| producer_id)
            .collect()
    };
    let (there, back) = (ours(target, "forward"), ours(source, "reverse"));
    let client = |producer_id| Client {
        topic: topic.clone(),
        producer_id,
        sequence: 0,
    };
    let only_in = |all: &[i64], others: &[i64]| {
        let one = all.iter().find(|id| !others.contains(id));
        one.copied().map(client)
    };
    let mut switched = client(1_000_000_007);
    let (mut on_source, mut on_target) = (only_in(&there, &back), only_in(&back, &there));
    for round in 0..3 {
        match round {
            0 => switched.sends(source, ON_SOURCE, 20),
            _ => switched.sends(target, ON_TARGET, 20),
        }
        if let Some(client) = &mut on_source {
            client.sends(source, ON_SOURCE, 20);
        }
        if let Some(client) = &mut on_target {
            client.sends(target, ON_TARGET, 20);
        }
        wait_until_even(source, target, &[&topic], &|| tool.said());
        if round == 1 {
            tool.kill();
            tool = migration.command(&["replicate", "--json"]).start();
        }
    }
    let (there, back) = assert_both_have_all(source, target, &topic);
    assert!(there >= 20 && back >= 2 * 20, "{there}, {back}");
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
}
