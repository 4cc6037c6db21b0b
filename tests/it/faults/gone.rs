//! Topics that are deleted while they are copied, on either side: their partitions stop, and the others go on.

use std::time::Duration;

use super::{held, stops, stops::stopped, wait_until_copying};
use crate::support::{
    load::Load,
    read, shared_pair,
    tool::{Access, Migration, PATIENCE},
    unique, wait,
};

#[test]
fn a_topic_that_is_deleted_on_either_side_stops_and_the_others_go_on() {
    let (source, target) = shared_pair();
    let stem = unique("gone");
    let [here, there, stays] = ["here", "there", "stays"].map(|name| format!("{stem}-{name}"));
    for topic in [&here, &there, &stays] {
        source.create_topic(topic, 1, &[]);
        Load::to(&[(topic, 1)]).fill(source, 50);
    }
    let migration = Migration::new(
        &stem,
        Access::Plain(source),
        Access::Plain(target),
        &[&format!("{stem}-*")],
    );
    let mut tool = migration.command(&["--json", "replicate"]).start();
    let loader = Load::to(&[(&there, 1), (&stays, 1)]).keep_writing(source, 100);
    wait_until_copying(&mut tool, target, &stays);
    wait::until("the first is copied", PATIENCE, || {
        held(target, &here) >= held(source, &here)
    });
    stops::delete_topic(source, &here);
    stops::delete_topic(target, &there);
    for code in ["K507", "K522"] {
        tool.wait_for(code, PATIENCE);
    }
    let before = held(target, &stays);
    wait::until("the other goes on", PATIENCE, || {
        held(target, &stays) > before
    });
    let mut codes = stopped(&migration);
    codes.sort_unstable();
    let known = |topic: &str, code: &str| (topic.to_owned(), code.to_owned());
    assert_eq!(codes, [known(&here, "K507"), known(&there, "K522")]);
    loader.stop();
    tool.interrupt();
    tool.wait(Duration::from_secs(60)).assert_exit(130);
    assert_eq!(target.partitions(&there), 0, "nobody made it again");
    // What the target has no more is not quietly begun anew.
    stops::stops(&migration, &[&there]);
    read::assert_same(source, target, &stays);
}
