//! How a move is shown: in a sentence, as bars, step by step, and what its groups read again.

use crate::{
    model::numbers,
    phases::moving::{LAST_POSITIONS, POSITIONS},
    report::{
        again::Group,
        bars::{Bar, Bars, took_words},
        document::{Block, Document, code, plain},
        moves::{Move, Step},
    },
};

/// Said of what the journal does not tell.
const NOT_KNOWN: &str = "not known";

/// One move.
pub fn one(of: &Move, page: &mut Document) {
    let outcome = match of.outcome {
        "under-way" => "not over",
        "going-back" => "being undone",
        "attention" => "stopped, a person decides",
        "replaced" => "replaced by a plan the other way",
        outcome => outcome,
    };
    page.heading(
        3,
        format!(
            "{} of {} to the {}, {}: {outcome}",
            plain(&of.phase),
            code(&of.application),
            of.to,
            numbers::stamp(of.planned_at_ms)
        ),
    );
    page.text(downtime(of));
    if let Some(failure) = &of.failure {
        let then = if of.outcome == "done" {
            "It had failed before"
        } else {
            "It failed"
        };
        page.text(format!("{then}: {}", plain(failure)));
    }
    let bars: Vec<Bar> = of.steps.iter().filter_map(bar).collect();
    if !bars.is_empty() {
        let moments = &of.moments;
        let named = [
            ("stop", moments.stop_began),
            ("quiet", moments.quiet),
            ("may start", moments.may_start),
            ("at work", moments.lives),
        ];
        let named = named.into_iter();
        page.blocks.push(Block::Bars(Bars {
            bars,
            ours: moments
                .quiet
                .zip(moments.may_start)
                .filter(|_| of.ours_ms.is_some()),
            moments: named
                .filter_map(|(name, at_ms)| Some((name.to_owned(), at_ms?)))
                .collect(),
        }));
    }
    let rows = of.steps.iter().map(row);
    page.table(
        vec!["began", "step", "", "took", "what came of it"],
        rows.collect(),
    );
}

/// How long it was down, and how much of that is ours.
fn downtime(of: &Move) -> String {
    let moments = &of.moments;
    let down = match (of.down_ms, moments.stop_began) {
        (Some(down), _) if of.outcome == "undone" => format!(
            "It was down for {}, until it was started again where it had been.",
            took_words(down)
        ),
        (Some(down), _) => format!(
            "It was down for {}, from when its stop began to when it was seen at work.",
            took_words(down)
        ),
        (None, Some(since)) => format!(
            "Its stop began {}; by the journal it has not been seen at work since.",
            numbers::stamp(since)
        ),
        (None, None) if moments.quiet.is_some() => {
            "When it was stopped is not known: a person stopped it.".to_owned()
        }
        (None, None) => "It was not stopped.".to_owned(),
    };
    let ours = match of.ours_ms {
        Some(ours) => {
            let gap = if of.interrupted {
                ", with the time in which the command did not run"
            } else {
                ""
            };
            format!(
                " Our own share: {}, from when nothing of it was seen to when it could be started{gap}.",
                took_words(ours)
            )
        }
        None => String::new(),
    };
    down + &ours
}

fn bar(step: &Step) -> Option<Bar> {
    let from_ms = step.since_ms.filter(|since| *since <= step.at_ms)?;
    Some(Bar {
        name: plain(&step.name),
        from_ms,
        to_ms: step.at_ms,
        kind: step.kind(),
    })
}

fn row(step: &Step) -> Vec<String> {
    let state = match step.state {
        "begun" => "begun, no outcome",
        "not-undone" => "could not be undone",
        state => state,
    };
    vec![
        step.since_ms.map_or(NOT_KNOWN.to_owned(), numbers::stamp),
        plain(&step.name.replace('-', " ")),
        state.to_owned(),
        step.took_ms.map_or(NOT_KNOWN.to_owned(), took_words),
        plain(&step.said),
    ]
}

/// What all moves came to, group by group.
pub fn read_again(moves: &[Move], page: &mut Document) {
    page.heading(2, "Read again");
    let with_positions: Vec<&Move> = moves.iter().filter(|of| !of.groups.is_empty()).collect();
    let only_said: Vec<String> = moves.iter().filter_map(only_said).collect();
    if with_positions.is_empty() && only_said.is_empty() {
        page.text("The journal tells of no move with positions of groups.");
        return;
    }
    page.list(only_said);
    if with_positions.is_empty() {
        return;
    }
    page.text("Announced: what the positions of a group were to make it read again, before it was started. Measured: records between its position and the end of then that stand below what it had committed on the side that it left, counted from both clusters by what they say, not by any map.");
    let rows = with_positions.iter().flat_map(|of| {
        of.groups.iter().map(|group| {
            vec![
                format!("{} {}", plain(&of.phase), numbers::stamp(of.planned_at_ms)),
                code(&group.group),
                exactness(group),
                numbers::exact(group.announced),
                measured(group.measured, group.not_measured.as_deref()),
            ]
        })
    });
    let head = vec!["move", "group", "positions", "announced", "measured"];
    page.table(head, rows.collect());
    // Partitions one by one only where there is something to see.
    let rows = with_positions.iter().flat_map(|of| {
        of.groups.iter().flat_map(|group| {
            let odd = group.partitions.iter();
            let odd = odd.filter(|one| one.announced > 0 || one.measured != Some(0));
            odd.map(|one| {
                vec![
                    numbers::stamp(of.planned_at_ms),
                    code(&group.group),
                    code(&format!("{}-{}", one.topic, one.partition)),
                    one.committed.to_string(),
                    one.exact.to_string(),
                    one.went_on_at.to_string(),
                    numbers::exact(one.announced),
                    measured(one.measured, one.not_measured.as_deref()),
                ]
            })
        })
    });
    page.table(
        vec![
            "move",
            "group",
            "partition",
            "had committed",
            "exact there",
            "went on at",
            "announced",
            "measured",
        ],
        rows.collect(),
    );
}

/// A move whose journal has positions in words only: those that came back last, or what an earlier version wrote.
fn only_said(of: &Move) -> Option<String> {
    let names = [POSITIONS, LAST_POSITIONS];
    let mut steps = of.steps.iter().rev();
    let step = steps.find(|step| step.state == "held" && names.contains(&step.name.as_str()));
    let step = step.filter(|step| of.groups.is_empty() && !step.said.starts_with("0 positions"))?;
    Some(format!(
        "{} of {}, {}: {}. Not measured: the journal does not say where each of them went on.",
        plain(&of.phase),
        code(&of.application),
        numbers::stamp(of.planned_at_ms),
        plain(&step.said)
    ))
}

fn exactness(group: &Group) -> String {
    let exact = group.partitions.iter().filter(|one| one.announced == 0);
    format!("{} of {} exact", exact.count(), group.partitions.len())
}

fn measured(count: Option<u64>, why: Option<&str>) -> String {
    match (count, why) {
        (Some(count), _) => numbers::exact(count),
        (None, Some(why)) => format!("not measured: {}", plain(why)),
        (None, None) => "not measured".to_owned(),
    }
}
