//! May we see groups, and commit positions for them?

use super::{Asked, CannotLook, Finding, acls, fresh, principal, quoted, reach::named};
use crate::{
    model::{limits::Limits, numbers},
    observe::Observation,
};

/// G111.
pub(super) fn can_see_groups(seen: &Observation, _: &Limits) -> Asked {
    let wanted = &seen.asked.groups;
    if wanted.is_empty() {
        return Ok(Finding::pass("no groups are in scope (`scope.groups`)"));
    }
    let groups = fresh(&seen.source_groups)?;
    if !groups.denied.is_empty() {
        let commands = groups.denied.iter().map(|group| {
            acls(
                &seen.source,
                &["Describe", "Read"],
                &format!("--group {}", quoted(group)),
            )
        });
        return Ok(Finding::block(format!(
            "the source denies {} to describe groups",
            principal(&seen.source)
        ))
        .of(groups.denied.clone())
        .fix("let somebody with the right to Alter the cluster run these")
        .run(commands));
    }
    let literal = wanted.literals().count() == wanted.texts().len();
    if !groups.complete && !literal {
        return Err(CannotLook::because(
            "without the right to Describe the cluster the source shows only some of its groups, and does not say which it hides",
        )
        .fix("let somebody with the right to Alter the cluster run this, or name each group in `scope.groups`")
        .run([acls(&seen.source, &["Describe"], "--cluster")]));
    }
    let missing: Vec<String> = wanted
        .literals()
        .filter(|name| !groups.groups.iter().any(|group| group.name == **name))
        .cloned()
        .collect();
    if !missing.is_empty() {
        return Ok(
            Finding::warn(format!("not on the source: {}", named(&missing)))
                .fix("correct `scope.groups` or the application's groups, if they are misspelt"),
        );
    }
    Ok(Finding::pass(numbers::of(
        groups.groups.len() as u64,
        "group",
    )))
}

/// G128.
pub(super) fn can_commit(seen: &Observation, _: &Limits) -> Asked {
    if seen.asked.groups.is_empty() {
        return Ok(Finding::pass("no groups are in scope (`scope.groups`)"));
    }
    let denied = fresh(&seen.commits_denied)?;
    if denied.is_empty() {
        return Ok(Finding::pass("Read on every group in scope"));
    }
    let commands = denied.iter().map(|group| {
        acls(
            &seen.target,
            &["Read"],
            &format!("--group {}", quoted(group)),
        )
    });
    Ok(Finding::block(format!(
        "the target would not let {} commit positions of {}",
        principal(&seen.target),
        numbers::of(denied.len() as u64, "group")
    ))
    .of(denied.clone())
    .fix("let somebody with the right to Alter the cluster run these")
    .run(commands))
}
