//! One goes over, comes back, and then all go over, under load: nothing is lost, nothing is read again, and no command is needed twice.

use std::fs;

use serde_json::Value;

use super::Scene;
use crate::{
    phases::three::{NAMES, announced, words},
    support::{shared_pair, tool::Migration},
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
    let told = report(&scene.migration, &["--format", "json"]);
    let moves = told["moves"].as_array().expect("it tells of moves");
    let names: Vec<&str> = moves
        .iter()
        .filter_map(|one| one["application"].as_str())
        .collect();
    assert_eq!(
        names.len(),
        5,
        "there, back, and all three there: {names:?}"
    );
    for (at, name) in NAMES[1..].iter().enumerate() {
        let of_it = moves.iter().filter(|one| one["application"] == *name);
        let sum = |field: &str| -> u64 {
            let groups = of_it
                .clone()
                .flat_map(|one| one["groups"].as_array().expect("it has groups"));
            let counts = groups.map(|group| {
                assert_eq!(group["group"], scene.three.groups[at], "{told}");
                group[field]
                    .as_u64()
                    .unwrap_or_else(|| panic!("{field}: {group}"))
            });
            counts.sum()
        };
        assert_eq!(
            (sum("announced"), sum("measured")),
            (0, read_again[name]),
            "{name}"
        );
    }
    for one in moves {
        let ms = |field: &str| {
            one[field]
                .as_u64()
                .unwrap_or_else(|| panic!("{field}: {one}"))
        };
        assert_eq!(one["outcome"], "done");
        assert!(ms("ours_ms") < ms("down_ms"), "{one}");
    }
    let samples = told["over_time"]["samples"]
        .as_array()
        .expect("the engine keeps samples");
    let seen: u64 = samples
        .iter()
        .filter_map(|one| one["there"]["records"].as_u64())
        .sum();
    assert!(seen > 100, "{samples:?}");
    assert_eq!(told["now"]["way_back"]["open"], true, "{told}");
    assert_eq!(told["not_looked_at"], serde_json::json!([]));
    let page = scene.migration.path("report.html");
    let html = [
        "report",
        "--format",
        "html",
        "--out",
        page.to_str().expect("it is text"),
    ];
    scene.migration.run(&html).assert_exit(0);
    let html = fs::read_to_string(&page).expect("it was written");
    assert_whole(&html);
    assert!(html.matches("<svg").count() > 5, "{html}");
    // On a machine that has neither a file of it nor reaches anything but the journal's copies.
    let elsewhere = scene
        .migration
        .command_in("elsewhere", &["report"])
        .finish();
    elsewhere.assert_exit(0);
    assert!(
        elsewhere
            .stdout
            .contains("cutover of `order-status` to the target"),
        "{elsewhere}"
    );
    assert!(
        elsewhere.stdout.contains("No numbers over time are kept"),
        "{elsewhere}"
    );
    let offline = report(&scene.migration, &["--offline", "--format", "json"]);
    assert_eq!(offline["moves"], told["moves"]);
    assert_eq!(offline["now"]["way_back"], Value::Null);
    let runbook = scene.migration.run(&["report", "--runbook"]);
    runbook.assert_exit(0);
    for name in NAMES {
        assert!(
            runbook.stdout.contains(&format!("rollback --app {name} ")),
            "{runbook}"
        );
    }
    let ends = |topic: &str| {
        [scene.source, scene.target].map(|kafka| kafka.end_offsets(topic).expect("it is there"))
    };
    for topic in &scene.three.topics {
        let [source, target] = ends(topic);
        eprintln!("{topic}: {source:?} {target:?}");
    }
    Scene::stop(engine);
}

/// The report as a program reads it.
fn report(migration: &Migration, flags: &[&str]) -> Value {
    let finished = migration.run(&[&["report"], flags].concat());
    finished.assert_exit(0);
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished}"))
}

/// Every tag that is opened is closed, in order.
#[track_caller]
fn assert_whole(html: &str) {
    let (head, body) = html.split_once("</style>").expect("it has a style");
    assert!(head.starts_with("<!DOCTYPE html>"));
    let mut open = vec!["html", "head"];
    for piece in body.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("each tag has an end");
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed)),
            None if tag.ends_with('/') => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, [""; 0]);
}
