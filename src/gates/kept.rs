//! Does what is written stay as it was written?

use super::{Asked, CannotLook, Finding, acls, fresh, quoted};
use crate::{
    cluster::Fidelity,
    model::{limits::Limits, numbers},
    observe::Observation,
};

/// G122.
pub(super) fn batches_stay(seen: &Observation, _: &Limits) -> Asked {
    let tried = match fresh(&seen.fidelity) {
        Ok(tried) => tried,
        Err(cannot) => {
            return Err(cannot.fix("run `preflight` again; where the target makes no topics for us, `verify` compares what was copied"));
        }
    };
    let (brokers, batches, changed, left) = match tried {
        Fidelity::NotAllowed { topic, lacks } => {
            let resource = format!(
                "--resource-pattern-type prefixed --topic {}",
                quoted(&format!("kafka-migrate.{}.", seen.migration))
            );
            let operations: Vec<&str> = ["Create", "Describe"]
                .into_iter()
                .chain(lacks.iter().copied())
                .collect();
            return Err(CannotLook::because(format!(
                "nothing was written: no {} on {topic}",
                lacks.join(", ")
            ))
            .fix("let somebody with the right to Alter the cluster run this; the ledger takes the same rights")
            .run([acls(&seen.target, &operations, &resource)]));
        }
        Fidelity::Tried {
            brokers,
            batches,
            changed,
            left,
        } => (brokers, batches, changed, left),
    };
    let of = format!(
        "{}, {}",
        format_args!("{batches} batches"),
        numbers::of(*brokers as u64, "broker")
    );
    if !changed.is_empty() {
        return Ok(Finding::block(format!("{} of {of} did not come back as written", changed.len()))
            .of(changed.clone())
            .fix("name brokers in `target.bootstrap` that are reached without what stands in between and writes batches anew; without producer ids and sequences as written nothing can be copied exactly once"));
    }
    if let Some(why) = left {
        return Ok(Finding::warn(format!(
            "{of}, as written; the topic they went to could not be removed"
        ))
        .of([why.clone()])
        .fix(format!(
            "remove kafka-migrate.{}.probe by hand; nothing needs it",
            seen.migration
        )));
    }
    Ok(Finding::pass(format!("{of}, byte for byte as written")))
}
