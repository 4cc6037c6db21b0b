//! An application goes back without the target: what it wrote there and had not come back waits for a person once the target is there again.

use std::{collections::BTreeSet, sync::atomic::Ordering, time::Duration};

use super::Scene;
use crate::{
    phases::{
        applications::{PARTITIONS, partition_of},
        judged::judge,
        three::NAMES,
    },
    support::{kafka::Kafka, shared_pair, tool::Tool, wait},
};

const PATIENCE: Duration = Duration::from_secs(120);
const WRITER: &str = NAMES[0];
const NAME: &str = NAMES[1];
const READER: &str = NAMES[2];

impl Scene<'_> {
    /// Every way past a stop that `status` names, by its flag.
    fn ways(&self, flag: &str) -> BTreeSet<String> {
        let said = self.migration.run(&["status"]).stdout;
        let named = said.split(flag).skip(1);
        let words = named.filter_map(|rest| rest.split_whitespace().next());
        words.map(str::to_owned).collect()
    }

    /// Moves it, once its gates are open.
    #[track_caller]
    fn moves_when_open(&self) {
        let ready = ["ready", "--app", NAME, "--wait", "3m"];
        self.migration.run(&ready).assert_exit(0);
        self.moves(&["cutover", "--app", NAME]).assert_exit(0);
    }

    /// The last of the three was given every number once, in order; the one in between lacks none.
    #[track_caller]
    fn was_given_all_once(&self) {
        self.three.applications.stop(WRITER, "source");
        let written = self.three.applications.written.load(Ordering::Relaxed);
        for partition in 0..PARTITIONS {
            let all = (0..written).filter(|number| partition_of(*number) == partition);
            let all: Vec<u64> = all.collect();
            wait::until("all has gone through", PATIENCE, || {
                self.three.given(READER, partition).last() == all.last()
            });
            assert_eq!(self.three.given(READER, partition), all, "{partition}");
            let judged = judge(&self.three.given(NAME, partition), &all);
            let judged =
                judged.unwrap_or_else(|why| panic!("{NAME}, partition {partition}: {why}"));
            assert_eq!(judged.lost, [0; 0], "{NAME}, partition {partition}");
        }
    }
}

fn records(kafka: &Kafka, topic: &str) -> i64 {
    kafka.end_offsets(topic).map_or(0, |ends| ends.iter().sum())
}

#[test]
fn what_an_application_left_behind_waits_for_a_person() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("moves-stranding").start();
    let scene = Scene::new("stranding", true, source, &target);
    let [orders, status] = scene.three.topics.clone();
    let engine: Tool = scene.engine();
    scene.three.wait_for_more(50);
    scene.moves_when_open();
    scene.three.wait_for_more(50);
    // It stands still for a moment, so that there is something to do once nothing comes back any more.
    scene.three.applications.stop(NAME, "target");
    wait::until("all has come back", PATIENCE, || {
        records(source, &status) == records(&target, &status)
    });
    let before = records(&target, &orders);
    wait::until("there is something to do", PATIENCE, || {
        records(&target, &orders) >= before + 60
    });
    engine.kill();
    scene.three.applications.start(NAME, "target");
    let came_back = records(source, &status);
    wait::until("it has done it", PATIENCE, || {
        records(&target, &status) >= came_back + 60
    });
    scene.three.applications.stop(NAME, "target");
    target.kill(0);
    let back = scene.moves(&["rollback", "--app", NAME, "--without-target"]);
    back.assert_exit(0);
    assert!(back.stderr.contains("waits for a person"), "{back}");
    scene.three.wait_for_more(100);
    target.start_again(0);
    // Whichever engine comes next heeds it before it copies anything.
    let engine = scene.engine();
    let flag = "--accept-gap ";
    let mut ways = BTreeSet::new();
    let all_wait = wait::whether(PATIENCE, || {
        ways = scene.ways(flag);
        ways.len() == usize::try_from(PARTITIONS).expect("it is small")
    });
    let stopped = scene.migration.run(&["status"]);
    assert!(all_wait, "{ways:?}\n{stopped}\n{}", engine.said());
    assert!(stopped.stdout.contains("K562"), "{stopped}");
    assert_eq!(scene.ways("--not-ours ").len(), ways.len(), "{stopped}");
    scene.three.wait_for_more(50);
    engine.interrupt();
    engine.wait(PATIENCE).assert_exit(130);
    let mut arguments = vec!["replicate"];
    for way in &ways {
        arguments.extend(["--accept-gap", way]);
    }
    let mut engine = scene.migration.command(&arguments).start();
    engine.wait_for("claimed", PATIENCE);
    // The ledger on the target has not heard that it went back.
    scene.moves(&["rollback", "--app", NAME]).assert_exit(0);
    // And it moves again: what it writes there now comes back as ever.
    scene.moves_when_open();
    scene.three.wait_for_more(50);
    scene.was_given_all_once();
    Scene::stop(engine);
}
