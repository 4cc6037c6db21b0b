//! Who we are to those who read the ledger.

use super::ledger::record::Owner;
use crate::lock::{Lock, Place};

/// This process, as a claim names it.
pub fn here(lock: &Lock) -> Owner {
    let Place {
        host,
        machine,
        process,
        lock,
    } = Place::of(lock);
    Owner {
        host,
        machine,
        process,
        lock,
        version: env!("CARGO_PKG_VERSION").into(),
    }
}

/// Were both kept apart by the same lock? Then one of them ended before the other could take it.
pub fn is_same_place(a: &Owner, b: &Owner) -> bool {
    Place::is_same(&place(a), &place(b))
}

fn place(owner: &Owner) -> Place {
    Place {
        host: owner.host.clone(),
        machine: owner.machine.clone(),
        process: owner.process,
        lock: owner.lock.clone(),
    }
}
