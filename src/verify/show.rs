//! Turns what was found into the report: counts by topic, the first differences, what their records hold.

use std::collections::{BTreeMap, HashSet};

use super::{
    partition::{Outcome, Task},
    print::Print,
    report::{Content, Difference, Kind, Report, SAMPLES, Shape, TopicReport, Witness},
    tally::Finding,
    witness::Statement,
};
use crate::{
    cluster::{Cluster, Source, Target},
    model::{
        direction::Direction,
        names::{Side, TopicName, TopicPartition},
        numbers,
    },
    wire::record::{Record, Records},
};

/// Longest text of a key, value or header shown, in characters.
const SHOWN: usize = 200;
/// Bytes read around a record to show it.
const READ: i32 = 1 << 20;
/// Largest batch decompressed to show a record, in bytes.
const BATCH_LIMIT: usize = 64 << 20;

/// Sums up both directions; what was found is in the order of topics and partitions.
pub fn report(
    migration: String,
    clusters: [String; 2],
    absent: &HashSet<TopicName>,
    found: Vec<(Task, Outcome)>,
    back: Option<Vec<(Task, Outcome)>>,
) -> Report {
    let there = Way::of(absent, found);
    let mut report = Report::of(migration, clusters, there.by_topic, there.samples);
    report.witness = there.witness;
    if let Some(found) = back {
        let back = Way::of(&HashSet::new(), found);
        report = report.and_back(back.by_topic, back.samples);
        if let Some(way_back) = &mut report.way_back {
            way_back.witness = back.witness;
        }
    }
    notes(&mut report);
    report
}

/// What was found in one direction.
struct Way {
    by_topic: Vec<TopicReport>,
    samples: Vec<Difference>,
    witness: Witness,
}

impl Way {
    fn of(absent: &HashSet<TopicName>, found: Vec<(Task, Outcome)>) -> Self {
        let mut by_topic: BTreeMap<TopicName, TopicReport> = BTreeMap::new();
        let (mut samples, mut seen, mut disagrees, mut unavailable) =
            (Vec::new(), None, false, None);
        for (task, outcome) in found {
            let topic = by_topic
                .entry(task.at.topic.clone())
                .or_insert_with(|| TopicReport {
                    topic: task.at.topic.to_string(),
                    // An empty topic that is not there is not yet copied, too.
                    absent: absent.contains(&task.at.topic),
                    behind: absent.contains(&task.at.topic),
                    ..TopicReport::default()
                });
            topic.partitions += 1;
            topic.counts.add(&outcome.counts);
            topic.behind |= outcome.behind.is_some();
            if samples.len() < SAMPLES {
                samples.extend(differences(&task, &outcome));
            }
            match outcome.witness {
                Some(Statement::Agrees(records)) => *seen.get_or_insert(0) += records,
                Some(Statement::Disagrees { .. }) => disagrees = true,
                Some(Statement::Unavailable(reason)) => unavailable = unavailable.or(Some(reason)),
                None => {}
            }
        }
        Self {
            by_topic: by_topic.into_values().collect(),
            samples,
            witness: match (disagrees, unavailable, seen) {
                (true, _, _) => Witness::Disagrees,
                (false, Some(reason), _) => Witness::Unavailable { reason },
                (false, None, Some(records)) => Witness::Agrees { records },
                (false, None, None) => Witness::Off,
            },
        }
    }
}

fn notes(report: &mut Report) {
    let mut totals = report.totals;
    let back = report.way_back.as_ref();
    let not_yet_back = back.map_or(0, |back| back.totals.not_yet_copied);
    let not_yet_copied = totals.not_yet_copied;
    if let Some(back) = back {
        totals.add(&back.totals);
    }
    let is_unavailable = |witness: &Witness| matches!(witness, Witness::Unavailable { .. });
    let absent = report.by_topic.iter().filter(|topic| topic.absent).count();
    let notes = [
        (
            absent > 0,
            format!(
                "{} of the scope not on the target yet",
                numbers::of(absent as u64, "topic")
            ),
        ),
        (
            not_yet_copied > 0,
            format!(
                "at most {} of the source still to be copied",
                numbers::of(not_yet_copied, "record")
            ),
        ),
        (
            not_yet_back > 0,
            format!(
                "at most {} of the target still to be copied back",
                numbers::of(not_yet_back, "record")
            ),
        ),
        (
            totals.retired > 0,
            format!(
                "{} at the front of partitions on one side only: the other side's retention removed them",
                numbers::of(totals.retired, "record")
            ),
        ),
        (
            totals.kept > 0,
            format!(
                "at most {} that the target held before, kept in front of the copies and not compared",
                numbers::of(totals.kept, "record")
            ),
        ),
        (
            totals.excused > 0,
            format!(
                "{} of compacted topics not compared: a later record of the key, or nothing, takes its place",
                numbers::of(totals.excused, "record")
            ),
        ),
        (
            totals.unclear > 0,
            format!(
                "{} {} with a producer id under which copies are made, and an epoch under which none were: compared as an application's",
                numbers::exact(totals.unclear),
                if totals.unclear == 1 {
                    "batch"
                } else {
                    "batches"
                }
            ),
        ),
        (
            is_unavailable(&report.witness),
            "the second reader of the target could not read everything".into(),
        ),
        (
            back.is_some_and(|back| is_unavailable(&back.witness)),
            "the second reader of the source could not read everything".into(),
        ),
    ];
    report.notes = notes
        .into_iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, note)| note)
        .collect();
}

fn differences(task: &Task, outcome: &Outcome) -> Vec<Difference> {
    let found = outcome.first.iter();
    let mut all: Vec<Difference> = found.map(|finding| of_finding(task, finding)).collect();
    for (side, offset, reason) in &outcome.corrupt {
        let of = |which: Side| (*side == which).then_some(*offset);
        all.push(Difference {
            detail: Some(reason.clone()),
            ..bare(task, Kind::Corrupt, [of(Side::Source), of(Side::Target)])
        });
    }
    if let Some(Statement::Disagrees { offset, detail }) = &outcome.witness {
        all.push(Difference {
            detail: Some(detail.clone()),
            ..bare(task, Kind::Witness, [None, Some(*offset)])
        });
    }
    all
}

fn of_finding(task: &Task, finding: &Finding) -> Difference {
    let (kind, from, to) = match finding {
        Finding::Different(s, t) => (Kind::Different, Some(s), Some(t)),
        Finding::Reordered(s, t) => (Kind::Reordered, Some(s), Some(t)),
        Finding::Missing(s) => (Kind::Missing, Some(s), None),
        Finding::Extra(t) => (Kind::Extra, None, Some(t)),
        Finding::Repeated(t) => (Kind::Repeated, None, Some(t)),
    };
    let offset = |print: Option<&Print>| print.map(|print| print.offset);
    let mut difference = bare(task, kind, [offset(from), offset(to)]);
    if let (Some(s), Some(t)) = (from, to) {
        let parts = [
            ("key", s.key != t.key),
            ("value", s.value != t.value),
            ("headers", s.headers != t.headers),
            ("timestamp", s.timestamp != t.timestamp),
        ];
        difference.parts = parts
            .into_iter()
            .filter(|(_, differs)| *differs)
            .map(|(part, _)| part)
            .collect();
    }
    [difference.source, difference.target] =
        as_people_call_them(task.direction, [from.map(shape), to.map(shape)]);
    difference
}

/// Something of the side that is copied from and something of the other, as source and target of the migration.
fn as_people_call_them<T>(direction: Direction, [from, to]: [T; 2]) -> [T; 2] {
    match direction {
        Direction::Forward => [from, to],
        Direction::Reverse => [to, from],
    }
}

fn bare(task: &Task, kind: Kind, offsets: [Option<i64>; 2]) -> Difference {
    let [source_offset, target_offset] = as_people_call_them(task.direction, offsets);
    Difference {
        topic: task.at.topic.to_string(),
        partition: task.at.partition,
        direction: task.direction,
        kind,
        source_offset,
        target_offset,
        parts: Vec::new(),
        source: None,
        target: None,
        detail: None,
    }
}

fn shape(print: &Print) -> Shape {
    let digest = |digest: u128| format!("{:016x}", (digest >> 64) as u64);
    Shape {
        timestamp: print.timestamp,
        key_length: print.key.length,
        key_digest: digest(print.key.digest),
        value_length: print.value.length,
        value_digest: digest(print.value.digest),
        headers: print.headers.length,
        headers_digest: digest(print.headers.digest),
        content: None,
    }
}

/// Reads the samples' records once more to show what they hold. What cannot be read any more is left out.
pub async fn contents(samples: &mut [Difference], source: &Source, target: &Target) {
    for sample in samples {
        let at = TopicPartition::new(sample.topic.as_str(), sample.partition);
        if let (Some(shape), Some(offset)) = (&mut sample.source, sample.source_offset) {
            shape.content = content(source, &at, offset).await;
        }
        if let (Some(shape), Some(offset)) = (&mut sample.target, sample.target_offset) {
            shape.content = content(target, &at, offset).await;
        }
    }
}

async fn content(cluster: &Cluster, at: &TopicPartition, offset: i64) -> Option<Content> {
    let (batches, _) = cluster.read(at, offset, READ).await.ok()?;
    let batch = batches
        .iter()
        .find(|batch| batch.header.last_offset() >= offset)?;
    let records = Records::of(batch, BATCH_LIMIT).ok()?;
    let Record {
        key,
        value,
        headers,
        ..
    } = records
        .filter_map(Result::ok)
        .find(|record| record.offset == offset)?;
    let headers = headers
        .iter()
        .map(|header| (text(&header.name), header.value.as_deref().map(text)))
        .collect();
    Some(Content {
        key: key.as_deref().map(text),
        value: value.as_deref().map(text),
        headers,
    })
}

fn text(bytes: &[u8]) -> String {
    // At most four bytes make a character.
    let start = bytes.get(..4 * SHOWN).unwrap_or(bytes);
    let mut text: String = String::from_utf8_lossy(start).chars().take(SHOWN).collect();
    if text.len() < bytes.len() && text.chars().count() >= SHOWN {
        text.push('…');
    }
    text
}
