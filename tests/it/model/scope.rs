//! How large a world is, what may happen in it, and which rules of the protocol it does without.

use super::Batch;

/// One rule of the protocol that a variant may do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safeguard {
    /// The ledger is claimed first, then read up to the claim.
    ClaimBeforeRead,
    /// Each start bumps the epoch under which the ledger is written.
    LedgerEpochBump,
    /// Each append has to land at the next offset; a gap that holds a claim ends the engine.
    Contiguity,
    /// Records of an earlier owner behind a claim do not count.
    GenerationFilter,
    /// A run stands in the ledger before the first batch across it is sent.
    RunsAhead,
    /// An identity stands in the ledger before its first batch.
    IdentityAhead,
    /// A sealed identity is named in the ledger again before it is used again.
    ContinuedAhead,
    /// A predecessor is fenced, not merely replaced by a fresh identity.
    FenceFirst,
    /// The tail is read when the marker is seen, not before.
    MarkerWait,
    /// A fence that stands in the ledger without its end is done again.
    FenceRedo,
    /// The fenced producer id is never written under again.
    FreshProducer,
    /// One in flight until the broker is known to remember the identity.
    DepthUntilRemembered,
    /// One in flight while the last acknowledged batch, or one in flight, is cold.
    DepthWhileCold,
    /// What may have been sent is sent again with the same boundaries.
    SameBoundaries,
    /// What may have been sent is not fetched again for the same sequences.
    NotFetchedAgain,
    /// An answered retry does not make an identity clean.
    DirtyForLife,
    /// A dirty identity is not sealed.
    DirtyNotSealed,
    /// An unknown outcome among cold batches leads to a fence.
    FenceUnknownCold,
    /// A cold batch while dirty leads to a fence.
    FenceColdWhileDirty,
    /// A fence is said to be done after the checkpoint that its tail gave.
    CheckpointBeforeFenced,
    /// A checkpoint is written after the target runs it rests on.
    CheckpointAfterMap,
    /// What is acknowledged is counted without gaps.
    CountedWithoutGaps,
    /// Target runs of what only the tail shows are written, too, before the checkpoint behind them.
    MapTheTail,
    /// The marker of a fenced producer id is renewed before it expires.
    RetiredKeptWarm,
    /// After a second OUT_OF_ORDER, or one that the tail does not explain, the engine fences.
    FenceWhenOutOfOrder,
    /// Data is sent only while the last append to the ledger is young.
    Lease,
    /// Where nothing can be fenced: old requests are waited out.
    WaitOut,
    /// A snapshot counts only while its writer's claim is the last one; it is no claim.
    SnapshotNoClaim,
    /// A request of somebody who is no engine is nobody's record: not a claim, not a sign of life, and not the one whose fate is asked.
    RequestIsNobodys,
}

impl Safeguard {
    /// All of them.
    pub const ALL: [Self; 29] = [
        Self::ClaimBeforeRead,
        Self::LedgerEpochBump,
        Self::Contiguity,
        Self::GenerationFilter,
        Self::RunsAhead,
        Self::IdentityAhead,
        Self::ContinuedAhead,
        Self::FenceFirst,
        Self::MarkerWait,
        Self::FenceRedo,
        Self::FreshProducer,
        Self::DepthUntilRemembered,
        Self::DepthWhileCold,
        Self::SameBoundaries,
        Self::NotFetchedAgain,
        Self::DirtyForLife,
        Self::DirtyNotSealed,
        Self::FenceUnknownCold,
        Self::FenceColdWhileDirty,
        Self::CheckpointBeforeFenced,
        Self::CheckpointAfterMap,
        Self::CountedWithoutGaps,
        Self::MapTheTail,
        Self::RetiredKeptWarm,
        Self::FenceWhenOutOfOrder,
        Self::Lease,
        Self::WaitOut,
        Self::SnapshotNoClaim,
        Self::RequestIsNobodys,
    ];
}

/// How large the world is, and what may happen in it.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// The source's offsets: is there a record (and not a control batch)?
    pub source: &'static [bool],
    /// Offsets, as bits, whose records are older than the producer expiry.
    pub cold: u8,
    /// Offsets, as bits, that compaction may remove.
    pub compactible: u8,
    pub starts: u8,
    /// Connections that may break.
    pub lost: u8,
    /// Passing refusals.
    pub refusals: u8,
    /// Times that the ledger's partition may forget who writes it.
    pub forgets: u8,
    /// Requests to a running engine, by somebody who is none.
    pub requests: u8,
    /// Transactional ids of identities, as bits, that the coordinator may forget, so that a bump gives another producer id.
    pub forgettable: u8,
    pub depth: usize,
    pub batch: usize,
    pub restarts: bool,
    pub seals: bool,
    pub checkpoints: bool,
    pub snapshots: bool,
    /// Does the target's coordinator write markers at our request?
    pub barrier: bool,
    /// A producer expiry passes only when every request sent before has arrived or died, and every lease not renewed is over.
    pub bounded: bool,
    /// Rules left out, as bits.
    pub without: u32,
    /// Stop at a sequence with two meanings, or go on to what a reader sees?
    pub meanings: bool,
    /// From every state the end must be reachable.
    pub live: bool,
}

impl Scope {
    pub fn has(&self, safeguard: Safeguard) -> bool {
        self.without & 1 << safeguard as u32 == 0
    }

    /// The same world without some rules, to be searched for what a reader would see.
    pub fn less(self, without: &[Safeguard]) -> Self {
        let rules = without.iter().map(|rule| 1 << *rule as u32);
        Self {
            without: rules.fold(self.without, |all, rule| all | rule),
            meanings: false,
            ..self
        }
    }

    pub fn is_warm(&self, batch: Batch) -> bool {
        batch.sources().any(|source| self.cold & 1 << source == 0)
    }
}
