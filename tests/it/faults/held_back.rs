//! A request that the network keeps for long, while the source's cleaner takes its record away: what its sequence means does not change, so
//! nothing is lost behind it, wherever it arrives.

use std::{
    sync::OnceLock,
    time::{Duration, UNIX_EPOCH},
};

use crate::support::{
    codecs::Record,
    kafka::Kafka,
    proxy::Proxy,
    read::{self, View},
    seed, shared_pair,
    tool::{Access, Migration, PATIENCE, Tool},
    unique, wait,
};

use super::{
    event, held,
    holes::{UTF8, record, write},
};

/// Records copied before, each a batch of its own.
const BEFORE: i64 = 5;
/// The record whose request is held back, and which is taken away on the source.
const HELD: i64 = BEFORE;
/// INVALID_PRODUCER_EPOCH.
const FENCED: i16 = 47;

/// The target, started once. Its own cleaner sleeps, so that whatever was appended can be read.
fn target() -> &'static (Kafka, Proxy) {
    static TARGET: OnceLock<(Kafka, Proxy)> = OnceLock::new();
    TARGET.get_or_init(|| {
        let kafka = Kafka::spec("held-back")
            .set("log.cleaner.backoff.ms", "600000")
            .proxied()
            .start();
        let proxy = Proxy::start(&kafka, seed());
        (kafka, proxy)
    })
}

struct Scene {
    topic: String,
    migration: Migration,
    written: i64,
}

impl Scene {
    /// A compacted topic, some of it copied by a run that goes on, and one request of that run which the network keeps.
    fn begin(name: &str) -> (Self, Tool) {
        let ((source, _), (target, proxy)) = (shared_pair(), target());
        let topic = unique(name);
        let settings = [
            ("cleanup.policy", "compact"),
            ("segment.ms", "100"),
            ("min.cleanable.dirty.ratio", "0.001"),
        ];
        source.create_topic(&topic, 1, &settings);
        let migration = Migration::new(
            &unique("kept"),
            Access::Plain(source),
            Access::Proxied(target),
            &[&topic],
        );
        let mut scene = Self {
            topic,
            migration,
            written: 0,
        };
        for number in 0..BEFORE {
            scene.write(&format!("key-{number}"));
        }
        let mut tool = scene.migration.command(&["--json", "replicate"]).start();
        tool.wait_for(&event("shard-claimed"), Duration::from_secs(60));
        scene.wait_for_target(BEFORE, &tool);
        proxy.hold_back(&scene.topic);
        scene.write("held");
        wait::until(
            &format!("the network keeps a request\n{}", tool.said()),
            Duration::from_secs(60),
            || proxy.held_back(&scene.topic) > 0,
        );
        (scene, tool)
    }

    /// Writes the next record, as a batch of its own.
    fn write(&mut self, key: &str) {
        let now = UNIX_EPOCH.elapsed().expect("a clock after 1970");
        let record = Record {
            timestamp: i64::try_from(now.as_millis()).expect("a clock before the far future"),
            value: Some(self.written.to_string().into_bytes()),
            ..record(self.written, Some(key.to_owned()), UTF8, 0)
        };
        write(shared_pair().0, &self.topic, 0, 0, &[record]);
        self.written += 1;
    }

    /// The source's cleaner takes away what is held back, and more records come behind it.
    fn compact(&mut self) {
        self.write("held");
        for number in 0..4 {
            // Each begins another segment: the last one is never cleaned.
            wait::elapse(Duration::from_millis(120));
            self.write(&format!("behind-{number}"));
        }
        wait::until("the cleaner took it away", Duration::from_secs(90), || {
            !self.numbers(shared_pair().0).contains(&HELD)
        });
    }

    /// Which records stand there, in their order.
    fn numbers(&self, kafka: &Kafka) -> Vec<i64> {
        let records = read::partition(kafka, &self.topic, 0, View::Uncommitted);
        let number = |record: Record| {
            let value = String::from_utf8(record.value?).ok()?;
            value.parse().ok()
        };
        let numbers = records.into_iter().map(number);
        numbers
            .collect::<Option<_>>()
            .expect("only what was written")
    }

    fn wait_for_target(&self, records: i64, tool: &Tool) {
        wait::until(
            &format!("{records} are copied\n{}", tool.said()),
            Duration::from_secs(60),
            || held(&target().0, &self.topic) >= records,
        );
    }

    /// The target holds everything once and in order, what was held back `is_there` or not.
    fn assert_target(&self, is_there: bool) {
        let mut expected: Vec<i64> = (0..self.written).collect();
        expected.retain(|&number| is_there || number != HELD);
        assert_eq!(self.numbers(&target().0), expected);
    }
}

/// One run, which lost the connection: it sends the bytes that it holds again, whatever the source says meanwhile.
fn one_run(name: &str, arrives_first: bool) {
    let (target, proxy) = target();
    let (mut scene, tool) = Scene::begin(name);
    scene.compact();
    if arrives_first {
        assert_eq!(proxy.deliver(&scene.topic), 0, "it is appended");
        assert_eq!(held(target, &scene.topic), BEFORE + 1);
    }
    proxy.let_through(&scene.topic);
    scene.wait_for_target(scene.written, &tool);
    if !arrives_first {
        proxy.deliver(&scene.topic);
    }
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    scene.migration.catch_up();
    scene.assert_target(true);
    scene.migration.verify();
}

#[test]
fn the_run_that_sent_it_sends_the_same_again_when_it_has_arrived() {
    one_run("held-first", true);
}

#[test]
fn the_run_that_sent_it_sends_the_same_again_before_it_arrives() {
    one_run("held-second", false);
}

#[test]
fn a_run_after_a_kill_finds_it_on_the_target() {
    let (_, proxy) = target();
    let (mut scene, tool) = Scene::begin("held-found");
    tool.kill();
    scene.compact();
    assert_eq!(proxy.deliver(&scene.topic), 0, "it is appended");
    proxy.let_through(&scene.topic);
    scene.migration.catch_up();
    scene.assert_target(true);
    scene.migration.verify();
}

#[test]
fn a_run_after_a_kill_shuts_it_out() {
    let (_, proxy) = target();
    let (mut scene, tool) = Scene::begin("held-out");
    tool.kill();
    scene.compact();
    proxy.let_through(&scene.topic);
    let tool = scene.migration.command(&["--json", "replicate"]).start();
    scene.wait_for_target(scene.written - 1, &tool);
    assert_eq!(proxy.deliver(&scene.topic), FENCED);
    scene.write("after");
    scene.wait_for_target(scene.written - 1, &tool);
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    scene.migration.catch_up();
    scene.assert_target(false);
    scene.migration.verify();
}
