//! One migration, from its first look to its end, while clients of every kind are at work.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    MOVING, Scene, cast,
    librdkafka::Open,
    noticed::{Cell, Row, Rows},
    page,
};
use crate::support::{kafka::Kafka, tool::PATIENCE, wait};

/// Whether it is able to abort depends on where in a transaction the rule meets it, and so does whether it ever goes on.
const UNSURE: &str = "librdkafka transactions";

/// A row of refusals, of which this one's first is all that is sure.
fn refused(mut row: Row) -> Row {
    let cell = row.remove(UNSURE).expect("it is in the row");
    row.insert(UNSURE.to_owned(), cell.only("TopicAuthorizationFailed"));
    row
}

#[test]
fn what_clients_notice_in_every_phase() {
    let (who, logins) = cast::logins();
    let [source, target] = thread::scope(|scope| {
        let start = |name, brokers| {
            let spec = Kafka::spec(name).brokers(brokers).secure();
            spec.set(who, &logins)
                .set("super.users", "User:ANONYMOUS")
                .start()
        };
        let source = scope.spawn(move || start("clients-source", 3));
        let target = start("clients-target", 1);
        [source.join().expect("the source starts"), target]
    });
    let scene = Scene::new(&source, &target);
    let began = Instant::now();
    let step = |name: &str| eprintln!("===== {:.1} s: {name}", began.elapsed().as_secs_f64());
    for application in ["writers", "readers", "counts", "another"] {
        scene.cast.start(application, "source");
    }
    scene.wait_for_work(&MOVING);
    let mut rows = Rows::default();
    step("preflight");
    rows.push((
        "`preflight`",
        scene.row(&MOVING, || {
            let finished = scene.migration.run(&["preflight"]);
            eprintln!("{finished}");
        }),
    ));
    step("replicate");
    let mut engine = None;
    rows.push((
        "`replicate` starts, holds settings, makes access rules",
        scene.row(&MOVING, || {
            let mut started = scene.engine();
            started.wait_for("claimed", PATIENCE);
            wait::until("all is copied", PATIENCE, || {
                scene.target.end_offset(&scene.topic("old"), 0)
                    == scene.source.end_offset(&scene.topic("old"), 0)
            });
            engine = Some(started);
        }),
    ));
    let engine = engine.expect("it runs");
    step("ready");
    rows.push((
        "`ready --wait`",
        scene.row(&MOVING, || {
            let finished = scene.migration.run(&["ready", "--wait", "3m"]);
            eprintln!("{finished}");
            eprintln!("{}", engine.said());
            eprintln!("{}", scene.migration.run(&["status", "--groups"]));
            finished.assert_exit(0);
        }),
    ));
    step("early");
    let from = Instant::now();
    scene.cast.start("early", "target");
    for (client, what) in [
        ("java producer", "fail"),
        ("java transactions", "fail"),
        ("librdkafka producer", "dead"),
        ("librdkafka transactions", "fail"),
    ] {
        scene.wait_until_told(&[("early", client)], what, from);
    }
    scene.cast.stop("early", "target");
    rows.push((
        "writing on the target before the cutover, with `sync.acls`",
        refused(scene.stretch(&["early"], from)),
    ));
    step("another");
    rows.push((
        "`cutover` of another application that shares topics",
        scene.row(&MOVING, || {
            scene.moves(&["cutover", "--app", "another"]);
        }),
    ));
    step("engine killed");
    let mut again = None;
    rows.push((
        "the engine is killed, and starts again",
        scene.row(&MOVING, || {
            drop(engine.kill());
            let mut engine = scene.engine();
            engine.wait_for("claimed", PATIENCE);
            again = Some(engine);
        }),
    ));
    step("broker killed");
    let leader = source
        .leader_index(&scene.topic("java"), 0)
        .expect("it has a leader");
    rows.push((
        "a broker that leads is killed",
        scene.row(&MOVING, || {
            source.kill(leader);
        }),
    ));
    rows.push((
        "it comes back",
        scene.row(&MOVING, || {
            source.start_again(leader);
        }),
    ));
    step("cutover");
    let (own, of_writers) = scene.all_move("cutover");
    rows.push(("`cutover`, its own: from its last work to its first", own));
    rows.push((
        "`cutover` of the application whose records it reads",
        of_writers,
    ));
    step("left");
    let from = Instant::now();
    scene.cast.start("left", "source");
    scene.wait_for_work(&["left"]);
    scene.cast.stop("left", "source");
    rows.push((
        "started on the source once more, after its `cutover`",
        scene.stretch(&["left"], from),
    ));
    rows.push(("meanwhile on the target", scene.stretch(&MOVING, from)));
    step("rollback");
    let (own, _) = scene.all_move("rollback");
    rows.push(("`rollback`, its own", own));
    step("freeze");
    let open = Open::begin(scene.open_place());
    let from = Instant::now();
    let written = ["java", "java-tx", "rdk", "rdk-tx"];
    scene.denies("writers", &written, true);
    scene.denies("counts", &["counts"], true);
    scene.wait_until_told(&Scene::clients(&["writers"]), "fail", from);
    scene.wait_until_told(&[("counts", "java streams")], "state ERROR", from);
    rows.push((
        "denied to write, where it writes",
        refused(scene.stretch(&MOVING, from)),
    ));
    let ended = open
        .end()
        .map_or_else(|error| error, |()| "commits".to_owned());
    let cell = Cell {
        told: [ended].into(),
        ..Cell::default()
    };
    rows.push((
        "the same, with a transaction whose records are all written",
        [("librdkafka transactions".to_owned(), cell)].into(),
    ));
    step("unfreeze");
    let from = Instant::now();
    scene.denies("writers", &written, false);
    scene.denies("counts", &["counts"], false);
    let idle = scene.idle(&["writers", "readers"], Duration::from_secs(20));
    let mut row = scene.stretch(&["writers", "readers"], from);
    row.remove(UNSURE);
    for (client, cell) in &mut row {
        let is_idle = idle.contains(&client.as_str());
        let told = if is_idle { "does not go on" } else { "goes on" };
        cell.told = [told.to_owned()].into();
        if is_idle {
            cell.longest = Duration::ZERO;
        }
    }
    rows.push(("that rule is taken back", row));
    // Those that could not go on are made anew.
    for who in ["writers", "counts"] {
        scene.cast.stop(who, "source");
        scene.cast.start(who, "source");
    }
    scene.wait_for_work(&MOVING);
    step("cleanup");
    scene.moves(&["rollback", "--app", "another"]);
    rows.push((
        "`cleanup`",
        scene.row(&MOVING, || {
            let confirm = ["cleanup", "--confirm", &scene.stem];
            let finished = scene.migration.run(&confirm);
            eprintln!("{finished}");
            finished.assert_exit(0);
        }),
    ));
    drop(again);
    step("end");
    scene.cast.stop("writers", "source");
    scene.judge();
    step("judged");
    page::compare(&rows.0);
}
