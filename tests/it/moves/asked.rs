//! What an application stands still for: an engine is asked through its ledger, hears it at once, and answers when nothing of it is under way.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use kafka_migrate::{
    cluster::Target,
    config::{self, Amazon},
    engine::{
        ledger::{positions::Holder, record::Steer},
        steer::ask_direction,
    },
    model::direction::Direction,
    sandbox::{Action, Rule, When},
};
use kafka_protocol::messages::ApiKey;
use tokio::runtime::Runtime;

use super::simulated::{AT, FRESH, GROUP, NAME, PATIENCE, Simulated};
use crate::support::{tool::Tool, wait};

/// An engine hears what others have said whenever it appends, at the latest with its next sign of life, a second after its last: each request
/// here follows an answer, and would wait for most of that. Most of this limit is for a machine that is busy.
const AT_ONCE: Duration = Duration::from_millis(500);
const TIMES: usize = 10;
/// How long a commit is on its way: longer than an answer takes that does not wait for it.
const UNDER_WAY: Duration = Duration::from_secs(3);

/// An engine that has nothing to copy, and whoever asks it.
struct Idle {
    engine: Tool,
    simulated: Simulated,
    target: Target,
    runtime: Runtime,
}

impl Idle {
    /// With groups of its own it has a little to say all the time, and would hear now and then by that.
    fn new(groups: bool) -> Self {
        let runtime = Runtime::new().expect("threads can be had");
        let simulated = Simulated::new(runtime.handle(), false, 0);
        let migration = &simulated.migration;
        if !groups {
            migration.edit(&format!("groups = [{GROUP:?}]"), "groups = []");
        }
        let engine = migration.command(&["replicate"]).start();
        simulated.wait_until_copied();
        if groups {
            simulated.wait_until_carried();
        }
        let (file, state) = (migration.file(), migration.path("state"));
        let amazon = Amazon::default();
        let settings = config::resolve(&file, &[], Some(&state), &BTreeMap::new(), &amazon);
        let settings = settings.expect("they are sound");
        let target = runtime.block_on(Target::connect(&settings.target));
        let target = target.expect("it connects");
        Self {
            engine,
            simulated,
            target,
            runtime,
        }
    }

    /// Back with the engine's answer.
    fn ask(&self, steer: Steer) {
        let asked = ask_direction(&self.target, NAME, Direction::Forward, steer, "a test");
        let answered = self.runtime.block_on(asked).expect("it can be asked");
        assert_eq!(answered.answered, 1, "{}", self.engine.said());
    }
}

#[test]
fn what_is_asked_is_heard_at_once_and_not_with_the_next_sign_of_life() {
    let idle = Idle::new(false);
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let begun = Instant::now();
        idle.ask(Steer::Attend);
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    eprintln!("answered within {took:?}");
    assert!(took[TIMES / 2] < AT_ONCE, "{took:?}");
}

#[test]
fn a_commit_that_is_under_way_has_come_before_who_asks_is_answered() {
    let idle = Idle::new(true);
    let faults = idle.simulated.cluster("target").faults();
    let late = Rule::new(ApiKey::OffsetCommit, When::Nth(1), Action::Delay(UNDER_WAY));
    let rule = faults.add(late);
    idle.simulated.commit(GROUP, FRESH, AT + 1);
    wait::until("the engine commits", PATIENCE, || faults.count(rule) == 1);
    idle.ask(Steer::Authority {
        group: GROUP.to_owned(),
        side: Holder::Target,
    });
    // What it commits later would undo what an application commits there that was started upon this answer.
    assert_eq!(idle.simulated.position("target"), Some(AT + 1));
}
