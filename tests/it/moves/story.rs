//! One goes over, comes back, and then all go over, under load: nothing is lost, nothing is read again, and no command is needed twice.

use super::Scene;
use crate::{
    phases::three::{NAMES, announced, words},
    support::shared_pair,
};

#[test]
fn one_goes_over_and_back_and_then_all_go_over() {
    let (source, target) = shared_pair();
    let scene = Scene::new("story", true, source, target);
    let engine = scene.engine();
    scene.three.wait_for_more(100);
    scene
        .migration
        .run(&["ready", "--app", "order-status", "--wait", "2m"])
        .assert_exit(0);
    let runs = |name: &str| scene.three.applications.runs(name);
    let mut allowed = 0;
    for (command, side) in [("cutover", "target"), ("rollback", "source")] {
        let base = words(&scene.migration.path("state/journal")).len();
        let moved = scene.moves(&[command, "--app", "order-status"]);
        moved.assert_exit(0);
        assert!(
            moved
                .stdout
                .contains(&format!("order-status is on the {side}")),
            "{moved}"
        );
        eprintln!("{moved}");
        assert_eq!(runs("order-status"), [side]);
        allowed += announced(&words(&scene.migration.path("state/journal"))[base..]);
        scene.three.wait_for_more(100);
    }
    let again = scene.moves(&["rollback", "--app", "order-status"]);
    again.assert_exit(0);
    assert!(again.stdout.contains("on the source already"), "{again}");
    let all = scene.moves(&["cutover", "--all"]);
    all.assert_exit(0);
    for name in NAMES {
        assert_eq!(runs(name), ["target"], "{all}");
    }
    scene.three.wait_for_more(100);
    let read_again = scene.three.judge("target");
    assert_eq!(read_again.values().sum::<u64>(), 0, "{read_again:?}");
    assert_eq!(allowed, 0);
    let ends = |topic: &str| {
        [scene.source, scene.target].map(|kafka| kafka.end_offsets(topic).expect("it is there"))
    };
    for topic in &scene.three.topics {
        let [source, target] = ends(topic);
        eprintln!("{topic}: {source:?} {target:?}");
    }
    Scene::stop(engine);
}
