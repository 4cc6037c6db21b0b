//! Writes batches over a connection of their own: acks=all, answers matched by partition.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::{Cluster, Error, Result, Target};
use crate::{
    model::names::TopicPartition,
    wire::{
        batch::{HEADER_LEN, Stamped},
        conn::{Conn, MaySend, Pending},
        frame::{Malformed, Reader, put_header, put_length, put_string},
        versions::PRODUCE,
    },
};

/// Acknowledged by all in-sync replicas.
const ACKS_ALL: i16 = -1;

/// One batch of a produce request.
pub struct ProducePart {
    /// Where to.
    pub at: TopicPartition,
    /// The batch.
    pub batch: Stamped,
}

/// The broker's answer for one partition.
#[derive(Debug, Clone)]
pub struct ProduceAnswer {
    /// Which partition.
    pub at: TopicPartition,
    /// Kafka's error code, 0 when appended.
    pub error: i16,
    /// Offset of the batch's first record, -1 if not appended.
    pub base_offset: i64,
    /// The broker's words.
    pub message: Option<String>,
}

/// One connection that produces to one broker, acks=all, answers matched by partition.
pub struct Producer {
    cluster: Cluster,
    conn: Conn,
    version: i16,
    patience: Duration,
}

/// Dropped: the answer is not waited for.
pub struct PendingProduce {
    cluster: Cluster,
    pending: Pending,
    sent: Vec<TopicPartition>,
}

impl Target {
    /// Opens a connection for produce requests.
    pub async fn producer(&self, broker: i32, may_send: MaySend) -> Result<Producer> {
        let conn = self.open(broker, PRODUCE.name, Some(may_send)).await?;
        Producer::over(self, conn)
    }
}

impl Producer {
    /// Over a connection that is there already.
    pub(super) fn over(target: &Target, conn: Conn) -> Result<Self> {
        let version = conn
            .version(PRODUCE)
            .map_err(|source| target.wire(conn.address(), PRODUCE.name, source))?;
        Ok(Self {
            cluster: Cluster::clone(target),
            conn,
            version,
            patience: target.settings().request_timeout,
        })
    }

    /// Queues one request on the connection in call order and returns at once when its bytes are handed to the writer
    /// (waits only while the writer's queue is full). A partition stands at most once in `parts`: a broker drops the second silently.
    pub async fn send(&self, parts: Vec<ProducePart>) -> Result<PendingProduce> {
        let sent: Vec<TopicPartition> = parts.iter().map(|part| part.at.clone()).collect();
        // The broker gives up on replication before we give up on the broker: its answer says more than silence.
        let timeout_ms = i32::try_from(self.patience.as_millis() / 3 * 2).unwrap_or(i32::MAX);
        let submitted = self
            .conn
            .submit(PRODUCE, PRODUCE.limit, self.patience, |correlation| {
                Ok(encode(parts, self.version, correlation, timeout_ms))
            })
            .await;
        let pending = submitted
            .map_err(|source| self.cluster.wire(self.conn.address(), PRODUCE.name, source))?;
        Ok(PendingProduce {
            cluster: self.cluster.clone(),
            pending,
            sent,
        })
    }

    /// False once broken.
    pub fn is_alive(&self) -> bool {
        self.conn.is_alive()
    }
}

impl PendingProduce {
    /// Waits for the answers: one per part sent, in the order sent, and how long the broker asks us to pause.
    /// `Err` means the connection broke or timed out: every part's outcome is unknown.
    pub async fn answers(self) -> Result<(Vec<ProduceAnswer>, Duration)> {
        let conn = self.pending.conn().clone();
        let wire = |source| self.cluster.wire(conn.address(), PRODUCE.name, source);
        let frame = self.pending.wait().await.map_err(wire)?;
        let answer = decode(frame).map_err(|reason| wire(conn.malformed(PRODUCE.name, reason)))?;
        let throttle = answer.throttle;
        let incomplete = |at: &TopicPartition| Error::Incomplete {
            side: self.cluster.side(),
            broker: conn.address().clone(),
            api: PRODUCE.name,
            what: at.to_string(),
        };
        let answers = match_answers(answer.partitions, self.sent).map_err(|at| incomplete(&at))?;
        Ok((answers, throttle))
    }
}

/// An answer as it stands on the wire.
#[derive(Debug)]
pub struct RawAnswer {
    throttle: Duration,
    pub(super) partitions: Vec<RawPartition>,
}

/// What it says of one partition. Names and words are slices of the frame.
#[derive(Debug, Clone)]
pub(super) struct RawPartition {
    pub(super) topic: Bytes,
    partition: i32,
    pub(super) error: i16,
    base_offset: i64,
    message: Option<Bytes>,
}

/// The answers in the order of what was sent, whatever order the broker gave them; `Err` is one without an answer.
fn match_answers(
    mut answers: Vec<RawPartition>,
    sent: Vec<TopicPartition>,
) -> std::result::Result<Vec<ProduceAnswer>, TopicPartition> {
    answers.sort_unstable_by(|a, b| (&*a.topic, a.partition).cmp(&(&*b.topic, b.partition)));
    let answer_to = |at: TopicPartition| {
        let wanted = (at.topic.as_bytes(), at.partition);
        let found =
            answers.binary_search_by(|answer| (&*answer.topic, answer.partition).cmp(&wanted));
        let Ok(found) = found else {
            return Err(at);
        };
        let answer = &answers[found];
        let words = |words: &Bytes| String::from_utf8_lossy(words).into_owned();
        Ok(ProduceAnswer {
            at,
            error: answer.error,
            base_offset: answer.base_offset,
            message: answer.message.as_ref().map(words),
        })
    };
    sent.into_iter().map(answer_to).collect()
}

/// Writes a request of version 9 to 11 as chunks; the batches' bodies are not copied.
fn encode(
    mut parts: Vec<ProducePart>,
    version: i16,
    correlation: i32,
    timeout_ms: i32,
) -> Vec<Bytes> {
    // A topic that stands twice in a request loses its second entry on the broker, so all its partitions go together.
    parts.sort_by(|a, b| a.at.topic.cmp(&b.at.topic));
    let names: usize = parts.iter().map(|part| part.at.topic.len()).sum();
    let mut text = BytesMut::with_capacity(64 + names + parts.len() * (HEADER_LEN + 32));
    let mut chunks = Vec::with_capacity(parts.len() * 2 + 1);
    put_header(&mut text, PRODUCE.key, version, correlation);
    text.put_u8(0); // no transactional id
    text.put_i16(ACKS_ALL);
    text.put_i32(timeout_ms);
    let mut groups: Vec<Vec<ProducePart>> = Vec::new();
    for part in parts {
        match groups.last_mut() {
            Some(group) if group[0].at.topic == part.at.topic => group.push(part),
            _ => groups.push(vec![part]),
        }
    }
    put_length(&mut text, groups.len());
    for group in groups {
        put_string(&mut text, &group[0].at.topic);
        put_length(&mut text, group.len());
        for part in group {
            text.put_i32(part.at.partition);
            put_length(&mut text, part.batch.len());
            text.put_slice(&part.batch.head);
            chunks.push(text.split().freeze());
            chunks.push(part.batch.body);
            text.put_u8(0);
        }
        text.put_u8(0);
    }
    text.put_u8(0);
    chunks.push(text.freeze());
    chunks
}

/// Reads an answer of version 9 to 11, from its correlation id on.
pub fn decode(frame: Bytes) -> std::result::Result<RawAnswer, Malformed> {
    let mut from = Reader::new(frame);
    let _correlation = from.int32()?;
    from.skip_tags()?;
    let mut partitions = Vec::new();
    for _ in 0..from.array()?.unwrap_or(0) {
        let topic = from.bytes()?.ok_or(Malformed("a topic has no name"))?;
        for _ in 0..from.array()?.unwrap_or(0) {
            partitions.push(partition(&mut from, topic.clone())?);
        }
        from.skip_tags()?;
    }
    let throttle = Duration::from_millis(u64::try_from(from.int32()?).unwrap_or(0));
    // From version 10 on where the leaders are, as a tagged field (KIP-951): who refused says enough.
    from.skip_tags()?;
    Ok(RawAnswer {
        throttle,
        partitions,
    })
}

fn partition(from: &mut Reader, topic: Bytes) -> std::result::Result<RawPartition, Malformed> {
    let partition = from.int32()?;
    let error = from.int16()?;
    let base_offset = from.int64()?;
    let _log_append_time = from.int64()?;
    let _log_start = from.int64()?;
    for _ in 0..from.array()?.unwrap_or(0) {
        // Which record of the batch was refused, and why: the whole batch was, and the message below says so.
        let _index = from.int32()?;
        let _message = from.bytes()?;
        from.skip_tags()?;
    }
    let message = from.bytes()?;
    from.skip_tags()?;
    Ok(RawPartition {
        topic,
        partition,
        error,
        base_offset,
        message,
    })
}

#[cfg(test)]
mod tests {
    use kafka_protocol::{
        messages::{
            ProduceResponse, ResponseHeader, TopicName,
            produce_response::{
                BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
            },
        },
        protocol::{Encodable, StrBytes},
    };

    use super::*;

    fn topic(name: &'static str, answers: Vec<PartitionProduceResponse>) -> TopicProduceResponse {
        TopicProduceResponse::default()
            .with_name(TopicName(StrBytes::from_static_str(name)))
            .with_partition_responses(answers)
    }

    /// As a broker would write it.
    fn frame(answer: &ProduceResponse, version: i16) -> Bytes {
        let mut frame = BytesMut::new();
        let header = ResponseHeader::default().with_correlation_id(7);
        header.encode(&mut frame, 1).expect("a header");
        answer.encode(&mut frame, version).expect("an answer");
        frame.freeze()
    }

    #[test]
    fn answers_belong_to_partitions_whatever_their_order() {
        let of = |name: &'static str, partitions: &[(i32, i64)]| {
            let answers = partitions.iter().map(|&(index, offset)| {
                PartitionProduceResponse::default()
                    .with_index(index)
                    .with_base_offset(offset)
            });
            topic(name, answers.collect())
        };
        // As seen from real brokers: neither topics nor partitions in the order of the request.
        let answer = ProduceResponse::default()
            .with_responses(vec![of("b", &[(2, 20), (0, 10)]), of("a", &[(1, 5)])]);
        let answers = decode(frame(&answer, 11)).expect("an answer").partitions;
        let at = |topic: &str, partition| TopicPartition::new(topic, partition);
        let sent = vec![at("a", 1), at("b", 0), at("b", 2)];
        let offsets: Vec<i64> = match_answers(answers.clone(), sent.clone())
            .expect("all are answered")
            .iter()
            .map(|answer| answer.base_offset)
            .collect();
        assert_eq!(offsets, [5, 10, 20]);
        let one_more = [sent, vec![at("b", 1)]].concat();
        assert_eq!(match_answers(answers, one_more).err(), Some(at("b", 1)));
    }

    #[test]
    fn what_a_broker_says_of_a_refusal_is_read_in_every_version() {
        let of_record = BatchIndexAndErrorMessage::default()
            .with_batch_index(3)
            .with_batch_index_error_message(Some(StrBytes::from_static_str("no key")));
        let refused = PartitionProduceResponse::default()
            .with_index(4)
            .with_error_code(87)
            .with_base_offset(-1)
            .with_record_errors(vec![of_record])
            .with_error_message(Some(StrBytes::from_static_str("one record has no key")));
        let appended = PartitionProduceResponse::default()
            .with_index(5)
            .with_base_offset(70);
        let answer = ProduceResponse::default()
            .with_responses(vec![topic("orders", vec![refused, appended])])
            .with_throttle_time_ms(250);
        for version in 9..=11 {
            let read = decode(frame(&answer, version)).expect("an answer");
            assert_eq!(read.throttle, Duration::from_millis(250));
            let sent = [4, 5].map(|partition| TopicPartition::new("orders", partition));
            let answers = match_answers(read.partitions, sent.to_vec()).expect("both");
            let [refused, appended] = answers.as_slice() else {
                panic!("{answers:?}");
            };
            assert_eq!((refused.error, refused.base_offset), (87, -1));
            assert_eq!(refused.message.as_deref(), Some("one record has no key"));
            assert_eq!((appended.error, appended.base_offset), (0, 70));
            assert_eq!(appended.message, None);
            let whole = frame(&answer, version);
            for cut in 0..whole.len() {
                assert!(decode(whole.slice(..cut)).is_err(), "cut off at {cut}");
            }
        }
    }
}
