//! The steps of a trace, in words.

use std::fmt::{Display, Formatter, Result};

use super::{Batch, Harm, Producer, Request, broker::Answer, fence::Fences};

/// One step of the world.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// Engine run, and the one that is killed for it.
    Starts(u8, u8),
    Did(u8, Said),
    /// The ledger's answer tells it; was its record appended?
    TakenOver(u8, Said, bool),
    /// Does somebody hear the answer?
    Arrives(Request, Answer, bool),
    Compaction(u8),
    Expiry(u8),
    Restart,
    LedgerForgets,
    Asked,
    CoordinatorForgets(u8),
    Marker(u8),
}

/// What an engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    ReadsLedger,
    Claims,
    Continues(u8),
    Intends,
    WaitsOut,
    Bumps(Fences, Producer),
    Names(u8, Producer),
    Aborts(Fences),
    AbortRefused,
    Recovers(u8),
    Fetches(Batch),
    WritesRun(Batch),
    Sends(Batch),
    ColdWhileDirty,
    ConnectionLost,
    ReadsTail,
    Checkpoints(u8),
    Maps,
    Fenced,
    Beats,
    Snapshots,
    Commits(u8),
    Seals(u8),
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Starts(run, 0) => write!(f, "engine {run} starts"),
            Self::Starts(run, killed) => {
                write!(f, "engine {killed} is killed, engine {run} starts")
            }
            Self::Did(run, said) => write!(f, "engine {run} {said}"),
            Self::TakenOver(run, said, appended) => {
                let how = if *appended {
                    "lands behind a claim"
                } else {
                    "is refused"
                };
                write!(f, "engine {run} {said}: that {how}, it ends")
            }
            Self::Arrives(request, answer, heard) => {
                let Request {
                    run,
                    producer,
                    batch,
                    ..
                } = request;
                write!(
                    f,
                    "engine {run}'s {batch} under {producer} arrives: {answer:?}"
                )?;
                if *heard {
                    Ok(())
                } else {
                    f.write_str(", and the connection closes before the answer")
                }
            }
            Self::Compaction(offset) => write!(f, "compaction removes source offset {offset}"),
            Self::Expiry(id) => write!(f, "the broker's expiry tick forgets producer id {id}"),
            Self::Restart => f.write_str("the broker restarts"),
            Self::LedgerForgets => f.write_str("the ledger's partition forgets who wrote it"),
            Self::Asked => f.write_str("somebody who is no engine appends a request to the ledger"),
            Self::CoordinatorForgets(id) => {
                write!(f, "the coordinator forgets transactional id {id}")
            }
            Self::Marker(id) => write!(
                f,
                "the coordinator's marker for producer id {id} is written"
            ),
        }
    }
}

impl Display for Said {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::ReadsLedger => f.write_str("reads the ledger"),
            Self::Claims => f.write_str("claims the ledger and reads it"),
            Self::Continues(number) => write!(f, "writes that it continues identity {number}"),
            Self::Intends => f.write_str("writes its intent to fence"),
            Self::WaitsOut => {
                f.write_str("waits until no old request can arrive and no older lease holds")
            }
            Self::Bumps(fences, producer) => {
                write!(f, "bumps{}, and is given {producer}", Named(fences))
            }
            Self::Names(number, producer) => write!(f, "writes identity {number}: {producer}"),
            Self::Aborts(fences) => write!(f, "aborts{}", Named(fences)),
            Self::AbortRefused => f.write_str("is refused the abort: somebody bumped in between"),
            Self::Recovers(position) => {
                write!(f, "reads the tail, goes on at source offset {position}")
            }
            Self::Fetches(batch) => write!(f, "fetches {batch}"),
            Self::WritesRun(batch) => write!(f, "fetches {batch} and writes its runs"),
            Self::Sends(batch) => write!(f, "sends {batch}"),
            Self::ColdWhileDirty => f.write_str("has a cold batch next while dirty"),
            Self::ConnectionLost => f.write_str("loses its connection"),
            Self::ReadsTail => f.write_str("reads the tail"),
            Self::Checkpoints(position) => write!(f, "checkpoints source offset {position}"),
            Self::Fenced => f.write_str("writes that every other identity is fenced"),
            Self::Beats => f.write_str("writes a heartbeat"),
            Self::Snapshots => f.write_str("writes a snapshot"),
            Self::Maps => f.write_str("writes target runs"),
            Self::Commits(position) => write!(
                f,
                "checkpoints source offset {position} and commits an empty transaction"
            ),
            Self::Seals(number) => write!(f, "writes that identity {number} is sealed, and ends"),
        }
    }
}

struct Named<'a>(&'a Fences);

impl Display for Named<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mut fences = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, epoch)| **epoch != 0)
            .peekable();
        if fences.peek().is_none() {
            return f.write_str(" nobody");
        }
        fences.try_for_each(|(number, epoch)| write!(f, " identity {number} to epoch {epoch}"))
    }
}

impl Display for Producer {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "producer id {} epoch {}", self.id, self.epoch)
    }
}

impl Display for Batch {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, (sequence, source)) in self.records().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}sequence {sequence} = source {source}")?;
        }
        Ok(())
    }
}

impl Display for Harm {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::TwiceOrOutOfOrder => "a record twice, or behind a later one",
            Self::Lost => "a record lost",
            Self::TwoMeanings => "a sequence with two meanings",
            Self::CheckpointAhead => "a checkpoint ahead of the target",
            Self::Unmapped => "a record checkpointed and in no target run",
            Self::Stuck => "a dead end: nothing more is copied",
        })
    }
}
