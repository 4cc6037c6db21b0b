//! Moves and cleanup killed with `kill -9`, the command at every step of its plan, and the engine behind every word: the same end as without,
//! nothing lost, and no more read again than was announced.

use std::{path::PathBuf, time::Duration};

use super::{QUICK, Scene};
use crate::{
    groups,
    phases::{
        applications::Applications,
        kills::{At, Stage, assert_called_again, hooks},
        three::announced,
    },
    support::{kafka::Kafka, shared_pair, tool::Call, wait},
};

const PATIENCE: Duration = Duration::from_secs(120);
/// Who moves.
const NAME: &str = "order-status";

impl Stage for Scene<'_> {
    fn command(&self, arguments: &[&str]) -> Call {
        self.migration.command(arguments)
    }

    fn applications(&self) -> &Applications {
        &self.three.applications
    }

    fn journal(&self) -> PathBuf {
        self.migration.path("state/journal")
    }
}

/// What a plan has left behind.
#[derive(Debug, PartialEq)]
struct End {
    runs: Vec<&'static str>,
    hooks: Vec<String>,
    /// Topics on each side, with how many partitions each has.
    topics: [Vec<String>; 2],
    /// Who has authority over its group.
    authority: String,
}

fn topics(kafka: &Kafka, name: &str) -> Vec<String> {
    let all = kafka.metadata().topics.into_iter();
    let ours = all.filter(|(topic, _)| topic.contains(name));
    ours.map(|(topic, leaders)| format!("{topic} {}", leaders.len()))
        .collect()
}

impl Scene<'_> {
    /// What is there; hooks since so many calls.
    fn end(&self, calls: usize) -> End {
        let name = &self.migration.name;
        End {
            runs: self.three.applications.runs(NAME),
            hooks: hooks(&self.three.applications, calls),
            topics: [self.source, self.target].map(|kafka| topics(kafka, name)),
            authority: self.authority(),
        }
    }

    /// Who has authority over the group that moves, by the forward ledger; nothing where there is none.
    pub(super) fn authority(&self) -> String {
        let status = self.migration.run(&["--json", "status"]);
        status.assert_exit(0);
        let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("it is JSON");
        let groups = status["groups"]["each"].as_array().cloned();
        let ours = |one: &serde_json::Value| one["group"] == self.three.groups[0].as_str();
        let one = groups.unwrap_or_default().into_iter().find(ours);
        one.map_or_else(String::new, |one| one["authority"].to_string())
    }

    /// Where both groups stand on the source.
    pub(super) fn positions(&self) -> [Option<(i64, String)>; 2] {
        [0, 1].map(|one| {
            let (group, topic) = (&self.three.groups[one], &self.three.topics[one]);
            groups::committed(self.source, group, topic)
        })
    }

    /// The same, once they do not move any more: applications commit a moment after they have read.
    pub(super) fn positions_at_rest(&self) -> [Option<(i64, String)>; 2] {
        let mut positions = self.positions();
        wait::until("all is committed", PATIENCE, || {
            wait::elapse(Duration::from_secs(1));
            std::mem::replace(&mut positions, self.positions()) == positions
        });
        positions
    }

    pub(super) fn move_of(&self, command: &str) -> Vec<String> {
        let name = self.migration.name.as_str();
        [command, "--app", NAME, "--confirm", name]
            .into_iter()
            .chain(QUICK)
            .map(str::to_owned)
            .collect()
    }
}

fn words(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

#[test]
fn killed_at_every_step_moves_and_cleanup_end_as_without() {
    let (source, target) = shared_pair();
    let scene = Scene::new("killed", true, source, target);
    let engine = scene.engine();
    scene.three.wait_for_more(100);
    scene.run(&["ready", "--wait", "3m"]).assert_exit(0);
    let moves = ["cutover", "rollback"].map(|command| scene.move_of(command));
    let mut ends = Vec::new();
    for command in &moves {
        let calls = scene.three.applications.calls().len();
        scene.run(&words(command)).assert_exit(0);
        ends.push(scene.end(calls));
        scene.three.wait_for_more(50);
    }
    let mut kills = Vec::new();
    for (command, to) in moves.iter().zip(["target", "source"]) {
        let (calls, base) = (scene.three.applications.calls().len(), scene.words().len());
        let killed = scene.killed_at_each(&words(command));
        eprintln!("{} was killed {} times", command[0], killed.len());
        assert_eq!(scene.end(calls), ends.remove(0), "{}", command[0]);
        assert_called_again(&scene.three.applications, calls, NAME, to);
        assert_eq!(announced(&scene.words()[base..]), 0, "one side writes");
        kills.push(killed.len());
        scene.three.wait_for_more(50);
    }
    let again = scene.three.judge("source");
    assert_eq!(again.values().sum::<u64>(), 0, "{again:?}");
    let positions = scene.positions_at_rest();
    let name = scene.migration.name.clone();
    let cleanup = ["cleanup", "--confirm", &name];
    let killed = scene.killed_at_each(&cleanup);
    kills.push(killed.len());
    engine.wait(PATIENCE).assert_exit(9);
    let left = |kafka: &Kafka| -> Vec<String> {
        let all = topics(kafka, &name).into_iter();
        all.filter(|topic| topic.starts_with("kafka-migrate."))
            .collect()
    };
    for kafka in [scene.source, scene.target] {
        assert_eq!(left(kafka), [""; 0], "nothing of ours stays");
        assert_eq!(topics(kafka, &name).len(), 2, "what applications use does");
    }
    assert_eq!(
        scene.positions(),
        positions,
        "groups stand where they stood"
    );
    // Twice is harmless, also from a machine that knows nothing.
    scene.run(&cleanup).assert_exit(0);
    let elsewhere = scene.migration.command_in("elsewhere", &cleanup).finish();
    elsewhere.assert_exit(0);
    assert_eq!(left(scene.source), [""; 0]);
    // And nothing begins anew by itself.
    let again = scene.migration.command(&["replicate"]).finish();
    again.assert_exit(7);
    again.assert_says("K354");
    eprintln!("killed {kills:?} times");
}

/// The engine is killed behind one word of a plan after the other, each time in a move of its own, and started again at once.
#[test]
fn moves_come_to_the_same_end_while_the_engine_is_killed_behind_each_of_their_words() {
    let (source, target) = shared_pair();
    let scene = Scene::new("engine-killed", true, source, target);
    let mut engine = Some(scene.engine());
    scene.three.wait_for_more(100);
    scene.run(&["ready", "--wait", "3m"]).assert_exit(0);
    let moves = ["cutover", "rollback"].map(|command| scene.move_of(command));
    let points = scene.points(&scene.plan(&words(&moves[0])));
    let points: Vec<_> = points
        .into_iter()
        .filter(|point| matches!(point.at, At::Word("attested" | "intent" | "done")))
        .collect();
    let (mut undone, mut kills) = (0, 0);
    for (number, point) in points.iter().enumerate() {
        let (command, side) = [(&moves[0], "target"), (&moves[1], "source")][number % 2];
        let base = scene.words().len();
        let mut tool = scene.command(&words(command)).start();
        let reached = wait::whether(PATIENCE, || {
            let words = scene.words();
            let mut since = words.iter().skip(base);
            let At::Word(kind) = point.at else {
                return true;
            };
            // A rollback has no gates: its steps are numbered one lower.
            let step = point.step.map(|step| step.saturating_sub(number % 2));
            tool.has_ended() || since.any(|word| word.kind == kind && word.step == step)
        });
        assert!(reached, "{point:?} does not come: {}", tool.said());
        if let Some(engine) = engine.take() {
            kills += usize::from(!tool.has_ended());
            drop(engine.kill());
        }
        engine = Some(scene.engine());
        let mut ended = tool.wait(PATIENCE);
        let mut tries = 0;
        while ended.code() != Some(0) {
            // Nobody answered in time, or a gate has closed: it goes on where it was, and the same command moves it.
            assert!(matches!(ended.code(), Some(3 | 9)), "{point:?}: {ended}");
            undone += 1;
            tries += 1;
            assert!(tries < 10, "{point:?}: {ended}");
            scene
                .run(&["ready", "--app", NAME, "--wait", "2m"])
                .assert_exit(0);
            ended = scene.run(&words(command));
        }
        assert_eq!(
            scene.three.applications.runs(NAME),
            [side],
            "{point:?}: {ended}"
        );
        assert_eq!(scene.authority(), format!("{side:?}"), "{point:?}");
    }
    let again = scene.three.judge("source");
    eprintln!(
        "the engine was killed {kills} times in moves, of which {undone} were taken back; {again:?} read again"
    );
    assert_eq!(again.values().sum::<u64>(), 0, "{again:?}");
    Scene::stop(engine.expect("it was started"));
}
