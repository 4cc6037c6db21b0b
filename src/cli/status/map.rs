//! `status --map`: which offset is which on the other cluster, as far as the ledgers tell.

use std::str::FromStr;

use serde::Serialize;

use super::super::Global;
use crate::{
    clock,
    cluster::{Source, Target},
    engine::{
        Settings,
        status::{Asked, MapStatus, PartitionMap, PlaceStatus, maps},
    },
    error::Failure,
    ui::{Screen, numbers, printable, tables},
};

/// Partitions shown to a person.
const SHOWN: usize = 50;

/// What stands behind `--map`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted(Asked);

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let (topic, partition, offset) = (next(), next(), next());
        if text.is_empty() {
            return Ok(Self(Asked::default()));
        }
        let partition = partition
            .map(|part| whole(part, "a partition"))
            .transpose()?;
        let offset = offset.map(|part| whole(part, "an offset")).transpose()?;
        let dense = [topic.is_some(), partition.is_some(), offset.is_some()];
        let parts = text.split(':').count();
        if parts > 3 || dense.into_iter().take(parts).any(|given| !given) {
            return Err("give TOPIC, TOPIC:PARTITION or TOPIC:PARTITION:OFFSET".to_owned());
        }
        Ok(Self(Asked {
            topic: topic.map(ToOwned::to_owned),
            partition,
            offset,
        }))
    }
}

fn whole<T: TryFrom<i64>>(text: &str, what: &str) -> Result<T, String> {
    let number = text.parse::<i64>().ok().filter(|number| *number >= 0);
    let number = number.and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("`{}` is not {what}", printable(text)))
}

#[derive(Serialize)]
struct Document<'a> {
    at: String,
    event: &'static str,
    #[serde(flatten)]
    status: &'a MapStatus,
}

/// Reads the ledgers and prints it.
pub async fn run(
    wanted: &Wanted,
    settings: &Settings,
    (source, target): (&Source, &Target),
    global: &Global,
    screen: &Screen,
) -> Result<(), Failure> {
    let status = maps(settings, source, target, &wanted.0).await?;
    if screen.is_json() {
        screen.document(&Document {
            at: numbers::stamp(clock::unix_millis()),
            event: "map",
            status: &status,
        });
    } else {
        screen.text(&format!(
            "{}\nnext: {}\n",
            text(&status),
            global.complete("kafka-migrate status")
        ));
    }
    Ok(())
}

fn text(status: &MapStatus) -> String {
    let mut text = format!(
        "{}   source {} → target {}\n",
        status.migration, status.source_cluster, status.target_cluster
    );
    if status.maps.is_empty() {
        text += "\nno ledger knows of it\n";
    } else {
        text += "\n";
        text += &table(&status.maps);
    }
    if !status.places.is_empty() {
        text += "\n";
        status.places.iter().for_each(|one| text += &place(one));
    }
    text
}

fn table(all: &[PartitionMap]) -> String {
    let rows: Vec<[String; 6]> = all
        .iter()
        .take(SHOWN)
        .map(|one| {
            [
                format!("{}-{}", one.topic, one.partition),
                one.direction.to_owned(),
                one.begin.to_string(),
                one.passed.to_string(),
                one.mapped_end.to_string(),
                one.segments.to_string(),
            ]
        })
        .collect();
    let header = [
        "partition",
        "direction",
        "known from",
        "copied to",
        "copies end",
        "runs",
    ];
    let mut text = tables::grid(&header, &rows);
    if all.len() > SHOWN {
        text += &format!("and {} more (--json for all)\n", all.len() - SHOWN);
    }
    text
}

fn place(one: &PlaceStatus) -> String {
    let (here, there) = match one.direction {
        "reverse" => ("target", "source"),
        _ => ("source", "target"),
    };
    let committed = format!(
        "{}-{}: offset {} on the {here}",
        one.topic, one.partition, one.committed
    );
    match (one.offset, one.repeats, &one.reason) {
        (Some(offset), None | Some(0), _) => format!("{committed} is {offset} on the {there}\n"),
        (Some(offset), Some(repeats), _) => format!(
            "{committed} is {offset} on the {there}, where {} {} seen again\n",
            numbers::of(repeats, "consumed record"),
            if repeats == 1 { "is" } else { "are" }
        ),
        (None, _, reason) => format!(
            "{committed} has no place on the {there}: {}\n",
            reason.as_deref().unwrap_or("unknown")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(topic: &str, partition: Option<i32>, offset: Option<i64>) -> Result<Wanted, String> {
        Ok(Wanted(Asked {
            topic: (!topic.is_empty()).then(|| topic.to_owned()),
            partition,
            offset,
        }))
    }

    #[test]
    fn what_is_asked_for_is_read() {
        assert_eq!("".parse(), asked("", None, None));
        assert_eq!("orders".parse(), asked("orders", None, None));
        assert_eq!("orders:3".parse(), asked("orders", Some(3), None));
        assert_eq!(
            "or.de_rs:3:5000000000".parse(),
            asked("or.de_rs", Some(3), Some(5_000_000_000))
        );
        for wrong in [
            ":1",
            "a:",
            "a::1",
            "a:1:",
            "a:x",
            "a:-1",
            "a:1:-1",
            "a:1:x",
            "a:1:2:3",
            "a:5000000000",
        ] {
            assert!(wrong.parse::<Wanted>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn places_are_told_in_words() {
        let mut one = PlaceStatus {
            topic: "orders".to_owned(),
            partition: 2,
            direction: "forward",
            committed: 7,
            offset: Some(5),
            repeats: Some(0),
            reason: None,
        };
        assert_eq!(
            place(&one),
            "orders-2: offset 7 on the source is 5 on the target\n"
        );
        one.repeats = Some(1);
        one.direction = "reverse";
        assert_eq!(
            place(&one),
            "orders-2: offset 7 on the target is 5 on the source, where 1 consumed record is seen again\n"
        );
        one.repeats = Some(1200);
        assert!(place(&one).contains("where 1,200 consumed records are seen again"));
        (one.offset, one.repeats) = (None, None);
        one.reason = Some("not copied yet: on record up to offset 6".to_owned());
        assert_eq!(
            place(&one),
            "orders-2: offset 7 on the target has no place on the source: not copied yet: on record up to offset 6\n"
        );
    }
}
