//! Does the target take settings: the source's, and the ones that hold retention open?

use super::{Asked, Finding, acls, fresh, quoted};
use crate::{
    cluster::Probe,
    model::{limits::Limits, numbers},
    observe::{Observation, TopicSeen},
};

/// G127.
pub(super) fn settings_taken(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let (mut lost, mut denied, mut commands, mut refused) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for topic in topics {
        if *fresh(&topic.target_rights.alter_configs)? == Probe::Denied {
            denied.push(format!("{}: no AlterConfigs", topic.name));
            let resource = format!("--topic {}", quoted(&topic.name));
            commands.push(acls(&seen.target, &["AlterConfigs"], &resource));
            if let Some(age) = too_old(topic, seen.at_ms) {
                lost.push(format!(
                    "{}: records are {} old, and the target keeps them for less",
                    topic.name,
                    numbers::time(std::time::Duration::from_millis(age))
                ));
            }
        }
        if matches!(fresh(&topic.target), Ok(Some(_))) {
            for objection in fresh(&topic.objections)? {
                refused.push(format!(
                    "{}: {} ({})",
                    topic.name, objection.setting, objection.refusal.message
                ));
            }
        }
    }
    let run = "let somebody with the right to Alter the cluster run these";
    if !lost.is_empty() {
        return Ok(Finding::block("old records would be deleted on the target as they arrive: its retention may not be held open")
            .of(lost)
            .fix(run)
            .run(commands));
    }
    if !refused.is_empty() || !denied.is_empty() {
        let evidence = format!(
            "{} of the source not taken, {} that may not be changed (validated only)",
            numbers::of(refused.len() as u64, "setting"),
            numbers::of(denied.len() as u64, "topic")
        );
        let fix = match commands.is_empty() {
            true => "set these by hand to what the target takes, if its own are not right",
            false => run,
        };
        refused.extend(denied);
        return Ok(Finding::warn(evidence).of(refused).fix(fix).run(commands));
    }
    Ok(Finding::pass(format!(
        "{} (validated only)",
        numbers::of(topics.len() as u64, "topic")
    )))
}

/// How old the oldest record looked at is, where the target deletes what is so old.
fn too_old(topic: &TopicSeen, now: i64) -> Option<u64> {
    let settings = fresh(&topic.target_settings).ok()?;
    let kept = settings.retention_ms.filter(|_| settings.deletes)?;
    let (_, time) = fresh(&topic.sample).ok()?.oldest?;
    let age = u64::try_from(now - time).unwrap_or(0);
    (age > kept).then_some(age)
}
