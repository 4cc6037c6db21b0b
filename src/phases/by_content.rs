//! A copier that tells us nothing exactly: what it has done is judged from both clusters, record by record (MSK Replicator).

mod lane;
mod places;
mod twice;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};

use futures_util::{StreamExt as _, stream};
use uuid::Uuid;

use self::{
    lane::{Lane, Span},
    places::Last,
};
use super::{
    carrier::{Behind, Carrier, Ends, Place, Position, other},
    content::Exact,
};
use crate::{
    cluster::{Cluster, OffsetSpec},
    error::Failure,
    exit::Exit,
    model::names::{Side, TopicName, TopicPartition},
    verify::{Fetchers, Printer},
};

/// The header by which MSK Replicator marks what it copied.
pub const MSK_MARK: &[u8] = b"__mskmr";
/// Partitions looked at together.
const LANES: usize = 4;

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

impl ByContent {
    /// Copies are marked by a header of this name.
    pub fn new(source: Cluster, target: Cluster, mark: &[u8]) -> Self {
        let mut judge = Self::unmarked(source, target);
        judge.printer = judge.printer.marked_by(mark);
        judge
    }

    /// Copies say what their originals say, and nothing else.
    pub fn unmarked(source: Cluster, target: Cluster) -> Self {
        // Fingerprints are compared within this process only, and a seed that is drawn lets nobody prepare two that are equal.
        let seed = Uuid::new_v4().as_u64_pair().0;
        Self {
            source,
            target,
            printer: Printer::new(seed, false),
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

impl Carrier for ByContent {
    /// That replicators run is a gate's to say: they answer nobody.
    async fn attends(&self, _from: Side) -> Result<String, Failure> {
        Ok(String::new())
    }

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

    /// Its replicators go on carrying.
    async fn has_left(&self, _from: Side) -> Result<bool, Failure> {
        Ok(false)
    }

    /// It goes on by itself, whatever anybody says.
    async fn strand(&self, _topics: &[String]) -> Result<String, Failure> {
        Ok("what is stranded comes back if MSK Replicator goes on".to_owned())
    }

    async fn is_stranded(&self, _topics: &[String]) -> Result<bool, Failure> {
        Ok(true)
    }

    async fn synced_ms(&self) -> Result<Option<i64>, Failure> {
        Ok(None)
    }

    /// MSK Replicator carries positions now and then.
    fn improves(&self) -> bool {
        true
    }

    fn advice(&self) -> String {
        "see that no member of the group is on the other side, that the replicators' group patterns match it, and that both of them carry consumer group offsets".to_owned()
    }
}
