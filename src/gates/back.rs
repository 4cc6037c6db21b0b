//! Whether what applications write on the target can come back.

use super::{Asked, CannotLook, Finding, acls, fresh, principal, quoted};
use crate::{
    cluster::{Fidelity, Probe},
    model::{direction::as_on_the_way_back, limits::Limits},
    observe::Observation,
};

/// G129.
pub(super) fn records_can_come_back(seen: &Observation, _: &Limits) -> Asked {
    let Some(back) = &seen.back else {
        return Err(CannotLook::because("not asked by this command"));
    };
    let here = |cannot: CannotLook| CannotLook {
        reason: as_on_the_way_back(&cannot.reason),
        ..cannot
    };
    let ids = quoted(&back.rights.transactional_ids);
    let ours = quoted(&format!("kafka-migrate.{}.", seen.migration));
    let prefixed = "--resource-pattern-type prefixed";
    let (mut denied, mut lines) = (Vec::new(), Vec::new());
    if *fresh(&back.rights.transactions).map_err(here)? == Probe::Denied {
        denied.push(format!(
            "the transactional ids {}*",
            back.rights.transactional_ids
        ));
        let resource = format!("{prefixed} --transactional-id {ids}");
        lines.push(acls(&seen.source, &["Write", "Describe"], &resource));
    }
    let mut of_ledger = Vec::new();
    if let Some(refusal) = fresh(&back.rights.creation).map_err(here)? {
        let said = as_on_the_way_back(&refusal.message);
        of_ledger.push(format!("the topic {}: {said}", back.rights.ledger));
    }
    for (what, probe) in [
        ("writing to", &back.rights.write),
        ("reading", &back.rights.read),
        ("deleting records of", &back.rights.delete),
    ] {
        if *fresh(probe).map_err(here)? == Probe::Denied {
            of_ledger.push(format!("{what} {}", back.rights.ledger));
        }
    }
    if !of_ledger.is_empty() {
        let resource = format!("{prefixed} --topic {ours}");
        let operations = ["Create", "Describe", "Read", "Write", "Delete"];
        lines.push(acls(&seen.source, &operations, &resource));
        denied.extend(of_ledger);
    }
    for topic in fresh(&back.denied).map_err(here)? {
        denied.push(format!("writing to {topic}"));
        let resource = format!("--topic {}", quoted(topic));
        lines.push(acls(&seen.source, &["Write"], &resource));
    }
    if !denied.is_empty() {
        return Ok(Finding::block(format!(
            "the source denies {} what the way back needs",
            principal(&seen.source)
        ))
        .of(denied)
        .fix("let somebody with the right to Alter the cluster run this; or leave `replication.two_way` off")
        .run(lines));
    }
    match fresh(&back.fidelity).map_err(here)? {
        Fidelity::NotAllowed { topic, lacks } => Err(CannotLook::because(format!(
            "nothing was written: no {} on {topic} of the source",
            lacks.join(", ")
        ))
        .fix("let somebody with the right to Alter the cluster run this; the ledger takes the same rights")
        .run([acls(
            &seen.source,
            &["Create", "Describe", "Read", "Write", "Delete"],
            &format!("{prefixed} --topic {ours}"),
        )])),
        Fidelity::Tried { changed, batches, .. } if !changed.is_empty() => Ok(Finding::block(
            format!("{} of {batches} batches did not come back from the source as written", changed.len()),
        )
        .of(changed.clone())
        .fix("name brokers in `source.bootstrap` that are reached without what writes batches anew; or leave `replication.two_way` off: without producer ids as written a copy cannot be told from what applications write")),
        Fidelity::Tried { batches, left: Some(why), .. } => Ok(Finding::warn(format!(
            "{batches} batches on the source, as written; the topic they went to could not be removed"
        ))
        .of([why.clone()])),
        Fidelity::Tried { batches, .. } => Ok(Finding::pass(format!(
            "{batches} batches on the source, as written; it takes what comes back"
        ))),
    }
}
