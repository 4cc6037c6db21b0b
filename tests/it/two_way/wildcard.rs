//! Everything in scope, both ways, and a second migration between the same clusters: nobody copies what another one writes.

use super::{ON_SOURCE, ON_TARGET, assert_both_have_all, two_way, wait_until_even};
use crate::support::{
    kafka::{Kafka, Version},
    load::Load,
    tool::PATIENCE,
};

fn is_refused(said: &str) -> bool {
    said.contains("G119") && said.contains("first (kafka-migrate.first.forward)")
}

#[test]
fn two_migrations_of_everything_copy_no_ledger_and_no_record_twice() {
    let (source, target) = std::thread::scope(|scope| {
        let source = scope.spawn(|| {
            let spec = Kafka::spec("all-source");
            spec.version(Version::V4_1).start()
        });
        let target = Kafka::spec("all-target").version(Version::V4_1).start();
        (source.join().expect("the source starts"), target)
    });
    let topics = ["orders", "payments"];
    let load = |mark| Load::to(&topics.map(|topic| (topic, 2))).marked(mark);
    for topic in topics {
        source.create_topic(topic, 2, &[]);
    }
    load(ON_SOURCE).fill(&source, 100);
    let first = two_way(&source, &target, "first", &["*"]);
    let tool = first.command(&["replicate", "--json"]).start();
    wait_until_even(&source, &target, &topics, &|| tool.said());

    // The second one may not begin where the first one is at work.
    let second = two_way(&source, &target, "second", &["*"]);
    let asked = second.run(&["preflight"]);
    asked.assert_exit(3);
    assert!(is_refused(&asked.stdout), "{asked}");
    // One that goes the other way would copy what the first one has copied.
    let turned = two_way(&target, &source, "turned", &["*"]);
    let asked = turned.run(&["preflight"]);
    asked.assert_exit(3);
    assert!(is_refused(&asked.stdout), "{asked}");

    // A topic that comes later is met, too.
    source.create_topic("stock", 1, &[]);
    let stock = Load::to(&[("stock", 1)]);
    stock.marked(ON_SOURCE).fill(&source, 50);
    wait_until_even(&source, &target, &["stock"], &|| tool.said());
    load(ON_TARGET).fill(&target, 100);
    load(ON_SOURCE).fill(&source, 100);
    let all = ["orders", "payments", "stock"];
    wait_until_even(&source, &target, &all, &|| tool.said());
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    for topic in all {
        assert_both_have_all(&source, &target, topic);
    }
    let ours = |kafka: &Kafka| {
        let all = kafka.metadata().topics.into_keys();
        let mut ours: Vec<String> = all
            .filter(|name| name.starts_with("kafka-migrate."))
            .collect();
        ours.sort_unstable();
        ours
    };
    assert_eq!(
        ours(&source),
        ["kafka-migrate.first.journal", "kafka-migrate.first.reverse"]
    );
    assert_eq!(
        ours(&target),
        ["kafka-migrate.first.forward", "kafka-migrate.first.journal"]
    );
}
