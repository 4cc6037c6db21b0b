//! For each rule of the protocol, a small world that breaks without it.

use super::{
    Harm,
    scope::{Safeguard, Scope},
    search::search,
    variants::{COLD, MIXED, PIPELINED, WITHOUT_BARRIER, WORLD, busy, holds},
};

/// What was decided, with a table of these rules.
const DECISION: &str = include_str!("../../../docs/decisions/001-ledger.md");

/// A world in which a safeguard is missed.
struct Missed {
    /// What is taken away with it, because it covers for it.
    also: Option<Safeguard>,
    world: Scope,
    harm: Harm,
    /// Length of the shortest way there.
    steps: usize,
}

/// Adding a safeguard does not compile until a world is named here that breaks without it.
fn missed(safeguard: Safeguard) -> Missed {
    use Harm::{Lost, Stuck, TwiceOrOutOfOrder, Unmapped};
    let (world, harm, steps) = match safeguard {
        Safeguard::ClaimBeforeRead => (WORLD, TwiceOrOutOfOrder, 16),
        Safeguard::LedgerEpochBump => (WORLD, TwiceOrOutOfOrder, 14),
        Safeguard::Contiguity => (
            Scope {
                forgets: 1,
                ..WORLD
            },
            TwiceOrOutOfOrder,
            15,
        ),
        Safeguard::GenerationFilter => (
            Scope {
                forgets: 1,
                starts: 3,
                ..WORLD
            },
            TwiceOrOutOfOrder,
            22,
        ),
        Safeguard::SnapshotNoClaim => (
            Scope {
                forgets: 1,
                snapshots: true,
                ..WORLD
            },
            TwiceOrOutOfOrder,
            17,
        ),
        Safeguard::RequestIsNobodys => (
            Scope {
                forgets: 1,
                requests: 1,
                starts: 3,
                ..WORLD
            },
            TwiceOrOutOfOrder,
            21,
        ),
        Safeguard::RunsAhead => (WORLD, TwiceOrOutOfOrder, 13),
        Safeguard::IdentityAhead => (WORLD, TwiceOrOutOfOrder, 12),
        Safeguard::ContinuedAhead => (
            Scope {
                seals: true,
                starts: 3,
                ..COLD
            },
            TwiceOrOutOfOrder,
            20,
        ),
        Safeguard::FenceFirst => (WORLD, TwiceOrOutOfOrder, 15),
        Safeguard::MarkerWait => (WORLD, TwiceOrOutOfOrder, 16),
        Safeguard::FenceRedo => (Scope { starts: 3, ..WORLD }, TwiceOrOutOfOrder, 19),
        Safeguard::FreshProducer => (COLD, TwiceOrOutOfOrder, 18),
        Safeguard::RetiredKeptWarm => (WORLD, TwiceOrOutOfOrder, 16),
        Safeguard::DepthUntilRemembered => (PIPELINED, Lost, 10),
        Safeguard::DepthWhileCold => (
            Scope {
                cold: 0b1111,
                ..PIPELINED
            },
            Lost,
            14,
        ),
        Safeguard::NotFetchedAgain => (
            Scope {
                batch: 2,
                ..PIPELINED
            },
            Lost,
            16,
        ),
        // A part that would be cold by itself is not sent again while the identity is dirty.
        Safeguard::SameBoundaries => (
            Scope {
                cold: 0b1,
                batch: 2,
                ..PIPELINED
            },
            TwiceOrOutOfOrder,
            11,
        ),
        // What is sent again while cold is also cold while dirty.
        Safeguard::FenceUnknownCold => (COLD, TwiceOrOutOfOrder, 10),
        Safeguard::FenceColdWhileDirty => (MIXED, TwiceOrOutOfOrder, 14),
        Safeguard::DirtyForLife => (MIXED, TwiceOrOutOfOrder, 14),
        Safeguard::DirtyNotSealed => (
            Scope {
                seals: true,
                ..MIXED
            },
            TwiceOrOutOfOrder,
            19,
        ),
        Safeguard::CheckpointBeforeFenced => (Scope { starts: 3, ..WORLD }, TwiceOrOutOfOrder, 23),
        Safeguard::CheckpointAfterMap => (busy(WORLD), Unmapped, 8),
        Safeguard::CountedWithoutGaps => (busy(PIPELINED), Unmapped, 16),
        Safeguard::MapTheTail => (WORLD, Unmapped, 15),
        Safeguard::FenceWhenOutOfOrder => (busy(COLD), Stuck, 22),
        Safeguard::Lease => (WITHOUT_BARRIER, TwiceOrOutOfOrder, 16),
        Safeguard::WaitOut => (WITHOUT_BARRIER, TwiceOrOutOfOrder, 15),
    };
    let covered = [Safeguard::SameBoundaries, Safeguard::FenceUnknownCold];
    let also = covered
        .contains(&safeguard)
        .then_some(Safeguard::FenceColdWhileDirty);
    Missed {
        also,
        world,
        harm,
        steps,
    }
}

#[test]
fn without_any_one_safeguard_a_record_is_lost_or_repeated() {
    for safeguard in Safeguard::ALL {
        let Missed {
            also,
            world,
            harm,
            steps,
        } = missed(safeguard);
        let without: Vec<_> = std::iter::once(safeguard).chain(also).collect();
        let outcome = search(&world.less(&without));
        println!("without {without:?}: {}\n", outcome.told());
        assert_eq!(
            (outcome.harm, outcome.trace.len()),
            (Some(harm), steps),
            "without {without:?}:\n{}",
            outcome.told()
        );
        let star = if also.is_some() { "*" } else { "" };
        let row = format!("| {safeguard:?}{star} | {steps} | {harm} |");
        assert!(DECISION.contains(&row), "the decision lacks {row}");
    }
}

/// Two rules do no harm by being left out alone: the rule that covers for them, and that one alone in the same world, is enough. They stay:
/// they keep a fence from being needed, and an answered duplicate from becoming OUT_OF_ORDER.
#[test]
fn two_safeguards_are_covered_by_a_third() {
    for safeguard in Safeguard::ALL {
        let Missed {
            also: Some(also),
            world,
            ..
        } = missed(safeguard)
        else {
            continue;
        };
        let small = Scope {
            source: &[true, true],
            compactible: 0,
            ..world
        };
        for alone in [safeguard, also] {
            holds(&format!("without {alone:?} alone"), small.less(&[alone]));
        }
        let both = search(&small.less(&[safeguard, also]));
        assert!(both.harm.is_some(), "without {safeguard:?} and {also:?}");
    }
}
