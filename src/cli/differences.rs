//! The report of `verify` as text and as a document.

use serde::Serialize;

use crate::{
    clock,
    model::direction::Direction,
    ui::{numbers, printable, tables},
    verify::{Content, Counts, Difference, Kind, Report, Shape, TopicReport, Witness},
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

/// The report for people. The first line has the verdict; tables and samples follow where there is something to show.
pub fn text(report: &Report) -> String {
    let mut text = headline(report);
    let back = report.way_back.as_ref();
    let ways = [
        (Direction::Forward, Some(&report.by_topic)),
        (Direction::Reverse, back.map(|back| &back.by_topic)),
    ];
    for (direction, by_topic) in ways {
        let all = by_topic.into_iter().flatten();
        let shown: Vec<&TopicReport> = all
            .filter(|topic| topic.behind || topic.absent || topic.counts.differences() > 0)
            .collect();
        if shown.is_empty() {
            continue;
        }
        text += "\n";
        if back.is_some() {
            text += way(direction);
            text += "\n";
        }
        text += &topics(direction, &shown);
    }
    if !report.samples.is_empty() {
        text += "\nthe first differences, by topic, partition and offset\n";
        text += &samples(&report.samples, back.is_some());
        for sample in &report.samples {
            text += &contents(sample);
        }
    }
    let witnesses = [
        witness("target", &report.witness),
        back.and_then(|back| witness("source", &back.witness)),
    ];
    let notes = report.notes.iter().chain(witnesses.iter().flatten());
    let notes: String = notes.map(|note| format!("note: {note}\n")).collect();
    if !notes.is_empty() {
        text += "\n";
        text += &notes;
    }
    text
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "from the source to the target",
        Direction::Reverse => "from the target back to the source",
    }
}

fn headline(report: &Report) -> String {
    let compared = |totals: &Counts| {
        numbers::exact(totals.matching + totals.different + totals.missing + totals.reordered)
    };
    let behind = if report.behind { "   behind: yes" } else { "" };
    let records = match &report.way_back {
        None => compared(&report.totals),
        Some(back) => format!(
            "{} there, {} back",
            compared(&report.totals),
            compared(&back.totals)
        ),
    };
    format!(
        "{}   state: {}   partitions: {}   records: {records}   differs: {}{behind}   took {}\n",
        report.migration,
        report.state,
        numbers::exact(report.partitions as u64),
        if report.differs { "yes" } else { "no" },
        numbers::time(std::time::Duration::from_millis(report.took_ms))
    )
}

fn topics(direction: Direction, topics: &[&TopicReport]) -> String {
    let rows: Vec<[String; 8]> = topics
        .iter()
        .map(|topic| {
            let counts = &topic.counts;
            let missing = numbers::exact(counts.missing);
            let extra = if counts.repeated > 0 {
                format!(
                    "{} ({} repeated)",
                    numbers::exact(counts.extra),
                    numbers::exact(counts.repeated)
                )
            } else {
                numbers::exact(counts.extra)
            };
            let (on_source, on_target) = match direction {
                Direction::Forward => (missing, extra),
                Direction::Reverse => (extra, missing),
            };
            [
                topic.topic.clone(),
                numbers::exact(counts.matching),
                numbers::exact(counts.different),
                on_source,
                on_target,
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
fn samples(samples: &[Difference], both_ways: bool) -> String {
    let offset = |offset: Option<i64>| offset.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let row = |sample: &Difference| {
        [
            format!("{}-{}", sample.topic, sample.partition),
            offset(sample.source_offset),
            offset(sample.target_offset),
            kind(sample).to_owned(),
            what(sample),
        ]
    };
    let [at, source, target, kind, part] = [
        "partition",
        "source offset",
        "target offset",
        "what",
        "where in it",
    ];
    if !both_ways {
        let rows: Vec<[String; 5]> = samples.iter().map(row).collect();
        return tables::grid(&[at, source, target, kind, part], &rows);
    }
    let row_with_way = |sample: &Difference| {
        let way = match sample.direction {
            Direction::Forward => "there",
            Direction::Reverse => "back",
        };
        let [at, source, target, kind, part] = row(sample);
        [at, way.to_owned(), source, target, kind, part]
    };
    let rows: Vec<[String; 6]> = samples.iter().map(row_with_way).collect();
    tables::grid(&[at, "way", source, target, kind, part], &rows)
}

fn kind(sample: &Difference) -> &'static str {
    match (sample.kind, sample.direction) {
        (Kind::Different, _) => "different",
        (Kind::Missing, Direction::Forward) | (Kind::Extra, Direction::Reverse) => {
            "only on the source"
        }
        (Kind::Extra, Direction::Forward) | (Kind::Missing, Direction::Reverse) => {
            "only on the target"
        }
        (Kind::Repeated, Direction::Forward) => "repeated on the target",
        (Kind::Repeated, Direction::Reverse) => "repeated on the source",
        (Kind::Reordered, _) => "in another order",
        (Kind::Corrupt, _) => "broken batch",
        (Kind::Witness, _) => "librdkafka reads it otherwise",
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

fn witness(side: &str, witness: &Witness) -> Option<String> {
    match witness {
        Witness::Off => None,
        Witness::Agrees { records } => Some(format!(
            "librdkafka read the {side} too, {}, and saw the same",
            numbers::of(*records, "record")
        )),
        Witness::Disagrees => Some(format!(
            "librdkafka read the {side} too, and saw something else"
        )),
        Witness::Unavailable { reason } => Some(format!(
            "librdkafka could not read the {side}: {}",
            printable(reason)
        )),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

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
            direction: Direction::Forward,
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
    fn both_ways_are_told_apart_and_sides_are_the_migrations() {
        let counts = Counts {
            matching: 3009,
            ..Counts::default()
        };
        let back = Counts {
            matching: 12,
            missing: 1,
            extra: 2,
            not_yet_copied: 4,
            ..Counts::default()
        };
        let sample = |kind, source_offset, target_offset| Difference {
            direction: Direction::Reverse,
            kind,
            source_offset,
            target_offset,
            parts: Vec::new(),
            ..different()
        };
        let samples = vec![
            sample(Kind::Extra, Some(44), None),
            sample(Kind::Missing, None, Some(17)),
        ];
        let topic = TopicReport {
            counts: back,
            behind: true,
            ..report(counts, Vec::new()).by_topic.remove(0)
        };
        let mut report = report(counts, vec![different()]).and_back(vec![topic], samples);
        if let Some(back) = &mut report.way_back {
            back.witness = Witness::Disagrees;
        }
        assert_snapshot!(text(&report), @r#"
    orders   state: completed   partitions: 3   records: 3,009 there, 13 back   differs: yes   behind: yes   took 4.1s

    from the target back to the source
    topic   matching  different  only on source  only on target  reordered  unreadable  not yet copied
    orders        12          0               2               1          0           0               4

    the first differences, by topic, partition and offset
    partition  way    source offset  target offset  what                where in it
    orders-2   back               -             17  only on the target
    orders-2   back              44              -  only on the source
    orders-2   there           1203           1190  different           key null / null, value 12 B / 14 B, headers 2 / 2, timestamp 1700000000000 / 1700000000000

    note: librdkafka read the target too, 3,009 records, and saw the same
    note: librdkafka read the source too, and saw something else
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
