//! One thing that a ledger record says: variants are only ever appended.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Answer, At, Checkpoint, Echo, Epoch, Gap, Header, Heartbeat, Held, Mapped, Owner, Recopy,
    Request, Retired, Run, Seam, Stopped, Stranded, Trimmed,
};
use crate::{
    engine::ledger::{
        positions::{Authority, GroupBeat, GroupStanding, StoodAt, WrittenAt},
        synced::{Brought, Report, RuleStage, Writes},
    },
    model::acl::Rule,
};

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
