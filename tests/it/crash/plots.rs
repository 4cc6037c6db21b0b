//! What goes wrong on purpose at the one moment where it matters: each plot is a way in which records are lost, or come twice, where one rule of the engine is missing.

use std::time::Duration;

use super::{
    batches::{
        Age::{self, Fresh, Old},
        Writer,
    },
    scene::{BACK, COMPACTED, LEDGER, LOST, PLOTTED, Scene},
};
use crate::support::{Dice, tool::Tool, wait};
use kafka_migrate::sandbox::{Action, Follow, Rule, When};
use kafka_protocol::messages::ApiKey;

/// The longest that a plot waits for what it hopes for.
const PATIENCE: Duration = Duration::from_secs(5);
/// NOT_LEADER_OR_FOLLOWER and NOT_ENOUGH_REPLICAS.
const PASSING: [i16; 2] = [6, 19];

/// A way to go wrong. Whatever else happens in a seed, one of these does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plot {
    /// Whatever the dice say.
    Random,
    /// A batch of old records is appended, its writer forgotten, and the answer lost.
    Forgotten,
    /// A batch is under way while its source is compacted, and arrives before it is sent again.
    Compacted,
    /// A batch is under way while its retry is answered and the engine ends, or goes on with old records.
    Sealed,
    /// A batch of a predecessor is under way while its fence has no marker.
    Unmarked,
    /// The ledger takes nothing any more, and the engine dies.
    Unwritten,
    /// Another engine takes over from one that sleeps, which wakes before it is shut out.
    TakenOver,
    /// The first batch of an identity is refused for a moment.
    Refused,
    /// The engine dies behind a checkpoint.
    Checkpointed,
    /// The target loses copies that the way back was told of and has not passed, and applications write in their place.
    Lost,
}

/// So many seeds in a row have every plot among them.
pub const TURNS: usize = 12;
/// The random one is as often as three others: it finds what nobody thought of.
const ORDER: [Plot; TURNS] = [
    Plot::Random,
    Plot::Forgotten,
    Plot::Compacted,
    Plot::Sealed,
    Plot::Random,
    Plot::Unmarked,
    Plot::Unwritten,
    Plot::Refused,
    Plot::Random,
    Plot::Checkpointed,
    Plot::TakenOver,
    Plot::Lost,
];

impl Plot {
    /// Can it only be where records go both ways, or only where they do not?
    pub fn is_two_way(self) -> Option<bool> {
        match self {
            // Whether somebody is at work is watched in one direction after the other.
            Self::TakenOver => Some(false),
            Self::Lost => Some(true),
            _ => None,
        }
    }

    /// Of a seed; neighbouring seeds have different ones.
    pub fn of(seed: u64) -> Self {
        ORDER[usize::try_from(seed % ORDER.len() as u64).expect("few")]
    }

    /// Lets it happen. Answers how often an engine was killed.
    pub fn play(self, scene: &Scene, dice: &mut Dice) -> usize {
        let mut writer = Writer::new(scene, "source");
        match self {
            Self::Random => {
                let kills = dice.between(1, 5);
                for _ in 0..kills {
                    scene.run_and_kill(dice);
                }
                return usize::try_from(kills).expect("few");
            }
            Self::Forgotten => forgotten(scene, &mut writer, dice),
            Self::Compacted => compacted(scene, &mut writer),
            Self::Sealed => sealed(scene, &mut writer, dice),
            Self::Unmarked => unmarked(scene, &mut writer, dice),
            Self::Unwritten => unwritten(scene, dice),
            Self::TakenOver => taken_over(scene, &mut writer),
            Self::Refused => refused(scene, &mut writer, dice),
            Self::Lost => lost(scene, &mut writer, dice),
            Self::Checkpointed => {
                for _ in 0..3 {
                    scene.kill_at(&format!("checkpoint-recorded:{}", dice.between(1, 3)));
                }
                return 3;
            }
        }
        1
    }
}

fn produced(when: When, action: Action) -> Rule {
    Rule::new(ApiKey::Produce, when, action).of_partition(PLOTTED, 0)
}

const FOLLOW: Follow = Follow {
    forget: false,
    deliver: false,
    cut: false,
};

/// A few batches that the engine copies before it comes to the plot.
fn beginning(scene: &Scene, writer: &mut Writer, dice: &mut Dice, age: Age) -> Tool {
    let before = dice.between(0, 3);
    let engine = scene.start();
    for _ in 0..before {
        writer.put(&[age], 100);
        scene.wait_for_copies(PLOTTED, PATIENCE);
    }
    engine
}

fn forgotten(scene: &Scene, writer: &mut Writer, dice: &mut Dice) {
    let engine = beginning(scene, writer, dice, Old);
    let follow = Follow {
        forget: true,
        cut: true,
        ..FOLLOW
    };
    let again = dice.between(1, 3);
    let rule = produced(When::From(1, again), Action::Follow(follow));
    scene.target().faults().add(rule);
    for _ in 0..2 {
        writer.put(&[Old, Old], 100);
        scene.wait_for_copies(PLOTTED, PATIENCE);
    }
    scene.kill(engine);
}

fn compacted(scene: &Scene, writer: &mut Writer) {
    let (source, target) = (scene.cluster("source"), scene.target());
    let rule = Rule::new(ApiKey::Produce, When::Nth(1), Action::Hold).of_partition(COMPACTED, 0);
    let held = target.faults().add(rule);
    let engine = scene.start();
    writer.put_keys("abcd");
    wait::whether(PATIENCE, || target.faults().count(held) > 0);
    // What is read again, if it is, is read once the cleaner has been there.
    let late = Rule::new(
        ApiKey::Fetch,
        When::Always,
        Action::Delay(Duration::from_millis(200)),
    );
    let late = source.faults().add(late.of_client("kafka-migrate"));
    writer.put_keys("efga");
    writer.put_keys("h");
    source.compact(COMPACTED);
    scene.deliver();
    source.faults().remove(late);
    scene.wait_for_copies(COMPACTED, PATIENCE);
    scene.kill(engine);
}

fn sealed(scene: &Scene, writer: &mut Writer, dice: &mut Dice) {
    let mut engine = beginning(scene, writer, dice, Fresh);
    let faults = scene.target().faults();
    faults.add(produced(When::Nth(1), Action::Hold));
    writer.put(&[Fresh], 100);
    scene.wait_for_copies(PLOTTED, PATIENCE);
    if dice.chance(0.7) {
        engine.interrupt();
        wait::whether(PATIENCE, || engine.has_ended());
        scene.kill(engine);
        engine = scene.start();
    }
    let follow = Follow {
        forget: true,
        deliver: true,
        ..FOLLOW
    };
    faults.add(produced(When::Nth(1), Action::Follow(follow)));
    writer.put(&[Old], 100);
    scene.wait_for_copies(PLOTTED, PATIENCE);
    scene.kill(engine);
}

fn unmarked(scene: &Scene, writer: &mut Writer, dice: &mut Dice) {
    let mut engine = beginning(scene, writer, dice, Old);
    let target = scene.target();
    target.hold_markers(true);
    let held = target.faults().add(produced(When::Nth(1), Action::Hold));
    let follow = Follow {
        deliver: true,
        ..FOLLOW
    };
    let rule = produced(When::Nth(2), Action::Follow(follow));
    let next = target.faults().add(rule);
    writer.put(&[Old], 100);
    wait::whether(PATIENCE, || target.faults().count(held) > 0);
    if dice.chance(0.3) {
        scene.kill(engine);
        engine = scene.start();
    }
    // An engine that waits for its markers sends nothing here.
    wait::whether(Duration::from_millis(700), || {
        target.faults().count(next) > 0
    });
    if dice.chance(0.5) {
        scene.deliver();
    }
    target.hold_markers(false);
    scene.wait_for_copies(PLOTTED, PATIENCE);
    scene.kill(engine);
}

fn unwritten(scene: &Scene, dice: &mut Dice) {
    let faults = scene.target().faults();
    let from = When::From(dice.between(3, 16), u64::MAX);
    let rule = Rule::new(ApiKey::Produce, from, Action::SilentBefore).of_topic(LEDGER);
    let rule = faults.add(rule);
    let engine = scene.start();
    wait::whether(PATIENCE, || faults.count(rule) > 0);
    wait::elapse(Duration::from_millis(dice.between(50, 250)));
    scene.kill(engine);
    faults.remove(rule);
}

fn taken_over(scene: &Scene, writer: &mut Writer) {
    let mut first = scene.start();
    writer.put(&[Fresh], 100);
    scene.wait_for_copies(PLOTTED, PATIENCE);
    first.pause();
    // The second one's claims of both shards, once it has seen that nobody is at work.
    let late = Action::Delay(Duration::from_millis(400));
    let rule = Rule::new(ApiKey::InitProducerId, When::From(1, 2), late).of_client("kafka-migrate");
    let faults = scene.target().faults();
    let rule = faults.add(rule);
    let second = scene.migration.command_in("elsewhere", &["replicate"]);
    let mut second = second.start();
    wait::whether(PATIENCE, || faults.count(rule) > 0);
    first.resume();
    wait::whether(PATIENCE, || first.has_ended());
    scene.was_taken_over(&first.kill());
    writer.put(&[Fresh], 100);
    scene.wait_for_copies(PLOTTED, PATIENCE);
    second.interrupt();
    wait::whether(PATIENCE, || second.has_ended());
    scene.kill(second);
}

fn refused(scene: &Scene, writer: &mut Writer, dice: &mut Dice) {
    for _ in 0..2 {
        // So large that they are not merged into one.
        for _ in 0..5 {
            writer.put(&[Fresh], 6 << 10);
        }
        let code = PASSING[usize::from(dice.chance(0.5))];
        let rule = produced(When::Nth(1), Action::Error(code));
        scene.target().faults().add(rule);
        let engine = scene.start();
        scene.wait_for_copies(PLOTTED, PATIENCE);
        scene.kill(engine);
    }
}

fn lost(scene: &Scene, writer: &mut Writer, dice: &mut Dice) {
    let mut native = Writer::new(scene, "target");
    let (source, target) = (scene.cluster("source"), scene.target());
    let count = |side: &str| scene.records(side, LOST, 0).len();
    let engine = scene.start();
    native.put_each(BACK, 1);
    wait::whether(PATIENCE, || count("source") == 1);
    scene.kill(engine);
    // The way back waits for the markers of its fence while the way there copies.
    source.hold_markers(true);
    let engine = scene.start();
    let copied = dice.between(2, 5);
    writer.put_each("lost-", copied);
    let are_copied = || count("target") > usize::try_from(copied).expect("few");
    wait::whether(PATIENCE, are_copied);
    // Until the engine has heard so.
    wait::elapse(Duration::from_millis(100));
    target.lose_acknowledged(LOST, 0, 1);
    target.move_leader(LOST, 0, 1);
    target.move_leader(LOST, 0, 2);
    native.put_each(BACK, copied + 3);
    // With this one the engine learns of the leader.
    writer.put_each("kept-", 1);
    let ends_kept = || {
        let records = scene.records("target", LOST, 0);
        let mut values = records.iter().filter_map(|record| record.value.as_ref());
        values.any(|value| value.starts_with(b"kept-"))
    };
    wait::whether(PATIENCE, ends_kept);
    source.hold_markers(false);
    wait::whether(PATIENCE, || count("source") >= count("target"));
    scene.kill(engine);
}
