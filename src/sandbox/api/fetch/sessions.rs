//! Fetch sessions: what a client asked for before need not be said again (KIP-227, rule F7).

use std::collections::BTreeMap;

use kafka_protocol::messages::{FetchRequest, TopicName, fetch_response::PartitionData};
use uuid::Uuid;

use super::super::super::errors;

/// `FetchMetadata`: no session, or the end of one; the first request of one.
const FINAL: i32 = -1;
const INITIAL: i32 = 0;

/// One partition that a client wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Empty where topics go by id.
    pub topic: TopicName,
    /// Nil where topics go by name.
    pub topic_id: Uuid,
    /// The name that the id had when it was asked for; a session goes by it even when the topic is gone.
    pub known: Option<TopicName>,
    /// The partition.
    pub partition: i32,
    /// The leader epoch that the client knows, or -1.
    pub leader_epoch: i32,
    /// Where to read.
    pub offset: i64,
    /// The epoch of the record before, or -1.
    pub last_epoch: i32,
    /// `max.partition.fetch.bytes`.
    pub max_bytes: usize,
    /// High watermark and log start as last answered.
    said: Option<(i64, i64)>,
}

impl Wanted {
    fn is(&self, other: &Self) -> bool {
        self.topic == other.topic
            && self.topic_id == other.topic_id
            && self.partition == other.partition
    }
}

/// What one request asks for.
#[derive(Debug)]
pub struct Asked {
    /// In the order they are read.
    pub wanted: Vec<Wanted>,
    /// 0 without a session.
    pub session_id: i32,
    /// Is every partition to be answered?
    pub full: bool,
}

/// The sessions of one broker.
#[derive(Debug, Default)]
pub struct Sessions {
    by_id: BTreeMap<i32, Session>,
    uses: u64,
}

#[derive(Debug)]
struct Session {
    /// The epoch that the next request must name.
    next_epoch: i32,
    /// Do its topics go by id?
    ids: bool,
    wanted: Vec<Wanted>,
    used: u64,
}

impl Sessions {
    /// Finds or makes the session of a request, and brings it up to date.
    pub fn open(
        &mut self,
        version: i16,
        request: &FetchRequest,
        names: &BTreeMap<Uuid, TopicName>,
        fresh: i32,
        slots: i64,
    ) -> Result<Asked, i16> {
        let news = wanted(request, names);
        self.uses += 1;
        if request.session_epoch == FINAL || request.session_epoch == INITIAL {
            self.by_id.remove(&request.session_id);
            let session_id = if request.session_epoch == FINAL || slots <= 0 || version < 7 {
                0
            } else {
                while self.by_id.len() as i64 >= slots {
                    let oldest = self.by_id.iter().min_by_key(|(_, one)| one.used);
                    let Some(oldest) = oldest.map(|(id, _)| *id) else {
                        break;
                    };
                    self.by_id.remove(&oldest);
                }
                let session = Session {
                    next_epoch: 1,
                    ids: version >= 13,
                    wanted: news.clone(),
                    used: self.uses,
                };
                self.by_id.insert(fresh.max(1), session);
                fresh.max(1)
            };
            return Ok(Asked {
                wanted: news,
                session_id,
                full: true,
            });
        }
        let session = self.by_id.get_mut(&request.session_id);
        let session = session.ok_or(errors::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.next_epoch != request.session_epoch {
            return Err(errors::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.ids != (version >= 13) {
            return Err(errors::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        session.next_epoch = session.next_epoch.checked_add(1).unwrap_or(1);
        session.used = self.uses;
        for new in news {
            match session.wanted.iter_mut().find(|own| own.is(&new)) {
                Some(own) => {
                    *own = Wanted {
                        known: own.known.take().or(new.known),
                        said: own.said,
                        ..new
                    }
                }
                None => session.wanted.push(new),
            }
        }
        for topic in &request.forgotten_topics_data {
            session.wanted.retain(|own| {
                own.topic != topic.topic
                    || own.topic_id != topic.topic_id
                    || !topic.partitions.contains(&own.partition)
            });
        }
        Ok(Asked {
            wanted: session.wanted.clone(),
            session_id: request.session_id,
            full: false,
        })
    }

    /// Remembers what is answered, and leaves out what has not changed; partitions that had records go to the end of the line.
    pub fn close(&mut self, id: i32, full: bool, said: &mut Vec<(Wanted, PartitionData)>) {
        let Some(session) = self.by_id.get_mut(&id) else {
            return;
        };
        said.retain(|(wanted, data)| {
            let Some(at) = session.wanted.iter().position(|own| own.is(wanted)) else {
                return full;
            };
            let now = (data.high_watermark, data.log_start_offset);
            let records = data
                .records
                .as_ref()
                .is_some_and(|records| !records.is_empty());
            let news = records
                || data.error_code != errors::NONE
                || data.diverging_epoch.end_offset >= 0
                || session.wanted[at].said != Some(now);
            session.wanted[at].said = (data.error_code == errors::NONE).then_some(now);
            if records {
                let own = session.wanted.remove(at);
                session.wanted.push(own);
            }
            full || news
        });
    }
}

fn wanted(request: &FetchRequest, names: &BTreeMap<Uuid, TopicName>) -> Vec<Wanted> {
    let topics = request.topics.iter();
    let each = topics.flat_map(|topic| {
        topic.partitions.iter().map(|one| Wanted {
            topic: topic.topic.clone(),
            topic_id: topic.topic_id,
            known: names.get(&topic.topic_id).cloned(),
            partition: one.partition,
            leader_epoch: one.current_leader_epoch,
            offset: one.fetch_offset,
            last_epoch: one.last_fetched_epoch,
            max_bytes: usize::try_from(one.partition_max_bytes).unwrap_or(0),
            said: None,
        })
    });
    each.collect()
}
