//! What one ledger record says, and its bytes.
//!
//! A value is two bytes `KM`, one byte of format version, and the record in postcard's encoding (variable-length integers).
//! Variants and fields are only ever appended, under a higher version: a reader that meets a version it does not know stops.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    positions::{Authority, GroupBeat, GroupStanding, Holder, StoodAt, WrittenAt},
    synced::{Brought, Report, RuleStage, Writes},
};
use crate::model::{acl::Rule, direction::Direction, numbers};

/// The version that this program writes, and the highest it reads.
pub const FORMAT: u8 = 1;
const MAGIC: [u8; 2] = *b"KM";

/// One ledger record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Generation of the claim it is written under.
    pub generation: u64,
    /// The random number of the engine run that writes it: two claims may race to the same generation.
    pub run: u64,
    /// What it says, in order.
    pub entries: Vec<Entry>,
}

/// A partition, by the number its topic has in this shard's ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct At {
    /// The topic's number.
    pub topic: u32,
    /// The partition.
    pub partition: i32,
}

/// One thing that a record says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// What this ledger is; in the first record, and in every snapshot.
    Header(Header),
    /// A new owner. Records of earlier owners that come later do not count.
    Claim(Owner),
    /// In mid-run, before a fence: we still own the ledger, and are about to shut out these identities.
    Intent {
        /// Numbers of the identities.
        fences: Vec<u32>,
    },
    /// A fresh identity, and what it fences; stands before the first batch under it.
    Identity {
        /// Counts the identities of this shard.
        number: u32,
        /// Producer id.
        producer_id: i64,
        /// Producer epoch.
        epoch: i16,
        /// Numbers of the identities that are being fenced.
        fences: Vec<u32>,
    },
    /// A sealed identity is used again; stands before the first batch of this run under it.
    Continued {
        /// Its number.
        number: u32,
    },
    /// In every partition that has a run under it, the marker that fences this identity was seen.
    Fenced {
        /// Its number.
        number: u32,
    },
    /// Nothing is in flight, no outcome is unknown: the next run may continue this identity.
    Sealed {
        /// Its number.
        number: u32,
    },
    /// The run ended by itself without a seal; nobody has to wait for its heartbeat.
    Ended,
    /// Gives a topic its number.
    Topic {
        /// The number, from 0.
        number: u32,
        /// Its name.
        name: String,
        /// Its id on the source, nil where the cluster has none.
        source_id: Uuid,
        /// Its id on the target.
        target_id: Uuid,
    },
    /// First contact with a partition, before its first batch.
    Seam {
        /// The partition.
        at: At,
        /// What was found.
        seam: Seam,
    },
    /// From this sequence on, sequence and source offset advance together. Stands before the first batch it concerns.
    Run {
        /// The partition.
        at: At,
        /// The run.
        run: Run,
    },
    /// From this sequence on, sequence and target offset advance together; with a negative offset, compaction removed what was written
    /// before anybody saw where.
    TargetRun {
        /// The partition.
        at: At,
        /// The run.
        run: Run,
    },
    /// Everything up to here is on the target, and mapped.
    Checkpoint {
        /// The partition.
        at: At,
        /// Where it stands.
        checkpoint: Checkpoint,
    },
    /// The partition waits for a person.
    Stopped {
        /// The partition.
        at: At,
        /// Why.
        stopped: Stopped,
    },
    /// The partition goes on.
    Resumed {
        /// The partition.
        at: At,
    },
    /// The owner lives.
    Heartbeat(Heartbeat),
    /// An identity that was fenced, and where and when the marker that keeps it out was last written.
    Retired {
        /// Its number.
        number: u32,
        /// What has to be kept up; `None` from when nothing has to be any more.
        retired: Option<Retired>,
    },
    /// A person gave up what could not be copied; the partition goes on behind it.
    Gap {
        /// The partition.
        at: At,
        /// What was given up.
        gap: Gap,
    },
    /// A person wants the partition copied again from the source's first record. Stands before anything is deleted.
    Recopy {
        /// The partition.
        at: At,
        /// Why, and who.
        recopy: Recopy,
    },
    /// The target's records of before are gone; what follows is the new copy.
    Recopied {
        /// The partition.
        at: At,
        /// What was found on both sides after that.
        seam: Seam,
        /// Where it begins.
        checkpoint: Checkpoint,
    },
    /// What was read from a source offset on came under this leader epoch. Stands before the first batch it concerns.
    Epoch {
        /// The partition.
        at: At,
        /// The epoch.
        epoch: Epoch,
    },
    /// Settings of a topic on the target that are changed while old records arrive; stands before each step.
    Held {
        /// The topic's number.
        topic: u32,
        /// Which, and how far it is.
        held: Held,
    },
    /// They are as they were before, or as somebody else has set them meanwhile.
    LetGo {
        /// The topic's number.
        topic: u32,
    },
    /// When a partition of a compacted topic last stood at the source's end.
    Current {
        /// The partition.
        at: At,
        /// In milliseconds since the epoch, by the engine's clock.
        at_ms: i64,
    },
    /// Somebody who is no engine asks for something. It counts whoever wrote it; a record that holds one holds nothing else.
    Request(Request),
    /// A request that stands, said once more by a snapshot.
    Standing {
        /// The request.
        request: Request,
        /// Where it stood: a later one wins.
        offset: i64,
    },
    /// The owner has done what was asked.
    Answer(Answer),
    /// From here on this cluster's commits count for a group.
    Authority(Authority),
    /// What stood in partitions of a group before our first write to them. Stands before that write.
    Stood {
        /// The group.
        group: String,
        /// What stood there.
        positions: Vec<StoodAt>,
    },
    /// Positions of a group that are about to be written.
    Written {
        /// The group.
        group: String,
        /// Which, and what was found there.
        positions: Vec<WrittenAt>,
    },
    /// How a group stands on the side that is written.
    GroupStands {
        /// The group.
        group: String,
        /// How.
        standing: GroupStanding,
    },
    /// The numbers of all groups.
    GroupBeat(GroupBeat),
    /// Copies that the other direction made were passed over.
    Echo {
        /// The partition.
        at: At,
        /// How far, and whose.
        echo: Echo,
    },
    /// What checkpoints have said of where records are on the target; a snapshot says it where the runs are long gone.
    Mapped {
        /// The partition.
        at: At,
        /// All of it.
        mapped: Mapped,
    },
    /// A person said that a batch which looks like a copy of the other direction's is an application's: it is copied.
    NotOurs {
        /// The partition.
        at: At,
        /// From which source offset to which, and who said so.
        batch: Gap,
    },
    /// Settings of a topic on the target that follow the source; stands before they are set.
    Brought {
        /// The topic.
        topic: String,
        /// Which, and what stood there.
        settings: Vec<Brought>,
    },
    /// Access rules of the target that follow the source; stands before they are made.
    Rules {
        /// How far they are.
        stage: RuleStage,
        /// Which.
        rules: Vec<Rule>,
    },
    /// On which cluster an application may write.
    Writes(Writes),
    /// How settings, rules and logins stand on both sides.
    Synced(Report),
    /// What applications wrote to a partition, and has not come over, waits for a person.
    Stranded {
        /// The partition.
        at: At,
        /// Up to where.
        stranded: Stranded,
    },
    /// The owner of a repartition topic had read what it deleted; the partition goes on behind it. Stands before the first batch behind it.
    Trimmed {
        /// The partition.
        at: At,
        /// What was passed over, and how much in all.
        trimmed: Trimmed,
    },
}

/// The last copy of the other direction that was passed over. Goes with the checkpoint before which it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// Its producer id.
    pub producer_id: i64,
    /// Its producer epoch.
    pub epoch: i16,
    /// The sequence behind its last record, as on the wire: what comes later under this identity does not begin below.
    pub next_sequence: i32,
    /// The source offset behind it.
    pub end: i64,
    /// The source offset behind the last record that was copied: should the source lose what lies behind, nothing of it stands anywhere else.
    pub copied_to: i64,
    /// Leader epoch of the last batch below `copied_to`, -1 if unknown.
    pub copied_epoch: i32,
}

/// Settings of a topic on the target that are not as they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The settings.
    pub settings: Vec<HeldSetting>,
    /// How far it is.
    pub stage: HeldStage,
    /// Milliseconds since 1970.
    pub since_ms: i64,
}

/// How far a change of settings is, and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeldStage {
    /// They are about to be changed.
    Intended,
    /// They are changed.
    Holding,
    /// They are about to be put back.
    Restoring,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldSetting {
    /// Kafka's name for it.
    pub name: String,
    /// What was set on the topic itself, if anything.
    pub before: Option<String>,
    /// What is set meanwhile.
    pub held: String,
}

/// What somebody asks of a running engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Tells it from all others, and from itself appended twice.
    pub id: Uuid,
    /// What is asked.
    pub steer: Steer,
    /// Who, for people.
    pub by: String,
    /// Milliseconds since 1970, by their clock.
    pub at_ms: i64,
}

/// What can be asked of a running engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Steer {
    /// Read nothing more; what was read is written. Stands until `Resume`, whoever runs.
    Pause,
    /// Go on.
    Resume,
    /// Another limit of bytes per second. Stands until the next.
    Throttle(Limit),
    /// From now on this cluster's commits count for a group. Asked of the first shard alone.
    Authority {
        /// The group.
        group: String,
        /// The cluster.
        side: Holder,
    },
    /// Say that you are there, and whether you carry positions of groups. Asked of the first shard alone.
    Attend,
    /// From now on an application may write on this cluster: rules of the source that let it are made on the target, or taken back. Asked of the
    /// first shard alone.
    Writes {
        /// The application.
        application: String,
        /// The cluster.
        side: Holder,
    },
    /// Come to an end, as at a planned stop. Stands until `Resume`, whoever runs: what was made is about to be removed.
    Stop,
    /// An application went back without the cluster that is read: what it wrote there to these topics, and has not come over, waits for a person.
    Strand {
        /// The topics.
        topics: Vec<String>,
    },
}

/// A limit of bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// What the engine was started with.
    Settings,
    /// None.
    Unlimited,
    /// As fast as nobody else suffers from it.
    Auto,
    /// So many.
    Fixed(u64),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings => f.write_str("the rate is again what the engine was started with"),
            Self::Unlimited => f.write_str("no limit of rate"),
            Self::Auto => f.write_str("rate auto"),
            Self::Fixed(limit) => write!(f, "at most {}", numbers::rate(*limit as f64)),
        }
    }
}

/// That a request was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Of which request.
    pub id: Uuid,
    /// What came of it.
    pub said: String,
    /// Milliseconds since 1970, by the owner's clock.
    pub at_ms: i64,
}

/// What keeps a fenced identity out: a marker in every partition it wrote to, which a broker remembers for a producer expiry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// When it was fenced, in milliseconds since the epoch, by the engine's clock.
    pub since_ms: i64,
    /// When its markers were last written.
    pub marked_ms: i64,
    /// The partitions it may have written to.
    pub partitions: Vec<At>,
}

/// What a ledger is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Given when the ledger was made.
    pub migration_id: Uuid,
    /// The migration's name.
    pub migration: String,
    /// Id of the cluster that is read.
    pub source_cluster: String,
    /// Id of the cluster that is written.
    pub target_cluster: String,
    /// `forward` or `reverse`.
    pub direction: String,
    /// Partitions of the ledger.
    pub shards: u32,
    /// When it was made, the target still knew writers of an earlier ledger of this migration, which is gone: what the target holds may be
    /// what that one had copied.
    pub after_loss: bool,
}

impl Header {
    /// Which way its records go.
    pub fn direction(&self) -> Direction {
        if self.direction == Direction::Reverse.word() {
            Direction::Reverse
        } else {
            Direction::Forward
        }
    }

    /// Transactional id of the n-th data identity of a shard.
    pub fn data_id(&self, shard: u32, number: u32) -> String {
        super::data_id(&self.migration, self.direction(), shard, number)
    }
}

/// Who claims a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The machine's name, for people.
    pub host: String,
    /// Identifies the machine and its last start.
    pub machine: String,
    /// The process.
    pub process: u32,
    /// Where its lock lies.
    pub lock: String,
    /// Version of the program.
    pub version: String,
}

/// What first contact found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seam {
    /// First offset of the source.
    pub source_start: i64,
    /// End of the source.
    pub source_end: i64,
    /// First offset of the target.
    pub target_start: i64,
    /// End of the target: ours begins here or behind.
    pub target_end: i64,
}

impl Seam {
    /// Target offsets that were there before and stay, from and to; `None` where ours are the first.
    pub fn kept(self) -> Option<(i64, i64)> {
        (self.target_end > self.target_start).then_some((self.target_start, self.target_end))
    }
}

/// Where a sequence of an identity meets an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Number of the identity.
    pub identity: u32,
    /// Records written under the identity before: the wire's sequence is this modulo 2^31.
    pub sequence: u64,
    /// The offset of that record.
    pub offset: i64,
}

/// Where a partition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Number of the identity.
    pub identity: u32,
    /// Records acknowledged under it.
    pub next_sequence: u64,
    /// Every eligible source record below is on the target.
    pub source: i64,
    /// The target offset after our last record, or from which to look for the next.
    pub target: i64,
    /// Leader epoch of the last source batch below `source`, -1 if unknown: asked with the next fetch, so that a source whose log was cut
    /// off and grew again meanwhile says so (KIP-320, KIP-595).
    pub source_epoch: i32,
}

/// Which source offset became which target offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapped {
    /// Number of the identity that the last was written under.
    pub identity: u32,
    /// Records under it that are in the map.
    pub sequence: u64,
    /// Where the map begins, on the source and on the target, if older records were let go of.
    pub begin: Option<(i64, i64)>,
    /// Stretches of records: how far source and target are behind the end of the stretch before, and how many records there are.
    pub steps: Vec<[u64; 3]>,
}

/// Where a leader epoch of the source begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number.
    pub number: i32,
    /// The source offset of the first record that was read under it.
    pub source: i64,
}

/// Why a partition waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Stable code, `K5xx`.
    pub code: String,
    /// What happened.
    pub reason: String,
    /// First source offset that was not copied.
    pub source: i64,
    /// Milliseconds since 1970.
    pub since_ms: i64,
    /// Where it would go on if a person gave up what is in the way.
    pub beyond: Option<Beyond>,
}

/// A source offset, and the leader epoch below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beyond {
    /// The offset. Below that of the stop where the source was cut off.
    pub source: i64,
    /// Leader epoch of the last batch below, -1 if unknown.
    pub epoch: i32,
}

/// What a person decided about a range: to give it up, or to take it for an application's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The code of the stop that it passes.
    pub code: String,
    /// The source offset at which the partition had stopped.
    pub from: i64,
    /// The end of the range; of what is given up: where the partition goes on.
    pub to: Beyond,
    /// Who said so, for people.
    pub by: String,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// Records of an application that went back without the cluster that they are on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranded {
    /// The end of the log that is read, when it was first seen again.
    pub until: i64,
    /// Who said so, for people.
    pub by: String,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// What the owner of a repartition topic had read and deleted before it was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trimmed {
    /// The owner: a group of Kafka Streams.
    pub group: String,
    /// The offset that it had committed by then, at or behind `to`.
    pub committed: i64,
    /// The first source offset that was passed over.
    pub from: i64,
    /// Where the partition goes on: the first offset that the source still had.
    pub to: i64,
    /// Offsets that were passed over so in this partition, ever, these included.
    pub offsets: u64,
    /// How often.
    pub times: u64,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// That a person wants a partition copied again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recopy {
    /// The code of the stop that it passes.
    pub code: String,
    /// The source offset at which the partition had stopped.
    pub from: i64,
    /// Who said so, for people.
    pub by: String,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// The owner's numbers of one shard.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Milliseconds since 1970, by the owner's clock.
    pub at_ms: i64,
    /// Partitions of this shard.
    pub partitions: u32,
    /// Those stopped.
    pub stopped: u32,
    /// Batches in flight.
    pub in_flight: u32,
    /// Records acknowledged by this run.
    pub records: u64,
    /// Bytes acknowledged by this run.
    pub bytes: u64,
    /// Records per second over the last seconds.
    pub records_per_second: f64,
    /// Bytes per second over the last seconds.
    pub bytes_per_second: f64,
    /// Fences of this run so far.
    pub fences: u32,
    /// Batches passed over in this session: commit and abort markers.
    pub control: u64,
    /// Batches passed over in this session: aborted data.
    pub aborted: u64,
    /// Batches passed over in this session: emptied by compaction.
    pub empty: u64,
    /// Batches that became part of another in this session, because they were tiny.
    pub merged: u64,
    /// Why the engine holds itself back, if it does.
    pub throttled_by: Option<String>,
    /// Batches passed over in this session: fetched, and proved to be the other direction's copies.
    pub echoes: u64,
    /// Ranges passed over in this session: acknowledged to the other direction, and never fetched.
    pub jumps: u64,
}

/// Bytes that are no ledger record of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Something else wrote it.
    #[error("a record was not written by kafka-migrate")]
    Foreign,
    /// A newer version wrote it.
    #[error("it is in format {found}; this version reads up to {FORMAT}")]
    Newer {
        /// The format as read.
        found: u8,
    },
    /// The bytes end early or make no sense.
    #[error("a record cannot be decoded: {0}")]
    Broken(String),
}

impl Record {
    /// The record as the value of a Kafka record.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(FORMAT);
        postcard::to_extend(self, bytes).expect("our types need nothing that postcard lacks")
    }

    /// Reads what `encode` wrote.
    pub fn decode(value: &[u8]) -> Result<Self, Unreadable> {
        match value {
            [b'K', b'M', FORMAT, rest @ ..] => {
                postcard::from_bytes(rest).map_err(|error| Unreadable::Broken(error.to_string()))
            }
            [b'K', b'M', found, ..] => Err(Unreadable::Newer { found: *found }),
            _ => Err(Unreadable::Foreign),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_are_read_back_and_newer_ones_are_refused() {
        let record = Record {
            generation: 3,
            run: 77,
            entries: vec![
                Entry::Sealed { number: 4 },
                Entry::Run {
                    at: At {
                        topic: 2,
                        partition: 9,
                    },
                    run: Run {
                        identity: 4,
                        sequence: 1 << 40,
                        offset: 12,
                    },
                },
            ],
        };
        let mut bytes = record.encode();
        assert_eq!(Record::decode(&bytes), Ok(record));
        bytes[2] = FORMAT + 1;
        assert_eq!(
            Record::decode(&bytes),
            Err(Unreadable::Newer { found: FORMAT + 1 })
        );
        assert_eq!(Record::decode(b"hello"), Err(Unreadable::Foreign));
        assert_eq!(Record::decode(b""), Err(Unreadable::Foreign));
    }

    fn at() -> impl Strategy<Value = At> {
        (any::<u32>(), any::<i32>()).prop_map(|(topic, partition)| At { topic, partition })
    }

    fn setting() -> impl Strategy<Value = HeldSetting> {
        (any::<String>(), any::<Option<String>>(), any::<String>())
            .prop_map(|(name, before, held)| HeldSetting { name, before, held })
    }

    fn stage() -> impl Strategy<Value = HeldStage> {
        prop_oneof![
            Just(HeldStage::Intended),
            Just(HeldStage::Holding),
            Just(HeldStage::Restoring)
        ]
    }

    fn held() -> impl Strategy<Value = Held> {
        let settings = proptest::collection::vec(setting(), 0..4);
        (settings, stage(), any::<i64>()).prop_map(|(settings, stage, since_ms)| Held {
            settings,
            stage,
            since_ms,
        })
    }

    fn seam() -> impl Strategy<Value = Seam> {
        any::<[i64; 4]>().prop_map(
            |[source_start, source_end, target_start, target_end]| Seam {
                source_start,
                source_end,
                target_start,
                target_end,
            },
        )
    }

    fn entry() -> impl Strategy<Value = Entry> {
        prop_oneof![
            (at(), seam()).prop_map(|(at, seam)| Entry::Seam { at, seam }),
            (at(), any::<i64>()).prop_map(|(at, at_ms)| Entry::Current { at, at_ms }),
            (any::<u32>(), held()).prop_map(|(topic, held)| Entry::Held { topic, held }),
            any::<u32>().prop_map(|topic| Entry::LetGo { topic }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in proptest::collection::vec(entry(), 0..9)) {
            let record = Record { generation: 1, run: 2, entries };
            prop_assert_eq!(Record::decode(&record.encode()), Ok(record));
        }

        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(Record::decode(&bytes));
            bytes.splice(0..0, [b'K', b'M', FORMAT]);
            drop(Record::decode(&bytes));
        }
    }
}
