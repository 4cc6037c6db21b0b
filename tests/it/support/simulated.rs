//! A source and a target that are simulated, and a migration between them: for moments that real brokers cannot be held at.

use kafka_migrate::sandbox::{Cluster, ClusterPlan, Plan, Sandbox};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
};
use tokio::runtime::{Handle, Runtime};

use super::{
    codecs::{Envelope, Record, decode, encode},
    raw::Wire,
    tool::{Migration, PATIENCE},
    wait,
};

pub const SIDES: [&str; 2] = ["source", "target"];

/// Two clusters of one broker. Dropped, everything ends.
pub struct Clusters {
    sandbox: Sandbox,
    pub migration: Migration,
}

impl Clusters {
    /// `plan` makes a cluster of its name; `rest` is what the migration file says besides the clusters' addresses. They serve on `runtime`
    /// from now on.
    pub fn new(runtime: &Handle, plan: fn(&str) -> ClusterPlan, name: &str, rest: &str) -> Self {
        let _entered = runtime.enter();
        let plan = Plan {
            clusters: SIDES.map(plan).into(),
            seed: 1,
        };
        let sandbox = runtime.block_on(Sandbox::start(plan)).expect("it starts");
        let section = |side| {
            let servers = cluster(&sandbox, side).bootstrap();
            format!("[{side}]\nbootstrap = [{servers:?}]\n\n")
        };
        let sides: String = SIDES.map(section).concat();
        let text = format!("version = 1\nname = {name:?}\n\n{sides}{rest}");
        let migration = Migration::from_text(name, &text);
        Self { sandbox, migration }
    }

    pub fn cluster(&self, side: &str) -> &Cluster {
        cluster(&self.sandbox, side)
    }

    pub fn wire(&self, side: &str) -> Wire {
        Wire::connect(&self.cluster(side).bootstrap()).expect("it takes connections")
    }

    /// One record on the source, so long ago, in a batch of its own.
    pub fn write(&self, topic: &str, partition: i32, value: &[u8], ago_ms: i64) {
        let record = Record {
            offset: 0,
            timestamp: self.cluster("source").clock() - ago_ms,
            key: None,
            value: Some(value.to_vec()),
            headers: Vec::new(),
        };
        let batch = encode(Envelope::PLAIN, &[record]);
        let written = self.wire("source").produce(topic, partition, &batch);
        written.expect("it answers").expect("it is taken");
    }

    /// One that commits for a group.
    pub fn consumer(&self, side: &str, group: &str) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.cluster(side).bootstrap())
            .set("group.id", group)
            .set("enable.auto.commit", "false");
        config.create().expect("a consumer can be made")
    }

    /// Where the group stands on the source from now on, in partition 0 of a topic.
    pub fn commit(&self, group: &str, topic: &str, offset: i64) {
        let consumer = self.consumer("source", group);
        let mut list = TopicPartitionList::new();
        let added = list.add_partition_offset(topic, 0, Offset::Offset(offset));
        added.expect("it is an offset");
        wait::until("the position is taken", PATIENCE, || {
            consumer.commit(&list, CommitMode::Sync).is_ok()
        });
    }

    /// What is stored there, but for markers.
    pub fn records(&self, side: &str, topic: &str, partition: i32) -> Vec<Record> {
        let stored = self.cluster(side).stored(topic, partition);
        let batches = stored.iter().flat_map(|bytes| decode(bytes));
        let data = batches.filter(|batch| !batch.is_control);
        data.flat_map(|batch| batch.records).collect()
    }
}

fn cluster<'a>(sandbox: &'a Sandbox, side: &str) -> &'a Cluster {
    sandbox.cluster(side).expect("it is in the plan")
}

/// Two of them with a topic of one partition on the source, whose records are numbers.
pub struct Pair {
    clusters: Clusters,
    topic: String,
    _runtime: Runtime,
}

impl Pair {
    pub fn new(name: &str, topic: &str) -> Self {
        let runtime = Runtime::new().expect("threads can be had");
        let rest = format!("[scope]\ntopics = [{topic:?}]\n");
        let clusters = Clusters::new(runtime.handle(), ClusterPlan::new, name, &rest);
        assert!(clusters.cluster("source").create_topic(topic, 1, 1, &[]));
        Self {
            clusters,
            topic: topic.to_owned(),
            _runtime: runtime,
        }
    }

    pub fn migration(&self) -> &Migration {
        &self.clusters.migration
    }

    pub fn source(&self) -> &Cluster {
        self.clusters.cluster("source")
    }

    pub fn target(&self) -> &Cluster {
        self.clusters.cluster("target")
    }

    /// So many records on the source, each a batch of its own; its number is its value.
    pub fn write(&self, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            self.clusters
                .write(&self.topic, 0, number.to_string().as_bytes(), 0);
        }
    }

    /// The group has read the source's records below.
    pub fn commit(&self, group: &str, offset: i64) {
        self.clusters.commit(group, &self.topic, offset);
    }

    /// The source's records below are gone.
    pub fn delete(&self, before: i64) {
        let mut wire = self.clusters.wire("source");
        let deleted = wire.delete_records(&self.topic, 0, before);
        deleted.expect("it answers").expect("they go");
    }

    /// The numbers that the target holds.
    pub fn copied(&self) -> Vec<u32> {
        let records = self.clusters.records("target", &self.topic, 0).into_iter();
        let number = |record: Record| {
            let value = record.value.expect("it has one");
            let text = String::from_utf8(value).expect("it is text");
            text.parse().expect("it is a number")
        };
        records.map(number).collect()
    }
}
