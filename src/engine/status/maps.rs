//! What the ledgers of both directions know of positions: the map of every partition, and the place of one committed offset.

use std::collections::BTreeMap;

use serde::Serialize;

use super::look::{open, shards};
use crate::{
    cluster::{Cluster, OffsetSpec, Source, Target},
    engine::{
        Settings,
        ledger::{self, record::Header, state::State},
    },
    error::Failure,
    model::{
        direction::Direction,
        map::{self, Way},
        names::{TopicName, TopicPartition},
    },
};

/// Version of the document.
const DOCUMENT: u32 = 1;

/// Which partitions are asked for, and which offset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Only of this topic.
    pub topic: Option<String>,
    /// Only this partition of it.
    pub partition: Option<i32>,
    /// The place of this committed offset.
    pub offset: Option<i64>,
}

/// What is known of positions.
#[derive(Debug, Clone, Serialize)]
pub struct MapStatus {
    /// Version of this document.
    pub v: u32,
    /// The migration's name.
    pub migration: String,
    /// Source cluster id.
    pub source_cluster: String,
    /// Target cluster id.
    pub target_cluster: String,
    /// One a partition and direction.
    pub maps: Vec<PartitionMap>,
    /// Where a group that committed the offset asked for goes on; nothing where none was.
    pub places: Vec<PlaceStatus>,
}

/// The map of one partition in one direction.
#[derive(Debug, Clone, Serialize)]
pub struct PartitionMap {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Which way: `forward` or `reverse`.
    pub direction: &'static str,
    /// The first offset, where it is read, that copying began with.
    pub seam: i64,
    /// The first committed offset that the map reaches back to.
    pub begin: i64,
    /// Offsets below, where it is read, are on record as copied or as nothing to copy.
    pub passed: i64,
    /// The offset behind the last copy on record, where it is written.
    pub mapped_end: i64,
    /// Stretches of records that stand one behind the other on both sides.
    pub segments: usize,
}

/// Where a group goes on.
#[derive(Debug, Clone, Serialize)]
pub struct PlaceStatus {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Which way: from the source to the target, `forward`, or back.
    pub direction: &'static str,
    /// The committed offset.
    pub committed: i64,
    /// The offset on the other side.
    pub offset: Option<i64>,
    /// Consumed records that are repeated there.
    pub repeats: Option<u64>,
    /// Why there is no offset.
    pub reason: Option<String>,
}

/// One direction, as its ledgers tell.
struct Told {
    direction: Direction,
    ways: BTreeMap<TopicPartition, Way>,
}

/// Reads the ledgers of both directions.
pub async fn maps(
    settings: &Settings,
    source: &Source,
    target: &Target,
    asked: &Asked,
) -> Result<MapStatus, Failure> {
    let (forward, reverse) = tokio::try_join!(
        told(settings, source, target, Direction::Forward),
        told(settings, target, source, Direction::Reverse),
    )?;
    let directions = [&forward, &reverse];
    let listed = directions.iter().flat_map(|told| {
        let told = told.as_ref();
        let ways = told.into_iter().flat_map(|told| {
            let named = told.ways.iter().filter(|(name, _)| asked.is_of(name));
            named.map(|(name, way)| described(name, told.direction, way))
        });
        ways.collect::<Vec<_>>()
    });
    let mut listed: Vec<PartitionMap> = listed.collect();
    listed.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    let mut places = Vec::new();
    if let Asked {
        topic: Some(topic),
        partition: Some(partition),
        offset: Some(committed),
    } = asked
    {
        let name = TopicPartition::new(topic.as_str(), *partition);
        places.extend(
            place(
                &name,
                *committed,
                Direction::Forward,
                forward.as_ref(),
                reverse.as_ref(),
                target,
            )
            .await,
        );
        places.extend(
            place(
                &name,
                *committed,
                Direction::Reverse,
                reverse.as_ref(),
                forward.as_ref(),
                source,
            )
            .await,
        );
    }
    Ok(MapStatus {
        v: DOCUMENT,
        migration: settings.migration.clone(),
        source_cluster: source.id().to_owned(),
        target_cluster: target.id().to_owned(),
        maps: listed,
        places,
    })
}

impl Asked {
    fn is_of(&self, name: &TopicPartition) -> bool {
        self.topic
            .as_deref()
            .is_none_or(|topic| topic == &*name.topic)
            && self.partition.is_none_or(|number| number == name.partition)
    }
}

fn described(name: &TopicPartition, direction: Direction, way: &Way) -> PartitionMap {
    PartitionMap {
        topic: name.topic.to_string(),
        partition: name.partition,
        direction: direction.word(),
        seam: way.seam,
        begin: way.begin,
        passed: way.passed,
        mapped_end: way.mapped_end,
        segments: way.segments.len(),
    }
}

/// What the ledgers of a direction say; `None` where it has none.
async fn told(
    settings: &Settings,
    read: &Cluster,
    written: &Cluster,
    direction: Direction,
) -> Result<Option<Told>, Failure> {
    let ledger: TopicName = ledger::topic(&settings.migration, direction).into();
    let readers = open(written, &ledger, shards(written, &ledger).await?).await?;
    if readers.is_empty() {
        return Ok(None);
    }
    let wanted = Header {
        migration_id: uuid::Uuid::nil(),
        migration: settings.migration.clone(),
        source_cluster: read.id().to_owned(),
        target_cluster: written.id().to_owned(),
        direction: direction.word().to_owned(),
        shards: settings.shards,
        after_loss: false,
    };
    let mut ways = BTreeMap::new();
    for State {
        header,
        partitions,
        topics,
        numbers,
        ..
    } in readers.into_iter().map(|reader| reader.state)
    {
        if let Some(header) = &header {
            ledger::check_header(header, &wanted)?;
        }
        for (at, partition) in partitions {
            let topic = topics.get(at.topic as usize).map(|topic| &topic.name);
            // A topic that was made anew has a new number: what was said under the old one is over.
            let topic = topic.filter(|name| numbers.get(*name) == Some(&at.topic));
            if let (Some(topic), Some(way)) = (topic, partition.way()) {
                ways.insert(TopicPartition::new(topic.clone(), at.partition), way);
            }
        }
    }
    Ok(Some(Told { direction, ways }))
}

/// The place over there of an offset committed here; `None` where the direction does not exist.
async fn place(
    name: &TopicPartition,
    committed: i64,
    direction: Direction,
    here: Option<&Told>,
    there: Option<&Told>,
    written: &Cluster,
) -> Option<PlaceStatus> {
    let here = here?;
    let mut place = PlaceStatus {
        topic: name.topic.to_string(),
        partition: name.partition,
        direction: direction.word(),
        committed,
        offset: None,
        repeats: None,
        reason: None,
    };
    let Some(way) = here.ways.get(name) else {
        place.reason = Some("the ledger does not know the partition".to_owned());
        return Some(place);
    };
    let back = match there {
        None => None,
        Some(there) => match there.ways.get(name) {
            Some(back) => Some(back),
            None => {
                let text = "the ledger of the other direction does not know the partition yet";
                place.reason = Some(text.to_owned());
                return Some(place);
            }
        },
    };
    // After the ways were read: what they name has to be there.
    let of = std::slice::from_ref(name);
    match written.offsets(of, OffsetSpec::End).await.remove(name) {
        Some(Ok(end)) => match map::translate(committed, way, back, end) {
            Ok(found) => {
                place.offset = Some(found.offset);
                place.repeats = Some(found.repeats);
            }
            Err(why) => place.reason = Some(why.to_string()),
        },
        Some(Err(error)) => {
            place.reason = Some(format!("the other side's end cannot be asked for: {error}"));
        }
        None => place.reason = Some("the other side does not know the partition".to_owned()),
    }
    Some(place)
}
