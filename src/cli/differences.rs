//! The report of `verify` as text and as a document.

use serde::Serialize;

use crate::{
    clock,
    ui::{numbers, tables},
    verify::{Content, Difference, Kind, Report, Shape, TopicReport, Witness},
};

#[derive(Serialize)]
struct Document<'a> {
    at: String,
    #[serde(flatten)]
    report: &'a Report,
}

/// One document for programs.
pub fn document(report: &Report) -> impl Serialize + '_ {
    Document {
        at: numbers::stamp(clock::unix_millis()),
        report,
    }
}

/// The report for people. The first line has the verdict; a table and samples follow where there is something to show.
pub fn text(report: &Report) -> String {
    let mut text = headline(report);
    let shown: Vec<&TopicReport> = report
        .by_topic
        .iter()
        .filter(|topic| topic.behind || topic.absent || topic.counts.differences() > 0)
        .collect();
    if !shown.is_empty() {
        text += "\n";
        text += &topics(&shown);
    }
    if !report.samples.is_empty() {
        text += "\nthe first differences, by topic, partition and offset\n";
        text += &samples(&report.samples);
        for sample in &report.samples {
            text += &contents(sample);
        }
    }
    let witness = witness(&report.witness);
    if !report.notes.is_empty() || witness.is_some() {
        text += "\n";
    }
    for note in report.notes.iter().chain(witness.as_ref()) {
        text += &format!("note: {note}\n");
    }
    text
}

fn headline(report: &Report) -> String {
    let totals = &report.totals;
    let compared = totals.matching + totals.different + totals.missing + totals.reordered;
    let behind = if report.behind { "   behind: yes" } else { "" };
    format!(
        "{}   state: {}   partitions: {}   records: {}   differs: {}{behind}   took {}\n",
        report.migration,
        report.state,
        numbers::exact(report.partitions as u64),
        numbers::exact(compared),
        if report.differs { "yes" } else { "no" },
        numbers::time(std::time::Duration::from_millis(report.took_ms))
    )
}

fn topics(topics: &[&TopicReport]) -> String {
    let rows: Vec<[String; 8]> = topics
        .iter()
        .map(|topic| {
            let counts = &topic.counts;
            [
                topic.topic.clone(),
                numbers::exact(counts.matching),
                numbers::exact(counts.different),
                numbers::exact(counts.missing),
                if counts.repeated > 0 {
                    format!(
                        "{} ({} repeated)",
                        numbers::exact(counts.extra),
                        numbers::exact(counts.repeated)
                    )
                } else {
                    numbers::exact(counts.extra)
                },
                numbers::exact(counts.reordered),
                numbers::exact(counts.corrupt + counts.witness),
                if topic.absent {
                    "not on the target".to_owned()
                } else {
                    numbers::exact(counts.not_yet_copied)
                },
            ]
        })
        .collect();
    tables::grid(
        &[
            "topic",
            "matching",
            "different",
            "only on source",
            "only on target",
            "reordered",
            "unreadable",
            "not yet copied",
        ],
        &rows,
    )
}

/// Offsets without separators: they are made to be copied.
fn samples(samples: &[Difference]) -> String {
    let offset = |offset: Option<i64>| offset.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let rows: Vec<[String; 5]> = samples
        .iter()
        .map(|sample| {
            [
                format!("{}-{}", sample.topic, sample.partition),
                offset(sample.source_offset),
                offset(sample.target_offset),
                kind(sample.kind).to_owned(),
                what(sample),
            ]
        })
        .collect();
    tables::grid(
        &[
            "partition",
            "source offset",
            "target offset",
            "what",
            "where in it",
        ],
        &rows,
    )
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Different => "different",
        Kind::Missing => "only on the source",
        Kind::Extra => "only on the target",
        Kind::Repeated => "repeated on the target",
        Kind::Reordered => "in another order",
        Kind::Corrupt => "broken batch",
        Kind::Witness => "librdkafka reads it otherwise",
    }
}

/// Which parts differ and how long they are, or what is broken. Never what they hold.
fn what(sample: &Difference) -> String {
    let length = |shape: &Shape, part: &str| match part {
        "key" => shape.key_length,
        "value" => shape.value_length,
        _ => shape.headers,
    };
    let size = |length: i64, part: &str| match (length, part) {
        (..0, _) => "null".to_owned(),
        (count, "headers") => count.to_string(),
        (bytes, _) => format!("{bytes} B"),
    };
    let part = |part: &&str| match (&sample.source, &sample.target) {
        (Some(source), Some(target)) if *part == "timestamp" => {
            format!("timestamp {} / {}", source.timestamp, target.timestamp)
        }
        (Some(source), Some(target)) => format!(
            "{part} {} / {}",
            size(length(source, part), part),
            size(length(target, part), part)
        ),
        _ => (*part).to_owned(),
    };
    let parts: Vec<String> = sample
        .parts
        .iter()
        .map(part)
        .chain(sample.detail.iter().map(|detail| printable(detail)))
        .collect();
    parts.join(", ")
}

/// What the records hold, where it was asked for.
fn contents(sample: &Difference) -> String {
    let mut text = String::new();
    let sides = [
        ("source", sample.source_offset, &sample.source),
        ("target", sample.target_offset, &sample.target),
    ];
    for (side, offset, shape) in sides {
        if let (Some(offset), Some(content)) = (
            offset,
            shape.as_ref().and_then(|shape| shape.content.as_ref()),
        ) {
            text += &format!(
                "\n{}-{} {side} {offset}\n{}",
                sample.topic,
                sample.partition,
                content_of(content)
            );
        }
    }
    text
}

fn content_of(content: &Content) -> String {
    let quoted = |text: &Option<String>| {
        text.as_ref().map_or_else(
            || "null".to_owned(),
            |text| format!("\"{}\"", printable(text)),
        )
    };
    let mut text = format!(
        "  key    {}\n  value  {}\n",
        quoted(&content.key),
        quoted(&content.value)
    );
    for (name, value) in &content.headers {
        text += &format!("  header {} = {}\n", printable(name), quoted(value));
    }
    text
}

/// Records hold what they like; a terminal must not obey it.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|letter| {
            let escaped = letter.is_control() || matches!(letter, '\u{200e}'..='\u{202e}');
            let escape = escaped.then(|| letter.escape_default());
            escape
                .into_iter()
                .flatten()
                .chain((!escaped).then_some(letter))
        })
        .collect()
}

fn witness(witness: &Witness) -> Option<String> {
    match witness {
        Witness::Off => None,
        Witness::Agrees { records } => Some(format!(
            "librdkafka read the target too, {}, and saw the same",
            numbers::of(*records, "record")
        )),
        Witness::Disagrees => Some("librdkafka read the target too, and saw something else".into()),
        Witness::Unavailable { reason } => Some(format!(
            "librdkafka could not read the target: {}",
            printable(reason)
        )),
    }
}
