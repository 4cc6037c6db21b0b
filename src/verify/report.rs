//! What `verify` found: counts per topic, the first differences, and one verdict.

use serde::Serialize;

use crate::model::direction::Direction;

/// Version of the report's JSON shape.
const VERSION: u32 = 1;
/// Differences of a direction shown one by one.
pub const SAMPLES: usize = 10;

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every record is on the other side, once, in order, untouched, and nothing else is there.
    Same,
    /// What the other side holds is right, and there is more that is not copied yet.
    Behind,
    /// Something is different, missing in the middle, or only where it was copied to.
    Differs,
}

/// Everything found in one run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of this shape.
    pub v: u32,
    /// The migration's name.
    pub migration: String,
    /// Source cluster id.
    pub source_cluster: String,
    /// Target cluster id.
    pub target_cluster: String,
    /// `completed`, always: an interrupted run has no report.
    pub state: &'static str,
    /// The answer.
    pub verdict: Verdict,
    /// At least one difference, in either direction.
    pub differs: bool,
    /// At least one partition has records that the other side does not hold yet, behind a part that is right.
    pub behind: bool,
    /// Topics compared.
    pub topics: usize,
    /// Partitions compared.
    pub partitions: usize,
    /// Bytes read from the source, as stored.
    pub source_bytes: u64,
    /// Milliseconds from start to answer.
    pub took_ms: u64,
    /// All topics together, from the source to the target.
    pub totals: Counts,
    /// By topic, in the order of their names.
    pub by_topic: Vec<TopicReport>,
    /// What came back; `None` where nothing can have.
    pub way_back: Option<WayBack>,
    /// The first differences by topic, partition and offset; at most ten of each direction.
    pub samples: Vec<Difference>,
    /// What the second, independent reader of the target said.
    pub witness: Witness,
    /// What a reader of this report should know: what was excused, skipped or cut.
    pub notes: Vec<String>,
}

impl Report {
    /// Sums up topics that are in order of their names. Samples are cut to the first ten, counts are not.
    pub fn of(
        migration: String,
        clusters: [String; 2],
        by_topic: Vec<TopicReport>,
        samples: Vec<Difference>,
    ) -> Self {
        let [source_cluster, target_cluster] = clusters;
        let mut totals = Counts::default();
        by_topic.iter().for_each(|topic| totals.add(&topic.counts));
        let mut samples = samples;
        samples.sort_by(|a, b| a.place().cmp(&b.place()));
        samples.truncate(SAMPLES);
        let mut report = Self {
            v: VERSION,
            migration,
            source_cluster,
            target_cluster,
            state: "completed",
            verdict: Verdict::Same,
            differs: false,
            behind: false,
            topics: by_topic.len(),
            partitions: by_topic.iter().map(|topic| topic.partitions).sum(),
            source_bytes: 0,
            took_ms: 0,
            totals,
            by_topic,
            way_back: None,
            samples,
            witness: Witness::Off,
            notes: Vec::new(),
        };
        report.judge();
        report
    }

    /// The same, with what came back, by topics that are in order of their names.
    #[must_use]
    pub fn and_back(mut self, by_topic: Vec<TopicReport>, samples: Vec<Difference>) -> Self {
        let mut totals = Counts::default();
        by_topic.iter().for_each(|topic| totals.add(&topic.counts));
        let mut samples = samples;
        samples.sort_by(|a, b| a.place().cmp(&b.place()));
        samples.truncate(SAMPLES);
        self.samples.extend(samples);
        self.samples.sort_by(|a, b| {
            a.place()
                .cmp(&b.place())
                .then(a.direction.cmp(&b.direction))
        });
        self.way_back = Some(WayBack {
            differs: totals.differences() > 0,
            behind: by_topic.iter().any(|topic| topic.behind),
            totals,
            by_topic,
            witness: Witness::Off,
        });
        self.judge();
        self
    }

    /// The verdict over both directions.
    fn judge(&mut self) {
        let back = self.way_back.as_ref();
        self.differs = self.totals.differences() > 0 || back.is_some_and(|back| back.differs);
        self.behind =
            self.by_topic.iter().any(|topic| topic.behind) || back.is_some_and(|back| back.behind);
        self.verdict = match (self.differs, self.behind) {
            (true, _) => Verdict::Differs,
            (false, true) => Verdict::Behind,
            (false, false) => Verdict::Same,
        };
    }
}

/// The way back's part: what applications wrote on the target against its copies on the source.
#[derive(Debug, Clone, Serialize)]
pub struct WayBack {
    /// At least one difference.
    pub differs: bool,
    /// At least one partition has records that the source does not hold yet.
    pub behind: bool,
    /// All topics together. `missing` is only on the target, `extra` only on the source.
    pub totals: Counts,
    /// By topic, in the order of their names.
    pub by_topic: Vec<TopicReport>,
    /// What the second, independent reader of the source said.
    pub witness: Witness,
}

/// One topic's part.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TopicReport {
    /// The topic.
    pub topic: String,
    /// Its partitions, the larger number of both sides.
    pub partitions: usize,
    /// Records of it.
    #[serde(flatten)]
    pub counts: Counts,
    /// The other side does not hold all of it yet.
    pub behind: bool,
    /// It is not on the target at all.
    pub absent: bool,
}

/// Records of a direction by what was found about them. Source is what is copied from, and target what is copied to: on the way back these
/// are the migration's target and source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// The same on both sides, in the same order.
    pub matching: u64,
    /// On both sides at the same place, but not the same.
    pub different: u64,
    /// Only on the source, with later records of it on the target.
    pub missing: u64,
    /// Only on the target.
    pub extra: u64,
    /// Of `extra`, those that repeat a record that had already matched.
    pub repeated: u64,
    /// On both sides, in another order.
    pub reordered: u64,
    /// In a batch that is broken on either side.
    pub corrupt: u64,
    /// Where the second reader of the target saw something else than we did.
    pub witness: u64,
    /// Offsets of the source behind the last record that the target holds: at most so many records are not copied yet.
    pub not_yet_copied: u64,
    /// On compacted topics: records on one side only that a later record of their key replaces, or tombstones whose key is
    /// on neither side.
    pub excused: u64,
    /// Records at the front of one side that the other side's retention has removed.
    pub retired: u64,
    /// Offsets of the target in front of the copies, which were there before: at most so many records were left out.
    pub kept: u64,
    /// Batches with a producer id under which copies are made and an epoch under which none were: taken for an application's.
    pub unclear: u64,
}

impl Counts {
    /// Everything that makes the answer `differs`.
    pub fn differences(&self) -> u64 {
        self.different + self.missing + self.extra + self.reordered + self.corrupt + self.witness
    }

    /// Adds another's numbers.
    pub fn add(&mut self, other: &Self) {
        self.matching += other.matching;
        self.different += other.different;
        self.missing += other.missing;
        self.extra += other.extra;
        self.repeated += other.repeated;
        self.reordered += other.reordered;
        self.corrupt += other.corrupt;
        self.witness += other.witness;
        self.not_yet_copied += other.not_yet_copied;
        self.excused += other.excused;
        self.retired += other.retired;
        self.kept += other.kept;
        self.unclear += other.unclear;
    }
}

/// What kind of difference, in the words of its direction: see [`Counts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The same place, another content.
    Different,
    /// Only on the source.
    Missing,
    /// Only on the target, never seen on the source near here.
    Extra,
    /// Only on the target, a repeat of a record that had already matched.
    Repeated,
    /// On both sides in another order.
    Reordered,
    /// A broken batch.
    Corrupt,
    /// The second reader of the target saw something else.
    Witness,
}

/// One difference.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Of which direction.
    #[serde(serialize_with = "word")]
    pub direction: Direction,
    /// What kind.
    pub kind: Kind,
    /// Offset on the source, if it is there.
    pub source_offset: Option<i64>,
    /// Offset on the target, if it is there.
    pub target_offset: Option<i64>,
    /// Which of `key`, `value`, `headers`, `timestamp` differ, where both are there.
    pub parts: Vec<&'static str>,
    /// The record on the source.
    pub source: Option<Shape>,
    /// The record on the target.
    pub target: Option<Shape>,
    /// What is broken, or what the second reader saw.
    pub detail: Option<String>,
}

fn word<S: serde::Serializer>(direction: &Direction, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(direction.word())
}

impl Difference {
    /// Topics and partitions in order, then offsets, whichever side has one.
    fn place(&self) -> (&str, i32, i64) {
        (
            &self.topic,
            self.partition,
            match self.direction {
                Direction::Forward => self.source_offset.or(self.target_offset),
                Direction::Reverse => self.target_offset.or(self.source_offset),
            }
            .unwrap_or(0),
        )
    }
}

/// A record without its content: lengths in bytes (-1 is null), digests that are comparable within one report.
#[derive(Debug, Clone, Serialize)]
pub struct Shape {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Bytes of the key.
    pub key_length: i64,
    /// Digest of the key.
    pub key_digest: String,
    /// Bytes of the value.
    pub value_length: i64,
    /// Digest of the value.
    pub value_digest: String,
    /// Number of headers.
    pub headers: i64,
    /// Digest of the headers.
    pub headers_digest: String,
    /// The content, only where it was asked for, long parts cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// What a record holds, as text; bytes that are not UTF-8 are replaced, long texts cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Content {
    /// The key.
    pub key: Option<String>,
    /// The value.
    pub value: Option<String>,
    /// Names and values.
    pub headers: Vec<(String, Option<String>)>,
}

/// What the second reader (librdkafka) of the side that copies stand on said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Witness {
    /// It was not asked, or is not built in.
    Off,
    /// It saw the same offsets, keys, values, timestamps and order.
    Agrees {
        /// Records it saw.
        records: u64,
    },
    /// It saw something else; the samples say where.
    Disagrees,
    /// It could not read everything.
    Unavailable {
        /// Why not.
        reason: String,
    },
}
