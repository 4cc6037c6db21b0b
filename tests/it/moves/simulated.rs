//! Two simulated clusters with what a migration meets there and makes there: topics old and new, a group, access rules, a freeze; and what they say.

use std::{ops::Deref, time::Duration};

use kafka_migrate::sandbox::ClusterPlan;
use rdkafka::{Offset, TopicPartitionList, consumer::Consumer as _};
use tokio::runtime::Handle;

use crate::support::{
    simulated::{Clusters, SIDES},
    wait,
};

pub const NAME: &str = "gone";
pub const GROUP: &str = "readers";
/// So old and so much of it that it is never all there: it is held open on the target for as long as an engine runs.
pub const AGED: &str = "aged";
/// Small and new: its group's position is there at once.
pub const FRESH: &str = "fresh";
const AGED_PARTITIONS: i32 = 2;
/// Where the group stands; copies have the same offsets.
pub const AT: i64 = 7;
pub const PATIENCE: Duration = Duration::from_secs(60);
const DAY_MS: i64 = 86_400_000;
/// What is set before anybody copies.
const LIMITS: [(&str, &str); 2] = [
    ("retention.ms", "604800000"),
    ("retention.bytes", "123456789"),
];
const TOPIC: i8 = 2;
const LITERAL: i8 = 3;
const READ: i8 = 3;
const WRITE: i8 = 4;
const DENY: i8 = 2;

/// One migration on clusters of its own. Dropped, everything ends.
pub struct Simulated(Clusters);

impl Deref for Simulated {
    type Target = Clusters;

    fn deref(&self) -> &Clusters {
        &self.0
    }
}

/// What both clusters say, but for records.
#[derive(Debug, PartialEq)]
pub struct Said {
    topics: [Vec<String>; 2],
    rules: [Vec<String>; 2],
    positions: [Option<i64>; 2],
}

impl Said {
    /// What is to be said once what a migration made is gone again: what was copied is there, and nothing is frozen.
    pub fn cleaned(self) -> Self {
        let Self { topics, rules, .. } = self;
        let [source, mut target] = topics;
        target.push(format!("{FRESH}, 1 partitions, [None, None]"));
        let denies = |rule: &String| rule.ends_with(&format!(" {WRITE} {DENY}"));
        let [mut allowed, _] = rules;
        allowed.retain(|rule| !denies(rule));
        Self {
            topics: [source, target],
            rules: [allowed.clone(), allowed],
            positions: [Some(AT); 2],
        }
    }
}

impl Simulated {
    /// With so many old records: none, and an engine has soon nothing to do.
    pub fn new(runtime: &Handle, two_way: bool, old: i32) -> Self {
        let plan = |name: &str| {
            let mut cluster = ClusterPlan::new(name);
            cluster.authorizer = true;
            cluster.super_users = vec!["User:ANONYMOUS".to_owned()];
            cluster
        };
        let rest = format!(
            "[scope]\ntopics = [{AGED:?}, {FRESH:?}]\ngroups = [{GROUP:?}]\n\n\
             [replication]\ntwo_way = {two_way}\nshards = 2\nrate = \"64KiB/s\"\n"
        );
        let simulated = Self(Clusters::new(runtime, plan, NAME, &rest));
        simulated.furnish(old);
        simulated
    }

    fn furnish(&self, old: i32) {
        let (source, target) = (self.cluster("source"), self.cluster("target"));
        assert!(source.create_topic(AGED, AGED_PARTITIONS as usize, 1, &[]));
        assert!(source.create_topic(FRESH, 1, 1, &[]));
        assert!(target.create_topic(AGED, AGED_PARTITIONS as usize, 1, &LIMITS));
        for number in 0..old {
            let partition = number % AGED_PARTITIONS;
            self.write(AGED, partition, &vec![b'a'; 20_000], 20 * DAY_MS);
        }
        for _ in 0..2 * AT {
            self.write(FRESH, 0, b"new", 0);
        }
        self.commit(GROUP, FRESH, AT);
        let mut wire = self.wire("source");
        let shop = "User:shop";
        let allowed = wire.allow(shop, (TOPIC, FRESH, LITERAL), READ);
        allowed.expect("it answers").expect("it is taken");
        // As a move that was cut off leaves them: the mark, and what it is about.
        for name in [&format!("kafka-migrate.{NAME}.freeze.{FRESH}"), FRESH] {
            let denied = wire.deny(shop, (TOPIC, name, LITERAL), WRITE);
            denied.expect("it answers").expect("it is taken");
        }
    }

    /// Where the group stands there.
    pub fn position(&self, side: &str) -> Option<i64> {
        let mut list = TopicPartitionList::new();
        list.add_partition(FRESH, 0);
        let found = self.consumer(side, GROUP).committed_offsets(list, PATIENCE);
        match found.expect("it answers").elements()[0].offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    pub fn said(&self) -> Said {
        Said {
            topics: SIDES.map(|side| {
                let topics = self.wire(side).metadata().expect("it answers").topics;
                let own = topics
                    .into_iter()
                    .filter(|(name, _)| !name.starts_with("__"));
                let described = own.map(|(name, leaders)| {
                    let mut wire = self.wire(side);
                    let settings = LIMITS.map(|(key, _)| wire.topic_setting(&name, key));
                    let settings = settings.map(|value| value.expect("it answers"));
                    format!("{name}, {} partitions, {settings:?}", leaders.len())
                });
                described.collect()
            }),
            rules: SIDES.map(|side| self.wire(side).access_rules("").expect("it answers")),
            positions: SIDES.map(|side| self.position(side)),
        }
    }

    /// Waits until an engine has made all that there is to remove, and more is on its way.
    pub fn wait_until_at_work(&self) {
        let held = || self.wire("target").topic_setting(AGED, "retention.ms");
        wait::until("old records are held open", PATIENCE, || {
            held().expect("it answers").as_deref() == Some("-1")
        });
        self.wait_until_carried();
        let rules = || self.wire("target").access_rules("").expect("it answers");
        wait::until("rules are there", PATIENCE, || !rules().is_empty());
    }

    /// Waits until all that is new is there.
    pub fn wait_until_copied(&self) {
        let end = || self.wire("target").offset(FRESH, 0, -1);
        wait::until(
            "new records are there",
            PATIENCE,
            || matches!(end(), Ok(Ok(end)) if end >= 2 * AT),
        );
    }

    /// Waits until the group stands on the target where it stood on the source.
    pub fn wait_until_carried(&self) {
        wait::until("the position is there", PATIENCE, || {
            self.position("target") == Some(AT)
        });
    }

    /// What is on the target is the beginning of what is on the source, each record once.
    #[track_caller]
    pub fn assert_copied(&self, why: &str) {
        for (topic, partitions) in [(AGED, AGED_PARTITIONS), (FRESH, 1)] {
            for partition in 0..partitions {
                let wanted = self.records("source", topic, partition);
                let found = self.records("target", topic, partition);
                let same = wanted.iter().zip(&found).all(|(a, b)| a.is_same(b));
                let is_part = found.len() <= wanted.len();
                assert!(same && is_part, "{why}: {topic}-{partition} differs");
            }
        }
    }

    /// Nothing holds back readers of committed records on the target.
    pub fn is_all_committed(&self) -> bool {
        let mut wire = self.wire("target");
        [(AGED, 0), (AGED, 1), (FRESH, 0)]
            .iter()
            .all(|(topic, at)| {
                let fetched = wire.fetch(topic, *at, 0, true, 1).expect("it answers");
                let fetched = fetched.expect("it is served");
                fetched.high_watermark == fetched.last_stable
            })
    }
}
