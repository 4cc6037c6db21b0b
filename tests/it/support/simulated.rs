//! A source and a target that are simulated: for moments that real brokers cannot be held at.

use kafka_migrate::sandbox::{Cluster, ClusterPlan, Plan, Sandbox};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
};
use tokio::runtime::Runtime;

use super::{
    codecs::{Envelope, Record, decode, encode},
    raw::Wire,
    tool::{Migration, PATIENCE},
    wait,
};

const SIDES: [&str; 2] = ["source", "target"];

/// Two clusters of one broker, a topic of one partition on the source, and a migration of it. Dropped, everything ends.
pub struct Pair {
    sandbox: Sandbox,
    pub migration: Migration,
    topic: String,
    _runtime: Runtime,
}

impl Pair {
    pub fn new(name: &str, topic: &str) -> Self {
        let runtime = Runtime::new().expect("threads can be had");
        // Clusters serve on this runtime from now on.
        let entered = runtime.enter();
        let plan = Plan {
            clusters: SIDES.map(ClusterPlan::new).into(),
            seed: 1,
        };
        let sandbox = runtime.block_on(Sandbox::start(plan)).expect("it starts");
        drop(entered);
        let section = |side| {
            let servers = cluster(&sandbox, side).bootstrap();
            format!("[{side}]\nbootstrap = [{servers:?}]\n\n")
        };
        let sides: String = SIDES.map(section).concat();
        let text =
            format!("version = 1\nname = {name:?}\n\n{sides}[scope]\ntopics = [{topic:?}]\n");
        assert!(cluster(&sandbox, "source").create_topic(topic, 1, 1, &[]));
        Self {
            migration: Migration::from_text(name, &text),
            sandbox,
            topic: topic.to_owned(),
            _runtime: runtime,
        }
    }

    pub fn source(&self) -> &Cluster {
        cluster(&self.sandbox, "source")
    }

    pub fn target(&self) -> &Cluster {
        cluster(&self.sandbox, "target")
    }

    fn wire(&self) -> Wire {
        Wire::connect(&self.source().bootstrap()).expect("it takes connections")
    }

    /// So many records on the source, each a batch of its own; its number is its value.
    pub fn write(&self, numbers: impl IntoIterator<Item = u32>) {
        let mut wire = self.wire();
        for number in numbers {
            let record = Record {
                offset: 0,
                timestamp: self.source().clock(),
                key: None,
                value: Some(number.to_string().into_bytes()),
                headers: Vec::new(),
            };
            let written = wire.produce(&self.topic, 0, &encode(Envelope::PLAIN, &[record]));
            written.expect("it answers").expect("it is taken");
        }
    }

    /// The group has read the source's records below.
    pub fn commit(&self, group: &str, offset: i64) {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.source().bootstrap())
            .set("group.id", group)
            .set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().expect("a consumer can be made");
        let mut list = TopicPartitionList::new();
        let added = list.add_partition_offset(&self.topic, 0, Offset::Offset(offset));
        added.expect("it is an offset");
        wait::until("the position is taken", PATIENCE, || {
            consumer.commit(&list, CommitMode::Sync).is_ok()
        });
    }

    /// The source's records below are gone.
    pub fn delete(&self, before: i64) {
        let deleted = self.wire().delete_records(&self.topic, 0, before);
        deleted.expect("it answers").expect("they go");
    }

    /// The numbers that the target holds.
    pub fn copied(&self) -> Vec<u32> {
        let stored = self.target().stored(&self.topic, 0);
        let batches = stored.iter().flat_map(|bytes| decode(bytes));
        let plain = batches.filter(|batch| !batch.is_control);
        let values = plain.flat_map(|batch| batch.records);
        let number = |record: Record| {
            let value = record.value.expect("it has one");
            let text = String::from_utf8(value).expect("it is text");
            text.parse().expect("it is a number")
        };
        values.map(number).collect()
    }
}

fn cluster<'a>(sandbox: &'a Sandbox, side: &str) -> &'a Cluster {
    sandbox.cluster(side).expect("it is in the plan")
}
