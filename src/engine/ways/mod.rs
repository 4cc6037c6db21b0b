//! The ways past a stop: which there are for which stop, and what a person asked for.

mod asked;
mod decide;
mod two_way;

pub use asked::{Asked, Malformed};
pub use decide::{Decision, Decisions, decide, renew, still_holds};
pub use two_way::{check_two_way, of_each, without_recopy};

use super::ledger::record::{Gap, Stopped};
use crate::{events::Choice, model::names::TopicPartition};

/// A way past a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Give up what cannot be copied, and go on behind it.
    AcceptGap,
    /// Copy the partition again from the source's first record.
    Recopy,
    /// What looks like a copy of the other direction's is an application's: copy it.
    NotOurs,
}

impl Way {
    /// The flag of `replicate`.
    pub fn flag(self) -> &'static str {
        match self {
            Self::AcceptGap => "--accept-gap",
            Self::Recopy => "--recopy",
            Self::NotOurs => "--not-ours",
        }
    }
}

/// What leads past a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ways {
    /// Whether what is in the way can be given up.
    pub gap: bool,
    /// Whether copying again helps.
    pub recopy: bool,
    /// Whether a person can say whose it is.
    pub not_ours: bool,
    /// It concerns the topic as a whole.
    pub whole_topic: bool,
    /// What a person can do without either, and after which a plain start goes on.
    pub cure: &'static str,
}

/// The stop of a partition of a compacted topic that was behind for too long.
const TOMBSTONES: u16 = 527;
/// The stop of a partition with records of an application that went back without them.
const STRANDED: u16 = 562;

fn number(code: &str) -> u16 {
    let digits = code.get(1..);
    digits.and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// What leads past a stop with this code.
pub fn of(code: &str) -> Ways {
    let number = number(code);
    let ways = |gap, recopy, cure| Ways {
        gap,
        recopy,
        not_ours: false,
        whole_topic: false,
        cure,
    };
    match number {
        // Retention overtook; cut off.
        501 | 502 => ways(true, true, ""),
        // Made anew: offsets of the old topic mean nothing in the new one.
        503 => Ways {
            whole_topic: true,
            ..ways(false, true, "")
        },
        504 => ways(
            false,
            false,
            "give this migration's login the right to write to the topic on the target; if the topic is gone, the next start makes it",
        ),
        // Tombstones may have been missed: of what was given up nobody knows whether it was there.
        TOMBSTONES => ways(true, true, ""),
        // What of ours stands on the target cannot be known.
        505 | 506 | 517 | 523 => ways(false, true, ""),
        // The target holds what we did not write.
        520 => ways(
            false,
            true,
            "empty the topic on the target; or let what it holds stay there, in front of ours, with `existing = \"keep\"` for it under [[topic]] in the migration file",
        ),
        507 => ways(
            false,
            false,
            "make the topic again on the source, or leave it out with `scope.exclude_topics`",
        ),
        508 => ways(
            false,
            false,
            "give this migration's login the right to read the topic on the source",
        ),
        525 => ways(
            false,
            false,
            "give this migration's login the right to see and read the topic, or take a topic that is gone out of `scope.topics`",
        ),
        526 => ways(
            false,
            false,
            "give this migration's login the right to write to the topic on the target",
        ),
        // A batch that the target does not take.
        509 => ways(
            true,
            false,
            "let the target take the batch (its limits, its rights), which loses nothing",
        ),
        // A batch that is broken.
        513..=516 | 519 => ways(true, false, ""),
        // Copying it again was begun, and the target does not let go of what is there.
        524 => ways(
            false,
            false,
            "delete the topic's records on the target, or let them be deleted (`cleanup.policy` has to name `delete`); what was decided stands, and a plain start goes on with it",
        ),
        522 => ways(
            false,
            false,
            "start again: a topic that is gone on the target is made then",
        ),
        // Whose it is cannot be known.
        560 => Ways {
            not_ours: true,
            ..ways(true, false, "")
        },
        // Stranded: whoever wrote it has gone back without it.
        STRANDED => Ways {
            not_ours: true,
            ..ways(true, false, "")
        },
        561 => ways(
            false,
            false,
            "make the topic again on the source, or leave it out with `scope.exclude_topics`",
        ),
        _ => ways(false, false, "remove what the reason names"),
    }
}

/// What a person has decided about a partition before.
#[derive(Debug, Clone, Copy, Default)]
pub struct Before {
    /// Decisions at the very offset at which it has stopped.
    pub here: usize,
    /// How often it was to be copied again.
    pub recopies: usize,
    /// Target offsets in front of ours that were there before and were to stay, from and to.
    pub kept: Option<(i64, i64)>,
}

/// What a person can do about a stop.
pub fn choices(name: &TopicPartition, stopped: &Stopped, before: Before) -> Vec<Choice> {
    let ways = of(&stopped.code);
    let mut choices = Vec::new();
    let mut choice = |does: String, command: Option<String>| {
        choices.push(Choice { does, command });
    };
    if !ways.cure.is_empty() {
        choice(
            ways.cure.to_owned(),
            Some("kafka-migrate replicate".to_owned()),
        );
    }
    let at = Asked::naming(Way::AcceptGap, name, stopped.source, before.here);
    if let (true, Some(beyond)) = (ways.gap, stopped.beyond) {
        let does = match (beyond.source, stopped.source) {
            (to, from) if to > from => {
                format!(
                    "give up source offsets {from} to {}, and go on at {to}",
                    to - 1
                )
            }
            (to, from) if to < from => format!(
                "go on at source offset {to}, where the source was cut off: its records from there to {} stay on the target as they were copied",
                from - 1
            ),
            (to, _) if number(&stopped.code) == TOMBSTONES => format!(
                "go on at source offset {to}: keys that were deleted on the source meanwhile may live on on the target"
            ),
            (to, _) => format!("go on at source offset {to}"),
        };
        choice(does, Some(format!("kafka-migrate replicate {at}")));
    }
    if let (true, Some(beyond)) = (ways.not_ours, stopped.beyond) {
        let way = Way::NotOurs;
        let asked = Asked { way, ..at.clone() };
        let (from, to) = (stopped.source, beyond.source - 1);
        let does = match number(&stopped.code) {
            STRANDED => format!(
                "copy source offsets {from} to {to} after all, behind what was written on the target since"
            ),
            _ => format!(
                "copy source offsets {from} to {to}, which an application wrote, and so what follows of the same writer under that epoch"
            ),
        };
        choice(does, Some(format!("kafka-migrate replicate {asked}")));
    }
    if ways.recopy {
        let (what, asked) = if ways.whole_topic {
            let topic = Asked::topic(Way::Recopy, &name.topic, before.recopies);
            (format!("all of {}", name.topic), topic)
        } else {
            let way = Way::Recopy;
            ("it".to_owned(), Asked { way, ..at })
        };
        let kept = before.kept.map_or_else(String::new, |(from, to)| {
            format!(
                ", its target offsets {from} to {} of before this migration too, for which `existing = \"keep\"` has to be taken out of the migration file first",
                to - 1
            )
        });
        choice(
            format!(
                "copy {what} again from the source's first record, after what the target holds of it is deleted{kept}"
            ),
            Some(format!("kafka-migrate replicate {asked}")),
        );
    }
    choices
}

/// What was taken for an application's, in words.
pub fn taken(batch: &Gap) -> String {
    format!(
        "source offsets {} to {} are an application's, and are copied",
        batch.from,
        batch.to.source - 1
    )
}

/// What was given up, in words.
pub fn describe(gap: &Gap) -> String {
    let (from, to) = (gap.from, gap.to.source);
    match from.cmp(&to) {
        std::cmp::Ordering::Less => {
            format!("source offsets {from} to {} were given up", to - 1)
        }
        std::cmp::Ordering::Equal if number(&gap.code) == TOMBSTONES => format!(
            "it went on at source offset {to}, though tombstones may have been missed: keys that were deleted there may live on"
        ),
        std::cmp::Ordering::Equal => format!("it went on at source offset {to}"),
        std::cmp::Ordering::Greater => format!(
            "it went back to source offset {to}, where the source was cut off; what was copied from {to} to {} before stays on the target",
            from - 1
        ),
    }
}

#[cfg(test)]
mod tests;
