//! Raw batches from the leaders, as much as memory and the rate allow, one request per broker at a time.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Done, Phase, Reason, Session, beyond, hear, partition::Partition, rewrite, strand::STRANDED,
};
use crate::{
    clock,
    cluster::{self, FetchAnswer, FetchPosition, FetchedPartition, Fetcher, Isolation, OffsetSpec},
    engine::{budget::Held, lanes::Lane, ledger::record::Beyond, steps},
    wire::retry::{self, ReadVerdict},
};

/// How long a broker may wait for records, where every partition is waiting for some.
const LONG_POLL: Duration = Duration::from_millis(500);
/// How long it may wait where some partition cannot take more for the moment.
const SHORT_POLL: Duration = Duration::from_millis(20);
/// A partition that has taken in so much is not fetched until some of it is written.
const ENOUGH: usize = 256 << 10;
/// Where most of it is kept in the kernel it may be more.
const ENOUGH_KEPT: usize = 384 << 10;
/// Asked for at once where not: what is in memory is to be in the processor's cache when it is sent.
const IN_MEMORY: usize = 1 << 20;
/// So many partitions get room in one answer, where so many are asked for.
const SHARING: usize = 4;
/// Room of one partition at least, in bytes.
const LEAST: i32 = 64 << 10;
/// Of the usual size of a batch, so much more is asked for: not all are of one size.
const SLACK: i32 = 8;
/// Pause after a broker could not be fetched from, and after a partition gave an error.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a partition may be unknown to the source before it is taken for deleted.
const GONE: Duration = Duration::from_secs(30);

/// Where fetches stand.
#[derive(Default)]
pub(super) struct Fetches {
    idle: HashMap<i32, Fetcher>,
    busy: HashSet<i32>,
    /// Brokers and partitions that are left alone until then.
    hold: HashMap<i32, Instant>,
    hold_partition: HashMap<usize, Instant>,
    unknown_since: HashMap<usize, Instant>,
    odd_since: HashMap<usize, Instant>,
    pub(super) refreshing: bool,
    /// When leaders were last asked for because a partition has none.
    asked_leaders: Option<Instant>,
}

impl Fetches {
    /// Is no fetch on its way?
    pub(super) fn are_idle(&self) -> bool {
        self.busy.is_empty()
    }
}

impl Session {
    /// Starts a fetch at every broker that leads partitions which can take records.
    pub(super) fn ask(&mut self) {
        // The usual case while there is much to do: every broker is at work for us.
        let brokers = self.shared.source.brokers();
        let all_busy = !brokers.is_empty()
            && brokers
                .iter()
                .all(|broker| self.fetches.busy.contains(broker));
        if self.draining.is_some() || self.paused || all_busy {
            return;
        }
        let now = Instant::now();
        let mut wanted: HashMap<i32, (Vec<(usize, i64)>, Duration)> = HashMap::new();
        let mut leaderless = false;
        let mut gone = Vec::new();
        self.fetches.hold_partition.retain(|_, until| *until > now);
        for (index, partition) in self.partitions.iter().enumerate() {
            if partition.phase != Phase::Copying {
                continue;
            }
            let Some((broker, _)) = self.shared.source.cached_leader(&partition.name) else {
                leaderless = true;
                // One without a leader is waited for, one that is not there only for a while.
                if !self.shared.source.knows(&partition.name) {
                    let since = *self.fetches.unknown_since.entry(index).or_insert(now);
                    if since.elapsed() > GONE {
                        gone.push(index);
                    }
                }
                continue;
            };
            let (of_broker, wait) = wanted.entry(broker).or_insert((Vec::new(), LONG_POLL));
            let (lane, looked) = (partition.their_lane.as_ref(), partition.looked);
            let offset = partition.fetch_offset;
            if partition.waits_to_hear || self.trims.is_asking(index) {
                *wait = SHORT_POLL;
            } else if partition.buffered >= enough(partition) {
                if partition.blocked_since.is_none() {
                    *wait = SHORT_POLL;
                }
            } else if hear::asks_for(lane, looked, offset, now, 1).is_none() {
                *wait = hear::LOOK_EVERY.min(*wait);
            } else if !partition.is_blocked(now)
                && !self.fetches.hold_partition.contains_key(&index)
            {
                // In the order of indices: `fetched` looks them up.
                of_broker.push((index, offset));
            }
        }
        for index in gone {
            self.gone_from_source(index);
        }
        if leaderless
            && self
                .fetches
                .asked_leaders
                .is_none_or(|asked| asked.elapsed() > PAUSE)
        {
            self.fetches.asked_leaders = Some(now);
            self.refresh(true);
        }
        for (broker, (asked, wait)) in wanted {
            let held = self
                .fetches
                .hold
                .get(&broker)
                .is_some_and(|until| *until > now);
            if !asked.is_empty() && !held && self.fetches.busy.insert(broker) {
                self.fetch(broker, asked, wait);
            }
        }
    }

    fn fetch(&mut self, broker: i32, asked: Vec<(usize, i64)>, wait: Duration) {
        // A few partitions share an answer, so that a request to the target has several to carry.
        let sharing = i32::try_from(asked.len().clamp(1, SHARING)).unwrap_or(1);
        let chunk = self.shared.budget.chunk();
        let kept = asked
            .iter()
            .all(|&(index, _)| self.partitions[index].is_kept);
        let chunk = if kept { chunk } else { chunk.min(IN_MEMORY) };
        let chunk = i32::try_from(chunk).unwrap_or(i32::MAX);
        let each = (chunk / sharing).max(LEAST);
        let now = Instant::now();
        let positions: Vec<FetchPosition> = asked
            .iter()
            .map(|&(index, offset)| {
                let partition = &self.partitions[index];
                let (lane, looked) = (partition.their_lane.as_ref(), partition.looked);
                let each = whole_batches(each, partition.usual_batch).min(chunk);
                FetchPosition {
                    at: partition.name.clone(),
                    topic_id: partition.topic_id,
                    offset,
                    last_epoch: partition.last_epoch,
                    leader_epoch: -1,
                    max_bytes: hear::asks_for(lane, looked, offset, now, each).unwrap_or(each),
                }
            })
            .collect();
        let largest = positions.iter().map(|position| position.max_bytes).max();
        let most = largest.unwrap_or(0).saturating_mul(sharing).min(chunk);
        let idle = self.fetches.idle.remove(&broker);
        let asked_ms = clock::unix_millis();
        let shared = self.shared.clone();
        self.beside.push(Box::pin(async move {
            let answer = async {
                shared.rate.wait().await;
                let reserved = shared.budget.reserve().await;
                let mut fetcher = match idle.filter(Fetcher::is_alive) {
                    Some(fetcher) => fetcher,
                    None => shared.source.fetcher(broker).await?.keeping(),
                };
                let answer = fetcher
                    .fetch(&positions, Isolation::ReadCommitted, wait, 1, most)
                    .await?;
                let held = reserved.keep(answer.frame_bytes).await;
                shared.rate.pay(answer.frame_bytes).await;
                Ok((fetcher, answer, Arc::new(held)))
            };
            Done::Fetched {
                broker,
                asked,
                asked_ms,
                answer: answer.await,
            }
        }));
    }

    pub(super) fn fetched(
        &mut self,
        broker: i32,
        asked: Vec<(usize, i64)>,
        asked_ms: i64,
        answer: Result<(Fetcher, FetchAnswer, Arc<Held>), cluster::Error>,
    ) {
        self.fetches.busy.remove(&broker);
        let (fetcher, answer, held) = match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.fetches.hold.insert(broker, Instant::now() + PAUSE);
                self.trouble(format!("fetching from the source is interrupted: {error}"));
                return self.refresh(true);
            }
        };
        if !answer.throttle.is_zero() {
            self.shared.signs.fetched(answer.throttle);
            self.fetches
                .hold
                .insert(broker, Instant::now() + answer.throttle);
        }
        self.fetches.idle.insert(broker, fetcher);
        let mut unsure = HashSet::new();
        for fetched in answer.partitions {
            let Some(&index) = self.index.get(&fetched.at) else {
                continue;
            };
            if fetched.error != 0 || fetched.diverging.is_some() {
                unsure.insert(index);
            }
            // Records that were given up in between are asked for again.
            let wanted = asked.binary_search_by_key(&index, |&(index, _)| index);
            if wanted.map(|at| asked[at].1) != Ok(self.partitions[index].fetch_offset)
                || self.partitions[index].phase != Phase::Copying
            {
                continue;
            }
            self.take(index, fetched, &held);
        }
        // One of which the answer says nothing ends where it ended: only news come (KIP-227).
        for (index, _) in asked {
            if !unsure.contains(&index) {
                // Known, though there may be nothing new: two short doubts hours apart are not one long one.
                self.fetches.unknown_since.remove(&index);
                self.seen_end(index, asked_ms);
            }
        }
    }

    fn take(&mut self, index: usize, fetched: FetchedPartition, held: &Arc<Held>) {
        if let Some((epoch, end)) = fetched.diverging {
            if self.reads_copies_again(index) {
                return;
            }
            let text = format!(
                "the source's log was cut off: leader epoch {epoch} ends at offset {end} there, and offsets up to {} had been read",
                self.partitions[index].fetch_offset - 1
            );
            let partition = &mut self.partitions[index];
            let read = partition.fetch_offset;
            partition.beyond = Some(partition.epochs.parting(epoch, end, read));
            return self.stop_partition(index, Reason { code: "K502", text });
        }
        if fetched.error != 0 {
            return self.fetch_refused(index, fetched.error);
        }
        self.fetches.odd_since.remove(&index);
        self.trims.served(index);
        let partition = &mut self.partitions[index];
        if fetched.last_stable >= 0 {
            partition.last_stable = Some(fetched.last_stable);
        }
        if fetched.records.is_empty() {
            let looks = partition.their_lane.as_ref().is_some_and(Lane::is_at_work);
            partition.looked = looks.then(|| (Instant::now(), partition.fetch_offset));
            return;
        }
        // Up to where it is stranded is not known yet.
        if partition.strands > 0 {
            return;
        }
        if self.draining.is_some() || self.stops_for_tombstones(index) {
            return;
        }
        let partition = &mut self.partitions[index];
        self.writer.mark = self.next_mark;
        let served = fetched.records.clone();
        let taken = rewrite::take_in(
            partition,
            fetched.records,
            fetched.aborted,
            held,
            &self.judge,
            self.writer,
            &mut self.entries,
        );
        match taken {
            Ok(taken) => {
                let looks =
                    taken.kept == 0 && partition.their_lane.as_ref().is_some_and(Lane::is_at_work);
                partition.looked = looks.then(|| (Instant::now(), partition.fetch_offset));
                self.dropped.add(taken.dropped);
                if let Some(producer_id) = taken.unknown {
                    self.ask_about(index, producer_id);
                }
            }
            Err(reason) => {
                partition.beyond = match (reason.code, partition.stranded) {
                    (STRANDED, Some(source)) => Some(Beyond { source, epoch: -1 }),
                    _ => beyond::batch(&served.bytes(), partition.fetch_offset),
                };
                self.stop_partition(index, reason);
            }
        }
    }

    fn gone_from_source(&mut self, index: usize) {
        let text = "the source does not know the partition any more".to_owned();
        self.stop_partition(index, Reason { code: "K507", text });
    }

    fn fetch_refused(&mut self, index: usize, code: i16) {
        let now = Instant::now();
        self.fetches.hold_partition.insert(index, now + PAUSE);
        match retry::read_verdict(code) {
            ReadVerdict::Fine => {}
            ReadVerdict::OutOfRange => self.ask_range(index),
            ReadVerdict::Retry { refresh } => {
                let unknown = matches!(code, 3 | 100);
                if unknown {
                    let since = *self.fetches.unknown_since.entry(index).or_insert(now);
                    if since.elapsed() > GONE {
                        return self.gone_from_source(index);
                    }
                }
                if refresh {
                    self.refresh(true);
                }
            }
            ReadVerdict::Fatal => {
                let text = format!("the source refuses to serve it: {}", retry::describe(code));
                self.stop_partition(index, Reason { code: "K508", text });
            }
        }
    }

    fn ask_range(&mut self, index: usize) {
        let (source, name) = (
            self.shared.source.clone(),
            self.partitions[index].name.clone(),
        );
        self.beside.push(Box::pin(async move {
            let names = [name];
            let (mut start, mut end) = tokio::join!(
                source.offsets(&names, OffsetSpec::Earliest),
                source.offsets(&names, OffsetSpec::End)
            );
            let range = match (start.remove(&names[0]), end.remove(&names[0])) {
                (Some(Ok(start)), Some(Ok(end))) => Ok((start, end)),
                (Some(Err(error)), _) | (_, Some(Err(error))) => Err(error),
                _ => Ok((0, i64::MAX)),
            };
            Done::Ranged { index, range }
        }));
    }

    pub(super) fn ranged(&mut self, index: usize, range: Result<(i64, i64), cluster::Error>) {
        // What could not be asked is asked again with the next refusal.
        let Ok((start, end)) = range else {
            return;
        };
        let wanted = self.partitions[index].fetch_offset;
        if start > wanted {
            self.begins_behind(index, start);
        } else if end < wanted {
            if self.reads_copies_again(index) {
                return;
            }
            let text = format!(
                "the source's log ends at offset {end}, and everything below {wanted} had been read: it was cut off"
            );
            self.goes_on_at(index, end);
            self.stop_partition(index, Reason { code: "K502", text });
        } else {
            // Refused although the offset is there: the leader does not know the epoch under which we read last.
            let now = Instant::now();
            let since = *self.fetches.odd_since.entry(index).or_insert(now);
            if since.elapsed() > GONE {
                let text = format!(
                    "the source's log knows nothing of leader epoch {}, under which offsets up to {} were read: it was cut off",
                    self.partitions[index].last_epoch,
                    wanted - 1
                );
                self.goes_on_at(index, start);
                self.stop_partition(index, Reason { code: "K502", text });
            }
        }
    }

    /// Copies of the other direction that were passed and are lost are no loss of ours: what stands there now is read.
    fn reads_copies_again(&mut self, index: usize) -> bool {
        let partition = &mut self.partitions[index];
        if self.shared.other.is_none() || !partition.read_again() {
            return false;
        }
        partition.their_lane.as_ref().inspect(|lane| lane.forget());
        steps::reached("read-again");
        true
    }

    pub(super) fn goes_on_at(&mut self, index: usize, source: i64) {
        self.partitions[index].beyond = Some(Beyond { source, epoch: -1 });
    }

    /// Asks a cluster who leads what, beside everything else.
    pub(super) fn refresh(&mut self, of_source: bool) {
        let refreshing = if of_source {
            &mut self.fetches.refreshing
        } else {
            &mut self.lines.refreshing
        };
        if std::mem::replace(refreshing, true) {
            return;
        }
        let shared = self.shared.clone();
        self.beside.push(Box::pin(async move {
            // A failure shows again with the next request that needs a leader.
            let _ = if of_source {
                shared.source.refresh_leaders().await
            } else {
                shared.target.refresh_leaders().await
            };
            Done::Refreshed { source: of_source }
        }));
    }
}

/// How much a partition may have taken in before it is not fetched.
fn enough(partition: &Partition) -> usize {
    if partition.is_kept {
        ENOUGH_KEPT
    } else {
        ENOUGH
    }
}

/// Bytes to ask for where there is room for `each`, and batches have a usual size, 0 if that is not known: a broker ends its answer in the
/// middle of a batch, and what was cut off comes again.
fn whole_batches(each: i32, usual: usize) -> i32 {
    let usual = i32::try_from(usual).unwrap_or(i32::MAX);
    if usual == 0 {
        return each;
    }
    let slack = usual / SLACK;
    let whole = each.saturating_sub(slack) / usual;
    whole.max(1).saturating_mul(usual).saturating_add(slack)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_batches_are_asked_for() {
        assert_eq!(whole_batches(256_000, 0), 256_000, "nothing is known");
        assert_eq!(whole_batches(256_000, 64_000), 3 * 64_000 + 8_000);
        assert_eq!(whole_batches(264_000, 64_000), 4 * 64_000 + 8_000);
        assert_eq!(whole_batches(256_000, 80), 3_199 * 80 + 10);
        // A larger one comes whole by itself only if it is the first of the answer.
        assert_eq!(whole_batches(256_000, 300_000), 337_500);
        assert_eq!(whole_batches(i32::MAX, usize::MAX), i32::MAX);
    }
}
