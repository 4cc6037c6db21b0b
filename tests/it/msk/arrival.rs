//! `replicate --until caught-up`: it ends once copies of all last records are found on MSK, and not before.

use std::time::Duration;

use super::{Scene, external};
use crate::support::{
    aws::carrier::{Carrier, Place},
    kafka::Kafka,
    load::Load,
    read::{self, View},
    shared_pair, wait,
};

const LIMIT: Duration = Duration::from_secs(60);
const UNTIL: [&str; 3] = ["replicate", "--until", "caught-up"];

fn place(kafka: &Kafka, id: &str) -> Place {
    Place {
        id: id.to_owned(),
        bootstrap: kafka.bootstrap(),
    }
}

type Content = (Option<Vec<u8>>, Option<Vec<u8>>, i64);

/// What a reader is given of both partitions, without what a copier adds.
fn content(kafka: &Kafka, topic: &str) -> Vec<Content> {
    let each = (0..2).flat_map(|at| read::partition(kafka, topic, at, View::Committed));
    each.map(|record| (record.key, record.value, record.timestamp))
        .collect()
}

#[test]
fn it_waits_for_the_copies_of_what_was_there_and_for_nothing_that_fails() {
    let scene = Scene::new("msk-arrival");
    let msk = &shared_pair().1;
    let id = external().metadata().cluster_id;
    let (here, there) = (place(external(), &id), place(msk, "msk"));
    let carrier = Carrier::attach(&scene.aws, here, there);
    // With nothing to be copied there is nothing to wait for.
    scene.run(&UNTIL).assert_exit(0);
    let load = || Load::to(&[(&scene.topic, 2)]).utf8_headers();
    let forward = scene.aws.replicator(&scene.names[0]);
    let arn = forward.expect("it is there").arn;
    carrier.with(&arn, |copier| copier.pause());
    load().fill(external(), 300);
    let mut waits = scene.command(&UNTIL).start();
    waits.wait_for("not on MSK yet", LIMIT);
    // More looks than one, and it waits still.
    let looks = scene.aws.requests_of("DescribeReplicator").len();
    wait::until("it asked again", LIMIT, || {
        scene.aws.requests_of("DescribeReplicator").len() > looks + 3
    });
    assert!(!waits.has_ended(), "{}", waits.said());
    carrier.with(&arn, |copier| copier.resume());
    let ended = waits.wait(LIMIT);
    ended.assert_exit(0);
    assert!(ended.stderr.contains("caught up"), "{ended}");
    let wanted = content(external(), &scene.topic);
    assert_eq!(wanted.len(), 300);
    assert_eq!(content(msk, &scene.topic), wanted);

    carrier.with(&arn, |copier| copier.pause());
    load().fill(external(), 10);
    // Somebody who leaves is told that nothing is lost.
    let mut waits = scene.command(&UNTIL).start();
    waits.wait_for("not on MSK yet", LIMIT);
    waits.interrupt();
    let left = waits.wait(LIMIT);
    left.assert_exit(9);
    assert!(left.stderr.contains("K329"), "{left}");
    // What is told to be typed next waits for the same.
    assert!(left.stderr.contains("--until caught-up"), "{left}");
    // A replicator that fails is not waited for.
    let mut waits = scene.command(&UNTIL).start();
    waits.wait_for("not on MSK yet", LIMIT);
    let cannot = "Cannot assume the execution role";
    scene.aws.fail(&scene.names[0], "AccessDenied", cannot);
    let failed = waits.wait(LIMIT);
    failed.assert_exit(10);
    assert!(failed.stderr.contains("K322"), "{failed}");
}

#[test]
fn what_never_comes_is_not_waited_for() {
    let scene = Scene::new("msk-never");
    let refused = scene.run(&[UNTIL.as_slice(), &["--direction", "reverse"]].concat());
    refused.assert_exit(2);
    assert!(refused.stderr.contains("never copied"), "{refused}");
    // All that does not fit is told at once.
    let both = ["--direction", "reverse", "--rate", "5MB"];
    let refused = scene.run(&[UNTIL.as_slice(), &both].concat());
    refused.assert_exit(2);
    for told in ["--rate cannot", "--until caught-up neither"] {
        assert!(refused.stderr.contains(told), "{refused}");
    }
    let migration = &scene.migration;
    migration.edit("[ready]", "[replication]\nstart = \"latest\"\n\n[ready]");
    scene.run(&UNTIL).assert_exit(2);
    assert_eq!(scene.replicators(), []);
}
