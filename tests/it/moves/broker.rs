//! A broker dies with `kill -9` behind words of the plans of both moves and of cleanup, on either side: the same end as without, nothing lost,
//! and what is read again is the applications' own. `KAFKA_MIGRATE_KILLS=40` for every word; `KAFKA_MIGRATE_SEED` to choose the same ones again.

use std::{sync::atomic::Ordering, thread, time::Duration};

use super::Scene;
use crate::{
    phases::{
        kills::{At, Point, Stage},
        three::{NAMES, announced},
    },
    support::{Dice, kafka::Kafka, seed, wait},
};

const PATIENCE: Duration = Duration::from_secs(180);
/// Who moves.
const NAME: &str = NAMES[1];
/// Deaths during moves, if not said.
const DEATHS: usize = 6;
const BROKERS: u64 = 3;

/// Three brokers, of which the others notice soon that one is dead.
fn cluster(name: &str) -> Kafka {
    let spec = Kafka::spec(name).brokers(usize::try_from(BROKERS).expect("few"));
    spec.set("broker.session.timeout.ms", "3000")
        .set("broker.heartbeat.interval.ms", "500")
        .start()
}

/// Words behind which something can die, in the order in which they come.
fn words_of(scene: &Scene<'_>, command: &[&str]) -> Vec<Point> {
    let points = scene.points(&scene.plan(command)).into_iter();
    let words = points.filter(|point| matches!(point.at, At::Word(kind) if kind != "ended"));
    words.collect()
}

impl Scene<'_> {
    /// A command begins, and a broker dies behind this word of it. Answers whether it was still at work then.
    fn dies_behind(&self, command: &[&str], point: &Point, kafka: &Kafka, index: usize) -> bool {
        let base = self.words().len();
        let mut tool = self.command(command).start();
        let reached = wait::whether(PATIENCE, || {
            let words = self.words();
            let mut since = words.iter().skip(base);
            tool.has_ended()
                || since.any(|word| {
                    matches!(point.at, At::Word(kind) if kind == word.kind)
                        && word.step == point.step
                })
        });
        assert!(reached, "{point:?} does not come: {}", tool.said());
        kafka.kill(index);
        let at_work = !tool.has_ended();
        let mut ended = tool.wait(PATIENCE);
        let mut tries = 0;
        while ended.code() != Some(0) {
            // Nobody answered in time, or a gate has closed: the same command goes on, or begins again.
            assert!(matches!(ended.code(), Some(3 | 4 | 9 | 10)), "{ended}");
            eprintln!("{point:?}: {:?}", ended.code());
            tries += 1;
            assert!(tries < 6, "{point:?}: {ended}");
            kafka.start_all_again(&[index]);
            let ready = ["ready", "--app", NAME, "--wait", "2m"];
            if ended.code() == Some(3) {
                self.run(&ready).assert_exit(0);
            }
            ended = self.run(command);
        }
        kafka.start_all_again(&[index]);
        at_work
    }
}

#[test]
fn moves_and_cleanup_come_to_the_same_end_while_a_broker_dies_behind_their_words() {
    let (source, target) = thread::scope(|scope| {
        let source = scope.spawn(|| cluster("dying-source"));
        let target = cluster("dying-target");
        (source.join().expect("it starts"), target)
    });
    let deaths = std::env::var("KAFKA_MIGRATE_KILLS")
        .ok()
        .and_then(|deaths| deaths.parse().ok())
        .unwrap_or(DEATHS);
    let seed = seed();
    eprintln!("KAFKA_MIGRATE_SEED={seed}");
    let mut dice = Dice::new(seed);
    let mut dies = || {
        let kafka = [&source, &target][usize::try_from(dice.between(0, 2)).expect("small")];
        let index = usize::try_from(dice.between(0, BROKERS)).expect("small");
        (kafka, index, dice.bits())
    };
    let scene = Scene::new("dying", true, &source, &target);
    let engine = scene.engine();
    scene.three.wait_for_more(100);
    scene
        .run(&["ready", "--app", NAME, "--wait", "3m"])
        .assert_exit(0);
    let (mut at_work, mut repeats) = (0, 0);
    for number in 0..deaths {
        let (command, side) = [("cutover", "target"), ("rollback", "source")][number % 2];
        let command = scene.move_of(command);
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let points = words_of(&scene, &command);
        let (kafka, index, chosen) = dies();
        // Each in its turn where there are enough deaths.
        let turn = usize::try_from(chosen % points.len() as u64).expect("small");
        let turn = match deaths >= 2 * points.len() {
            true => number / 2 % points.len(),
            false => turn,
        };
        let base = scene.words().len();
        at_work += usize::from(scene.dies_behind(&command, &points[turn], kafka, index));
        repeats += announced(&scene.words()[base..]);
        let after = format!("{:?}", points[turn]);
        assert_eq!(scene.three.applications.runs(NAME), [side], "{after}");
        assert_eq!(scene.authority(), format!("{side:?}"), "{after}");
        scene.three.wait_for_more(30);
    }
    if deaths % 2 == 1 {
        let back = scene.move_of("rollback");
        let back: Vec<&str> = back.iter().map(String::as_str).collect();
        scene.run(&back).assert_exit(0);
    }
    let again = scene.three.judge("source");
    let own = |name: &str| scene.three.applications.own[name].load(Ordering::Relaxed);
    eprintln!("{deaths} deaths, {at_work} amid the command; {repeats} announced, {again:?} again");
    for (name, announced) in [(NAME, repeats), (NAMES[2], 0)] {
        assert_eq!(again[name], announced + own(name), "{name}");
    }
    cleaned_up(&scene, &mut dies);
    engine.wait(PATIENCE).assert_exit(9);
}

/// Cleanup is killed behind each of its words, and is gone on with while a broker is dead every other time.
fn cleaned_up<'a>(scene: &Scene<'_>, dies: &mut impl FnMut() -> (&'a Kafka, usize, u64)) {
    let positions = scene.positions_at_rest();
    let cleanup = ["cleanup", "--confirm", &scene.migration.name];
    let points = words_of(scene, &cleanup);
    let base = scene.words().len();
    let mut dead: Option<(&Kafka, usize)> = None;
    for point in &points {
        if scene.kill_at(&cleanup, point, base) {
            match dead.take() {
                Some((kafka, index)) => kafka.start_all_again(&[index]),
                None => {
                    let (kafka, index, _) = dies();
                    kafka.kill(index);
                    dead = Some((kafka, index));
                }
            }
        }
    }
    scene.run(&cleanup).assert_exit(0);
    if let Some((kafka, index)) = dead {
        kafka.start_all_again(&[index]);
    }
    for kafka in [scene.source, scene.target] {
        let all = kafka.metadata().topics.into_keys();
        let mut ours = all.filter(|topic| topic.starts_with("kafka-migrate."));
        assert_eq!(ours.next(), None, "nothing of ours stays");
    }
    assert_eq!(
        scene.positions(),
        positions,
        "groups stand where they stood"
    );
}
