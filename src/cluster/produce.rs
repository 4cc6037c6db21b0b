//! Writes batches over a connection of their own: acks=all, answers matched by partition.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ProduceResponse, TopicName, produce_response::PartitionProduceResponse,
};

use super::{Cluster, Error, Result, Target};
use crate::{
    model::names::TopicPartition,
    wire::{
        batch::{HEADER_LEN, Stamped},
        conn::{self, Conn, MaySend, Pending},
        frame::{put_header, put_length, put_string},
        kept::Chunk,
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
    version: i16,
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
            version: self.version,
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
        let answer = decode(frame, self.version)
            .map_err(|reason| wire(conn.malformed(PRODUCE.name, reason)))?;
        let throttle = Duration::from_millis(u64::try_from(answer.throttle_time_ms).unwrap_or(0));
        let incomplete = |at: &TopicPartition| Error::Incomplete {
            side: self.cluster.side(),
            broker: conn.address().clone(),
            api: PRODUCE.name,
            what: at.to_string(),
        };
        let answers = match_answers(answer, self.sent).map_err(|at| incomplete(&at))?;
        Ok((answers, throttle))
    }
}

/// The answers in the order of what was sent, whatever order the broker gave them; `Err` is one without an answer.
fn match_answers(
    answer: ProduceResponse,
    sent: Vec<TopicPartition>,
) -> std::result::Result<Vec<ProduceAnswer>, TopicPartition> {
    let mut answers: Vec<(TopicName, PartitionProduceResponse)> = answer
        .responses
        .into_iter()
        .flat_map(|topic| {
            let of_topic = topic.partition_responses.into_iter();
            of_topic.map(move |partition| (topic.name.clone(), partition))
        })
        .collect();
    answers.sort_unstable_by(|a, b| (&*a.0.0, a.1.index).cmp(&(&*b.0.0, b.1.index)));
    let answer_to = |at: TopicPartition| {
        let wanted = (&*at.topic, at.partition);
        let found =
            answers.binary_search_by(|(topic, answer)| (&*topic.0, answer.index).cmp(&wanted));
        let Ok(found) = found else {
            return Err(at);
        };
        let answer = &answers[found].1;
        Ok(ProduceAnswer {
            at,
            error: answer.error_code,
            base_offset: answer.base_offset,
            message: answer
                .error_message
                .as_ref()
                .map(|message| message.to_string()),
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
) -> Vec<Chunk> {
    // A topic that stands twice in a request loses its second entry on the broker, so all its partitions go together.
    parts.sort_by(|a, b| a.at.topic.cmp(&b.at.topic));
    let names: usize = parts.iter().map(|part| part.at.topic.len()).sum();
    let mut text = BytesMut::with_capacity(64 + names + parts.len() * (HEADER_LEN + 32));
    let mut chunks = Vec::with_capacity(parts.len() * 3 + 1);
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
            chunks.push(text.split().freeze().into());
            chunks.push(part.batch.body.here.into());
            chunks.extend(part.batch.body.kept.map(Chunk::Kept));
            text.put_u8(0);
        }
        text.put_u8(0);
    }
    text.put_u8(0);
    chunks.push(text.freeze().into());
    chunks
}

/// Reads an answer of version 9 to 11, from its correlation id on.
pub fn decode(mut frame: Bytes, version: i16) -> Result<ProduceResponse, String> {
    conn::decode(&mut frame, version)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::{messages::produce_response::TopicProduceResponse, protocol::StrBytes};

    use super::*;

    #[test]
    fn answers_belong_to_partitions_whatever_their_order() {
        let of = |topic: &'static str, partitions: &[(i32, i64)]| {
            let answers = partitions.iter().map(|&(index, offset)| {
                PartitionProduceResponse::default()
                    .with_index(index)
                    .with_base_offset(offset)
            });
            TopicProduceResponse::default()
                .with_name(TopicName(StrBytes::from_static_str(topic)))
                .with_partition_responses(answers.collect())
        };
        // As seen from real brokers: neither topics nor partitions in the order of the request.
        let answer = ProduceResponse::default()
            .with_responses(vec![of("b", &[(2, 20), (0, 10)]), of("a", &[(1, 5)])]);
        let at = |topic: &str, partition| TopicPartition::new(topic, partition);
        let sent = vec![at("a", 1), at("b", 0), at("b", 2)];
        let offsets: Vec<i64> = match_answers(answer.clone(), sent.clone())
            .expect("all are answered")
            .iter()
            .map(|answer| answer.base_offset)
            .collect();
        assert_eq!(offsets, [5, 10, 20]);
        let one_more = [sent, vec![at("b", 1)]].concat();
        assert_eq!(match_answers(answer, one_more).err(), Some(at("b", 1)));
    }
}
