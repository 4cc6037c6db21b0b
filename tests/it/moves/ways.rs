//! Moves that are not the plain ones: without a way back, by hand, refused, half-way, gone on with elsewhere, and without the target.

use std::time::Duration;

use super::{QUICK, Scene};
use crate::{
    groups::committed,
    phases::{
        kills::{At, Point, Stage},
        three::words,
    },
    support::{kafka::Kafka, shared_pair, tool::Migration, unique, wait},
};

const PATIENCE: Duration = Duration::from_secs(120);
const NAME: &str = "order-status";
const OF_IT: [&str; 2] = ["--app", NAME];

impl Scene<'_> {
    #[track_caller]
    fn wait_until_open(&self, waive: &[&str]) {
        let asked = ["ready", "--app", NAME, "--wait", "3m"];
        self.migration
            .run(&[&asked[..], waive].concat())
            .assert_exit(0);
    }

    #[track_caller]
    fn runs_on(&self, side: &str) {
        assert_eq!(self.three.applications.runs(NAME), [side]);
    }
}

#[test]
fn without_a_way_back_a_person_says_so_and_what_was_written_there_stays() {
    let (source, target) = shared_pair();
    let scene = Scene::new("one-way", false, source, target);
    let engine = scene.engine();
    scene.three.wait_for_more(50);
    scene.wait_until_open(&["--waive", "G212=only looked at"]);
    scene
        .migration
        .run(&["ready", "--app", NAME, "--withdraw", "G212"])
        .assert_exit(3);
    let closed = scene.moves(&["cutover", OF_IT[0], OF_IT[1]]);
    closed.assert_exit(3);
    closed.assert_says("G212");
    scene.runs_on("source");
    let one_way = ["cutover", OF_IT[0], OF_IT[1], "--no-way-back"];
    let plan = scene.run(&[&one_way[..], &["--dry-run"]].concat());
    plan.assert_exit(0);
    let back = plan.stdout.lines().find(|line| line.starts_with("back:"));
    let says = "positions only: kafka-migrate rollback --app order-status --leave-target-data";
    assert!(back.is_some_and(|back| back.contains(says)), "{plan}");
    scene.moves(&one_way).assert_exit(0);
    scene.runs_on("target");
    let refused = scene.moves(&["rollback", OF_IT[0], OF_IT[1]]);
    refused.assert_exit(7);
    refused.assert_says("K351");
    let leaving = ["rollback", OF_IT[0], OF_IT[1], "--leave-target-data"];
    scene.moves(&leaving).assert_exit(0);
    scene.runs_on("source");
    // And over once more, with positions of the source.
    scene.moves(&one_way).assert_exit(0);
    scene.runs_on("target");
    Scene::stop(engine);
}

#[test]
fn what_a_person_moved_is_declared_and_comes_back_by_itself() {
    let (source, target) = shared_pair();
    let scene = Scene::new("by-hand", true, source, target);
    let engine = scene.engine();
    scene.three.wait_for_more(50);
    scene.wait_until_open(&[]);
    let declared = ["cutover", OF_IT[0], OF_IT[1], "--already-moved"];
    let not_there = scene.moves(&[&declared[..], &["--wait-for-me", "2s"]].concat());
    assert!(matches!(not_there.code(), Some(9 | 10)), "{not_there}");
    let (group, topic) = (&scene.three.groups[0], &scene.three.topics[0]);
    scene.three.applications.stop(NAME, "source");
    let stands = |kafka: &Kafka| committed(kafka, group, topic).map(|(offset, _)| offset);
    wait::until("its positions are there", PATIENCE, || {
        stands(source).is_some() && stands(source) == stands(target)
    });
    scene.three.applications.start(NAME, "target");
    scene.moves(&declared).assert_exit(0);
    let before = stands(source);
    wait::until("its positions come back", PATIENCE, || {
        stands(source) > before
    });
    scene
        .moves(&["rollback", OF_IT[0], OF_IT[1]])
        .assert_exit(0);
    scene.runs_on("source");
    let again = scene.three.judge("source");
    assert_eq!(again.values().sum::<u64>(), 0, "{again:?}");
    Scene::stop(engine);
}

#[test]
fn no_answer_stops_nothing_and_what_was_begun_is_undone_or_gone_on_with_elsewhere() {
    let (source, target) = shared_pair();
    let scene = Scene::new("half-way", true, source, target);
    let engine = scene.engine();
    scene.three.wait_for_more(50);
    scene.wait_until_open(&[]);
    let cutover = [
        "cutover",
        OF_IT[0],
        OF_IT[1],
        "--confirm",
        &scene.migration.name,
    ];
    let cutover = [&cutover[..], &QUICK].concat();
    let rollback = ["rollback", OF_IT[0], OF_IT[1]];
    // Stopped and nothing more: back is its undo.
    let step = |name: &str| {
        let plan = scene.plan(&cutover);
        let steps = plan["steps"].as_array().expect("it has steps").iter();
        let mut names = steps.map(|step| step["name"].as_str().unwrap_or_default());
        names.position(|one| one == name)
    };
    let (quiet, authority) = (step("quiet"), step("authority"));
    let killed = |at, step| {
        let base = scene.words().len();
        assert!(scene.kill_at(
            &cutover,
            &Point {
                step,
                at,
                behind: None
            },
            base
        ));
    };
    killed(At::Word("attested"), quiet);
    assert_eq!(scene.three.applications.runs(NAME), [""; 0]);
    let undone = scene.moves(&rollback);
    undone.assert_exit(0);
    assert!(
        undone.stdout.contains("order-status is on the source"),
        "{undone}"
    );
    scene.runs_on("source");
    // Authority has moved: it is given back before it is started where it was.
    scene.wait_until_open(&[]);
    killed(At::Word("done"), authority);
    scene.moves(&rollback).assert_exit(0);
    scene.runs_on("source");
    // And gone on with from a machine that knows nothing.
    scene.wait_until_open(&[]);
    killed(At::Word("intent"), authority);
    let elsewhere = scene.migration.command_in("elsewhere", &cutover).finish();
    elsewhere.assert_exit(0);
    scene.runs_on("target");
    assert!(!words(&scene.migration.path("elsewhere/journal")).is_empty());
    // Nobody answers: nothing is stopped.
    engine.pause();
    let unknown = scene.moves(&rollback);
    unknown.assert_exit(3);
    unknown.assert_says("K494");
    scene.runs_on("target");
    engine.resume();
    scene.moves(&rollback).assert_exit(0);
    scene.runs_on("source");
    // Whose positions nobody carries does not move.
    let scope = "[ready]\n";
    let excluded = format!("exclude_groups = [{:?}]\n\n{scope}", scene.three.groups[0]);
    scene.migration.edit(scope, &excluded);
    let refused = scene.moves(&["cutover", OF_IT[0], OF_IT[1]]);
    refused.assert_exit(7);
    refused.assert_says("K350");
    let again = scene.three.judge("source");
    assert_eq!(again.values().sum::<u64>(), 0, "{again:?}");
    Scene::stop(engine);
}

#[test]
fn the_target_dies_and_it_goes_back_without_it() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("moves-dying").start();
    let scene = Scene::new("dying", true, source, &target);
    let engine = scene.engine();
    scene.three.wait_for_more(50);
    scene.wait_until_open(&[]);
    scene.moves(&["cutover", OF_IT[0], OF_IT[1]]).assert_exit(0);
    scene.three.wait_for_more(100);
    // It dies with its cluster; what it had committed a moment before has come back.
    scene.three.applications.stop(NAME, "target");
    let ends = |kafka: &Kafka| kafka.end_offsets(&scene.three.topics[1]);
    let stands = |kafka: &Kafka| {
        committed(kafka, &scene.three.groups[0], &scene.three.topics[0]).map(|(offset, _)| offset)
    };
    wait::until("all has come back", PATIENCE, || {
        ends(source) == ends(&target) && stands(source) == stands(&target)
    });
    target.kill(0);
    let back = scene.moves(&["rollback", OF_IT[0], OF_IT[1], "--without-target"]);
    back.assert_exit(0);
    assert!(back.stderr.contains("by the engine's clock"), "{back}");
    scene.runs_on("source");
    scene.three.wait_for_more(50);
    let again = scene.three.judge("source");
    // Positions of all partitions come back one look after the other.
    assert_eq!(again["customer-notification"], 0, "{again:?}");
    let abandoned = scene.migration.run(&[
        "cleanup",
        "--abandon-target",
        "--confirm",
        &scene.migration.name,
    ]);
    abandoned.assert_exit(0);
    let stem = format!("kafka-migrate.{}.", scene.migration.name);
    wait::until("nothing of ours stays", PATIENCE, || {
        let mut all = source.metadata().topics.into_iter();
        !all.any(|(topic, _)| topic.starts_with(&stem))
    });
    drop(engine);
}

#[test]
fn a_journal_is_not_removed_without_asking_though_nothing_else_is_left() {
    let (source, target) = shared_pair();
    let name = unique("only-a-journal");
    source.create_topic(&name, 1, &[]);
    let migration = Migration::of_topic(source, target, &name);
    migration.catch_up();
    let ledger = format!("kafka-migrate.{}.forward", migration.name);
    let deleted = target.wire().delete_topic(&ledger);
    deleted.expect("an answer").expect("it is deleted");
    wait::until("it is gone", PATIENCE, || target.partitions(&ledger) == 0);
    let journal = format!("kafka-migrate.{}.journal", migration.name);
    migration.run(&["cleanup"]).assert_exit(10);
    assert_eq!(source.partitions(&journal), 1);
    let confirmed = ["cleanup", "--confirm", &migration.name];
    migration.run(&confirmed).assert_exit(0);
    let gone = || source.partitions(&journal) == 0 && target.partitions(&journal) == 0;
    wait::until("it is gone", PATIENCE, gone);
    migration.run(&confirmed).assert_exit(0);
}
