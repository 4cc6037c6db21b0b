//! What a journal says in all, folded from its records; every prefix of a journal is a state that can be gone on from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    placed::{Counted, Placed},
    plan::Plan,
    step::{Fails, Undo, What},
    waiver::Waiver,
};

/// One thing that the journal remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Record {
    /// What this journal is of; its first line, and nowhere else.
    Begun(Head),
    /// A command writes from here on.
    Runner(Runner),
    /// It ended by itself; nobody has to find out whether it lives.
    Left,
    /// A plan is going to be done.
    Planned {
        /// Counts plans from 0.
        plan: u32,
        /// The whole of it: the way back is read from here.
        what: Box<Plan>,
    },
    /// A step is about to be done.
    Intent {
        /// Of which plan.
        plan: u32,
        /// Which step, from 0.
        step: u32,
        /// Counts from 1.
        attempt: u32,
        /// What is about to be done, where nobody can be asked for it later.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        with: BTreeMap<String, String>,
    },
    /// It was done, and it holds.
    Done {
        /// Of which plan.
        plan: u32,
        /// Which step.
        step: u32,
        /// What a person may want to know.
        said: String,
    },
    /// A step failed, or an attestation did not hold.
    Failed {
        /// Of which plan.
        plan: u32,
        /// Which step.
        step: u32,
        /// Stable code.
        code: String,
        /// Why.
        why: String,
        /// What follows from it.
        then: Fails,
    },
    /// An attestation held at that moment. For reports: nothing follows from it.
    Attested {
        /// Of which plan.
        plan: u32,
        /// Which step.
        step: u32,
        /// The evidence.
        said: String,
        /// Where groups go on, where it is the step that says so.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        placed: Vec<Placed>,
    },
    /// What groups were given a second time by a plan that is done. For reports: nothing follows from it.
    Counted {
        /// Which plan.
        plan: u32,
        /// By group and partition.
        counted: Vec<Counted>,
    },
    /// A step is about to be undone.
    Undoing {
        /// Of which plan.
        plan: u32,
        /// Which step.
        step: u32,
        /// Counts from 1.
        attempt: u32,
    },
    /// It was undone.
    Undone {
        /// Of which plan.
        plan: u32,
        /// Which step.
        step: u32,
        /// What a person may want to know.
        said: String,
    },
    /// It could not be undone.
    UndoFailed {
        /// Of which plan.
        plan: u32,
        /// Which step.
        step: u32,
        /// Stable code.
        code: String,
        /// Why.
        why: String,
    },
    /// A plan came to an end.
    Ended {
        /// Which.
        plan: u32,
        /// How.
        how: End,
    },
    /// A person answers for a gate that is not green.
    Waived(Waiver),
    /// No longer.
    Withdrawn {
        /// The gate's code.
        gate: String,
        /// For what it had been waived.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        application: Option<String>,
        /// Who.
        by: String,
    },
}

/// What a journal is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The migration's name.
    pub migration: String,
    /// Given when the journal was begun.
    pub id: Uuid,
    /// Id of the source cluster.
    pub source: String,
    /// Id of the target cluster.
    pub target: String,
}

/// A command that writes the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runner {
    /// Tells one start of a command from another.
    pub token: Uuid,
    /// The machine's name, for people.
    pub host: String,
    /// Identifies the machine and its last start.
    pub machine: String,
    /// The process.
    pub process: u32,
    /// Where its lock lies.
    pub lock: String,
    /// The command.
    pub command: String,
    /// Version of the program.
    pub version: String,
}

/// How a plan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Every step is done.
    Done,
    /// Everything that was done is undone.
    Undone,
    /// A person decides; then the same command goes on.
    Attention,
    /// It is gone on with no more: a plan the other way takes its place.
    Replaced,
}

/// A journal in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// What it is of.
    pub head: Option<Head>,
    /// Who wrote last, unless it left.
    pub runner: Option<Runner>,
    /// Every plan, in order.
    pub courses: Vec<Course>,
    /// Gates that a person answers for.
    pub waived: Vec<Waiver>,
}

/// A plan, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// The plan.
    pub plan: Plan,
    /// Of each step.
    pub standing: Vec<Standing>,
    /// Of each step: what was about to be done when it was begun last.
    pub begun_with: Vec<BTreeMap<String, String>>,
    /// Where groups go on, as it was last said.
    pub placed: Vec<Placed>,
    /// How it ended, if it did.
    pub end: Option<End>,
    /// The failure that turned it around, or stopped it last.
    pub failure: Option<(String, String)>,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// Not begun.
    #[default]
    Not,
    /// Begun, outcome not known.
    Begun(u32),
    /// Done, at this attempt.
    Done(u32),
    /// Failed, and what follows from it.
    Failed(u32, Fails),
    /// Being undone, outcome not known.
    Undoing(u32),
    /// Undone.
    Undone,
    /// Could not be undone.
    UndoFailed(u32),
}

/// Which way a plan goes when it is gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The steps that are not done.
    Forward,
    /// Back.
    Back,
}

impl Standing {
    /// How often it was begun.
    pub fn attempts(self) -> u32 {
        match self {
            Self::Not | Self::Undone | Self::Undoing(_) | Self::UndoFailed(_) => 0,
            Self::Begun(attempt) | Self::Done(attempt) | Self::Failed(attempt, _) => attempt,
        }
    }

    /// Something of it may be there.
    pub fn may_hold(self) -> bool {
        !matches!(self, Self::Not | Self::Undone)
    }

    fn is_of_undo(self) -> bool {
        matches!(self, Self::Undoing(_) | Self::Undone | Self::UndoFailed(_))
    }
}

impl Course {
    /// Which way it goes on.
    pub fn way(&self) -> Way {
        let turned = |standing: &Standing| {
            standing.is_of_undo() || matches!(standing, Standing::Failed(_, Fails::Undo))
        };
        if self.standing.iter().any(turned) {
            Way::Back
        } else {
            Way::Forward
        }
    }

    /// Can everything that was begun be undone?
    pub fn may_be_undone(&self) -> bool {
        let mut steps = self.plan.steps.iter().zip(&self.standing);
        steps.all(|(step, standing)| step.undo != Undo::Impossible || !standing.may_hold())
    }

    /// Is there nothing left to do?
    pub fn is_over(&self) -> bool {
        matches!(self.end, Some(End::Done | End::Undone | End::Replaced))
    }
}

impl State {
    /// The plan of this phase and subject that is not over, by its number.
    pub fn open(&self, phase: &str, subject: &str) -> Option<u32> {
        let is_meant = |course: &Course| {
            !course.is_over() && course.plan.phase == phase && course.plan.subject == subject
        };
        let at = self.courses.iter().rposition(is_meant)?;
        u32::try_from(at).ok()
    }

    /// Which plans are over: what a new plan rests on.
    pub fn summary(&self) -> String {
        let Some(head) = &self.head else {
            return "none".to_owned();
        };
        let over = self.courses.iter().filter(|course| course.is_over());
        format!("{}, {} plans over", head.id, over.count())
    }

    /// Takes in the next record, or says why it cannot come here; then nothing is changed.
    pub fn apply(&mut self, record: &Record) -> Result<(), String> {
        if self.head.is_none() != matches!(record, Record::Begun(_)) {
            return Err("a journal says first, and once, what it is of".to_owned());
        }
        match record {
            Record::Begun(head) => self.head = Some(head.clone()),
            Record::Runner(runner) => self.runner = Some(runner.clone()),
            Record::Left => self.runner = None,
            Record::Waived(waiver) => {
                self.withdraw(&waiver.gate, waiver.application.as_deref());
                self.waived.push(waiver.clone());
            }
            Record::Withdrawn {
                gate, application, ..
            } => self.withdraw(gate, application.as_deref()),
            Record::Planned { plan, what } => {
                if *plan as usize != self.courses.len() {
                    return Err(format!("plan {plan} is not the next"));
                }
                if self.open(&what.phase, &what.subject).is_some() {
                    return Err(format!("a plan of {} is not over", what.phase));
                }
                self.courses.push(Course {
                    standing: vec![Standing::Not; what.steps.len()],
                    begun_with: vec![BTreeMap::new(); what.steps.len()],
                    plan: (**what).clone(),
                    placed: Vec::new(),
                    end: None,
                    failure: None,
                });
            }
            Record::Ended { plan, how } => self.ended(*plan, *how)?,
            Record::Counted { plan, .. } if (*plan as usize) < self.courses.len() => {}
            Record::Counted { plan, .. } => return Err(format!("there is no plan {plan}")),
            Record::Intent { plan, step, .. }
            | Record::Done { plan, step, .. }
            | Record::Failed { plan, step, .. }
            | Record::Attested { plan, step, .. }
            | Record::Undoing { plan, step, .. }
            | Record::Undone { plan, step, .. }
            | Record::UndoFailed { plan, step, .. } => self.stepped(*plan, *step, record)?,
        }
        Ok(())
    }

    fn withdraw(&mut self, gate: &str, application: Option<&str>) {
        self.waived
            .retain(|waiver| !waiver.is_of(gate, application));
    }

    fn ended(&mut self, plan: u32, how: End) -> Result<(), String> {
        let course = self.course(plan)?;
        let left = |(step, standing): (&super::step::Step, &Standing)| match how {
            End::Done => step.what.is_done_here() && !matches!(standing, Standing::Done(_)),
            End::Undone => {
                step.what.is_done_here() && matches!(step.undo, Undo::By(_)) && standing.may_hold()
            }
            End::Attention | End::Replaced => false,
        };
        let steps = course.plan.steps.iter().zip(&course.standing);
        if let Some(at) = steps.into_iter().position(left) {
            let name = &course.plan.steps[at].name;
            return Err(format!(
                "plan {plan} cannot have ended: step {name} has not"
            ));
        }
        course.end = Some(how);
        Ok(())
    }

    fn stepped(&mut self, plan: u32, step: u32, record: &Record) -> Result<(), String> {
        let course = self.course(plan)?;
        let at = step as usize;
        let Some(what) = course.plan.steps.get(at) else {
            return Err(format!("plan {plan} has no step {step}"));
        };
        let (name, kind) = (what.name.clone(), what.what);
        let now = course.standing[at];
        let way = course.way();
        let effect = kind.is_done_here();
        let next = match record {
            Record::Intent { attempt, .. } if effect && way == Way::Forward => {
                (*attempt == now.attempts() + 1).then_some(Standing::Begun(*attempt))
            }
            Record::Done { .. } => match now {
                Standing::Begun(attempt) => Some(Standing::Done(attempt)),
                _ => None,
            },
            Record::Failed { then, .. } => match now {
                Standing::Begun(attempt) => Some(Standing::Failed(attempt, *then)),
                _ if kind == What::Attestation && way == Way::Forward => {
                    Some(Standing::Failed(now.attempts() + 1, *then))
                }
                _ => None,
            },
            Record::Attested { .. } if kind == What::Attestation => Some(match now {
                // Asked again, and now it holds.
                Standing::Failed(_, Fails::Attention) => Standing::Not,
                now => now,
            }),
            Record::Undoing { attempt, .. } if effect => match now {
                Standing::Undoing(before) | Standing::UndoFailed(before) => {
                    (*attempt == before + 1).then_some(Standing::Undoing(*attempt))
                }
                Standing::Not | Standing::Undone => None,
                _ => (*attempt == 1).then_some(Standing::Undoing(1)),
            },
            Record::Undone { .. } => {
                matches!(now, Standing::Undoing(_)).then_some(Standing::Undone)
            }
            Record::UndoFailed { .. } => match now {
                Standing::Undoing(attempt) => Some(Standing::UndoFailed(attempt)),
                _ => None,
            },
            _ => None,
        };
        let Some(next) = next else {
            return Err(format!("step {name} of plan {plan} is {now:?}"));
        };
        course.standing[at] = next;
        if let Record::Intent { with, .. } = record {
            course.begun_with[at].clone_from(with);
        }
        if let Record::Attested { placed, .. } = record
            && !placed.is_empty()
        {
            course.placed.clone_from(placed);
        }
        course.end = None;
        if let Record::Failed { code, why, .. } = record {
            course.failure = Some((code.clone(), why.clone()));
        }
        Ok(())
    }

    fn course(&mut self, plan: u32) -> Result<&mut Course, String> {
        match self.courses.get_mut(plan as usize) {
            Some(course) if course.is_over() => Err(format!("plan {plan} is over")),
            Some(course) => Ok(course),
            None => Err(format!("there is no plan {plan}")),
        }
    }
}
