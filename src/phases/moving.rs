//! The plan that moves one application from one side to the other: its steps, their undo, and what they rest on.

use std::collections::BTreeMap;

use super::{
    carrier::other,
    standing::{CUTOVER, phase_to},
};
use crate::{
    clock,
    model::{application::Application, freeze::Frozen, names::Side, numbers},
    run::{
        plan::{CLUSTERS, JOURNAL, Plan, VERSION, counted},
        step::{Fails, Step, Undo, What},
    },
};

/// Are the gates open?
pub const GATES: &str = "gates";
/// Does the engine answer, and carry its positions?
pub const ATTENDS: &str = "engine-answers";
/// Stops it on the side that it leaves.
pub const STOP: &str = "stop";
/// Keeps its principals from writing on the side that it leaves.
pub const FREEZE: &str = "freeze";
/// Lets them write on the side that it goes to.
pub const LIFT: &str = "lift-freeze";
/// Has it stopped?
pub const QUIET: &str = "quiet";
/// Does nobody else write what it shares with others?
pub const SHARED: &str = "shared-topics-quiet";
/// Says that its positions are those of the side that it leaves, where an earlier move ended between the two.
pub const FOLLOWS: &str = "authority-before";
/// Has everything arrived on the other side?
pub const DRAINED: &str = "drained";
/// Where do its groups go on?
pub const POSITIONS: &str = "positions";
/// Where they go on by what came back last: the other side is gone.
pub const LAST_POSITIONS: &str = "last-positions";
/// Says that its positions are the other side's from now on.
pub const AUTHORITY: &str = "authority";
/// Starts it on the side that it goes to.
pub const START: &str = "start";
/// Has what it wrote on a target that is gone, and has not come back, wait for a person.
pub const STRAND: &str = "strand";
/// Does it live there, and nothing of it here?
pub const LIVES: &str = "lives";

/// What a step has to know: groups, one a comma.
pub const WITH_GROUPS: &str = "groups";
/// What a step has to know: topics.
pub const WITH_TOPICS: &str = "topics";
/// What a step has to know: who may not write what, as JSON.
pub const WITH_FROZEN: &str = "frozen";
/// What a step has to know: the other side cannot be asked.
pub const WITH_ALONE: &str = "alone";

/// What a move has to know of our own engine, where that copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engine {
    /// What is written on the target comes back.
    pub two_way: bool,
    /// The application has groups, so that authority over their positions moves.
    pub has_groups: bool,
    /// Rules that let it write on the target go with authority.
    pub writes: bool,
    /// By all ledgers they are followed on the side that it leaves.
    pub follows: bool,
}

/// What a move is made from: plain data.
#[derive(Debug, Clone)]
pub struct Move {
    /// The migration's name.
    pub migration: String,
    /// What moves.
    pub application: Application,
    /// Where to.
    pub to: Side,
    /// Ids of both clusters, the source first.
    pub clusters: [String; 2],
    /// How far the migration is.
    pub journal: String,
    /// A checksum of the settings.
    pub settings: String,
    /// Topics in scope that it reads or writes.
    pub topics: Vec<String>,
    /// Those that it writes and others of the file write, too.
    pub shared: Vec<String>,
    /// Groups of it that have members where it runs.
    pub groups: Vec<String>,
    /// Gates that persons answer for.
    pub waived: Vec<String>,
    /// Our own engine, if that copies.
    pub engine: Option<Engine>,
    /// Whom a person wants to be kept from writing what on the side that it leaves.
    pub freeze: Vec<Frozen>,
    /// Whom an earlier move keeps from writing on the side that it goes to.
    pub frozen: Vec<Frozen>,
}

impl Move {
    fn from(&self) -> Side {
        other(self.to)
    }

    /// A plan of these steps.
    pub(super) fn plan(&self, steps: Vec<Step>, clients: String, back: String) -> Plan {
        Plan {
            v: VERSION,
            migration: self.migration.clone(),
            phase: phase_to(self.to).to_owned(),
            subject: self.application.name.clone(),
            made_at_ms: clock::unix_millis(),
            rests_on: self.facts(),
            steps,
            clients,
            back,
        }
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let none = |all: &[String]| match all.is_empty() {
            true => "none".to_owned(),
            false => all.join(", "),
        };
        let [source, target] = &self.clusters;
        [
            (CLUSTERS[0], source.clone()),
            (CLUSTERS[1], target.clone()),
            (JOURNAL, self.journal.clone()),
            ("settings", self.settings.clone()),
            ("topics", counted("topic", &self.topics)),
            ("written by others, too", none(&self.shared)),
            ("groups with members", none(&self.groups)),
            ("waived", none(&self.waived)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// The steps from the stop on, the same both ways.
    pub(super) fn steps(&self) -> Vec<Step> {
        let (from, to, name) = (self.from(), self.to, &self.application.name);
        let hooks = &self.application.hooks;
        let within = numbers::time(hooks.within);
        let mut steps = Vec::from_iter(self.attends());
        if let Some(hook) = &hooks.stop {
            let says = format!(
                "stop {name} on the {from}: {}, at most {within}",
                hook.display()
            );
            let undo = match &hooks.start {
                Some(hook) => Undo::By(format!("{} on the {from}", hook.display())),
                // Stopped it stays, and a person starts it.
                None => Undo::NotNeeded,
            };
            steps.push(Step {
                undo,
                ..Step::new(STOP, What::Hook, says)
            });
        }
        steps.extend(self.freezes());
        let says = match hooks.stop {
            Some(_) => format!("nothing of it is left on the {from}"),
            None => {
                format!("wait until you have stopped it, and nothing of it is left on the {from}")
            }
        };
        steps.push(Step::new(QUIET, What::Attestation, says));
        steps.extend(self.follows());
        if !self.shared.is_empty() {
            let topics = self.shared.join(", ");
            let says = match self.freeze.is_empty() {
                true => format!("you say that nobody writes {topics}, which others write, too"),
                false => format!("nothing of it can write {topics}, which others write, too"),
            };
            steps.push(Step {
                with: BTreeMap::from([(WITH_TOPICS.to_owned(), self.shared.join(","))]),
                ..Step::new(SHARED, What::Attestation, says)
            });
        }
        let says = format!("what it read and wrote is all on the {to}");
        steps.push(Step::new(DRAINED, What::Attestation, says));
        let says = format!("where its groups go on on the {to}, and what they read again");
        steps.push(Step::new(POSITIONS, What::Attestation, says));
        steps.extend(self.lifts());
        steps.push(self.authority(false));
        steps.extend(self.start());
        steps.push(self.lives(false));
        steps
    }

    /// What of it still runs there cannot write from then on, until it comes back or `cleanup`.
    fn freezes(&self) -> Option<Step> {
        let from = self.from();
        let says = format!("let it write no more on the {from}: {}", who(&self.freeze)?);
        Some(Step {
            undo: Undo::By(format!("it may write again on the {from}")),
            with: of_freeze(&self.freeze),
            ..Step::new(FREEZE, What::Effect, says)
        })
    }

    /// Before it is started there, or a person is told that it may be.
    pub(super) fn lifts(&self) -> Option<Step> {
        let says = format!(
            "let it write again on the {}: {}",
            self.to,
            who(&self.frozen)?
        );
        Some(Step {
            with: of_freeze(&self.frozen),
            ..Step::new(LIFT, What::Effect, says)
        })
    }

    /// No answer is unknown, and then nothing is stopped.
    pub(super) fn attends(&self) -> Option<Step> {
        let engine = self.engine?;
        let says = match engine.has_groups {
            true => "the engine answers, and carries its positions",
            false => "the engine answers",
        };
        Some(Step::new(ATTENDS, What::Attestation, says.to_owned()))
    }

    /// Taken back with everything else, it would be where it is.
    fn follows(&self) -> Option<Step> {
        let engine = self.engine.filter(|engine| !engine.follows);
        let _ = engine?;
        let says = format!(
            "its positions are those of the {} until all has arrived",
            self.from()
        );
        Some(Step::new(FOLLOWS, What::Effect, says))
    }

    /// Where nobody but a person starts it, this is what tells that it may be started. `alone`: the other side cannot be asked.
    pub(super) fn authority(&self, alone: bool) -> Step {
        let moves = |engine: Engine| engine.has_groups || engine.writes;
        let has_moved = self.engine.is_some_and(moves);
        let undo = match self.application.hooks.start {
            Some(_) if has_moved && !alone => {
                Undo::By(format!("authority goes back to the {}", self.from()))
            }
            Some(_) => Undo::NotNeeded,
            None => Undo::Impossible,
        };
        let may_start = match self.application.hooks.start {
            Some(_) => "",
            None => "; from here on it may be started there, and only there",
        };
        let says = format!(
            "its positions are those of the {} from now on{may_start}",
            self.to
        );
        Step {
            undo,
            ..Step::new(AUTHORITY, What::Effect, says)
        }
    }

    /// Once it runs on the source again, what comes back late would come behind what it writes there: a second time, if it writes it again.
    pub(super) fn strands(&self) -> Option<Step> {
        let is_back = |engine: Engine| engine.two_way;
        let topics = self.topics.iter();
        let written: Vec<&str> = topics
            .filter(|topic| self.application.writes.matches(topic))
            .map(String::as_str)
            .collect();
        if written.is_empty() || !self.engine.is_some_and(is_back) {
            return None;
        }
        let says = format!(
            "what was written on the target to {}, and has not come back, waits for a person if the target returns",
            written.join(", ")
        );
        Some(Step {
            with: BTreeMap::from([(WITH_TOPICS.to_owned(), written.join(","))]),
            ..Step::new(STRAND, What::Effect, says)
        })
    }

    /// Once it was called, the application may have written and committed there: the way back is another plan.
    pub(super) fn start(&self) -> Option<Step> {
        let hooks = &self.application.hooks;
        let hook = hooks.start.as_ref()?;
        let says = format!(
            "start {} on the {}: {}, at most {}",
            self.application.name,
            self.to,
            hook.display(),
            numbers::time(hooks.within)
        );
        Some(Step {
            undo: Undo::Impossible,
            fails: Fails::Attention,
            ..Step::new(START, What::Hook, says)
        })
    }

    /// `alone`: the other side cannot be asked.
    pub(super) fn lives(&self, alone: bool) -> Step {
        let (from, to) = (self.from(), self.to);
        let mut with = BTreeMap::from([(WITH_GROUPS.to_owned(), self.groups.join(","))]);
        let mut says = format!("it works on the {to}");
        if alone {
            with.insert(WITH_ALONE.to_owned(), from.to_string());
        } else {
            says += &format!(", and nothing of it on the {from}");
        }
        Step {
            with,
            fails: Fails::Attention,
            ..Step::new(LIVES, What::Attestation, says)
        }
    }

    /// What its clients notice.
    pub(super) fn clients(&self) -> String {
        let name = &self.application.name;
        let waits =
            "its stop and start, and a minute at most for what is on its way and for positions";
        format!("{name} is down from its stop to its start: {waits}; nobody else notices")
    }

    /// The command that takes it the other way.
    pub(super) fn the_other_way(&self) -> String {
        let is_one_way = self.engine.is_some_and(|engine| !engine.two_way);
        if is_one_way && self.to == Side::Target {
            return format!(
                "positions only: kafka-migrate rollback --app {} --leave-target-data; what was written on the target by then stays there, and is not on the source",
                self.application.name
            );
        }
        let phase = phase_to(self.from());
        let until = match phase == CUTOVER {
            true => "",
            false => ", at any time until `cleanup`",
        };
        format!(
            "kafka-migrate {phase} --app {}{until}",
            self.application.name
        )
    }
}

fn of_freeze(all: &[Frozen]) -> BTreeMap<String, String> {
    let text = serde_json::to_string(all).expect("they are plain text");
    BTreeMap::from([(WITH_FROZEN.to_owned(), text)])
}

/// Whom a step freezes, or lets write again.
pub fn frozen(step: &Step) -> Vec<Frozen> {
    let text = step.with.get(WITH_FROZEN);
    let all = text.and_then(|text| serde_json::from_str(text).ok());
    all.unwrap_or_default()
}

/// The first few, in words; `None` where nobody is meant.
fn who(all: &[Frozen]) -> Option<String> {
    const NAMED: usize = 3;
    let first: Vec<String> = all.iter().take(NAMED).map(Frozen::to_string).collect();
    let more = match all.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    (!all.is_empty()).then(|| first.join(", ") + &more)
}
