//! The report of `verify` as text and as a document.

use serde::Serialize;

use crate::{
    clock,
    ui::{numbers, printable, tables},
    verify::{Content, Difference, Kind, Report, Shape, TopicReport, Witness},
};

#[derive(Serialize)]
struct Document<'a> {
    at: String,
    event: &'static str,
    #[serde(flatten)]
    report: &'a Report,
}

/// One document for programs.
pub fn document(report: &Report) -> impl Serialize + '_ {
    Document {
        at: numbers::stamp(clock::unix_millis()),
        event: "verify",
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

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::verify::Counts;

    fn report(counts: Counts, samples: Vec<Difference>) -> Report {
        let topic = TopicReport {
            topic: "orders".into(),
            partitions: 3,
            counts,
            behind: counts.not_yet_copied > 0,
            absent: false,
        };
        let clusters = ["Aaa".to_owned(), "Bbb".to_owned()];
        let mut report = Report::of("orders".into(), clusters, vec![topic], samples);
        report.took_ms = 4_100;
        report.witness = Witness::Agrees { records: 3009 };
        report
    }

    fn shape(value_length: i64) -> Shape {
        Shape {
            timestamp: 1_700_000_000_000,
            key_length: -1,
            key_digest: "00".into(),
            value_length,
            value_digest: "11".into(),
            headers: 2,
            headers_digest: "22".into(),
            content: None,
        }
    }

    fn different() -> Difference {
        Difference {
            topic: "orders".into(),
            partition: 2,
            kind: Kind::Different,
            source_offset: Some(1203),
            target_offset: Some(1190),
            parts: vec!["key", "value", "headers", "timestamp"],
            source: Some(shape(12)),
            target: Some(shape(14)),
            detail: None,
        }
    }

    #[test]
    fn two_sides_that_are_the_same_are_one_line_and_a_note() {
        let counts = Counts {
            matching: 3009,
            ..Counts::default()
        };
        assert_snapshot!(text(&report(counts, Vec::new())), @r#"
    orders   state: completed   partitions: 3   records: 3,009   differs: no   took 4.1s

    note: librdkafka read the target too, 3,009 records, and saw the same
    "#);
    }

    #[test]
    fn differences_are_counted_by_topic_and_the_first_are_placed() {
        let counts = Counts {
            matching: 61_204_118_332,
            different: 1,
            missing: 1,
            extra: 3,
            repeated: 2,
            ..Counts::default()
        };
        let missing = Difference {
            kind: Kind::Missing,
            source_offset: Some(17),
            target_offset: None,
            target: None,
            parts: Vec::new(),
            ..different()
        };
        let corrupt = Difference {
            kind: Kind::Corrupt,
            source_offset: None,
            source: None,
            target: None,
            parts: Vec::new(),
            detail: Some("the checksum is wrong".into()),
            ..different()
        };
        assert_snapshot!(text(&report(counts, vec![different(), missing, corrupt])), @r#"
    orders   state: completed   partitions: 3   records: 61,204,118,334   differs: yes   took 4.1s

    topic         matching  different  only on source  only on target  reordered  unreadable  not yet copied
    orders  61,204,118,332          1               1  3 (2 repeated)          0           0               0

    the first differences, by topic, partition and offset
    partition  source offset  target offset  what                where in it
    orders-2              17              -  only on the source
    orders-2               -           1190  broken batch        the checksum is wrong
    orders-2            1203           1190  different           key null / null, value 12 B / 14 B, headers 2 / 2, timestamp 1700000000000 / 1700000000000

    note: librdkafka read the target too, 3,009 records, and saw the same
    "#);
    }

    #[test]
    fn a_target_that_is_behind_says_by_how_much() {
        let counts = Counts {
            matching: 12,
            not_yet_copied: 3,
            ..Counts::default()
        };
        assert_snapshot!(text(&report(counts, Vec::new())), @r#"
    orders   state: completed   partitions: 3   records: 12   differs: no   behind: yes   took 4.1s

    topic   matching  different  only on source  only on target  reordered  unreadable  not yet copied
    orders        12          0               0               0          0           0               3

    note: librdkafka read the target too, 3,009 records, and saw the same
    "#);
    }

    #[test]
    fn contents_are_shown_where_they_were_asked_for_and_a_terminal_obeys_none() {
        let mut sample = different();
        assert_eq!(contents(&sample), "");
        let content = Content {
            key: None,
            value: Some("\u{1b}[2J\"quoted\"".into()),
            headers: vec![("trace".into(), None), ("a\nb".into(), Some("1".into()))],
        };
        sample.source = Some(Shape {
            content: Some(content),
            ..shape(12)
        });
        assert_snapshot!(contents(&sample).trim(), @r#"
    orders-2 source 1203
      key    null
      value  "\u{1b}[2J"quoted""
      header trace = null
      header a\nb = "1"
    "#);
    }
}
