//! Small worlds in which the protocol holds.

use super::{
    Harm,
    scope::{Safeguard, Scope},
    search::{Outcome, search},
};

/// Three records and a control batch, of which the first may be compacted away; an engine, and one that takes over; one broken connection.
pub const WORLD: Scope = Scope {
    source: &[true, true, false, true],
    cold: 0,
    compactible: 0b1,
    starts: 2,
    lost: 1,
    refusals: 0,
    forgets: 0,
    requests: 0,
    forgettable: 0,
    depth: 1,
    batch: 1,
    restarts: false,
    seals: false,
    checkpoints: false,
    snapshots: false,
    barrier: true,
    bounded: false,
    without: 0,
    meanings: true,
    live: false,
};
pub const COLD: Scope = Scope {
    cold: 0b1111,
    ..WORLD
};
/// A fresh record, then an old one.
pub const MIXED: Scope = Scope {
    cold: 0b1010,
    ..WORLD
};
pub const PIPELINED: Scope = Scope {
    depth: 2,
    refusals: 1,
    ..WORLD
};
pub const WITHOUT_BARRIER: Scope = Scope {
    barrier: false,
    ..WORLD
};

/// Everything an engine may do beside copying.
pub const fn busy(scope: Scope) -> Scope {
    Scope {
        seals: true,
        checkpoints: true,
        restarts: true,
        live: true,
        ..scope
    }
}

#[track_caller]
pub fn holds(name: &str, scope: Scope) {
    let Outcome {
        states,
        ends,
        capped,
        ref trace,
        harm,
    } = search(&scope);
    println!("{name}: {states} states, {ends} of them ends");
    assert_eq!(harm, None, "{name} is broken:\n{}", trace.join("\n"));
    assert_eq!(capped, 0, "{name} needs more room for identities");
    assert!(ends > 100, "{name}: almost nothing was copied");
}

#[test]
fn warm_records_are_copied_once_in_order_whatever_happens() {
    holds("warm", busy(WORLD));
    holds("warm, three starts", Scope { starts: 3, ..WORLD });
    holds("warm, pipelined", busy(PIPELINED));
}

#[test]
fn records_older_than_the_producer_expiry_are_copied_once_in_order() {
    holds("cold", busy(COLD));
    holds(
        "cold, pipelined",
        Scope {
            cold: 0b1111,
            ..PIPELINED
        },
    );
}

#[test]
fn fresh_and_old_records_together_are_copied_once_in_order() {
    holds("fresh, then old", busy(MIXED));
    holds("old, then fresh", busy(Scope { cold: 0b1, ..WORLD }));
    holds(
        "batches of two, the last record old",
        Scope {
            cold: 0b1000,
            batch: 2,
            live: true,
            ..PIPELINED
        },
    );
}

#[test]
fn a_ledger_and_a_coordinator_that_forget_do_no_harm() {
    holds(
        "the ledger's partition forgets its writer",
        Scope {
            forgets: 1,
            snapshots: true,
            // The owner may find itself refused without a claim, and ends: it has to be started again.
            live: false,
            ..busy(WORLD)
        },
    );
    holds(
        "the coordinator forgets transactional ids",
        Scope {
            forgettable: 0b11,
            live: true,
            ..WORLD
        },
    );
}

#[test]
fn requests_of_somebody_who_is_no_engine_do_no_harm() {
    holds(
        "requests",
        Scope {
            requests: 2,
            ..busy(WORLD)
        },
    );
    holds(
        "requests, and the ledger's partition forgets its writer",
        Scope {
            requests: 1,
            forgets: 1,
            snapshots: true,
            live: false,
            ..busy(WORLD)
        },
    );
}

#[test]
fn where_nothing_can_be_fenced_the_lease_does_it() {
    holds(
        "warm, no barrier",
        Scope {
            live: true,
            ..WITHOUT_BARRIER
        },
    );
    holds(
        "cold, no barrier",
        Scope {
            live: true,
            cold: 0b1111,
            ..WITHOUT_BARRIER
        },
    );
}

/// The markers of fenced producer ids need no renewal where no request travels for as long as a producer expiry and no engine sends on an old lease.
#[test]
fn markers_may_expire_where_nothing_is_as_late_as_that() {
    let world = Scope {
        bounded: true,
        ..busy(WORLD)
    };
    holds("expired markers", world.less(&[Safeguard::RetiredKeptWarm]));
    let world = world.less(&[Safeguard::RetiredKeptWarm, Safeguard::Lease]);
    assert_eq!(search(&world).harm, Some(Harm::TwiceOrOutOfOrder));
}

#[test]
fn larger_worlds() {
    if std::env::var("KAFKA_MIGRATE_MODEL").as_deref() != Ok("long") {
        println!("skipped: KAFKA_MIGRATE_MODEL=long searches larger worlds, for minutes");
        return;
    }
    let three = |scope: Scope| Scope { starts: 3, ..scope };
    let small = |scope: Scope| Scope {
        source: &[true, true],
        compactible: 0,
        ..scope
    };
    holds("warm, three starts, busy", three(busy(WORLD)));
    holds("cold, three starts", three(COLD));
    holds("cold, three starts, busy", small(three(busy(COLD))));
    holds(
        "fresh, then old, three starts, busy",
        small(three(busy(MIXED))),
    );
    holds(
        "cold, two broken connections",
        Scope {
            lost: 2,
            ..busy(COLD)
        },
    );
    let pipelined = Scope {
        cold: 0b1111,
        source: &[true; 3],
        compactible: 0,
        ..PIPELINED
    };
    holds("cold, pipelined, three starts", three(pipelined));
    holds(
        "batches of two, the first record old",
        Scope {
            cold: 0b1,
            batch: 2,
            ..busy(PIPELINED)
        },
    );
    let forgetful = Scope {
        forgets: 1,
        snapshots: true,
        ..WORLD
    };
    holds("forgetful ledger, three starts", three(forgetful));
    let without_barrier = Scope {
        cold: 0b1111,
        ..WITHOUT_BARRIER
    };
    holds("no barrier, three starts", small(three(without_barrier)));
    let holes = Scope {
        source: &[true, false, true, false, true],
        compactible: 0b101,
        ..WORLD
    };
    holds("two holes", busy(holes));
}
