//! `existing = "merge"`: what the target held before the migration goes back to the source, too.

use super::{ON_SOURCE, ON_TARGET, assert_both_have_all, two_way, wait_until_even};
use crate::{
    groups::{commit, committed},
    support::{
        kafka::Kafka,
        load::{Load, write_marked_transactions},
        shared_pair,
        tool::{Migration, PATIENCE},
        unique, wait,
    },
};

fn merging(source: &Kafka, target: &Kafka, topic: &str) -> Migration {
    let migration = two_way(source, target, topic, &[topic]);
    let says = format!("[[topic]]\nmatch = {topic:?}\nexisting = \"merge\"\n\n[replication]");
    migration.edit("[replication]", &says);
    migration
}

#[test]
fn what_the_target_held_before_goes_back_too_whatever_is_killed() {
    let (source, target) = shared_pair();
    let (topic, group) = (unique("merged"), unique("merger"));
    for (kafka, mark) in [(source, ON_SOURCE), (target, ON_TARGET)] {
        kafka.create_topic(&topic, 2, &[]);
        kafka.wait_for_partitions(&topic, 2);
        Load::to(&[(&topic, 2)]).marked(mark).fill(kafka, 400);
        write_marked_transactions(kafka, &topic, mark, 4, 3);
    }
    let migration = merging(source, target, &topic);
    let topics = format!("topics = [{topic:?}]");
    migration.edit(&topics, &format!("{topics}\ngroups = [{group:?}]"));
    let asked = migration.run(&["preflight"]);
    assert!(
        asked.stdout.contains("whose data stays before ours"),
        "{asked}"
    );
    let on_source = Load::to(&[(&topic, 2)])
        .marked(ON_SOURCE)
        .keep_writing(source, 200);
    for _ in 0..3 {
        let mut tool = migration.command(&["replicate", "--json"]).start();
        tool.wait_for("shard-claimed", PATIENCE);
        wait::elapse(std::time::Duration::from_millis(400));
        tool.kill();
    }
    on_source.stop();
    let tool = migration.command(&["replicate", "--json"]).start();
    wait_until_even(source, target, &[&topic], &|| tool.said());
    let (there, back) = assert_both_have_all(source, target, &topic);
    assert!(there > 400 && back > 400, "{there}, {back}");
    // Nothing of what the target held was read on the source: all of it is still to come there.
    commit(source, &group, &topic, 1, "one read");
    let stands = || committed(target, &group, &topic).is_some_and(|(offset, _)| offset == 0);
    assert!(
        wait::whether(PATIENCE, stands),
        "{:?}",
        committed(target, &group, &topic)
    );
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    migration.run(&["verify"]).assert_exit(0);
}

#[test]
fn the_first_run_until_all_has_caught_up_waits_for_what_the_target_held() {
    let (source, target) = shared_pair();
    let topic = unique("merged-at-once");
    for kafka in [source, target] {
        kafka.create_topic(&topic, 2, &[]);
        kafka.wait_for_partitions(&topic, 2);
    }
    // The source holds nothing: there is nothing to wait for in the direction there.
    Load::to(&[(&topic, 2)])
        .marked(ON_TARGET)
        .fill(target, 2_000);
    let migration = merging(source, target, &topic);
    // Nothing else is waited for.
    migration.edit(
        "[replication]",
        "[replication.sync]\nconfigs = false\nacls = false\n\n[replication]",
    );
    // So slow that whoever does not wait for it is seen.
    let line = ["replicate", "--until", "caught-up", "--rate", "20KB"];
    migration.run(&line).assert_exit(0);
    let (there, back) = assert_both_have_all(source, target, &topic);
    assert!(there == 0 && back >= 2_000, "{there}, {back}");
}
