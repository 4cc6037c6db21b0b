//! Where each application stands, by the journal: on the source, on the target, or between them.

use crate::{
    model::names::Side,
    run::state::{Course, End, Standing as Step, State},
};

use super::carrier::other;

/// The phase that moves an application to the target.
pub const CUTOVER: &str = "cutover";
/// The phase that moves it back.
pub const ROLLBACK: &str = "rollback";
/// The phase that removes what the migration made.
pub const CLEANUP: &str = "cleanup";

/// Where one application stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Where it runs, or ran before it began to move.
    pub at: Side,
    /// A move that was begun and is not over.
    pub moving: Option<Moving>,
}

/// A move that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moving {
    /// Where to.
    pub to: Side,
    /// The plan's number in the journal.
    pub plan: u32,
    /// It may have been started there already: the plan cannot be undone.
    pub is_past: bool,
}

/// Where a phase moves an application; `None` for phases that move none.
pub fn goal(phase: &str) -> Option<Side> {
    match phase {
        CUTOVER => Some(Side::Target),
        ROLLBACK => Some(Side::Source),
        _ => None,
    }
}

/// The phase that moves an application there.
pub fn phase_to(side: Side) -> &'static str {
    match side {
        Side::Target => CUTOVER,
        Side::Source => ROLLBACK,
    }
}

/// Where an application stands.
pub fn of(state: &State, application: &str) -> Standing {
    let mut standing = Standing {
        at: Side::Source,
        moving: None,
    };
    for (number, course) in state.courses.iter().enumerate() {
        if course.plan.subject != application {
            continue;
        }
        if let Some(to) = goal(&course.plan.phase) {
            standing = after(standing, course, to, number);
        }
    }
    standing
}

fn after(before: Standing, course: &Course, to: Side, number: usize) -> Standing {
    let was_back = course.standing.contains(&Step::Undone);
    match course.end {
        Some(End::Done) => Standing {
            at: to,
            moving: None,
        },
        // It was stopped and started again where it had been, or by a plan before this one it stands where it stood.
        Some(End::Undone) if was_back => Standing {
            at: other(to),
            moving: None,
        },
        // A plan is replaced only once a later one has said where it is.
        Some(End::Undone | End::Replaced) => before,
        None | Some(End::Attention) => Standing {
            at: before.at,
            moving: Some(Moving {
                to,
                plan: u32::try_from(number).unwrap_or(u32::MAX),
                is_past: !course.may_be_undone(),
            }),
        },
    }
}

/// Was everything removed that the migration made, and nothing begun since?
pub fn is_cleaned_up(state: &State) -> bool {
    let last = state.courses.last();
    last.is_some_and(|course| course.plan.phase == CLEANUP && course.end == Some(End::Done))
}

/// Every application that the journal knows, in the order in which they began to move.
pub fn known(state: &State) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for course in &state.courses {
        let subject = &course.plan.subject;
        if goal(&course.plan.phase).is_some() && !all.contains(subject) {
            all.push(subject.clone());
        }
    }
    all
}

impl Standing {
    /// In words, for people and programs: `source`, `target`, `moving to the target`.
    pub fn words(self) -> String {
        match self.moving {
            None => format!("on the {}", self.at),
            Some(Moving { to, is_past, .. }) if is_past => {
                format!("between the two: it may have been started on the {to}")
            }
            Some(Moving { to, .. }) => {
                format!(
                    "between the two: stopped on the {}, not yet started on the {to}",
                    other(to)
                )
            }
        }
    }
}
