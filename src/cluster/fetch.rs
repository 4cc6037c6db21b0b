//! Fetches raw batches over a connection of their own, in an incremental session (KIP-227).

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use super::{Cluster, Error, Result};
use crate::{
    model::names::{TopicName, TopicPartition},
    wire::{
        self,
        conn::Conn,
        frame::{Malformed, Reader, put_header, put_length, put_string},
        frames::Expected,
        records::{Frame, Records},
        versions::FETCH,
    },
};

/// From this version on topics are named by id (KIP-516).
const BY_ID: i16 = 13;
/// From this version on the replica id is a tagged field, left out by consumers (KIP-903).
const WITHOUT_REPLICA: i16 = 15;
/// Room in an answer beside what was asked for: the first batch may be larger than any limit.
const ROOM: usize = 100 * 1024 * 1024;
/// FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR.
const SESSION_GONE: i16 = 70;
const SESSION_ERRORS: [i16; 3] = [SESSION_GONE, 71, 106];
/// `FetchMetadata.INITIAL_EPOCH` opens a session, `FINAL_EPOCH` asks for none.
const INITIAL_EPOCH: i32 = 0;
const FINAL_EPOCH: i32 = -1;
/// A broker that cannot keep a session for one answer will not keep the next.
const RESTARTS: usize = 3;

/// Where a fetch of one partition stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchPosition {
    /// The partition.
    pub at: TopicPartition,
    /// Its topic's id, nil if unknown: then topics are named by name.
    pub topic_id: Uuid,
    /// First offset wanted.
    pub offset: i64,
    /// leader epoch of the last batch fetched, -1 if none
    pub last_epoch: i32,
    /// Leader epoch we believe in, -1 for any.
    pub leader_epoch: i32,
    /// At most this many bytes of this partition, except that a first batch always comes whole.
    pub max_bytes: i32,
}

/// One partition of a fetch answer.
#[derive(Debug)]
pub struct FetchedPartition {
    /// The partition.
    pub at: TopicPartition,
    /// Kafka error code, 0 when fine
    pub error: i16,
    /// Offset after the last record that all in-sync replicas have.
    pub high_watermark: i64,
    /// Offset of the first record of an open transaction, or the high watermark.
    pub last_stable: i64,
    /// First offset in the log.
    pub log_start: i64,
    /// (producer id, first offset), unordered
    pub aborted: Vec<(i64, i64)>,
    /// (epoch, end offset) where our log and the leader's part
    pub diverging: Option<(i32, i64)>,
    /// whole batches, undecoded; slices of one frame
    pub records: Records,
}

/// What one fetch brought: the partitions that changed.
#[derive(Debug)]
pub struct FetchAnswer {
    /// How long the broker asks us to pause.
    pub throttle: Duration,
    /// Partitions with data, an error, or new watermarks. A partition that is missing has not changed.
    pub partitions: Vec<FetchedPartition>,
    /// bytes of the whole frame
    pub frame_bytes: usize,
}

/// Whether a fetch returns data of open transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Everything up to the high watermark.
    ReadUncommitted,
    /// Everything up to the last stable offset, with the list of aborted transactions.
    ReadCommitted,
}

/// One connection that fetches from one broker, with an incremental fetch session (KIP-227).
pub struct Fetcher {
    cluster: Cluster,
    conn: Conn,
    session: Option<Session>,
    /// Said with the next full request, so that the broker frees the old session.
    replaces: i32,
    /// Large bodies of batches stay in the kernel.
    keeps: bool,
}

/// What the broker remembers of our last requests.
struct Session {
    id: i32,
    epoch: i32,
    version: i16,
    positions: Vec<FetchPosition>,
    names: HashSet<TopicName>,
    ids: HashMap<Uuid, TopicName>,
}

impl Cluster {
    /// A new connection to a broker for fetching, apart from all others.
    pub async fn fetcher(&self, broker: i32) -> Result<Fetcher> {
        let conn = self.open(broker, FETCH.name, None).await?;
        version(&conn, false).map_err(|source| self.wire(conn.address(), FETCH.name, source))?;
        Ok(Fetcher {
            cluster: self.clone(),
            conn,
            session: None,
            replaces: 0,
            keeps: false,
        })
    }
}

impl Fetcher {
    /// For batches that go on to another broker: nobody here needs their records.
    pub fn keeping(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// Long-polls for the given partitions: the whole wanted set each time; the session sends only what changed since the last call.
    /// An error of the connection means: drop this fetcher and open another. FETCH_SESSION_ID_NOT_FOUND and its kin restart the session inside.
    /// A call that is dropped half-way loses its data, nothing else: the next one opens a new session.
    pub async fn fetch(
        &mut self,
        wanted: &[FetchPosition],
        isolation: Isolation,
        max_wait: Duration,
        min_bytes: i32,
        max_bytes: i32,
    ) -> Result<FetchAnswer> {
        let mut code = 0;
        for _ in 0..RESTARTS {
            let mut session = match self.session.take().filter(|session| session.fits(wanted)) {
                Some(session) => session,
                None => self.full(wanted)?,
            };
            let (changed, forgotten) = session.diff(wanted);
            let shape = Shape {
                isolation,
                max_wait,
                min_bytes,
                max_bytes,
                session: session.id,
                epoch: session.epoch,
            };
            let patience = max_wait + self.cluster.settings().request_timeout;
            let answer = once(
                (&self.conn, session.version, self.keeps),
                &shape,
                &changed,
                &forgotten,
                patience,
            )
            .await;
            let answer = answer
                .map_err(|source| self.cluster.wire(self.conn.address(), FETCH.name, source))?;
            code = answer.error;
            if code != 0 {
                self.replaces = if code == SESSION_GONE { 0 } else { session.id };
                if SESSION_ERRORS.contains(&code) {
                    continue;
                }
                break;
            }
            self.replaces = 0;
            let partitions = answer
                .partitions
                .into_iter()
                .filter_map(|partition| session.name(partition))
                .collect();
            let done = FetchAnswer {
                throttle: answer.throttle,
                partitions,
                frame_bytes: answer.frame_bytes,
            };
            if answer.session != 0 {
                session.id = answer.session;
                session.epoch = session.epoch.checked_add(1).unwrap_or(INITIAL_EPOCH + 1);
                session.remember(wanted);
                self.session = Some(session);
            }
            return Ok(done);
        }
        let (side, broker) = (self.cluster.side(), Some(self.conn.address().clone()));
        Err(Error::Kafka {
            side,
            broker,
            api: FETCH.name,
            topic: None,
            partition: None,
            code,
            message: None,
        })
    }

    /// False once broken.
    pub fn is_alive(&self) -> bool {
        self.conn.is_alive()
    }

    fn full(&self, wanted: &[FetchPosition]) -> Result<Session> {
        let by_id = wanted.iter().all(|position| !position.topic_id.is_nil());
        let version = version(&self.conn, by_id)
            .map_err(|source| self.cluster.wire(self.conn.address(), FETCH.name, source))?;
        let mut session = Session {
            id: self.replaces,
            epoch: INITIAL_EPOCH,
            version,
            positions: Vec::new(),
            names: HashSet::new(),
            ids: HashMap::new(),
        };
        session.index(wanted);
        Ok(session)
    }
}

impl Session {
    /// Can this session go on with the wanted partitions? Not if a topic's id changed or is missing.
    fn fits(&self, wanted: &[FetchPosition]) -> bool {
        if self.version < BY_ID || self.same_partitions(wanted) {
            return true;
        }
        let mut ids: HashMap<&TopicName, Uuid> = self
            .positions
            .iter()
            .map(|position| (&position.at.topic, position.topic_id))
            .collect();
        wanted.iter().all(|position| {
            !position.topic_id.is_nil()
                && *ids.entry(&position.at.topic).or_insert(position.topic_id) == position.topic_id
        })
    }

    /// The usual case, and a cheap one: the same partitions in the same order.
    fn same_partitions(&self, wanted: &[FetchPosition]) -> bool {
        self.positions.len() == wanted.len()
            && self
                .positions
                .iter()
                .zip(wanted)
                .all(|(a, b)| a.at == b.at && a.topic_id == b.topic_id)
    }

    /// What the broker has to be told: positions that are new or moved, and partitions no longer wanted.
    fn diff<'a>(
        &'a self,
        wanted: &'a [FetchPosition],
    ) -> (Vec<&'a FetchPosition>, Vec<&'a FetchPosition>) {
        if self.same_partitions(wanted) {
            let moved = self
                .positions
                .iter()
                .zip(wanted)
                .filter(|(a, b)| a != b)
                .map(|(_, b)| b);
            return (moved.collect(), Vec::new());
        }
        let mut known: HashMap<&TopicPartition, &FetchPosition> = self
            .positions
            .iter()
            .map(|position| (&position.at, position))
            .collect();
        let changed = wanted
            .iter()
            .filter(|position| known.remove(&position.at) != Some(*position))
            .collect();
        (changed, known.into_values().collect())
    }

    fn remember(&mut self, wanted: &[FetchPosition]) {
        if self.same_partitions(wanted) {
            self.positions.clone_from_slice(wanted);
        } else {
            self.index(wanted);
            self.positions = wanted.to_vec();
        }
    }

    fn index(&mut self, wanted: &[FetchPosition]) {
        for position in wanted {
            if !self.names.contains(&position.at.topic) {
                self.names.insert(position.at.topic.clone());
            }
            if !position.topic_id.is_nil() && !self.ids.contains_key(&position.topic_id) {
                self.ids
                    .insert(position.topic_id, position.at.topic.clone());
            }
        }
    }

    /// Puts our name on an answered partition; `None` for a topic that we never asked for.
    fn name(&self, raw: RawPartition) -> Option<FetchedPartition> {
        let topic = match &raw.topic {
            Topic::Id(id) => self.ids.get(id)?,
            Topic::Name(name) => self.names.get(std::str::from_utf8(name).ok()?)?,
        };
        Some(FetchedPartition {
            at: TopicPartition {
                topic: topic.clone(),
                partition: raw.partition,
            },
            error: raw.error,
            high_watermark: raw.high_watermark,
            last_stable: raw.last_stable,
            log_start: raw.log_start,
            aborted: raw.aborted,
            diverging: raw.diverging,
            records: raw.records,
        })
    }
}

/// The limits of one request.
pub(super) struct Shape {
    isolation: Isolation,
    max_wait: Duration,
    min_bytes: i32,
    max_bytes: i32,
    session: i32,
    epoch: i32,
}

impl Shape {
    /// One request without a session, answered at once.
    pub(super) fn oneshot(isolation: Isolation, max_wait: Duration, max_bytes: i32) -> Self {
        Self {
            isolation,
            max_wait,
            min_bytes: 0,
            max_bytes,
            session: 0,
            epoch: FINAL_EPOCH,
        }
    }

    /// One request without a session, answered once there is anything, or after `max_wait`: whether there is, is all that is asked.
    pub(super) fn waiting(max_wait: Duration) -> Self {
        Self {
            min_bytes: 1,
            ..Self::oneshot(Isolation::ReadUncommitted, max_wait, 1)
        }
    }

    pub(super) fn max_bytes(&self) -> i32 {
        self.max_bytes
    }
}

/// The version to use: 12 where topics have to be named by name.
pub(super) fn version(conn: &Conn, by_id: bool) -> Result<i16, wire::Error> {
    let api = wire::versions::Api {
        speak: (FETCH.speak.0, if by_id { FETCH.speak.1 } else { BY_ID - 1 }),
        ..FETCH
    };
    conn.version(api)
}

/// Sends one request and reads its answer.
pub(super) async fn once(
    (conn, version, keeps): (&Conn, i16, bool),
    shape: &Shape,
    changed: &[&FetchPosition],
    forgotten: &[&FetchPosition],
    patience: Duration,
) -> Result<RawAnswer, wire::Error> {
    let limit = ROOM + usize::try_from(shape.max_bytes).unwrap_or(0);
    let build = |correlation| {
        let request = encode(version, correlation, shape, changed, forgotten);
        Ok(vec![request.into()])
    };
    let expected = Expected {
        limit,
        keeps: keeps.then_some(version),
    };
    let frame = conn
        .submit(FETCH, expected, patience, build)
        .await?
        .wait_for_frame()
        .await?;
    decode(frame, version).map_err(|error| conn.malformed(FETCH.name, error))
}

fn encode(
    version: i16,
    correlation: i32,
    shape: &Shape,
    changed: &[&FetchPosition],
    forgotten: &[&FetchPosition],
) -> Bytes {
    let mut text = BytesMut::with_capacity(128 + (changed.len() + forgotten.len()) * 64);
    put_header(&mut text, FETCH.key, version, correlation);
    if version < WITHOUT_REPLICA {
        text.put_i32(-1);
    }
    text.put_i32(i32::try_from(shape.max_wait.as_millis()).unwrap_or(i32::MAX));
    text.put_i32(shape.min_bytes);
    text.put_i32(shape.max_bytes);
    text.put_i8(i8::from(shape.isolation == Isolation::ReadCommitted));
    text.put_i32(shape.session);
    text.put_i32(shape.epoch);
    put_topics(&mut text, version, changed, |text, position| {
        text.put_i32(position.at.partition);
        text.put_i32(position.leader_epoch);
        text.put_i64(position.offset);
        text.put_i32(position.last_epoch);
        text.put_i64(-1); // log start offset: followers only
        text.put_i32(position.max_bytes);
        text.put_u8(0);
    });
    put_topics(&mut text, version, forgotten, |text, position| {
        text.put_i32(position.at.partition)
    });
    put_string(&mut text, ""); // no rack: leaders only
    text.put_u8(0);
    text.freeze()
}

/// Writes partitions in the given order; neighbours of one topic share an entry.
fn put_topics(
    text: &mut BytesMut,
    version: i16,
    positions: &[&FetchPosition],
    mut put: impl FnMut(&mut BytesMut, &FetchPosition),
) {
    let same = |a: &&FetchPosition, b: &&FetchPosition| a.at.topic == b.at.topic;
    put_length(text, positions.chunk_by(same).count());
    for group in positions.chunk_by(same) {
        if version >= BY_ID {
            text.put_u128(group[0].topic_id.as_u128());
        } else {
            put_string(text, &group[0].at.topic);
        }
        put_length(text, group.len());
        for position in group {
            put(text, position);
        }
        text.put_u8(0);
    }
}

/// An answer as it stands on the wire.
#[derive(Debug)]
pub struct RawAnswer {
    pub(super) throttle: Duration,
    pub(super) error: i16,
    pub(super) session: i32,
    pub(super) partitions: Vec<RawPartition>,
    pub(super) frame_bytes: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Topic {
    Name(Bytes),
    Id(Uuid),
}

#[derive(Debug)]
pub(super) struct RawPartition {
    topic: Topic,
    pub(super) partition: i32,
    pub(super) error: i16,
    pub(super) high_watermark: i64,
    last_stable: i64,
    log_start: i64,
    aborted: Vec<(i64, i64)>,
    diverging: Option<(i32, i64)>,
    pub(super) records: Records,
}

/// Reads an answer of version 12 to 16, from its correlation id on. Records are slices of the frame.
pub fn decode(frame: Frame, version: i16) -> Result<RawAnswer, Malformed> {
    let frame_bytes = frame.len() + 4;
    let mut from = Reader::of(frame);
    let _correlation = from.int32()?;
    from.skip_tags()?;
    let throttle = Duration::from_millis(u64::try_from(from.int32()?).unwrap_or(0));
    let error = from.int16()?;
    let session = from.int32()?;
    let mut partitions = Vec::new();
    for _ in 0..from.array()?.unwrap_or(0) {
        let topic = if version >= BY_ID {
            Topic::Id(from.uuid()?)
        } else {
            Topic::Name(from.bytes()?.ok_or(Malformed("a topic has no name"))?)
        };
        for _ in 0..from.array()?.unwrap_or(0) {
            partitions.push(partition(&mut from, topic.clone())?);
        }
        from.skip_tags()?;
    }
    from.skip_tags()?;
    Ok(RawAnswer {
        throttle,
        error,
        session,
        partitions,
        frame_bytes,
    })
}

fn partition(from: &mut Reader, topic: Topic) -> Result<RawPartition, Malformed> {
    let partition = from.int32()?;
    let error = from.int16()?;
    let high_watermark = from.int64()?;
    let last_stable = from.int64()?;
    let log_start = from.int64()?;
    let mut aborted = Vec::new();
    for _ in 0..from.array()?.unwrap_or(0) {
        aborted.push((from.int64()?, from.int64()?));
        from.skip_tags()?;
    }
    let _preferred_read_replica = from.int32()?;
    let records = from.records()?;
    let mut diverging = None;
    from.tags(|tag, value| {
        if tag == 0 {
            diverging = Some((value.int32()?, value.int64()?));
        }
        Ok(())
    })?;
    Ok(RawPartition {
        topic,
        partition,
        error,
        high_watermark,
        last_stable,
        log_start,
        aborted,
        diverging,
        records,
    })
}
