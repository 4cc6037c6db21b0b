//! Who stops, kills and cleans: of real Apache Kafka through its processes and files, of the sandbox through its handle.

use std::time::Duration;

use kafka_migrate::sandbox::Cluster;
use tokio::runtime::Handle;

use super::stage::{Event, Operator};
use crate::support::{
    kafka::{Kafka, Spec, Version},
    raw::{Code, Wire},
    wait,
};

const PATIENCE: Duration = Duration::from_secs(60);
/// `ELECTION_NOT_NEEDED`: it leads already.
const LEADS: Code = Code(84);

/// What both kinds of clusters are set to: what takes minutes and days by default is to come within a rule's time.
pub const SETTINGS: &[(&str, &str)] = &[
    ("producer.id.expiration.check.interval.ms", "3000"),
    ("transactional.id.expiration.ms", "6000"),
];

/// Two brokers of Apache Kafka; the second is no controller.
pub struct Brokers(Kafka);

impl Brokers {
    pub fn start(version: Version) -> Self {
        let spec = Kafka::spec("operated").version(version);
        let own = [
            ("broker.session.timeout.ms", "6000"),
            ("broker.heartbeat.interval.ms", "500"),
            ("auto.leader.rebalance.enable", "false"),
            ("min.insync.replicas", "1"),
            ("transaction.state.log.min.isr", "1"),
            ("log.cleaner.backoff.ms", "200"),
            (
                "transaction.remove.expired.transaction.cleanup.interval.ms",
                "500",
            ),
        ];
        let all = own.iter().chain(SETTINGS);
        let spec = all.fold(spec, |spec: Spec, (name, value)| spec.set(name, value));
        Self(spec.brokers(2).one_controller().start())
    }

    pub fn bootstrap(&self) -> String {
        self.0.bootstrap().join(",")
    }
}

impl Operator for Brokers {
    fn make(&self, event: Event) {
        match event {
            Event::Stopped => self.0.stop(1),
            Event::Killed => self.0.kill(1),
            Event::Started => self.0.start_again(1),
            Event::Stands => self.0.pause(1),
            Event::Goes => self.0.resume(1),
        }
    }

    fn lead(&self, topic: &str, broker: i32) {
        let mut wire = self.0.wire();
        let asked = wire.reassign(topic, 0, &[broker, 3 - broker]);
        asked.expect("an answer").expect("the order is taken");
        wait::until("the leader moves", PATIENCE, || {
            let moved = wire.elect_preferred(topic, 0).expect("an answer");
            matches!(moved, Ok(()) | Err(LEADS))
        });
    }

    fn clean(&self, _topic: &str) {}

    fn lose(&self, topic: &str, from: i64) {
        self.0.cut_off_while_down(1, topic, 0, from);
    }
}

/// Two simulated ones.
pub struct Simulated {
    pub cluster: Cluster,
    pub runtime: Handle,
}

impl Operator for Simulated {
    fn make(&self, event: Event) {
        match event {
            Event::Stopped | Event::Killed => self.cluster.kill(2, false),
            Event::Started => {
                let started = self.runtime.block_on(self.cluster.start_again(2));
                started.expect("its port is free");
            }
            Event::Stands | Event::Goes => {
                let bootstrap = self.cluster.bootstrap();
                let address = bootstrap.split(',').next().expect("a broker");
                let all = Wire::connect(address).and_then(|mut wire| wire.metadata());
                for topic in all.expect("an answer").topics.keys() {
                    let held = event == Event::Stands;
                    self.cluster.hold_replication(topic, 0, held);
                }
            }
        }
    }

    fn lead(&self, topic: &str, broker: i32) {
        self.cluster.move_leader(topic, 0, broker);
    }

    fn clean(&self, topic: &str) {
        self.cluster.compact(topic);
    }

    fn lose(&self, topic: &str, from: i64) {
        self.cluster.lose_acknowledged(topic, 0, from);
    }
}
