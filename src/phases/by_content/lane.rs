//! One side's records as they are looked for: forwards from an offset or a time, and backwards from the end.

use std::sync::{Mutex, atomic::AtomicU64};

use uuid::Uuid;

use super::super::content::{RUN, Run, Seen};
use crate::{
    cluster::{Cluster, Isolation, OffsetSpec},
    error::Failure,
    exit::Exit,
    model::names::{Side, TopicPartition},
    verify::{Fetchers, Item, Printer, Reader, Stop, Stream},
};

/// How far back the last records that were written on a side are looked for. What lies further back has this many records behind it
/// that were copied to this side.
pub(super) const BACK: i64 = 1_000_000;
/// Once one was found, others before it are looked for no further back than this.
const BACK_FOR_MORE: i64 = 10_000;
/// The first stretch that is read backwards; each further one is four times as long.
const STRETCH: i64 = 256;

/// One cluster, over connections that stay while several partitions are looked at.
pub(super) struct Lane<'a> {
    pub(super) cluster: &'a Cluster,
    /// There until it is given back.
    pub(super) fetchers: Option<Fetchers>,
    pub(super) idle: &'a Mutex<Vec<Fetchers>>,
    pub(super) printer: &'a Printer,
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
pub(super) struct Span {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Lane<'_> {
    /// Records that a read_committed reader sees, from one offset up to another, until `see` has enough.
    pub(super) async fn scan(
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
                // All batches count here.
                Ok(Some(Item::Passed { .. } | Item::Other(_) | Item::Unclear(_))) => {}
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
    pub(super) async fn since(
        &self,
        at: &TopicPartition,
        time: i64,
        of: Span,
    ) -> Result<i64, Failure> {
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
    pub(super) async fn back(
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

    pub(super) async fn run(
        &mut self,
        at: &TopicPartition,
        of: Span,
    ) -> Result<Option<Run>, Failure> {
        let natives = self.back(at, of, BACK, RUN, |record| !record.is_copy);
        Ok(Run::last_of(natives.await?))
    }
}
