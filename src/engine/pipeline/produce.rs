//! Sends in order, one batch per partition and request, and learns the target's offsets.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::{
    Done, Ended, Phase, Reason, Session,
    partition::{CORRUPT, DEPTH, Fate, PATIENT_TRIES, Settled},
    rewrite,
};
use crate::{
    clock,
    cluster::{self, ProduceAnswer, ProducePart, Producer},
    engine::{ledger::record::Beyond, steps},
    wire::retry::{self, ProduceVerdict},
};

/// Requests under way on one connection: a broker works on one at a time, the others save the way. As many as a partition may have batches.
const REQUESTS: usize = DEPTH;
/// While so many of them are not answered, nothing is done about those that are.
const ENOUGH_TO_DO: usize = 2;
/// Of requests that are not large, only so many: what comes meanwhile goes along with the next, and one request costs less than two.
const FEW_REQUESTS: usize = 2;
/// In bytes: below what four batches of 64 KB come to, which is how most producers that batch at all leave them.
const LARGE: usize = 128 << 10;
/// Bytes of one request, unless its only batch is larger.
const REQUEST_BYTES: usize = 4 << 20;
/// Pause before a broker that refused a connection is tried again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a partition may be unknown to the target before it is taken for deleted.
const GONE: Duration = Duration::from_secs(60);
/// Told as a pseudo code where the request never left.
const NOT_SENT: i16 = -100;

/// Connections to the target's brokers.
#[derive(Default)]
pub(super) struct Lines {
    of: HashMap<i32, Line>,
    openings: u64,
    pub(super) refreshing: bool,
    asked_leaders: Option<Instant>,
    /// Where the look for something to send begins.
    first: usize,
    /// Partitions of requests that could not be handed to a connection.
    unsettled: Vec<usize>,
}

#[derive(Default)]
struct Line {
    producer: Option<Producer>,
    /// Which connection it is: answers of an earlier one do not close this one.
    opening: u64,
    is_opening: bool,
    requests: usize,
    hold_until: Option<Instant>,
}

impl Session {
    /// Sends whatever may be sent.
    pub(super) async fn send(&mut self) {
        if !self.lease.holds() {
            return;
        }
        loop {
            let now = Instant::now();
            let mut ready: HashMap<i32, (Vec<usize>, usize)> = HashMap::new();
            let mut leaderless = false;
            let now_ms = clock::unix_millis();
            // Whoever was first last time is last this time.
            let count = self.partitions.len().max(1);
            self.lines.first = (self.lines.first + 1) % count;
            for index in 0..self.partitions.len() {
                let index = (index + self.lines.first) % count;
                let partition = &mut self.partitions[index];
                if !partition.may_send(now, now_ms, self.shared.warmth, self.recorded) {
                    continue;
                }
                if partition.waits_to_be_held(now_ms) {
                    let topic = &partition.name.topic;
                    partition.takes_old = self.shared.holds.may_take_old(topic);
                    if !partition.takes_old {
                        continue;
                    }
                }
                let Some((broker, _)) = self.shared.target.cached_leader(&partition.name) else {
                    leaderless = true;
                    continue;
                };
                let of_broker = ready.entry(broker).or_default();
                let bytes = partition.queue.front().map_or(0, |item| item.batch.len());
                if of_broker.0.is_empty() || of_broker.1 + bytes <= REQUEST_BYTES {
                    of_broker.0.push(index);
                    of_broker.1 += bytes;
                }
            }
            if leaderless {
                self.ask_leaders(now);
            }
            let mut sent = false;
            for (broker, (indices, bytes)) in ready {
                sent |= self.send_to(broker, indices, bytes, now).await;
            }
            if !sent {
                return;
            }
        }
    }

    /// Partitions of which nothing could be sent for some time give back the memory of what they hold, and are not fetched meanwhile.
    pub(super) fn relieve(&mut self) {
        let now = Instant::now();
        let may_write = self.lease.holds();
        let target = &self.shared.target;
        let (mut leaderless, mut gone) = (false, Vec::new());
        for (index, partition) in self.partitions.iter_mut().enumerate() {
            let nothing_waits = partition.queue.is_empty() && partition.in_flight.is_empty();
            if nothing_waits && partition.blocked_since.is_some() {
                // It stays so until there is somebody to write to.
                if may_write && target.cached_leader(&partition.name).is_some() {
                    partition.blocked_since = None;
                }
            } else if nothing_waits || !partition.in_flight.is_empty() {
                partition.blocked_since = None;
            } else {
                partition.blocked_since.get_or_insert(now);
                if partition.is_blocked(now) {
                    partition.drop_unsent();
                }
            }
            // Nothing is left to be sent by now, so nobody else would ask who leads it.
            if partition.blocked_since.is_some()
                && matches!(
                    partition.phase,
                    Phase::Copying | Phase::Passing(_) | Phase::Stopping(_)
                )
                && target.cached_leader(&partition.name).is_none()
            {
                leaderless = true;
                // One without a leader is waited for, one that is not there only for a while.
                if !target.knows(&partition.name) {
                    let since = *partition.unknown_since.get_or_insert(now);
                    if now - since > GONE {
                        gone.push(index);
                    }
                }
            }
        }
        for index in gone {
            self.gone_from_target(index);
        }
        if leaderless {
            self.ask_leaders(now);
        }
    }

    /// Who leads what on the target is asked again, from time to time.
    fn ask_leaders(&mut self, now: Instant) {
        let asked = self.lines.asked_leaders;
        if asked.is_none_or(|asked| now - asked > PAUSE) {
            self.lines.asked_leaders = Some(now);
            self.refresh(false);
        }
    }

    fn gone_from_target(&mut self, index: usize) {
        let text = "the target does not know the partition any more".to_owned();
        let partition = &mut self.partitions[index];
        partition.queue.clear();
        partition.buffered = 0;
        self.stop_partition(index, Reason { code: "K522", text });
    }

    /// Has the broker enough to do, also with so many of our requests answered, and one more?
    pub(super) fn is_busy(&self, broker: i32, opening: u64, answered: usize) -> bool {
        let busy = |line: &Line| line.requests > ENOUGH_TO_DO + answered;
        let line = self.lines.of.get(&broker);
        line.is_some_and(|line| line.opening == opening && busy(line))
    }

    /// One request to one broker. Answers whether it was sent.
    async fn send_to(
        &mut self,
        broker: i32,
        indices: Vec<usize>,
        bytes: usize,
        now: Instant,
    ) -> bool {
        let line = self.lines.of.entry(broker).or_default();
        let held = line.hold_until.is_some_and(|until| now < until);
        let room = if bytes < LARGE {
            FEW_REQUESTS
        } else {
            REQUESTS
        };
        if line.is_opening || line.requests >= room || held {
            return false;
        }
        let Some(producer) = line
            .producer
            .as_ref()
            .filter(|producer| producer.is_alive())
        else {
            line.producer = None;
            line.is_opening = true;
            let (target, may_send) = (self.shared.target.clone(), self.lease.may_send());
            self.beside.push(Box::pin(async move {
                let line = target.producer(broker, may_send).await;
                Done::Opened { broker, line }
            }));
            return false;
        };
        let mut parts = Vec::with_capacity(indices.len());
        let mut sent = Vec::with_capacity(indices.len());
        for index in indices {
            let partition = &mut self.partitions[index];
            let leader = self.shared.target.cached_leader(&partition.name);
            let epoch = leader
                .filter(|(leader, _)| *leader == broker)
                .map_or(-1, |(_, epoch)| epoch);
            let Some(sequence) = partition.queue.front().map(|item| item.sequence) else {
                continue;
            };
            if let Some(batch) = partition.take_next(epoch) {
                let at = partition.name.clone();
                parts.push(ProducePart { at, batch });
                sent.push((index, sequence));
            }
        }
        let in_flight: u64 = self
            .partitions
            .iter()
            .map(|partition| partition.in_flight.len() as u64)
            .sum();
        steps::in_flight_is(self.shard, in_flight);
        match producer.send(parts).await {
            Ok(pending) => {
                line.requests += 1;
                let opening = line.opening;
                self.beside.push(Box::pin(async move {
                    let answers = pending.answers().await;
                    Done::Answered {
                        broker,
                        opening,
                        sent,
                        answers,
                        took: now.elapsed(),
                    }
                }));
                steps::reached("produce-sent");
                true
            }
            Err(error) => {
                // The request was never handed to the connection.
                line.producer = None;
                line.hold_until = Some(now + PAUSE);
                for (index, sequence) in sent {
                    self.partitions[index].answered(sequence, Fate::Refused(NOT_SENT));
                    self.lines.unsettled.push(index);
                }
                self.trouble(format!("writing to the target is interrupted: {error}"));
                self.refresh(false);
                false
            }
        }
    }

    pub(super) fn opened(&mut self, broker: i32, opened: Result<Producer, cluster::Error>) {
        self.lines.openings += 1;
        let openings = self.lines.openings;
        let line = self.lines.of.entry(broker).or_default();
        line.is_opening = false;
        match opened {
            Ok(producer) => {
                line.producer = Some(producer);
                line.opening = openings;
                line.requests = 0;
                line.hold_until = None;
            }
            Err(error) => {
                line.hold_until = Some(Instant::now() + PAUSE);
                self.trouble(format!("the target cannot be written to: {error}"));
                self.refresh(false);
            }
        }
    }

    pub(super) fn answered(
        &mut self,
        broker: i32,
        opening: u64,
        sent: Vec<(usize, u64)>,
        answers: Result<(Vec<ProduceAnswer>, Duration), cluster::Error>,
    ) -> Option<Ended> {
        steps::reached("produce-answered");
        let line = self.lines.of.entry(broker).or_default();
        let same_line = line.opening == opening;
        if same_line {
            line.requests = line.requests.saturating_sub(1);
        }
        match answers {
            Ok((answers, throttle)) => {
                if !throttle.is_zero() {
                    line.hold_until = Some(Instant::now() + throttle);
                }
                let mut refresh = false;
                for (&(index, sequence), answer) in sent.iter().zip(answers) {
                    let fate = fate(answer, &mut refresh);
                    self.partitions[index].answered(sequence, fate);
                }
                if refresh {
                    self.refresh(false);
                }
            }
            Err(error) => {
                if same_line {
                    line.producer = None;
                    line.hold_until = Some(Instant::now() + PAUSE);
                }
                for &(index, sequence) in &sent {
                    self.partitions[index].answered(sequence, Fate::Unknown);
                }
                self.trouble(format!("an answer of the target is missing: {error}"));
                self.refresh(false);
            }
        }
        for (index, _) in sent {
            if let Some(ended) = self.settle(index) {
                return Some(ended);
            }
        }
        None
    }

    /// Decides about partitions whose request never left.
    pub(super) fn settle_unsent(&mut self) -> Option<Ended> {
        let unsettled = std::mem::take(&mut self.lines.unsettled);
        unsettled.into_iter().find_map(|index| self.settle(index))
    }

    /// Takes acknowledged batches out, and decides about the rest once all are answered.
    fn settle(&mut self, index: usize) -> Option<Ended> {
        let now_ms = clock::unix_millis();
        let partition = &mut self.partitions[index];
        let (records, bytes) = partition.acknowledge(self.writer);
        self.count.records += records;
        self.count.bytes += bytes;
        let first = partition.in_flight.front().map(|(item, _)| Beyond {
            source: item.source_next,
            epoch: item.leader_epoch,
        });
        match partition.settle(now_ms, self.shared.warmth) {
            Settled::Wait | Settled::Smaller | Settled::Apart => {}
            Settled::Again => {
                let now = Instant::now();
                partition.hold_until = Some(now + partition.pause());
                if partition.tries > PATIENT_TRIES {
                    partition.drop_unsent();
                }
                let gone = partition
                    .unknown_since
                    .is_some_and(|since| now - since > GONE);
                let told = partition.tries == PATIENT_TRIES + 1;
                let name = partition.name.clone();
                if gone {
                    self.gone_from_target(index);
                } else if told {
                    self.trouble(format!("the target does not take {name} for the moment"));
                }
            }
            Settled::Fence(reason) => {
                let reason = format!("{}: {reason}", partition.name);
                return Some(Ended::Fence(reason, Vec::new()));
            }
            Settled::Forbidden(code, _) if retry::is_authorization(code) => {
                let text = format!(
                    "the target does not let us write to the topic any more: {}",
                    retry::describe(code)
                );
                partition.phase = Phase::Stopping(Reason { code: "K526", text });
            }
            Settled::Forbidden(CORRUPT, _) => {
                partition.beyond = first;
                let text = format!(
                    "the batch at source offset {} is damaged: its bytes are not those its checksum was computed over, and the target refuses it",
                    partition.source
                );
                partition.phase = Phase::Stopping(rewrite::damaged(&text));
            }
            Settled::Forbidden(code, message) => {
                let text = format!(
                    "the target refuses the batch at source offset {}: {}{}",
                    partition.source,
                    retry::describe(code),
                    message
                        .map(|message| format!(": {message}"))
                        .unwrap_or_default()
                );
                partition.beyond = first;
                partition.phase = Phase::Stopping(Reason { code: "K509", text });
            }
            Settled::Broken(text) => {
                partition.in_flight.clear();
                partition.queue.clear();
                partition.buffered = 0;
                partition.phase = Phase::Stopping(Reason {
                    code: super::start::BROKEN,
                    text,
                });
            }
        }
        None
    }
}

fn fate(answer: ProduceAnswer, refresh: &mut bool) -> Fate {
    match retry::produce_verdict(answer.error) {
        // A broker that does not say where it appended leaves nothing to map.
        ProduceVerdict::Appended if answer.base_offset < 0 => Fate::Unknown,
        ProduceVerdict::Appended => Fate::Appended(answer.base_offset),
        ProduceVerdict::Retry { refresh: ask } => {
            *refresh |= ask;
            Fate::Refused(answer.error)
        }
        ProduceVerdict::Unknown => {
            *refresh = true;
            Fate::Unknown
        }
        ProduceVerdict::Identity => Fate::Identity(answer.error),
        ProduceVerdict::Refused => Fate::Forbidden(answer.error, answer.message),
    }
}
