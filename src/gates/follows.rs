//! What follows the source beside records and positions: would it, and what not?

use super::{Asked, CannotLook, Finding, acls, fresh};
use crate::{
    cluster::Operation,
    engine::ledger::synced::{Fate, What},
    model::{limits::Limits, numbers},
    observe::{AclsSeen, ClusterSeen, FollowsSeen, Observation},
};

fn asked(seen: &Observation) -> Result<&FollowsSeen, CannotLook> {
    let follows = seen.follows.as_deref();
    follows.ok_or_else(|| CannotLook::because("it takes a connection to both clusters"))
}

/// G130.
pub(super) fn settings_follow(seen: &Observation, _: &Limits) -> Asked {
    let Some(settings) = &asked(seen)?.settings else {
        return Ok(Finding::pass(
            "left alone: `replication.sync.configs` is off",
        ));
    };
    let settings = fresh(settings)?;
    let count = |what| settings.iter().filter(|one| one.what == what).count() as u64;
    let evidence = format!(
        "{} to be set as on the source, {} refused, {} left as somebody set it, {} not carried",
        numbers::of(count(What::Differs), "setting"),
        count(What::Refused),
        count(What::Left),
        count(What::Stays),
    );
    if count(What::Refused) + count(What::Left) == 0 {
        return Ok(Finding::pass(evidence));
    }
    let mut lines: Vec<_> = settings
        .iter()
        .filter(|one| one.what != What::Differs)
        .collect();
    lines.sort_by_key(|one| one.what == What::Stays);
    let lines = lines.into_iter();
    Ok(Finding::warn(evidence)
        .of(lines.map(|one| format!("{}: {one}", one.what.word())))
        .fix("set what should be as on the source by hand: from then on it follows"))
}

/// G131.
pub(super) fn acls_follow(seen: &Observation, _: &Limits) -> Asked {
    let Some(rules) = &asked(seen)?.acls else {
        return Ok(Finding::pass("left alone: `replication.sync.acls` is off"));
    };
    let rules =
        match fresh(rules)? {
            AclsSeen::Unguarded => {
                return Ok(Finding::pass(
                    "the source has no authorizer, and so no access rules",
                ));
            }
            AclsSeen::Differ(why) => {
                return Ok(Finding::warn("access rules are not carried")
                .of([why.clone()])
                .fix("make both sides alike in this (G126), or give the target its rules by hand"));
            }
            AclsSeen::Planned(rules) => rules,
        };
    let count = |fate| rules.differ.iter().filter(|one| one.fate == fate).count();
    let evidence = format!(
        "{} there, {} to be made, {} to be removed; of the source's {} narrowed, {} waiting for a cutover, {} left",
        rules.there,
        rules.to_make.len(),
        rules.to_remove.len(),
        count(Fate::Narrowed),
        count(Fate::Waits),
        count(Fate::Left),
    );
    if rules.differ.is_empty() {
        return Ok(Finding::pass(evidence));
    }
    let mut lines: Vec<_> = rules.differ.iter().collect();
    lines.sort_by_key(|one| std::cmp::Reverse(one.fate));
    let line = |one: &crate::engine::ledger::synced::RuleStanding| {
        format!("{}: {}: {}", one.fate.word(), one.rule, one.reason)
    };
    Ok(Finding::warn(evidence)
        .of(lines.into_iter().map(line))
        .fix("make by hand on the target what applications need of what is left"))
}

/// G132.
pub(super) fn scram_users_there(seen: &Observation, _: &Limits) -> Asked {
    let missing = fresh(&asked(seen)?.users_missing)?;
    if missing.is_empty() {
        return Ok(Finding::pass("none is missing on the target"));
    }
    let line = |one: &crate::cluster::ScramUser| {
        format!(
            "{}: {}, {} iterations",
            one.user, one.mechanism, one.iterations
        )
    };
    Ok(Finding::warn(format!(
        "{} with SCRAM that the target lacks",
        numbers::of(missing.len() as u64, "login")
    ))
    .of(missing.iter().map(line))
    .fix("passwords cannot be read from a cluster: set them on the target, before applications log in there"))
}

/// G133.
pub(super) fn can_carry_acls(seen: &Observation, _: &Limits) -> Asked {
    match &asked(seen)?.acls {
        None => return Ok(Finding::pass("left alone: `replication.sync.acls` is off")),
        Some(rules) if matches!(rules.value(), Ok(AclsSeen::Unguarded)) => {
            return Ok(Finding::pass(
                "the source has no authorizer, and so no access rules",
            ));
        }
        Some(_) => {}
    }
    let (mut lines, mut commands) = (Vec::new(), Vec::new());
    let mut look = |cluster: &ClusterSeen, side: &str, wanted: &[Operation]| {
        let has = fresh(&cluster.rights)?;
        let lacking = wanted.iter().filter(|one| !has.contains(one));
        let lacking: Vec<&str> = lacking.map(|one| one.name()).collect();
        if !lacking.is_empty() {
            lines.push(format!(
                "the {side}: no {} of the cluster",
                lacking.join(", ")
            ));
            commands.push(acls(cluster, &lacking, "--cluster"));
        }
        Ok::<(), CannotLook>(())
    };
    look(&seen.source, "source", &[Operation::Describe])?;
    look(
        &seen.target,
        "target",
        &[Operation::Describe, Operation::Alter],
    )?;
    if lines.is_empty() {
        return Ok(Finding::pass("source: Describe; target: Describe, Alter"));
    }
    Ok(Finding::warn("access rules do not follow the source without these rights; records do")
        .of(lines)
        .fix("let somebody with the right to Alter the cluster run these, or switch `replication.sync.acls` off")
        .run(commands))
}
