//! Lists below a status: open transactions, seams, held settings, what owners deleted, what persons decided; the first of each.

use crate::{
    engine::status::{Decided, HeldStatus, OpenTransaction, SeamStatus, TrimmedStatus},
    ui::{numbers, tables},
};

/// Open transactions shown to a person, the oldest.
const TRANSACTIONS_SHOWN: usize = 10;
/// Kept partitions shown to a person.
const SEAMS_SHOWN: usize = 10;
/// Partitions shown of which something was deleted by its owner.
pub(super) const TRIMMED_SHOWN: usize = 10;
/// Held settings shown to a person.
const HELD_SHOWN: usize = 10;

pub(super) fn transactions(open: &[OpenTransaction], now: i64) -> String {
    let rows: Vec<[String; 6]> = open
        .iter()
        .take(TRANSACTIONS_SHOWN)
        .map(|one| {
            let age = u64::try_from(now - one.since_ms).unwrap_or(0);
            [
                format!("{}-{}", one.topic, one.partition),
                one.transactional_id
                    .clone()
                    .unwrap_or_else(|| "unknown".to_owned()),
                one.producer_id.to_string(),
                one.first_offset.to_string(),
                numbers::exact(one.held_back),
                numbers::time(std::time::Duration::from_millis(age)),
            ]
        })
        .collect();
    tables::grid(
        &[
            "partition",
            "transactional id",
            "producer",
            "from offset",
            "held back",
            "open for",
        ],
        &rows,
    )
}

/// Partitions whose target held records before, the first of them.
pub(super) fn seams(all: &[SeamStatus]) -> String {
    let rows: Vec<[String; 4]> = all
        .iter()
        .take(SEAMS_SHOWN)
        .map(|one| {
            [
                format!("{}-{}", one.topic, one.partition),
                format!("{} to {}", one.kept_from, one.target_offset - 1),
                one.target_offset.to_string(),
                one.source_offset.to_string(),
            ]
        })
        .collect();
    let header = [
        "partition",
        "target offsets of before",
        "ours from",
        "source from",
    ];
    let mut text = tables::grid(&header, &rows);
    if all.len() > SEAMS_SHOWN {
        text += &format!("and {} more (--json for all)\n", all.len() - SEAMS_SHOWN);
    }
    text
}

/// Settings that are not as they were, the first of them.
pub(super) fn held(all: &[HeldStatus]) -> String {
    let rows: Vec<[String; 5]> = all
        .iter()
        .take(HELD_SHOWN)
        .map(|one| {
            let before = one.before.as_deref().unwrap_or("the broker's own");
            [
                one.topic.clone(),
                one.setting.clone(),
                one.held.clone(),
                before.to_owned(),
                numbers::stamp(one.since_ms),
            ]
        })
        .collect();
    let mut text = tables::grid(&["topic", "setting", "now", "before", "since"], &rows);
    if all.len() > HELD_SHOWN {
        text += &format!("and {} more (--json for all)\n", all.len() - HELD_SHOWN);
    }
    text
}

/// What owners of repartition topics had read and deleted.
pub(super) fn trimmed(all: &[TrimmedStatus]) -> String {
    let rows: Vec<[String; 6]> = all
        .iter()
        .take(TRIMMED_SHOWN)
        .map(|one| {
            [
                format!("{}-{}", one.topic, one.partition),
                one.group.clone(),
                numbers::exact(one.offsets),
                numbers::exact(one.times),
                format!("{} to {}", one.from, one.to - 1),
                numbers::stamp(one.at_ms),
            ]
        })
        .collect();
    let heads = ["partition", "owner", "offsets", "times", "last", "when"];
    let mut text = tables::grid(&heads, &rows);
    if all.len() > TRIMMED_SHOWN {
        let more = all.len() - TRIMMED_SHOWN;
        text += &format!("and {more} more (--json for all)\n");
    }
    text
}

/// What persons decided about partitions that had stopped.
pub(in crate::cli) fn decided(all: &[Decided]) -> String {
    let rows: Vec<[String; 5]> = all
        .iter()
        .map(|one| {
            [
                format!("{}-{}", one.topic, one.partition),
                one.code.clone(),
                numbers::stamp(one.at_ms),
                one.by.clone(),
                one.decision.clone(),
            ]
        })
        .collect();
    tables::grid(&["partition", "past", "when", "who", "what"], &rows)
}
