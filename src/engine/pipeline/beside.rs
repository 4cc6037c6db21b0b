//! What runs beside a shard's own work, and what follows when some of it is over.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};

use super::{Ended, Session, hold};
use crate::{
    cluster::{self, FetchAnswer, Fetcher, ProduceAnswer, Producer},
    engine::{
        budget::Held,
        ledger::{
            read::LedgerError,
            record::{HeldStage, Request, Seam},
        },
        recopy::NotEmptied,
        recover::{Position, Unclear},
        repartition::Stands,
    },
    model::names::{TopicName, TopicPartition},
};

/// What runs beside the shard's own work: in its task, so that an answer wakes nobody else on its way.
pub(super) type Beside = FuturesUnordered<BoxFuture<'static, Done>>;

/// Something that ran beside the shard and is over.
pub(super) enum Done {
    Fetched {
        broker: i32,
        asked: Vec<(usize, i64)>,
        asked_ms: i64,
        answer: Result<(Fetcher, FetchAnswer, Arc<Held>), cluster::Error>,
    },
    Opened {
        broker: i32,
        line: Result<Producer, cluster::Error>,
    },
    Answered {
        broker: i32,
        opening: u64,
        sent: Vec<(usize, u64)>,
        answers: Result<(Vec<ProduceAnswer>, Duration), cluster::Error>,
        took: Duration,
    },
    Recovered {
        index: usize,
        position: Result<Position, Unclear>,
    },
    Lost {
        lost: Vec<(TopicPartition, i64, i64)>,
    },
    Emptied {
        index: usize,
        seam: Result<Seam, NotEmptied>,
    },
    Met {
        met: Vec<(usize, Result<Seam, cluster::Error>)>,
    },
    Ranged {
        index: usize,
        range: Result<(i64, i64), cluster::Error>,
    },
    Owned {
        index: usize,
        start: i64,
        seen: Vec<(String, Stands)>,
    },
    Refreshed {
        source: bool,
    },
    Heard {
        of: Vec<(usize, i64)>,
        read: Result<(), LedgerError>,
    },
    Listened {
        end: cluster::Result<i64>,
    },
    Strands {
        request: Request,
        ends: Vec<(usize, Option<i64>)>,
    },
    MarkedAgain {
        number: u32,
        marked: Result<bool, cluster::Error>,
    },
    Settings {
        found: cluster::Result<Vec<hold::Found>>,
    },
    Changed {
        to: HeldStage,
        outcomes: Vec<(TopicName, hold::Outcome)>,
    },
}

impl Session {
    /// What is over by now, all of it before anything new begins.
    pub(super) fn all_done(&mut self, first: Done) -> Option<Ended> {
        for done in std::mem::take(&mut self.put_off) {
            if let Some(ended) = self.done(done) {
                return Some(ended);
            }
        }
        let mut next = Some(first);
        while let Some(done) = next {
            if let Some(ended) = self.done(done) {
                return Some(ended);
            }
            next = self.beside.next().now_or_never().flatten();
        }
        None
    }

    /// May this wait for the next? Answers of many that are under way: several of them cost one turn, and the target has enough to do meanwhile.
    pub(super) fn can_wait(&self, done: &Done) -> bool {
        self.draining.is_none()
            && matches!(
                done,
                Done::Answered { broker, opening, answers: Ok((answers, throttle)), .. }
                    if throttle.is_zero()
                        && self.is_busy(*broker, *opening, self.put_off.len())
                        && answers.iter().all(|answer| answer.error == 0)
            )
    }

    pub(super) fn done(&mut self, done: Done) -> Option<Ended> {
        match done {
            Done::Fetched {
                broker,
                asked,
                asked_ms,
                answer,
            } => self.fetched(broker, asked, asked_ms, answer),
            Done::Opened { broker, line } => self.opened(broker, line),
            Done::Answered {
                broker,
                opening,
                sent,
                answers,
                took,
            } => {
                if let Ok((_, throttle)) = &answers {
                    self.shared.signs.answered(took, *throttle);
                }
                return self.answered(broker, opening, sent, answers);
            }
            Done::Recovered { index, position } => self.recovered(index, position),
            Done::Lost { lost } => self.lost(lost),
            Done::Emptied { index, seam } => self.emptied(index, seam),
            Done::Met { met } => self.met(met),
            Done::Ranged { index, range } => self.ranged(index, range),
            Done::Owned { index, start, seen } => self.owned(index, start, &seen),
            Done::Heard { of, read } => self.heard(of, read),
            Done::Listened { end } => self.listened(&end),
            Done::Strands { request, ends } => self.stranded(request, ends),
            Done::MarkedAgain { number, marked } => self.marked_again(number, marked),
            Done::Settings { found } => self.settings_found(found),
            Done::Changed { to, outcomes } => self.changed(to, outcomes),
            Done::Refreshed { source: true } => self.fetches.refreshing = false,
            Done::Refreshed { source: false } => self.lines.refreshing = false,
        }
        None
    }
}
