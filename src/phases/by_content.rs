//! A copier that tells us nothing exactly: what it has done is judged from both clusters, record by record (MSK Replicator).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, atomic::AtomicU64},
};

use futures_util::{StreamExt as _, stream};
use uuid::Uuid;

use super::{
    carrier::{Behind, Carrier, Ends, Place, Position, other},
    content::{Exact, First, RUN, Run, Search, Seen, Unread, original},
};
use crate::{
    cluster::{Cluster, Isolation, OffsetSpec},
    error::Failure,
    exit::Exit,
    model::names::{Side, TopicName, TopicPartition},
    verify::{Fetchers, Item, Printer, Reader, Stop, Stream},
};

/// The header by which MSK Replicator marks what it copied.
pub const MSK_MARK: &[u8] = b"__mskmr";
/// Partitions looked at together.
const LANES: usize = 4;
/// How far back the last records that were written on a side are looked for. What lies further back has this many records behind it
/// that were copied to this side.
const BACK: i64 = 1_000_000;
/// Once one was found, others before it are looked for no further back than this.
const BACK_FOR_MORE: i64 = 10_000;
/// How far back it is looked for a record that was written on a side at all, before it is asked whether it was copied.
const BACK_FOR_ONE: i64 = 100_000;
/// Records that a group may be behind and still be followed one by one.
const UNREAD: usize = 4_000_000;
/// The first stretch that is read backwards; each further one is four times as long.
const STRETCH: i64 = 256;

/// What a place was looked for: the side left, the partition, what is committed there, and what has to have arrived.
type Asked = (Side, TopicPartition, i64, i64);

/// Judges by content. Cloning shares connections.
pub struct ByContent {
    source: Cluster,
    target: Cluster,
    printer: Printer,
    /// Connections that nobody uses at the moment, by side.
    idle: [Mutex<Vec<Fetchers>>; 2],
    topics: Mutex<HashMap<TopicName, Topic>>,
    /// Copies of last records that were found: they stay where they are.
    found: Mutex<HashMap<(Side, TopicPartition, i64), i64>>,
    /// Places that were found, by side left, partition, what is committed there and what has to have arrived. They stay true: what is
    /// written later stands behind them.
    placed: Mutex<HashMap<Asked, (Exact, Span)>>,
}

/// What of a topic's settings decides how records are found again.
#[derive(Debug, Clone, Copy, Default)]
struct Topic {
    compacts: bool,
    stamps: bool,
}

/// What came of looking for the copy of the last record.
enum Last {
    /// Nothing was written on this side.
    Nothing,
    /// Its copy stands here.
    At(i64),
    /// It has none yet.
    NotYet(Seen),
}

/// One cluster, over connections that stay while several partitions are looked at.
struct Lane<'a> {
    cluster: &'a Cluster,
    /// There until it is given back.
    fetchers: Option<Fetchers>,
    idle: &'a Mutex<Vec<Fetchers>>,
    printer: &'a Printer,
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        if let (Some(fetchers), Ok(mut idle)) = (self.fetchers.take(), self.idle.lock()) {
            idle.push(fetchers);
        }
    }
}

/// First and stable offset of a partition.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: i64,
    end: i64,
}

impl ByContent {
    /// Copies are marked by a header of this name.
    pub fn new(source: Cluster, target: Cluster, mark: &[u8]) -> Self {
        // Fingerprints are compared within this process only, and a seed that is drawn lets nobody prepare two that are equal.
        let seed = Uuid::new_v4().as_u64_pair().0;
        Self {
            source,
            target,
            printer: Printer::new(seed, false).marked_by(mark),
            idle: [Mutex::default(), Mutex::default()],
            topics: Mutex::default(),
            found: Mutex::default(),
            placed: Mutex::default(),
        }
    }

    fn cluster(&self, side: Side) -> &Cluster {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    fn lane(&self, side: Side) -> Lane<'_> {
        let cluster = self.cluster(side);
        let idle = &self.idle[usize::from(side == Side::Target)];
        let fetchers = idle.lock().ok().and_then(|mut idle| idle.pop());
        Lane {
            cluster,
            fetchers: Some(fetchers.unwrap_or_else(|| Fetchers::new(cluster))),
            idle,
            printer: &self.printer,
        }
    }

    /// What of a topic's settings decides, asked once.
    async fn topic(&self, name: &TopicName) -> Result<Topic, Failure> {
        let known = self
            .topics
            .lock()
            .ok()
            .and_then(|all| all.get(name).copied());
        if let Some(topic) = known {
            return Ok(topic);
        }
        let (source, target) = tokio::join!(topic(&self.source, name), topic(&self.target, name));
        let (source, target) = (source?, target?);
        if source.stamps != target.stamps {
            return Err(Failure::new(
                Exit::Refused,
                "K481",
                format!("one side stamps the records of {name} with its own time, so copies cannot be told by what they say"),
            )
            .hint("set message.timestamp.type to CreateTime on both sides"));
        }
        let topic = Topic {
            compacts: source.compacts || target.compacts,
            stamps: source.stamps,
        };
        if let Ok(mut all) = self.topics.lock() {
            all.insert(name.clone(), topic);
        }
        Ok(topic)
    }

    /// Where partitions begin, and where what is settled in them ends.
    async fn spans(
        &self,
        side: Side,
        of: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Span>, Failure> {
        let cluster = self.cluster(side);
        let (starts, ends) = tokio::join!(
            cluster.offsets(of, OffsetSpec::Earliest),
            cluster.offsets(of, OffsetSpec::Stable),
        );
        let mut spans = HashMap::new();
        let mut ends = ends;
        for (at, start) in starts {
            let start = start.map_err(|error| error.failure())?;
            let end = ends.remove(&at).unwrap_or(Ok(start));
            let end = end.map_err(|error| error.failure())?;
            spans.insert(at, Span { start, end });
        }
        Ok(spans)
    }

    /// Does something for each partition, several at a time.
    async fn each<T, F, W>(&self, of: &Ends, work: W) -> Result<Vec<T>, Failure>
    where
        T: Send,
        F: Future<Output = Result<T, Failure>> + Send,
        W: Fn(TopicPartition, i64) -> F + Send + Sync,
    {
        let all: Vec<(TopicPartition, i64)> = of
            .iter()
            .map(|(at, offset)| (at.clone(), *offset))
            .collect();
        let mut done = stream::iter(all)
            .map(|(at, offset)| work(at, offset))
            .buffered(LANES);
        let mut all = Vec::with_capacity(of.len());
        while let Some(one) = done.next().await {
            all.push(one?);
        }
        Ok(all)
    }

    /// The copy, on the other side, of the last record written on this side below an offset.
    async fn last(
        &self,
        from: Side,
        at: &TopicPartition,
        here: Span,
        there: Span,
        topic: Topic,
    ) -> Result<Last, Failure> {
        let mut lane = self.lane(from);
        let Some(run) = lane.run(at, here).await? else {
            return Ok(Last::Nothing);
        };
        let last = run.last();
        let key = (from, at.clone(), last.offset);
        let known = self
            .found
            .lock()
            .ok()
            .and_then(|all| all.get(&key).copied());
        if let Some(place) = known {
            return Ok(Last::At(place));
        }
        let mut times = 0;
        let since = lane.since(at, last.time, here).await?;
        lane.scan(at, since, here.end, |record| {
            times += usize::from(!record.is_copy && record.what == last.what);
            true
        })
        .await?;
        let mut lane = self.lane(other(from));
        let mut search = Search::new(&run, times, topic.compacts);
        let since = lane.since(at, run.since(), there).await?;
        lane.scan(at, since, there.end, |record| {
            search.see(&record);
            search.found().is_none()
        })
        .await?;
        Ok(match search.found() {
            None => Last::NotYet(last),
            Some(place) => {
                if let Ok(mut found) = self.found.lock() {
                    found.insert(key, place);
                }
                Last::At(place)
            }
        })
    }

    /// Where a group that committed this on one side goes on on the other. `Err`: it cannot be told, and why.
    async fn place(
        &self,
        from: Side,
        at: &TopicPartition,
        committed: i64,
        below: i64,
        topic: Topic,
    ) -> Result<Result<(Exact, Span), Place>, Failure> {
        let key = (from, at.clone(), committed, below);
        let known = self
            .placed
            .lock()
            .ok()
            .and_then(|all| all.get(&key).copied());
        if let Some(placed) = known {
            return Ok(Ok(placed));
        }
        let one = std::slice::from_ref(at);
        // The other side first: whatever is copied there by then was written here before the end that is read after it.
        let there = self.spans(other(from), one).await?[at];
        let now = self.spans(from, one).await?[at];
        let mut here = Span {
            end: below.min(now.end),
            ..now
        };
        let mut last = self.last(from, at, here, there, topic).await?;
        if matches!(last, Last::Nothing) && now.end > here.end {
            here = now;
            last = self.last(from, at, here, there, topic).await?;
        }
        let copied_to = match last {
            Last::NotYet(record) => {
                let what = format!("the record at {} of {at} has not arrived", record.offset);
                return Ok(Err(Place::NotYet(what)));
            }
            Last::At(place) => place + 1,
            Last::Nothing => there.end,
        };
        // What it has not read on the side that it leaves: written there, or copied to it.
        let (mut unread, mut copied) = (Unread::default(), None);
        let begin = committed.max(here.start);
        let mut lane = self.lane(from);
        lane.scan(at, begin, now.end, |record| {
            match record.is_copy {
                true => copied = copied.or(Some(record)),
                false if record.offset < here.end => unread.add(&record),
                false => {}
            }
            unread.len() <= UNREAD
        })
        .await?;
        if unread.len() > UNREAD {
            return Ok(Err(Place::Nowhere(format!(
                "it has more than {UNREAD} records of {at} to read, which are not followed one by one"
            ))));
        }
        let copies = match self
            .copies(from, at, &mut unread, there, copied_to, topic)
            .await?
        {
            Ok(copies) => copies,
            Err(place) => return Ok(Err(place)),
        };
        let natives = match copied {
            Some(record) => self.original(from, at, &record, now, there, topic).await?,
            None => self.not_copied(from, at, now, there, topic).await?,
        };
        let natives = match natives {
            Ok(natives) => natives,
            Err(place) => return Ok(Err(place)),
        };
        let exact = Exact {
            copies,
            natives,
            copies_below: copied_to,
            natives_below: there.end,
        };
        if let Ok(mut all) = self.placed.lock() {
            all.insert(key, (exact, there));
        }
        Ok(Ok((exact, there)))
    }

    /// The copy of the first record that it has not read.
    async fn copies(
        &self,
        from: Side,
        at: &TopicPartition,
        unread: &mut Unread,
        there: Span,
        copied_to: i64,
        topic: Topic,
    ) -> Result<Result<Option<i64>, Place>, Failure> {
        let mut lane = self.lane(other(from));
        if let Some(since) = unread.since() {
            let since = lane.since(at, since, there).await?;
            lane.scan(at, since, copied_to, |record| {
                unread.see(&record);
                true
            })
            .await?;
        }
        match unread.first(topic.compacts) {
            First::At(place) => return Ok(Ok(Some(place))),
            First::Gone => {
                let place = Place::Nowhere(format!(
                    "the next record that it has to read of {at} is not on the {}",
                    other(from)
                ));
                return Ok(Err(place));
            }
            First::None => {}
        }
        // What was copied since: nobody has read it.
        let mut next = None;
        lane.scan(at, copied_to, there.end, |record| {
            next = record.is_copy.then_some(record.offset);
            next.is_none()
        })
        .await?;
        Ok(Ok(next))
    }

    /// The original, on the other side, of a copy that it has not read.
    async fn original(
        &self,
        from: Side,
        at: &TopicPartition,
        copy: &Seen,
        here: Span,
        there: Span,
        topic: Topic,
    ) -> Result<Result<Option<i64>, Place>, Failure> {
        let mut lane = self.lane(from);
        let (mut place, mut copies) = (0, 0);
        let since = lane.since(at, copy.time, here).await?;
        lane.scan(at, since, here.end, |record| {
            if record.is_copy && record.what == copy.what {
                place += usize::from(record.offset < copy.offset);
                copies += 1;
            }
            true
        })
        .await?;
        let mut lane = self.lane(other(from));
        let mut originals = Vec::new();
        let since = lane.since(at, copy.time, there).await?;
        lane.scan(at, since, there.end, |record| {
            if !record.is_copy && record.what == copy.what {
                originals.push(record.offset);
            }
            true
        })
        .await?;
        Ok(match original(place, copies, &originals) {
            Some(offset) => Ok(Some(offset)),
            // Compaction took it there; what came after it stands behind.
            None if topic.compacts => {
                let mut next = None;
                lane.scan(at, since, there.end, |record| {
                    next = (!record.is_copy).then_some(record.offset);
                    next.is_none()
                })
                .await?;
                Ok(next)
            }
            None => Err(Place::Nowhere(format!(
                "the next record that it has to read of {at}, which was copied from the {}, is not there any more",
                other(from)
            ))),
        })
    }

    /// It has read every copy: the first record of the other side that was not copied yet, if there is one.
    async fn not_copied(
        &self,
        from: Side,
        at: &TopicPartition,
        here: Span,
        there: Span,
        topic: Topic,
    ) -> Result<Result<Option<i64>, Place>, Failure> {
        let is_native: fn(&Seen) -> bool = |record| !record.is_copy;
        let mut lane = self.lane(other(from));
        if lane
            .back(at, there, BACK_FOR_ONE, 1, is_native)
            .await?
            .is_empty()
        {
            return Ok(Ok(None));
        }
        let mut home = self.lane(from);
        let copies = home.back(at, here, BACK, 1, |record| record.is_copy);
        let Some(copy) = copies.await?.pop() else {
            // None of them was copied yet.
            let natives = lane.back(at, there, BACK, usize::MAX, is_native).await?;
            return Ok(Ok(natives.first().map(|record| record.offset)));
        };
        let last = self.original(from, at, &copy, here, there, topic).await?;
        let behind = match last {
            Ok(Some(offset)) => offset + 1,
            // The original is gone; those behind it are as young, or younger.
            Ok(None) | Err(_) => lane.since(at, copy.time, there).await?,
        };
        let mut next = None;
        lane.scan(at, behind, there.end, |record| {
            next = (!record.is_copy).then_some(record.offset);
            next.is_none()
        })
        .await?;
        Ok(Ok(next))
    }

    /// Records from an offset on that it would read again.
    async fn counted(
        &self,
        side: Side,
        at: &TopicPartition,
        from: i64,
        exact: &Exact,
    ) -> Result<u64, Failure> {
        let until = [exact.copies, exact.natives].into_iter().flatten().max();
        let until = until
            .unwrap_or(i64::MIN)
            .max(exact.copies_below)
            .max(exact.natives_below);
        let mut again = 0;
        self.lane(side)
            .scan(at, from, until, |record| {
                again += u64::from(exact.was_read(&record));
                true
            })
            .await?;
        Ok(again)
    }
}

async fn topic(cluster: &Cluster, name: &TopicName) -> Result<Topic, Failure> {
    let mut each = cluster
        .topic_configs_each(std::slice::from_ref(name))
        .await
        .map_err(|error| error.failure())?;
    let entries = match each.remove(name) {
        Some(Ok(entries)) => entries,
        Some(Err(error)) => return Err(error.failure()),
        None => Vec::new(),
    };
    let says = |key: &str, word: &str| {
        let entry = entries.iter().find(|entry| entry.name == key);
        let value = entry.and_then(|entry| entry.value.as_deref());
        value.is_some_and(|value| value.contains(word))
    };
    Ok(Topic {
        compacts: says("cleanup.policy", "compact"),
        stamps: says("message.timestamp.type", "LogAppendTime"),
    })
}

impl Lane<'_> {
    /// Records that a read_committed reader sees, from one offset up to another, until `see` has enough.
    async fn scan(
        &mut self,
        at: &TopicPartition,
        from: i64,
        until: i64,
        mut see: impl FnMut(Seen) -> bool,
    ) -> Result<(), Failure> {
        if from >= until {
            return Ok(());
        }
        let stream = Stream::new(self.printer.clone(), from, until);
        let bytes = AtomicU64::new(0);
        let side = self.cluster.side();
        let isolation = Isolation::ReadCommitted;
        let mut reader = Reader::new(
            self.fetchers
                .get_or_insert_with(|| Fetchers::new(self.cluster)),
            at.clone(),
            Uuid::nil(),
            isolation,
            stream,
            &bytes,
        );
        let unreadable = |why: String| {
            let exit = match side {
                Side::Source => Exit::Source,
                Side::Target => Exit::Target,
            };
            Failure::new(
                exit,
                "K482",
                format!("records of {at} on the {side} cannot be compared"),
            )
            .cause(why)
            .hint("the same command looks again")
        };
        loop {
            match reader.next().await {
                Ok(Some(Item::Record(print))) => {
                    if !see(Seen::of(&print)) {
                        return Ok(());
                    }
                }
                Ok(Some(Item::Corrupt { offset, reason })) => {
                    return Err(unreadable(format!("at offset {offset}: {reason}")));
                }
                Ok(None) => return Ok(()),
                Err(Stop::Moved) => {
                    let why = "retention removed records while they were read".to_owned();
                    return Err(unreadable(why));
                }
                Err(Stop::Stalled(why)) => return Err(unreadable(why)),
                Err(Stop::Failed(error)) => return Err(error.failure()),
            }
        }
    }

    /// The first offset behind which every record stands that is as young as this.
    async fn since(&self, at: &TopicPartition, time: i64, of: Span) -> Result<i64, Failure> {
        // One less: brokers index whole batches, and no record may be missed that is exactly as old.
        let time = time.saturating_sub(1);
        if time <= 0 {
            return Ok(of.start);
        }
        let one = std::slice::from_ref(at);
        let mut found = self.cluster.offsets(one, OffsetSpec::Since(time)).await;
        let offset = found.remove(at).unwrap_or(Ok(of.start));
        let offset = offset.map_err(|error| error.failure())?;
        Ok(offset.clamp(of.start, of.end.max(of.start)))
    }

    /// The last records of a kind, oldest first: so many at least, or all that stand no further back.
    async fn back(
        &mut self,
        at: &TopicPartition,
        of: Span,
        back: i64,
        wanted: usize,
        keep: fn(&Seen) -> bool,
    ) -> Result<Vec<Seen>, Failure> {
        let mut found: Vec<Seen> = Vec::new();
        let (mut until, mut length) = (of.end, STRETCH);
        while until > of.start && of.end - until < back {
            let from = (until - length).max(of.start);
            let mut kept = Vec::new();
            self.scan(at, from, until, |record| {
                if keep(&record) {
                    kept.push(record);
                }
                true
            })
            .await?;
            kept.append(&mut found);
            found = kept;
            let is_enough = !found.is_empty() && of.end - from >= BACK_FOR_MORE;
            if found.len() >= wanted || (is_enough && wanted != usize::MAX) {
                break;
            }
            (until, length) = (from, length * 4);
        }
        Ok(found)
    }

    async fn run(&mut self, at: &TopicPartition, of: Span) -> Result<Option<Run>, Failure> {
        let natives = self.back(at, of, BACK, RUN, |record| !record.is_copy);
        Ok(Run::last_of(natives.await?))
    }
}

impl Carrier for ByContent {
    async fn behind(&self, from: Side, below: &Ends) -> Result<Vec<Behind>, Failure> {
        let all: Vec<TopicPartition> = below.keys().cloned().collect();
        let (here, there) = tokio::join!(self.spans(from, &all), self.spans(other(from), &all));
        let (here, there) = (here?, there?);
        let behind = self
            .each(below, |at, below| {
                let (here, there) = (here.get(&at).copied(), there.get(&at).copied());
                async move {
                    let topic = self.topic(&at.topic).await?;
                    let (Some(here), Some(there)) = (here, there) else {
                        return Ok(Some(format!("{at} is not on both sides")));
                    };
                    let here = Span {
                        end: below.min(here.end),
                        ..here
                    };
                    Ok(match self.last(from, &at, here, there, topic).await? {
                        Last::Nothing | Last::At(_) => None,
                        Last::NotYet(record) => {
                            Some(format!("up to offset {} of the {from}", record.offset))
                        }
                    })
                }
            })
            .await?;
        let behind = below.keys().zip(behind);
        Ok(behind
            .filter_map(|(at, what)| {
                Some(Behind {
                    at: at.clone(),
                    what: what?,
                })
            })
            .collect())
    }

    async fn positions(
        &self,
        from: Side,
        group: &str,
        below: &Ends,
    ) -> Result<Vec<Position>, Failure> {
        let (here, there) = tokio::join!(
            self.cluster(from).groups(|name| name == group),
            self.cluster(other(from)).groups(|name| name == group),
        );
        let committed = |groups: crate::cluster::Result<Vec<crate::cluster::Group>>| {
            let groups = groups.map_err(|error| error.failure())?;
            let all = groups.into_iter().flat_map(|group| group.committed);
            Ok::<BTreeMap<_, _>, Failure>(all.collect())
        };
        let (here, there) = (committed(here)?, committed(there)?);
        let stands: Ends = here
            .into_iter()
            .filter(|(at, _)| below.contains_key(at))
            .collect();
        let places = self
            .each(&stands, |at, committed| {
                let (below, stands) = (below[&at], there.get(&at).copied());
                async move {
                    let topic = self.topic(&at.topic).await?;
                    let placed = self.place(from, &at, committed, below, topic).await?;
                    let (exact, span) = match placed {
                        Ok(placed) => placed,
                        Err(place) => return Ok(place),
                    };
                    let offset = exact.offset(span.end);
                    // Where the other side holds nothing yet, a group without a position begins where it should.
                    let stands = stands.or((span.start >= span.end).then_some(span.end));
                    let skips = stands.is_some_and(|stands| stands > offset);
                    let again = match stands {
                        Some(stands) if !skips => {
                            let begin = stands.max(span.start);
                            self.counted(other(from), &at, begin, &exact).await?
                        }
                        _ => 0,
                    };
                    Ok(Place::Known {
                        exact: offset,
                        stands,
                        again,
                        skips,
                    })
                }
            })
            .await?;
        let placed = stands.into_iter().zip(places);
        Ok(placed
            .map(|((at, committed), place)| Position {
                group: group.to_owned(),
                at,
                committed,
                place,
            })
            .collect())
    }

    async fn written(
        &self,
        on: Side,
        since: &Ends,
    ) -> Result<BTreeMap<TopicPartition, u64>, Failure> {
        let all: Vec<TopicPartition> = since.keys().cloned().collect();
        let spans = self.spans(on, &all).await?;
        let counts = self
            .each(since, |at, since| {
                let span = spans.get(&at).copied();
                async move {
                    let Some(span) = span else {
                        return Ok(0);
                    };
                    let mut count = 0;
                    let mut lane = self.lane(on);
                    lane.scan(&at, since.max(span.start), span.end, |record| {
                        count += u64::from(!record.is_copy);
                        true
                    })
                    .await?;
                    Ok(count)
                }
            })
            .await?;
        Ok(since.keys().cloned().zip(counts).collect())
    }

    /// MSK Replicator carries positions both ways at all times and asks nobody: the journal's own line is the declaration.
    async fn declare(&self, application: &str, to: Side) -> Result<String, Failure> {
        Ok(format!("{application} is the {to}'s, by the journal"))
    }

    async fn is_declared(&self, _application: &str, _to: Side) -> Result<bool, Failure> {
        Ok(true)
    }

    fn advice(&self) -> String {
        "see that no member of the group is on the other side, that the replicators' group patterns match it, and that both of them carry consumer group offsets".to_owned()
    }
}
